"""A tab that crashes, or whose script never ends, is told and can be left; the episode goes on."""

from typing import Any

import pytest

from eyehand.actions import web
from eyehand.errors import ActionHadNoEffect, EnvironmentFault


def crash(page: Any) -> None:
    with pytest.raises(EnvironmentFault):
        page.environment.page_call(lambda p: p.goto("chrome://crash"), timeout_s=5)
    page.do(web.Wait(seconds=0.5))
    assert "This tab crashed" in page.observation.text
    assert page.observation.pixels.min() == 255


def hang(page: Any) -> None:
    page.ask("() => { button.onclick = () => { for (;;); }; }")
    page.do(web.Click(point=page.place("#button")))
    assert "gives no answer" in page.observation.feedback


def test_a_crashed_tab_is_told_and_closed_and_the_others_stay(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.NewTab())
    page.do(web.GoTo(url=f"{site}/tabs.html"))
    crash(page)
    with pytest.raises(ActionHadNoEffect, match="this tab crashed; use one of go_to"):
        page.do(web.TypeText(text="x"))
    page.do(web.CloseTab())
    assert "Title: Quiet" in page.observation.text
    page.do(web.Click(point=page.place("#button")))
    assert "click" in page.text("#log")


@pytest.mark.parametrize("how", ["reload", "go to"])
def test_the_only_tab_may_crash_and_be_loaded_again(visit: Any, site: str, how: str) -> None:
    page = visit("quiet.html")
    crash(page)
    page.do(web.Reload() if how == "reload" else web.GoTo(url=f"{site}/tabs.html"))
    assert ("Title: Quiet" if how == "reload" else "Title: Tabs") in page.observation.text
    assert "history went with it" in page.observation.text


def test_going_back_from_a_crashed_tab_is_refused(visit: Any) -> None:
    page = visit("quiet.html")
    crash(page)
    with pytest.raises(ActionHadNoEffect, match="no page to go back to"):
        page.do(web.Back())


@pytest.mark.parametrize("how", ["go to", "reload", "back", "close"])
def test_a_page_whose_script_never_ends_can_be_left(visit: Any, site: str, how: str) -> None:
    page = visit("tabs.html", step_timeout_s=4.0)
    page.do(web.GoTo(url=f"{site}/quiet.html"))
    hang(page)
    ways = {
        "go to": web.GoTo(url=f"{site}/frames.html"),
        "reload": web.Reload(),
        "back": web.Back(),
    }
    shown = {"go to": "frames.html", "reload": "quiet.html", "back": "tabs.html"}
    assert page.timed(ways.get(how, web.CloseTab())) < 30
    assert shown.get(how, "about:blank") in page.observation.text
    assert "gives no answer" not in page.observation.text


PRINT = """wait => { button.onclick = () => {
  const frame = document.createElement('iframe');
  frame.src = '/pdf/bill.pdf';
  frame.onload = () => setTimeout(() => {
    frame.contentWindow.print(); log.textContent = 'printed'; }, wait);
  document.body.append(frame);
}; }"""


@pytest.mark.parametrize("wait_ms", [0, 1000])
def test_printing_a_pdf_crashes_nothing(visit: Any, wait_ms: int) -> None:
    page = visit("quiet.html")
    page.ask(PRINT, wait_ms)
    page.do(web.Click(point=page.place("#button")))
    page.do(web.Wait(seconds=3))
    assert page.text("#log") == "printed"
    page.do(web.Wait(seconds=0.1))
    assert "crashed" not in page.observation.text
