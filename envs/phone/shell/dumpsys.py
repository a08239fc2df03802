"""`dumpsys`: the few lines of its services that clients look for."""

from collections.abc import Callable

from eyehand.envs.phone.shell.apps import installed
from eyehand.envs.phone.shell.system import CommandFailed, Invocation, PhoneSystem

TOKEN = "2c1a7f3"
WINDOW_FLAGS = "LAYOUT_IN_SCREEN LAYOUT_INSET_DECOR SPLIT_TOUCH HARDWARE_ACCELERATED"


def dumpsys(call: Invocation) -> int:
    """`dumpsys SERVICE [ARGUMENT...]`."""
    words = call.words(1, "dumpsys: name a service")
    service = SERVICES.get(words[0])
    if service is None:
        raise CommandFailed(f"Can't find service: {words[0]}", 0)
    call.say(service(call.system, words[1:]))
    return 0


def display(system: PhoneSystem, words: list[str]) -> str:
    """The logical display, which panel shows it, and how it is turned."""
    screen = system.screen
    width, height = screen.current_size
    active = system.faults.active_display % system.faults.displays
    unique = f"local:{system.faults.display_ids()[active]}"
    state = "ON" if screen.screen_on else "OFF"
    density = screen.override_density or screen.density
    frame = f"Rect(0, 0 - {width}, {height})"
    return "\n".join(
        [
            "DISPLAY MANAGER (dumpsys display)",
            f"  mViewports=[DisplayViewport{{type=INTERNAL, valid=true, isActive=true, "
            f"displayId=0, uniqueId='{unique}', physicalPort={active}, "
            f"orientation={screen.rotation}, logicalFrame={frame}, physicalFrame={frame}, "
            f"deviceWidth={width}, deviceHeight={height}}}]",
            "Display States: size=1",
            "  Display Id=0",
            f"  Display State={state}",
            f"Display Devices: size={system.faults.displays}",
            *(_panel(system, index) for index in range(system.faults.displays)),
            "Logical Displays: size=1",
            "  Display 0:",
            f'    mOverrideDisplayInfo=DisplayInfo{{"Built-in Screen", displayId 0, '
            f"real {width} x {height}, rotation {screen.rotation}, state {state}, "
            f'density {density}, uniqueId "{unique}"}}',
        ]
    )


def _panel(system: PhoneSystem, index: int) -> str:
    lit = index == system.faults.active_display % system.faults.displays
    state = "ON" if lit and system.screen.screen_on else "OFF"
    width, height = system.screen.physical_size
    identity = system.faults.display_ids()[index]
    return (
        f'  DisplayDeviceInfo{{"Built-in Screen {index}": uniqueId="local:{identity}", '
        f"{width} x {height}, density {system.screen.density}, state {state}, type INTERNAL}}"
    )


def window(system: PhoneSystem, words: list[str]) -> str:
    """The window in focus, its flags and the display's rotation."""
    screen = system.screen
    package, activity = screen.foreground()
    focus = f"{package}/{_full(package, activity)}"
    size, override = screen.physical_size, screen.override_size or screen.physical_size
    width, height = screen.current_size
    dpi = screen.override_density or screen.density
    secure = "SECURE " if screen.secure else ""
    return "\n".join(
        [
            "WINDOW MANAGER WINDOWS (dumpsys window windows)",
            f"  Window #0 Window{{{TOKEN} u0 {focus}}}:",
            "    mAttrs={(0,0)(fillxfill) sim={adjust=resize} ty=BASE_APPLICATION",
            f"      fl={secure}{WINDOW_FLAGS}}}",
            "WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)",
            "  Display: mDisplayId=0",
            f"    init={size[0]}x{size[1]} {screen.density}dpi base={override[0]}x{override[1]} "
            f"{dpi}dpi cur={width}x{height} app={width}x{height}",
            f"    mRotation={screen.rotation} mCurrentRotation=ROTATION_{screen.rotation * 90}",
            f"  mCurrentFocus=Window{{{TOKEN} u0 {focus}}}",
            f"  mFocusedApp=ActivityRecord{{{TOKEN} u0 {focus} t1}}",
            f"  mInputMethodWindow={'visible' if screen.keyboard_shown() else 'null'}",
            f"  mAwake={_bool(screen.screen_on)} mShowingLockscreen=false",
        ]
    )


def activity(system: PhoneSystem, words: list[str]) -> str:
    """The activity in front."""
    package, name = system.screen.foreground()
    full = f"{package}/{_full(package, name)}"
    return "\n".join(
        [
            "ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)",
            f"  topResumedActivity=ActivityRecord{{{TOKEN} u0 {full} t1}}",
            f"    mResumedActivity: ActivityRecord{{{TOKEN} u0 {full} t1}}",
            f"  ACTIVITY {full} {TOKEN} pid=1234",
        ]
    )


def surface_flinger(system: PhoneSystem, words: list[str]) -> str:
    """The physical displays' ids, for `screencap -d`."""
    return "\n".join(
        f'Display {identity} (HWC display {port}): port={port} pnpId=EYE displayName="Panel {port}"'
        for port, identity in enumerate(system.faults.display_ids())
    )


def input_method(system: PhoneSystem, words: list[str]) -> str:
    """The current input method, and whether its keyboard is up."""
    shown = _bool(system.screen.keyboard_shown())
    return (
        f"Current Input Method Manager state:\n  mCurMethodId={system.screen.ime}\n"
        f"  mShowRequested={shown} mInputShown={shown}\n  mIsInputViewShown={shown}"
    )


def power(system: PhoneSystem, words: list[str]) -> str:
    """Whether the phone is awake."""
    lit = system.screen.screen_on
    return (
        f"POWER MANAGER (dumpsys power)\n  mWakefulness={'Awake' if lit else 'Asleep'}\n"
        f"  mHoldingDisplaySuspendBlocker={_bool(lit)}"
    )


def package(system: PhoneSystem, words: list[str]) -> str:
    """One package's version."""
    name = words[0] if words else ""
    if name not in installed(system.screen):
        return f"Unable to find package: {name}"
    return (
        f"Packages:\n  Package [{name}] (a1b2c3):\n    versionCode=1 minSdk=26 targetSdk=34\n"
        "    versionName=1.0\n    pkgFlags=[ HAS_CODE ALLOW_CLEAR_USER_DATA ]"
    )


def battery(system: PhoneSystem, words: list[str]) -> str:
    """A battery that never empties."""
    return (
        "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n"
        "  Wireless powered: false\n  Max charging current: 500000\n"
        "  Max charging voltage: 5000000\n  Charge counter: 3000000\n  status: 2\n  health: 2\n"
        "  present: true\n  level: 100\n  scale: 100\n  voltage: 4300\n  temperature: 250\n"
        "  technology: Li-ion"
    )


def _full(package: str, activity: str) -> str:
    return package + activity if activity.startswith(".") else activity


def _bool(value: bool) -> str:
    return "true" if value else "false"


SERVICES: dict[str, Callable[[PhoneSystem, list[str]], str]] = {
    "display": display,
    "window": window,
    "activity": activity,
    "SurfaceFlinger": surface_flinger,
    "input_method": input_method,
    "power": power,
    "package": package,
    "battery": battery,
}
