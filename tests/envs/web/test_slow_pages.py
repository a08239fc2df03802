"""What an action asks for is waited for, however restless the page is that it is asked on."""

from typing import Any

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from eyehand.actions import web

RESTLESS = {
    "a script": "setInterval(() => { log.textContent = Math.random(); }, 10)",
    "polling": "setInterval(() => fetch('/slow/200?' + Math.random()), 150)",
    "both": "setInterval(() => { log.textContent = 1; fetch('/slow/200?' + Math.random()); }, 15)",
}


# A page that only polls is quiet between its requests: what it does later nobody can know. A timer
# has to fire while the page is waited for: on a busy machine that may take a second and more.
@pytest.mark.parametrize(
    ("way", "delay_ms", "settle_s"),
    [("a script", 0, 1), ("polling", 0, 1), ("both", 0, 1), ("a script", 50, 3), ("both", 50, 3)],
)
def test_a_slow_link_on_a_restless_page_is_followed(
    visit: Any, way: str, delay_ms: int, settle_s: int
) -> None:
    page = visit("quiet.html", settle_timeout_s=float(settle_s))
    page.ask(
        """([wait, slow]) => { const go = () => { location.href = `/slow/${slow}`; };
          button.onclick = () => wait ? setTimeout(go, wait) : go(); }""",
        [delay_ms, settle_s * 1000 + 200],
    )
    page.ask("what => { (0, eval)(what); }", RESTLESS[way])
    page.do(web.Wait(seconds=0.1))
    place = page.place("#button")
    page.do(web.Click(point=place))
    assert "Title: Slow" in page.observation.text
    assert "stopped" not in page.info["effect"]


def test_a_link_is_followed_after_another_one_never_came(visit: Any) -> None:
    page = visit("quiet.html", step_timeout_s=3.0)
    page.ask("() => { button.onclick = () => { location.href = '/silent/'; }; }")
    place = page.place("#button")
    page.do(web.Click(point=place))
    assert "has not arrived" in page.observation.feedback
    page.ask("() => { button.onclick = () => { location.href = '/slow/1200'; }; }")
    page.do(web.Click(point=place))
    assert "Title: Slow" in page.observation.text


def test_a_page_that_takes_longer_than_loading_may_is_waited_for(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { button.onclick = () => { location.href = '/slow/11000'; }; }")
    page.do(web.Click(point=page.place("#button")))
    assert "Title: Slow" in page.observation.text
    assert page.observation.feedback == ""


def test_a_new_tab_of_a_slow_server_is_waited_for(visit: Any) -> None:
    page = visit("tabs.html", settle_timeout_s=0.5)
    page.ask("() => { document.querySelector('#blank').href = '/slow/1500'; }")
    page.do(web.Click(point=page.place("#blank")))
    assert "Title: Slow" in page.observation.text


def test_a_link_for_another_program_opens_no_tab_to_wait_for(visit: Any) -> None:
    page = visit("tabs.html")
    page.ask("() => { document.querySelector('#blank').href = 'mailto:ada@example.org'; }")
    assert page.timed(web.Click(point=page.place("#blank"))) < 10
    assert "announced" not in page.info["effect"]


def test_a_page_that_loads_itself_again_and_again_is_shown_and_can_be_left(
    visit: Any, site: str
) -> None:
    page = visit("quiet.html", step_timeout_s=10.0)
    # As a start page, one in ten resets ends as a fault on a busy machine, and is tried again.
    page.do(web.GoTo(url=f"{site}/again/"))
    for _ in range(2):
        page.do(web.Wait(seconds=0.1))
    assert f"URL: {site}/again/" in page.observation.text
    page.do(web.GoTo(url=f"{site}/quiet.html"))
    assert "Title: Quiet" in page.observation.text
    page.do(web.GoTo(url=f"{site}/again/"))
    assert page.observation.pixels.shape == (400, 640, 3)


def test_an_address_that_the_page_got_in_the_way_of_is_opened_again(
    visit: Any, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goto, left = Page.goto, [1, 1, 1]

    async def interrupted(page: Page, url: str, **options: Any) -> Any:
        if left and left.pop():
            way = "is interrupted by another navigation to"
            raise PlaywrightError(f'Page.goto: Navigation to "{url}" {way} "{site}/again/"')
        return await goto(page, url, **options)

    page = visit("tabs.html")
    monkeypatch.setattr(Page, "goto", interrupted)
    page.do(web.GoTo(url=f"{site}/quiet.html"))
    assert "Title: Quiet" in page.observation.text
    assert left == []


@pytest.mark.parametrize("delay_ms", [0, 20, 60, 120])
def test_pages_that_follow_each_other_are_never_a_fault(visit: Any, delay_ms: int) -> None:
    page = visit("quiet.html")
    hop = (
        "() => { button.onclick = () => { location.href = '/tabs.html'; }; }"
        if delay_ms == 0
        else f"() => {{ setTimeout(() => {{ location.href = '/slow/10'; }}, {delay_ms}); }}"
    )
    place = page.place("#button")
    page.ask(hop)
    page.do(web.Click(point=place))
    page.do(web.Wait(seconds=0.3))
    assert "Quiet" not in page.observation.text


def test_the_command_takes_a_timeout_for_a_step() -> None:
    from eyehand.agent.cli.main import build_parser

    arguments = ["run", "x", "--env", "web:about:blank", "--step-timeout", "45"]
    assert build_parser().parse_args(arguments).step_timeout == 45
