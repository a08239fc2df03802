"""The names by which commands speak of the phone's apps."""

from eyehand.envs.phone.shell.hardware import BROADCAST_IME, PhoneHardware

LAUNCHER = "com.android.launcher"
SETTINGS = "com.android.settings"
MAIN_ACTIVITY = ".MainActivity"


def component(package: str) -> str:
    """Return the component that starts an app, in its short form."""
    return f"{package}/{MAIN_ACTIVITY}"


def split_component(name: str) -> tuple[str, str]:
    """Return package and full activity of "package/.Activity" or "package/package.Activity"."""
    package, _, activity = name.partition("/")
    return package, package + activity if activity.startswith(".") else activity


def is_main(package: str, activity: str) -> bool:
    """Return whether an activity, in its full form, is the one that starts the app."""
    return activity == package + MAIN_ACTIVITY


def installed(screen: PhoneHardware) -> dict[str, str]:
    """Return the labels of everything installed, by package, the extra keyboard included."""
    labels = dict(screen.packages())
    for ime in screen.imes:
        package = ime.partition("/")[0]
        labels.setdefault(package, "ADB Keyboard" if ime == BROADCAST_IME else "Keyboard")
    return labels


def is_third_party(package: str) -> bool:
    """Return whether a package did not come with the phone: only the extra keyboard."""
    return package == BROADCAST_IME.partition("/")[0]
