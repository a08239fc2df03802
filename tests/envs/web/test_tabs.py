from typing import Any

import pytest

from eyehand.actions import web
from eyehand.errors import OutOfRange


@pytest.mark.parametrize("link", ["#blank", "#open", "#popup"])
def test_a_new_tab_is_followed_and_listed(visit: Any, link: str) -> None:
    page = visit("tabs.html")
    screen = page.observation.geometry.screen
    page.do(web.Click(point=page.place(link)))
    assert "Title: Quiet" in page.observation.text
    assert "Tabs: 0: Tabs; 1 (shown): Quiet" in page.observation.text
    assert page.observation.geometry.screen != screen
    assert page.observation.pixels.shape == (400, 640, 3)


def test_tabs_can_be_switched_and_closed(visit: Any) -> None:
    page = visit("tabs.html")
    page.do(web.Click(point=page.place("#open")))
    page.do(web.SwitchTab(index=0))
    assert "Title: Tabs" in page.observation.text
    with pytest.raises(OutOfRange, match="no tab 2; the tabs are 0 to 1"):
        page.do(web.SwitchTab(index=2))
    page.do(web.SwitchTab(index=1))
    page.do(web.CloseTab())
    assert "Title: Tabs" in page.observation.text
    assert "Tabs:" not in page.observation.text


def test_closing_the_last_tab_shows_an_empty_one(visit: Any) -> None:
    page = visit("quiet.html")
    page.do(web.CloseTab())
    assert "URL: about:blank" in page.observation.text
    assert "an empty one is shown" in page.observation.text


def test_a_page_that_closes_itself_gives_way_to_its_opener(visit: Any) -> None:
    page = visit("tabs.html")
    page.do(web.NewTab())
    page.do(web.SwitchTab(index=0))
    page.do(web.Click(point=page.place("#closing")))
    assert "Title: Closing" in page.observation.text
    page.do(web.Click(point=page.place("#close")))
    assert "Title: Tabs" in page.observation.text
    assert "closed" in page.observation.text
    page.do(web.Click(point=page.place("#open")))
    assert "Title: Quiet" in page.observation.text


def test_a_tab_that_opens_between_steps_is_shown_before_anything_is_clicked(visit: Any) -> None:
    page = visit("tabs.html")
    page.do(web.Click(point=page.place("#late")))
    page.environment.page_call(_open_late)
    page.do(web.PressKeys(keys=["Tab"]))
    assert "not performed" in page.observation.feedback
    assert "Title: Quiet" in page.observation.text


async def _open_late(page: Any) -> None:
    async with page.expect_popup():
        await page.evaluate("() => { window.late(); }")
