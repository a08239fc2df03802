from typing import Any

import pytest

from eyehand.actions import web

HANG_S = 45.0
"""Against waiting for what never ends: a loaded machine may take long for anything."""


def test_a_quiet_page_settles_within_a_few_frames(visit: Any) -> None:
    page = visit("quiet.html", settle_timeout_s=2 * HANG_S)
    place = page.place("#button")
    for _ in range(5):
        page.do(web.Click(point=place))
        assert set(page.info["timings_s"]) == {"act", "settle", "capture"}
        assert page.info["timings_s"]["settle"] < HANG_S


def test_what_a_click_fetches_is_awaited(visit: Any) -> None:
    page = visit("restless.html?fetch")
    page.do(web.Click(point=page.place("#button")))
    assert page.text("#log") == "fetched"


def test_an_animation_with_an_end_is_awaited(visit: Any) -> None:
    page = visit("restless.html?slide")
    page.do(web.Click(point=page.place("#button")))
    assert page.ask("() => log.title") == "arrived"


def test_an_endless_spinner_is_not_awaited(visit: Any) -> None:
    page = visit("restless.html", settle_timeout_s=2 * HANG_S)
    assert page.timed(web.Click(point=page.place("#button"))) < HANG_S
    assert "keeps changing" not in page.observation.text


@pytest.mark.parametrize(
    ("way", "says"),
    [("script", "keeps changing"), ("late", "keeps changing"), ("poll", "loads data")],
)
def test_a_page_that_is_never_quiet_is_told_within_the_bound(
    visit: Any, way: str, says: str
) -> None:
    page = visit(f"restless.html?{way}", settle_timeout_s=1.0)
    assert says in page.observation.text
    assert says in page.info["effect"]
    assert page.timed(web.Click(point=page.place("#button"))) < HANG_S


def test_a_page_whose_end_never_comes_is_shown_as_far_as_it_is(visit: Any) -> None:
    page = visit("trickle/", step_timeout_s=1.0)
    assert "Title: Trickle" in page.observation.text
    assert "still loading" in page.info["effect"]
    assert page.timed(web.Click(point=page.place("p"))) < HANG_S


def test_a_link_to_a_server_that_never_answers_is_told_within_the_bound(visit: Any) -> None:
    page = visit("quiet.html", step_timeout_s=1.0)
    page.ask("() => { button.onclick = () => { location.href = '/silent/'; }; }")
    assert page.timed(web.Click(point=page.place("#button"))) < HANG_S
    assert "has not arrived" in page.observation.feedback
    assert "Title: Quiet" in page.observation.text


def test_a_slow_page_is_awaited(visit: Any) -> None:
    page = visit("quiet.html")
    page.ask("() => { button.onclick = () => { location.href = '/slow/700'; }; }")
    page.do(web.Click(point=page.place("#button")))
    assert "Title: Slow" in page.observation.text


def test_a_script_that_blocks_its_page_is_told_within_the_bound(visit: Any, site: str) -> None:
    page = visit("restless.html?hang", step_timeout_s=1.0)
    assert page.timed(web.Click(point=page.place("#button"))) < HANG_S
    assert "no answer" in page.observation.feedback
    page.do(web.GoTo(url=f"{site}/quiet.html".replace("127.0.0.1", "localhost")))
    assert "Title: Quiet" in page.observation.text
