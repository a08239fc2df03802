"""Tasks in the settings: switches, the brightness, the size of text."""

from collections.abc import Callable

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import FONT_SIZES
from eyehand.envs.phone.state import PhoneState
from eyehand.envs.phone.tasks.task import Assignment, PhoneTask, changed

SWITCHES = {
    "flight-mode": ("airplane_mode", "Airplane mode"),
    "wifi": ("wifi", "Wi-Fi"),
    "bluetooth": ("bluetooth", "Bluetooth"),
    "dark-theme": ("dark_theme", "Dark theme"),
    "do-not-disturb": ("do_not_disturb", "Do Not Disturb"),
}
"""Task name to the key of its setting, and what the phone calls it."""

BRIGHTNESS_WITHIN = 3
"""Percent that the brightness may be off: about the width of the slider's knob."""


def switch_task(key: str, label: str) -> Callable[[Draw, PhoneState], Assignment]:
    """Return what draws a task that turns a switch over: on or off, as the seed says."""

    def draw_switch(draw: Draw, start: PhoneState) -> Assignment:
        wanted = draw.chance()
        start["settings"][key] = not wanted  # type: ignore[literal-required]
        goal = changed(start)
        goal["settings"][key] = wanted  # type: ignore[literal-required]
        word = "on" if wanted else "off"
        parameters = {"setting": key, "value": wanted}
        return Assignment(f"Turn {word} {label}.", start, goal, parameters=parameters)

    return draw_switch


def brightness(draw: Draw, start: PhoneState) -> Assignment:
    """The brightness at a drawn level, in steps of ten."""
    level = draw.other([10 * step for step in range(1, 10)], start["settings"]["brightness"])
    goal = changed(start)
    goal["settings"]["brightness"] = level
    parameters = {"setting": "brightness", "value": level}
    instruction = f"Set the brightness to {level}%."
    return Assignment(instruction, start, goal, None, parameters, BRIGHTNESS_WITHIN)


def font_size(draw: Draw, start: PhoneState) -> Assignment:
    """Another size of text."""
    size = draw.other(FONT_SIZES, start["settings"]["font_size"])
    goal = changed(start)
    goal["settings"]["font_size"] = size
    parameters = {"setting": "font_size", "value": size}
    return Assignment(f"Set the font size to {size}.", start, goal, parameters=parameters)


TASKS = (
    *(PhoneTask(name, switch_task(key, label)) for name, (key, label) in SWITCHES.items()),
    PhoneTask("brightness", brightness),
    PhoneTask("font-size", font_size),
)
