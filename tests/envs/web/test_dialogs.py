from typing import Any

import pytest

from eyehand.actions import ActionSpace, web
from eyehand.errors import ActionHadNoEffect


def test_an_alert_is_told_and_held_until_it_is_answered(visit: Any) -> None:
    page = visit("dialogs.html", step_timeout_s=120)
    assert page.timed(web.Click(point=page.place("#alert"))) < 60
    assert 'Open dialog: alert "Saved"' in page.observation.text
    with pytest.raises(ActionHadNoEffect, match="answer it with answer_dialog first"):
        page.do(web.PressKeys(keys=["Enter"]))
    page.do(web.Wait(seconds=0.1))
    assert 'alert "Saved"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    assert "Open dialog" not in page.observation.text
    assert page.text("#log") == "after alert"


@pytest.mark.parametrize(
    ("button", "answer", "said"),
    [
        ("#confirm", {"accept": True}, "true"),
        ("#confirm", {"accept": False}, "false"),
        ("#prompt", {"accept": True, "text": "Ada"}, "Ada"),
        ("#prompt", {"accept": True}, "nobody"),
        ("#prompt", {"accept": False}, "null"),
    ],
)
def test_the_answer_reaches_the_page(visit: Any, button: str, answer: Any, said: str) -> None:
    page = visit("dialogs.html")
    page.do(web.Click(point=page.place(button)))
    page.do(web.AnswerDialog(**answer))
    assert page.text("#log") == said


def test_a_dialog_after_a_dialog_is_told_too(visit: Any) -> None:
    page = visit("dialogs.html")
    page.do(web.Click(point=page.place("#two")))
    page.do(web.AnswerDialog(accept=True))
    assert 'alert "second"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    assert page.text("#log") == "both"


@pytest.mark.parametrize("ratio", [2.0])
def test_a_window_that_opens_with_a_dialog_is_told_and_then_shown(
    visit: Any, site: str, ratio: float
) -> None:
    page, url = visit("tabs.html", pixel_ratio=ratio), f"{site}/dialogs.html?now"
    page.ask("url => { document.querySelector('#open').onclick = () => window.open(url); }", url)
    page.do(web.Click(point=page.place("#open")))
    assert 'Open dialog: alert "Welcome"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    assert "Title: Dialogs" in page.observation.text
    assert page.ask("() => devicePixelRatio") == ratio
    assert page.observation.pixels.shape == (400 * ratio, 640 * ratio, 3)


def test_leaving_a_guarded_page_asks_first(visit: Any, site: str) -> None:
    page = visit("dialogs.html")
    page.do(web.Click(point=page.place("#guard")))
    page.do(web.GoTo(url=f"{site}/quiet.html"))
    assert "beforeunload" in page.observation.text
    page.do(web.AnswerDialog(accept=False))
    assert "dialogs.html" in page.observation.text
    page.do(web.Click(point=page.place("#leave")))
    page.do(web.AnswerDialog(accept=True))
    assert "quiet.html" in page.observation.text


def test_a_page_that_opens_with_an_alert_can_be_started_and_closed(visit: Any) -> None:
    page = visit("dialogs.html?now")
    assert 'alert "Welcome"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    assert "Title: Dialogs" in page.observation.text


def test_an_episode_ends_while_a_dialog_is_open(visit: Any) -> None:
    page = visit("dialogs.html")
    page.do(web.Click(point=page.place("#confirm")))
    page.environment.close()
    again, _ = page.environment.reset()
    assert "Open dialog" not in again.text


def test_answering_no_dialog_is_refused(visit: Any) -> None:
    page = visit("quiet.html")
    with pytest.raises(ActionHadNoEffect, match="no dialog"):
        page.do(web.AnswerDialog(accept=True))


def test_a_dialog_that_opens_between_steps_stops_the_next_action(visit: Any) -> None:
    page = visit("dialogs.html")
    place = page.place("#confirm")
    page.do(web.Click(point=page.place("#later")))
    page.ask("() => { setTimeout(window.later, 0); }")
    page.do(web.Wait(seconds=0.3))
    assert 'alert "Late"' in page.observation.text
    page.do(web.AnswerDialog(accept=True))
    page.do(web.Click(point=place))
    assert 'confirm "Delete?"' in page.observation.text


def test_where_no_answer_is_permitted_dialogs_close_by_themselves(visit: Any) -> None:
    page = visit("dialogs.html", action_space=ActionSpace([web.Click]))
    page.do(web.Click(point=page.place("#confirm")))
    assert page.text("#log") == "false"
    assert 'A dialog opened and was closed: confirm "Delete?"' in page.observation.text
