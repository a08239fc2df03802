from typing import Any

import numpy as np
import pytest

from eyehand.actions import Point, web
from eyehand.errors import StaleScreen


def test_a_click_reaches_the_element_under_the_point(visit: Any) -> None:
    page = visit("quiet.html")
    before = page.observation.pixels
    page.do(web.Click(point=page.place("#button")))
    assert page.text("#log").endswith("mouseenter click")
    assert page.info["effect"].startswith('clicked button "Press me" at (60, 20)')
    assert not np.array_equal(before, page.observation.pixels)
    assert page.observation.feedback == ""


@pytest.mark.parametrize(
    ("action", "heard"),
    [(web.DoubleClick, "dblclick"), (web.RightClick, "contextmenu"), (web.Hover, "mouseenter")],
)
def test_each_kind_of_pointing_sends_its_event(visit: Any, action: Any, heard: str) -> None:
    page = visit("quiet.html")
    page.do(action(point=page.place("#button")))
    assert heard in page.text("#log")


def test_a_click_on_nothing_says_that_nothing_changed(visit: Any) -> None:
    page = visit("quiet.html")
    page.do(web.Click(point=Point(x=0.9, y=0.9)))
    page.do(web.Click(point=Point(x=0.9, y=0.9)))
    assert page.observation.feedback.startswith("Nothing visible changed")


def test_the_last_pixel_is_inside_the_page(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { onclick = e => { window.at = [e.clientX, e.clientY]; } }")
    page.do(web.Click(point=Point(x=1.0, y=1.0)))
    assert page.ask("() => window.at") == [639, 399]


def test_a_point_of_another_screen_is_refused_and_nothing_is_clicked(visit: Any) -> None:
    page = visit("quiet.html")
    old = page.place("#button")
    page.do(web.NewTab())
    with pytest.raises(StaleScreen, match="belongs to the screen"):
        page.do(web.Click(point=old))
    page.do(web.SwitchTab(index=0))
    assert page.text("#log") == "nothing yet"
    page.do(web.Click(point=old))
    assert "click" in page.text("#log")


def test_a_drag_moves_in_steps_and_lets_go(visit: Any) -> None:
    page = visit("drag.html")
    page.do(web.Drag(start=page.place("#box"), end=Point(x=0.5, y=0.5)))
    assert page.ask("() => [box.style.left, box.style.top, held]") == ["300px", "180px", False]
    assert page.ask("() => moves") > 5


@pytest.mark.parametrize("ratio", [1.0, 1.5, 3.0])
def test_observations_have_device_pixels_and_points_mean_css_pixels(
    visit: Any, ratio: float
) -> None:
    page = visit("quiet.html", viewport=(400, 300), pixel_ratio=ratio)
    assert page.observation.pixels.shape == (300 * ratio, 400 * ratio, 3)
    page.do(web.Click(point=page.place("#button")))
    assert "click" in page.text("#log")
    # The button's bottom edge is where the geometry says it is: row 40 in CSS pixels.
    column = page.observation.pixels[:, round(60 * ratio)].astype(int).sum(axis=1)
    assert column[round(42 * ratio)] == 765 != column[round(38 * ratio)]


def test_a_pixel_ratio_outlasts_pictures_pages_and_new_tabs(visit: Any, site: str) -> None:
    page = visit("tabs.html", viewport=(400, 300), pixel_ratio=2.0)
    ratios = [page.ask("() => devicePixelRatio")]
    for action in (web.Wait(seconds=0.1), web.GoTo(url=f"{site}/quiet.html"), web.NewTab()):
        page.do(action)
        ratios.append(page.ask("() => devicePixelRatio"))
        assert page.observation.pixels.shape == (600, 800, 3)
    assert ratios == [2.0] * 4


def test_a_scroll_moves_the_page_by_its_amount_and_says_so(visit: Any) -> None:
    page = visit("scroll.html")
    page.do(web.Scroll(direction="down", amount=5, point=Point(x=0.9, y=0.5)))
    assert page.ask("() => scrollY") == 200
    assert page.info["effect"] == "scrolled down by 200 of 200 px"
    page.do(web.Scroll(direction="up", amount=20, point=Point(x=0.9, y=0.5)))
    assert page.info["effect"] == "scrolled up by 200 of 800 px"
    page.do(web.Scroll(direction="up", amount=5, point=Point(x=0.9, y=0.5)))
    assert page.observation.feedback.startswith("Nothing scrolled up")


def test_a_scroll_at_a_point_moves_the_area_under_it(visit: Any) -> None:
    page = visit("scroll.html")
    page.do(web.Scroll(direction="down", amount=1, point=page.place("#area")))
    page.do(web.Scroll(direction="right", amount=1, point=page.place("#area")))
    assert page.ask("() => [scrollY, area.scrollTop, area.scrollLeft]") == [0, 40, 64]


def test_elements_inside_frames_and_shadow_roots_are_reached(visit: Any) -> None:
    page = visit("frames.html")
    for top in (5, 135):
        place = page.observation.geometry.to_point(5 + 60, top + 15)
        page.do(web.Click(point=place))
        assert page.info["effect"].startswith('clicked button "Inside"')
        page.do(web.Hover(point=place))
        assert 'button "hit"' in page.info["effect"]
    page.do(web.Click(point=page.observation.geometry.to_point(50, 275)))
    assert page.info["effect"].startswith('clicked button "Shadow"')


@pytest.mark.parametrize("top", [5, 135])
def test_lists_and_fields_inside_frames_take_their_values(visit: Any, top: int) -> None:
    page = visit("frames.html")
    to_point = page.observation.geometry.to_point
    page.do(web.SelectOption(point=to_point(5 + 150, top + 15), option="Green"))
    page.do(web.Click(point=to_point(5 + 240, top + 15)))
    page.do(web.TypeText(text="inside"))
    frame = 1 if top == 5 else 2
    values = page.environment.page_call(
        lambda p: p.frames[frame].evaluate("() => [list.value, field.value]")
    )
    assert values == ["Green", "inside"]


def test_an_element_is_called_by_the_text_that_is_seen(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { button.innerHTML = '<span hidden>old</span>Send'; }")
    page.do(web.Click(point=page.place("#button")))
    assert page.info["effect"].startswith('clicked button "Send"')
