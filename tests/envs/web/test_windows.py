"""Windows that pages open by themselves, and pages that ask again and again."""

from typing import Any

import pytest

from eyehand.actions import web
from eyehand.errors import ActionHadNoEffect

POPUPS = "() => { button.onclick = () => setInterval(() => window.open('/slow/10'), 200); }"
LOOP = "() => { button.onclick = () => { for (let n = 1; ; n++) alert('You won ' + n); }; }"
MANY = "() => { button.onclick = () => { for (let n = 0; n < 6; n++) open('/slow/' + n); }; }"


def tabs_listed(page: Any) -> int:
    line = next((t for t in page.observation.text.splitlines() if t.startswith("Tabs: ")), "")
    return line.count(";") + 1


def test_a_click_opens_one_window_and_the_others_are_told(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask(MANY)
    page.do(web.Click(point=page.place("#button")))
    assert tabs_listed(page) == 2
    assert "blocked a window" in page.observation.text


def test_windows_that_open_by_a_timer_are_blocked_and_stop_no_action(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask(POPUPS)
    page.do(web.Click(point=page.place("#button")))
    page.do(web.Wait(seconds=1.5))
    shown = page.do(web.SwitchTab(index=0))
    before = tabs_listed(page)
    assert before <= 2
    for action in (
        web.Wait(seconds=1),
        web.Scroll(direction="down"),
        web.Hover(point=place(shown)),
    ):
        page.do(action)
        assert "not performed" not in page.observation.feedback
    assert tabs_listed(page) == before


def place(observation: Any) -> Any:
    return observation.geometry.to_point(300, 300)


def test_a_window_that_a_page_opens_as_it_loads_is_blocked(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.environment.page_call(
        lambda p: p.route(
            "**/popup",
            lambda r: r.fulfill(
                content_type="text/html", body="<title>P</title><script>open('/slow/1')</script>"
            ),
        )
    )
    page.do(web.GoTo(url=f"{site}/popup"))
    page.do(web.Wait(seconds=1))
    assert "Title: P" in page.observation.text
    assert tabs_listed(page) == 1
    assert "not performed" not in page.observation.feedback


def test_tabs_that_open_again_and_again_stop_one_action_at_most(visit: Any) -> None:
    page = visit("quiet.html")
    refused = []
    for _ in range(4):
        page.environment.page_call(_open_window)
        page.do(web.PressKeys(keys=["Tab"]))
        refused.append("not performed" in page.observation.feedback)
    assert refused == [True, False, True, False]


async def _open_window(page: Any) -> None:
    async with page.context.expect_page():
        await page.evaluate("() => { open('/quiet.html'); }")


def test_after_one_dialog_the_answer_is_needed(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.ask(LOOP)
    page.do(web.Click(point=page.place("#button")))
    for action in (web.GoTo(url=f"{site}/tabs.html"), web.CloseTab(), web.NewTab()):
        with pytest.raises(ActionHadNoEffect, match="answer it with answer_dialog first"):
            page.do(action)


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("go_to", "Title: Tabs"),
        ("reload", "Title: Quiet"),
        ("back", "Title: Files"),
        ("close_tab", "URL: about:blank"),
        ("new_tab", "Tabs: 0: Quiet; 1 (shown)"),
    ],
)
def test_a_page_that_asks_a_second_time_can_be_left(
    visit: Any, site: str, how: str, shown: str
) -> None:
    page = visit("files.html")
    page.do(web.GoTo(url=f"{site}/quiet.html"))
    page.ask(LOOP)
    page.do(web.Click(point=page.place("#button")))
    page.do(web.AnswerDialog(accept=True))
    assert "The page may also be left" in page.observation.text
    ways = {
        "go_to": web.GoTo(url=f"{site}/tabs.html"),
        "reload": web.Reload(),
        "back": web.Back(),
        "close_tab": web.CloseTab(),
        "new_tab": web.NewTab(),
    }
    assert page.timed(ways[how]) < 30
    assert shown in page.observation.text
    assert "Open dialog" not in page.observation.text


def test_a_page_that_was_left_while_it_asked_asks_when_it_is_shown_again(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { button.onclick = () => { alert(1); alert(2); alert(3); log.id = 'x'; }; }")
    page.do(web.Click(point=page.place("#button")))
    page.do(web.AnswerDialog(accept=True))
    page.do(web.NewTab())
    assert "Open dialog" not in page.observation.text
    page.do(web.SwitchTab(index=0))
    assert 'alert "2"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    page.do(web.AnswerDialog(accept=True))
    assert "Open dialog" not in page.observation.text
    assert page.ask("() => log.id") == "x"


@pytest.mark.parametrize("leave", [True, False])
def test_closing_a_tab_asks_as_leaving_does(visit: Any, leave: bool) -> None:
    page = visit("tabs.html")
    page.do(web.NewTab())
    page.do(web.GoTo(url=page.environment.url.replace("tabs", "dialogs")))
    page.do(web.Click(point=page.place("#guard")))
    page.do(web.CloseTab())
    assert "beforeunload" in page.observation.text
    page.do(web.AnswerDialog(accept=leave))
    assert ("Title: Tabs" if leave else "Title: Dialogs") in page.observation.text
    if not leave:
        page.do(web.CloseTab())
        page.do(web.AnswerDialog(accept=True))
        assert "Title: Tabs" in page.observation.text
