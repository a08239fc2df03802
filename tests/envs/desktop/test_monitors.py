"""Several monitors, and monitors that change while the agent works."""

from collections.abc import Iterator
from typing import Any

import pytest

from eyehand.actions import Point
from eyehand.actions.desktop import Hover
from eyehand.envs import make
from eyehand.errors import CaptureFailed, StaleScreen

Person = Any  # the fixture's class: conftest.py cannot be imported
MIDDLE = Hover(point=Point(x=0.5, y=0.5))


@pytest.fixture
def screen(x_server: Any, person_at: Any) -> Iterator[tuple[str, Person]]:
    """A screen of 1000 x 800 whose right part is a second monitor."""
    with x_server() as (display, _):
        person = person_at(display)
        person.plug("right", 400, 0, 600, 800)
        yield display, person
        person.close()


def monitors_of(person: Person) -> list[tuple[int, int, int, int]]:
    monitors = person.connection.screen().root.xrandr_get_monitors().monitors
    return [(m.x, m.y, m.width_in_pixels, m.height_in_pixels) for m in monitors]


def test_a_monitor_is_chosen_by_its_number(screen: tuple[str, Person]) -> None:
    display, person = screen
    for number, monitor in enumerate(monitors_of(person), start=1):
        with make(f"desktop:{number}", display=display, settle_timeout_s=0.05) as environment:
            geometry = environment.reset()[0].geometry
            assert (geometry.left, geometry.top, geometry.width_px, geometry.height_px) == monitor
            environment.step(MIDDLE)
            left, top, width, height = monitor
            assert person.pointer() == (left + width // 2, top + height // 2)
    with make("desktop:0", display=display) as environment:
        assert environment.reset()[0].pixels.shape == (800, 1000, 3)


def test_a_monitor_that_moved_is_looked_at_before_anything_is_performed(
    screen: tuple[str, Person],
) -> None:
    display, person = screen
    number = monitors_of(person).index((400, 0, 600, 800)) + 1
    with make(f"desktop:{number}", display=display, settle_timeout_s=0.05) as environment:
        before, _ = environment.reset()
        person.unplug("right")
        person.plug("right", 500, 100, 300, 320)
        pointer = person.pointer()
        observation, *_, info = environment.step(MIDDLE)
        assert info["effect"] == "the monitors have changed: hover was not performed"
        assert observation.feedback == info["effect"]
        assert person.pointer() == pointer
        assert observation.geometry.screen == "desktop:500,100,300,320"
        assert observation.pixels.shape == (320, 300, 3)
        old = Point(x=0.5, y=0.5, screen=before.geometry.screen)
        with pytest.raises(StaleScreen):
            environment.step(Hover(point=old))
        environment.step(MIDDLE)
        assert person.pointer() == (650, 260)


def test_a_monitor_that_is_unplugged_is_a_fault(screen: tuple[str, Person]) -> None:
    display, person = screen
    number = len(monitors_of(person))
    with make(f"desktop:{number}", display=display, settle_timeout_s=0.05) as environment:
        environment.reset()
        person.unplug("right")
        with pytest.raises(CaptureFailed, match="the monitors changed: there is no monitor"):
            environment.step(MIDDLE)
