from pathlib import Path
from typing import Any

import pytest

from eyehand.actions import web
from eyehand.errors import ActionHadNoEffect, StartUnreachable, UsageError

CLOSED_PORT = "http://127.0.0.1:9/"
NO_SUCH_HOST = "http://no-such-host.invalid/"


def test_going_somewhere_and_back_and_forward(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=f"{site}/scroll.html"))
    assert "Title: Scroll" in page.observation.text
    page.do(web.Back())
    assert "Title: Quiet" in page.observation.text
    page.do(web.Forward())
    assert "Title: Scroll" in page.observation.text
    page.do(web.Reload())
    assert "Title: Scroll" in page.observation.text


def test_there_is_nothing_before_the_start_page(visit: Any) -> None:
    page = visit("quiet.html")
    with pytest.raises(ActionHadNoEffect, match="no page to go back to"):
        page.do(web.Back())
    with pytest.raises(ActionHadNoEffect, match="no page to go forward to"):
        page.do(web.Forward())


@pytest.mark.parametrize("url", [CLOSED_PORT, NO_SUCH_HOST])
def test_an_address_that_does_not_open_is_feedback(visit: Any, url: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=url))
    assert "could not be opened: net::" in page.observation.feedback
    assert page.info["details"] == {"error": "ActionHadNoEffect"}
    page.do(web.Back())
    assert "Title: Quiet" in page.observation.text


def test_an_address_that_never_answers_leaves_the_page_as_it_is(visit: Any, site: str) -> None:
    page = visit("quiet.html", step_timeout_s=1.0)
    with pytest.raises(ActionHadNoEffect, match="no answer in 1 s"):
        page.do(web.GoTo(url=f"{site}/silent/"))
    page.do(web.Click(point=page.place("#button")))
    assert "Title: Quiet" in page.observation.text


def test_a_redirect_to_a_file_is_not_followed(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=f"{site}/redirect/file:///etc/hostname"))
    assert "could not be opened" in page.observation.feedback
    assert "file:" not in page.environment.page_call(lambda p: p.url)


def test_a_script_cannot_take_the_page_to_a_file(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { location.href = 'file:///etc/hostname'; }")
    page.do(web.Wait(seconds=0.2))
    assert "Title: Quiet" in page.observation.text


def test_an_address_without_content_leaves_the_page_as_it_is(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=f"{site}/nothing/"))
    assert "no page to show" in page.observation.feedback
    assert "Title: Quiet" in page.observation.text


def test_the_status_of_a_missing_page_is_in_the_effect(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=f"{site}/missing.html"))
    assert "HTTP 404" in page.info["effect"]


@pytest.mark.parametrize("url", [CLOSED_PORT, NO_SUCH_HOST])
def test_an_unreachable_start_page_is_a_fault(visit: Any, url: str) -> None:
    with pytest.raises(StartUnreachable, match="could not be opened: net::"):
        visit(url)


def test_a_start_page_that_never_answers_is_a_fault(visit: Any) -> None:
    with pytest.raises(StartUnreachable, match="no answer in 1 s"):
        visit("silent/", step_timeout_s=1.0)


@pytest.mark.parametrize("url", ["ftp://example.org/", "quiet", "javascript:alert(1)", ""])
def test_a_start_page_that_is_no_address_is_refused(url: str) -> None:
    from eyehand.envs.web import WebEnvironment

    with pytest.raises(UsageError, match="begins with http"):
        WebEnvironment(url)


def test_cookies_do_not_outlive_the_episode(visit: Any, site: str) -> None:
    page = visit("cookie/")
    page.do(web.Reload())
    assert "Title: visited=yes" in page.observation.text
    again, _ = page.environment.reset()
    assert "Title: none" in again.text


def test_the_user_may_start_at_a_file(visit: Any) -> None:
    page = visit((Path(__file__).parent / "pages" / "quiet.html").as_uri())
    assert "Title: Quiet" in page.observation.text
