"""Apps: found by label or package among what the phone has, started, and looked for in front.

What the model wrote is only compared with what the phone lists; the phone's own names are what
goes to its shell.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from eyehand.envs.android.display import Displays
from eyehand.envs.android.link import DeviceLink
from eyehand.envs.android.server import POLL_PAUSE_S, Deadline
from eyehand.errors import ActionHadNoEffect, InvalidArgument

START_TIMEOUT_S = 15.0
IN_FRONT_TIMEOUT_S = 3.0
_LAUNCHER = ("-a", "android.intent.action.MAIN", "-c", "android.intent.category.LAUNCHER")
_ACTIVITY = re.compile(r"^\s*name=(\S+)\s*\n\s*packageName=(\S+)", re.MULTILINE)
_LABEL = re.compile(r"nonLocalizedLabel=(.*?) icon=")
_COMPONENT = re.compile(r"^[\w.$]+/[\w.$]+$")
# Words of package names that say nothing about the app.
_GENERIC = frozenset("com org net android google apps app sec samsung miui huawei oneplus".split())
# Labels that a package's name does not hold. Android's shell does not tell labels.
_KNOWN = {
    "calculator": ("com.google.android.calculator", "com.android.calculator2"),
    "calendar": ("com.google.android.calendar", "com.android.calendar"),
    "camera": ("com.google.android.GoogleCamera", "com.android.camera2", "com.android.camera"),
    "chrome": ("com.android.chrome",),
    "clock": ("com.google.android.deskclock", "com.android.deskclock"),
    "contacts": ("com.google.android.contacts", "com.android.contacts"),
    "drive": ("com.google.android.apps.docs",),
    "facebook": ("com.facebook.katana",),
    "files": ("com.google.android.apps.nbu.files", "com.android.documentsui"),
    "gmail": ("com.google.android.gm",),
    "google": ("com.google.android.googlequicksearchbox",),
    "maps": ("com.google.android.apps.maps",),
    "messages": ("com.google.android.apps.messaging", "com.android.messaging", "com.android.mms"),
    "phone": ("com.google.android.dialer", "com.android.dialer"),
    "photos": ("com.google.android.apps.photos",),
    "play store": ("com.android.vending",),
    "settings": ("com.android.settings",),
    "wechat": ("com.tencent.mm",),
    "x": ("com.twitter.android",),
    "youtube": ("com.google.android.youtube",),
}


@dataclass(frozen=True)
class App:
    """An app that can be opened.

    Attributes:
        package: Its package.
        component: What starts it, "package/activity"; empty where it is not told.
        label: Its label where the phone tells one, else empty.
    """

    package: str
    component: str = ""
    label: str = ""


class Apps:
    """The apps of a device.

    Args:
        link: The device.
        displays: Where they show up.
    """

    def __init__(self, link: DeviceLink, displays: Displays) -> None:
        self._link = link
        self._displays = displays
        self._apps: list[App] = []

    def find(self, name: str) -> App:
        """Return the app of that label or package.

        Raises:
            InvalidArgument: there is none, or more than one; the message lists candidates.
        """
        if not self._apps:
            self._apps = self._installed()
        return find_app(name, self._apps)

    def start(self, app: App) -> None:
        """Start an app and bring it to the front.

        Raises:
            ActionHadNoEffect: the phone refuses.
        """
        component = app.component or self._resolve(app.package)
        elsewhere = self._displays.display_id
        display = ("--display", str(elsewhere)) if elsewhere else ()
        if component:
            command: tuple[str, ...] = ("am", "start", "-W", *display, "-n", component)
        else:
            command = ("monkey", "-p", app.package, "-c", _LAUNCHER[-1], "1")
        result = self._link.act(command, timeout_s=max(START_TIMEOUT_S, self._link.call_timeout_s))
        failed = "Error" in result.stderr or "Error:" in result.stdout or "aborted" in result.said
        if result.exit_code or failed:
            raise ActionHadNoEffect(f"{app.package} could not be opened: {result.said[:200]}")

    def in_front(self, app: App) -> str:
        """Wait until the app is in front; return what is there instead, or an empty text."""
        deadline = Deadline(IN_FRONT_TIMEOUT_S, app.package)
        while True:
            focus = self._displays.look().focus
            if focus.split("/", 1)[0] == app.package:
                return ""
            if deadline.passed:
                return focus or "no window"
            time.sleep(POLL_PAUSE_S)

    def _installed(self) -> list[App]:
        told = self._link.ask("cmd", "package", "query-activities", *_LAUNCHER).stdout
        apps = parse_activities(told)
        if apps:
            return apps
        listed = self._link.ask("pm", "list", "packages").stdout.split()
        return [App(line.removeprefix("package:")) for line in listed]

    def _resolve(self, package: str) -> str:
        """Return what starts a package, as the phone tells it, or an empty text."""
        said = self._link.ask(
            "cmd", "package", "resolve-activity", "--brief", *_LAUNCHER, package
        ).stdout
        lines = [line.strip() for line in said.splitlines()]
        return next((line for line in reversed(lines) if _COMPONENT.match(line)), "")


def parse_activities(told: str) -> list[App]:
    """Read the answer of `cmd package query-activities`."""
    apps = []
    for block in re.split(r"^\s*Activity #\d+:", told, flags=re.MULTILINE)[1:]:
        named, label = _ACTIVITY.search(block), _LABEL.search(block)
        if named:
            activity, package = named.groups()
            text = label.group(1).strip() if label else ""
            apps.append(App(package, f"{package}/{activity}", "" if text == "null" else text))
    return apps


def find_app(name: str, apps: list[App]) -> App:
    """Return the app that a name means: by package, label, well-known name, or a package's word.

    Raises:
        InvalidArgument: none, or several.
    """
    wanted = _plain(name)
    if not wanted:  # signs alone would be part of every name
        alike = [app for app in apps if app.label and app.label.strip() == name.strip()]
        return _only(name, [alike], apps)
    known = _KNOWN.get(wanted, ())
    readings = (
        [app for app in apps if app.package == name.strip()],
        [app for app in apps if app.label and _plain(app.label) == wanted],
        [app for package in known for app in apps if app.package == package][:1],
        [app for app in apps if app.package.lower().rpartition(".")[2] == wanted.replace(" ", "")],
        [app for app in apps if wanted in _words(app.package)],
        [app for app in apps if wanted.replace(" ", "") in "".join(sorted(_words(app.package)))],
    )
    return _only(name, readings, apps)


def _only(name: str, readings: Iterable[list[App]], apps: list[App]) -> App:
    """Return the one app of the first reading of a name that finds any.

    Raises:
        InvalidArgument: none does, or it finds several.
    """
    for found in readings:
        packages = list(dict.fromkeys(app.package for app in found))
        if len(packages) == 1:
            return found[0]
        if packages:
            raise InvalidArgument(
                f"several apps may be {name[:60]!r}; name the package: {', '.join(packages[:12])}"
            )
    names = {_plain(app.label) or app.package: app.label or app.package for app in apps}
    close = [names[n] for n in get_close_matches(_plain(name), list(names), n=5, cutoff=0.4)]
    shown = close or sorted(names.values())[:20]
    raise InvalidArgument(f"there is no app {name[:60]!r}; there are for example: {shown}")


def _plain(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def _words(package: str) -> set[str]:
    return {word for word in re.split(r"[._]", package.lower()) if word not in _GENERIC}
