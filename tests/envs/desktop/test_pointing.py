"""The mouse lands where the point is: on the whole screen, on regions, to the pixel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.envs.step_contract import check_step

from eyehand.actions import Action, Point
from eyehand.actions.desktop import Click, DoubleClick, Drag, Hover, RightClick, Scroll
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.desktop.settle import SettleLimits
from eyehand.errors import StaleScreen, UsageError

Desk = Any  # the fixture's class: conftest.py cannot be imported
FAST_S = 0.05
LEFT, TOP, WIDTH, HEIGHT = 60, 40, 800, 644
"""Where the page is on the screen of 1000 x 800."""


def at(x: float, y: float, width: int = 1000, height: int = 800) -> Point:
    """The middle of a pixel, as a point."""
    return Point(x=(x + 0.5) / width, y=(y + 0.5) / height)


def test_clicks_land_on_their_pixel(desk: Desk) -> None:
    rng = np.random.default_rng(5)
    with desk.environment(settle_timeout_s=FAST_S) as environment:
        environment.reset()
        for _ in range(15):
            x, y = int(rng.integers(LEFT, LEFT + WIDTH)), int(rng.integers(TOP + 250, 680))
            environment.step(Click(point=at(x, y)))
            (click,) = desk.heard("click")
            assert (click["x"], click["y"], click["button"]) == (x, y, 0)


@pytest.mark.parametrize("area", ["100,60,700,560", "333,91,401,307"])
def test_a_region_has_its_own_corner_and_scale(desk: Desk, area: str) -> None:
    left, top, width, height = map(int, area.split(","))
    with (
        desk.environment(area, settle_timeout_s=FAST_S) as environment,
        desk.environment() as whole,
    ):
        observation, _ = environment.reset()
        everything, _ = whole.reset()
        cut = everything.pixels[top : top + height, left : left + width]
        assert np.array_equal(observation.pixels, cut)
        for corner in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.25)):
            environment.step(Hover(point=Point(x=corner[0], y=corner[1])))
            x, y = desk.person.pointer()
            assert abs(x - (left + corner[0] * (width - 1))) <= 1
            assert abs(y - (top + corner[1] * (height - 1))) <= 1
        environment.step(Click(point=Point(x=1.0, y=1.0)))
        (click,) = desk.heard("click")
        assert (click["x"], click["y"]) == (left + width - 1, top + height - 1)


@pytest.mark.parametrize(
    ("make_action", "kind", "effect"),
    [
        (lambda point: DoubleClick(point=point), "dblclick", "double-clicked (300, 500)"),
        (lambda point: RightClick(point=point), "contextmenu", "right-clicked (300, 500)"),
        (lambda point: Hover(point=point), "mousemove", "moved to (300, 500)"),
    ],
)
def test_other_pointer_actions_arrive_as_what_they_are(
    desk: Desk, make_action: Callable[[Point], Action], kind: str, effect: str
) -> None:
    with desk.environment() as environment:
        environment.reset()
        info = environment.step(make_action(at(300, 500)))[4]
    assert info["effect"].startswith(effect)
    assert (desk.heard(kind)[-1]["x"], desk.person.pointer()) == (300, (300, 500))


def test_a_drag_holds_the_button_all_the_way(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        environment.step(Drag(start=at(200, 400), end=at(600, 560)))
    desk.page.wait_for_function("heard.some(e => e.kind === 'mouseup')")
    heard = desk.page.evaluate("heard.splice(0)")
    kinds = [event["kind"] for event in heard]
    down, up = heard[kinds.index("mousedown")], heard[kinds.index("mouseup")]
    assert (down["x"], down["y"], up["x"], up["y"]) == (200, 400, 600, 560)
    between = heard[kinds.index("mousedown") : kinds.index("mouseup")]
    moves = [event for event in between if event["kind"] == "mousemove" and event["buttons"] == 1]
    assert len(moves) >= 5
    assert [move["x"] for move in moves] == sorted(move["x"] for move in moves)


def test_scrolling_goes_in_tenths_of_the_screen(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        info = environment.step(Scroll(direction="down", amount=6, point=at(400, 500)))[4]
        desk.page.wait_for_function("scrollY === 480")
        assert info["effect"].startswith("turned the wheel down by 4 notches at (400, 500)")
        environment.step(Scroll(direction="up", amount=3, point=at(400, 500)))
        desk.page.wait_for_function("scrollY === 240")
        desk.forget()
        environment.step(Scroll(direction="right", amount=2, point=at(400, 500)))
        # Chromium joins notches that come in one frame.
        desk.page.wait_for_function("heard.reduce((sum, e) => sum + (e.deltaX || 0), 0) === 240")


def test_the_effect_says_whether_the_screen_changed(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        observation, *_, info = environment.step(Click(point=at(300, 600)))
        assert info["effect"] == "clicked (300, 600); nothing on the screen changed"
        assert observation.feedback == "nothing on the screen changed"
        observation, *_, info = environment.step(Click(point=at(300, 150)))
        assert info["effect"].endswith("% of the screen changed")
        assert 0 < info["details"]["changed_share"] < 0.2
        assert observation.feedback == ""


def test_a_film_does_not_hold_a_step_up_for_ever(desk: Desk) -> None:
    with desk.environment() as environment:
        # A film that stands still for a moment, on a busy machine, is no screen that has settled.
        environment.limits = SettleLimits(bound_s=3.0, quiet_s=2.0, reaction_s=2.0)
        environment.reset()
        desk.page.evaluate("play(true)")
        observation, *_, first = environment.step(Hover(point=at(300, 600)))
        assert observation.feedback == "the screen is still changing"
        assert first["timings_s"]["settle"] >= 3.0
        second = environment.step(Hover(point=at(310, 600)))[4]
        assert second["timings_s"]["settle"] < first["timings_s"]["settle"]


def test_a_desktop_keeps_the_contract(desk: Desk) -> None:
    environment = make("desktop:", display=desk.display, settle_timeout_s=FAST_S)
    names = ("click", "hover", "drag", "scroll")
    report = check_environment(environment, seeds=(0,), max_steps=6, action_names=names)
    assert "points" in report.passed
    assert report.steps > 0


def test_an_action_for_another_region_is_refused_and_nothing_is_touched(desk: Desk) -> None:
    with desk.environment("100,60,700,560") as environment:
        environment.reset()
        before = desk.person.pointer()
        stale = Point(x=0.5, y=0.5, screen="desktop:0,0,1000,800")
        with pytest.raises(StaleScreen, match="look at the new screen"):
            environment.step(Click(point=stale))
        assert desk.person.pointer() == before


@pytest.mark.parametrize(
    ("area", "message"),
    [
        ("7", "there is no monitor 7; there are 1: 0,0,1000,800; 0 is all"),
        ("900,0,200,100", "reaches outside the desktop 0,0,1000,800"),
        ("left", "expected desktop:"),
        ("0,0,10,10", "at least 28x28"),
        ("1,2,3", "expected desktop:"),
    ],
)
def test_an_area_that_does_not_exist_is_refused(desk: Desk, area: str, message: str) -> None:
    with pytest.raises(UsageError, match=message), desk.environment(area) as environment:
        environment.reset()


def test_a_step_goes_the_same_way_as_everywhere(desk: Desk) -> None:
    with desk.environment(settle_timeout_s=FAST_S) as environment:
        check_step(environment)


def test_what_a_handler_raises_is_not_taken_for_a_fault_of_the_screen(desk: Desk) -> None:
    class Save(Action):
        """Save a note."""

    def save(action: Save, environment: Any) -> None:
        raise FileNotFoundError("the user's own folder")

    with desk.environment(settle_timeout_s=FAST_S) as environment:
        environment.action_space = environment.action_space.extended(Save, save)
        environment.reset()
        with pytest.raises(FileNotFoundError, match="own folder"):
            environment.step(Save())
        environment.step(Hover(point=at(500, 400)))
