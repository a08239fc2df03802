"""How the phone's tasks in the clock and the settings are solved."""

from eyehand.actions.android import OpenApp
from eyehand.agent.experts.phone.moves import Plan, go, parameter, reveal, right_answer
from eyehand.agent.experts.phone.view import PhoneView, Target
from eyehand.errors import ActionHadNoEffect

# --- clock --------------------------------------------------------------------------------


def set_alarm(view: PhoneView) -> Plan:
    """Choose the hour and the minute in the form of a new alarm."""
    hour, minute = parameter(view, "time").split(":")
    yield OpenApp(app="Clock")
    yield from go(view, Target("add"), Target("hour", hour), Target("minute", minute))
    yield from go(view, Target("save"))


def switch_alarm(view: PhoneView) -> Plan:
    """Tap the alarm's switch."""
    yield OpenApp(app="Clock")
    time = parameter(view, "time")
    yield from go(view, Target("alarm_switch", row=time, row_name="alarm"))


def delete_alarm(view: PhoneView) -> Plan:
    """Open the alarm and delete it."""
    yield OpenApp(app="Clock")
    time = Target("alarm_time", parameter(view, "time"))
    yield from go(view, time, Target("delete"), Target("confirm"))


def set_timer(view: PhoneView) -> Plan:
    """Step minutes and seconds to where they shall be, by tens as long as that is nearer."""
    yield OpenApp(app="Clock")
    yield from go(view, Target("tab", "Timer"))
    for part in ("minutes", "seconds"):
        wanted: int = parameter(view, part)
        while missing := wanted - _timer(view, part):
            size = 10 if abs(missing) > 5 else 1
            sign = "plus" if missing > 0 else "minus"
            yield from go(view, Target(f"timer_{part}_{sign}_{size}"))
    yield from go(view, Target("timer_start"))


def count_alarms(view: PhoneView) -> Plan:
    """Look at the alarms and answer."""
    yield OpenApp(app="Clock")
    yield right_answer(view)


def _timer(view: PhoneView, part: str) -> int:
    timer = view.environment.screen.state()["timer"]
    return timer["minutes"] if part == "minutes" else timer["seconds"]


# --- settings -----------------------------------------------------------------------------

SETTING_PAGES = {
    "wifi": "network",
    "airplane_mode": "network",
    "bluetooth": "connected",
    "dark_theme": "display",
    "brightness": "display",
    "font_size": "display",
    "do_not_disturb": "sound",
}
"""Setting to the page of the settings that it is on."""


def switch_setting(view: PhoneView) -> Plan:
    """Open the setting's page and tap its row."""
    yield from _setting_page(view)
    yield from go(view, Target(parameter(view, "setting")))


def font_size(view: PhoneView) -> Plan:
    """Choose the size in the dialog."""
    yield from _setting_page(view)
    size = parameter(view, "value").capitalize()
    yield from go(view, Target("font_size"), Target("choice", size))


def brightness(view: PhoneView) -> Plan:
    """Tap the slider's track where the level is."""
    yield from _setting_page(view)
    yield from reveal(view, Target("brightness_slider"))
    track = view.environment.screen.locate("brightness-track")
    if track is None:
        raise ActionHadNoEffect("the expert finds no slider of the brightness")
    share = parameter(view, "value") / 100
    x_px = track.left + (track.right - track.left) * share
    yield view.tap_at(x_px, (track.top + track.bottom) / 2)


def _setting_page(view: PhoneView) -> Plan:
    yield OpenApp(app="Settings")
    yield from go(view, Target(SETTING_PAGES[parameter(view, "setting")]))
