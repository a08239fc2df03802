import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from tests.envs.step_contract import check_step

from eyehand.actions import Action, ActionSpace, Point, web
from eyehand.envs.web import WebEnvironment
from eyehand.errors import UnknownAction, UsageError


class Highlight(Action):
    """Paint the page in a color."""

    color: str


def paint(action: Highlight, environment: WebEnvironment) -> str:
    script = "color => { document.body.style.background = color; }"
    environment.page_call(lambda page: page.evaluate(script, action.color))
    return f"painted {action.color}"


def test_observations_lie_in_the_observation_space(visit: Any) -> None:
    page = visit("quiet.html")
    environment = page.environment
    assert environment.observation_space.contains(page.observation)
    assert page.observation.pixels.shape == (400, 640, 3)
    assert page.observation.text.startswith("URL: http://127.0.0.1")
    assert np.array_equal(environment.render(), page.observation.pixels)
    assert environment.spec_uri == f"web:{environment.url}"


def test_the_contract_of_environments_is_kept(site: str) -> None:
    from eyehand.envs.check import check_environment

    space = ActionSpace([web.Click, web.Hover, web.Scroll, web.PressKeys, web.Answer], seed=3)
    environment = WebEnvironment(f"{site}/quiet.html", (640, 400), action_space=space)
    report = check_environment(environment, max_steps=6)
    environment.close()
    assert report.steps > 0


def test_the_default_screen_is_made_of_whole_image_tokens(visit: Any) -> None:
    page = visit("quiet.html", viewport=WebEnvironment("http://localhost/").viewport)
    assert page.observation.pixels.shape == (728, 1288, 3)


def test_a_custom_action_is_performed_by_its_handler(visit: Any) -> None:
    space = ActionSpace(web.WEB_ACTIONS).extended(Highlight, paint)
    page = visit("quiet.html", action_space=space)
    page.do(Highlight(color="rgb(255, 0, 0)"))
    assert page.info["effect"] == page.observation.feedback == "painted rgb(255, 0, 0)"
    assert page.observation.pixels[-1, -1].tolist() == [255, 0, 0]


def test_a_step_goes_the_same_way_as_everywhere(site: str) -> None:
    environment = WebEnvironment(f"{site}/quiet.html", (640, 400))
    try:
        check_step(environment)
    finally:
        environment.close()


def test_a_handler_may_take_steps_itself_on_a_page(visit: Any) -> None:
    def click_and_answer(action: Highlight, environment: WebEnvironment) -> str:
        environment.step(web.Click(point=page.place("#button")))
        said = environment.page_call(lambda page: page.inner_text("#log"))
        environment.step(web.Answer(text=said))
        return "clicked and answered"

    space = ActionSpace(web.WEB_ACTIONS).extended(Highlight, click_and_answer)
    page = visit("quiet.html", action_space=space)
    _, _, terminated, _, info = page.environment.step(Highlight(color="red"))
    assert terminated
    assert info["effect"].startswith("clicked and answered")
    assert "click" in info["details"]["text"]
    assert not page.environment.running


def test_a_custom_action_without_a_handler_says_what_to_do(visit: Any) -> None:
    page = visit("quiet.html", action_space=ActionSpace([Highlight]))
    with pytest.raises(UsageError, match="register one"):
        page.do(Highlight(color="red"))


def test_an_action_that_is_not_permitted_is_refused(visit: Any) -> None:
    page = visit("quiet.html", action_space=ActionSpace([web.Click]))
    with pytest.raises(UnknownAction, match="permitted actions are: click"):
        page.do(web.Reload())


@pytest.mark.parametrize(
    ("action", "details"),
    [
        (web.Answer(text="42"), {"text": "42"}),
        (web.Finish(status="failure", message="no"), {"status": "failure", "message": "no"}),
    ],
)
def test_the_word_of_the_model_ends_the_episode_without_a_verdict(
    visit: Any, action: Action, details: dict[str, str]
) -> None:
    page = visit("quiet.html")
    _, reward, terminated, truncated, info = page.environment.step(action)
    assert (reward, terminated, truncated) == (0.0, True, False)
    assert info["verdict"] is None
    assert info["details"] == details
    with pytest.raises(UsageError, match="has ended"):
        page.do(web.Reload())


def test_stepping_before_reset_says_so() -> None:
    with pytest.raises(UsageError, match="call reset first"):
        WebEnvironment("http://localhost/").step(web.Reload())


def test_environments_work_inside_a_running_event_loop(visit: Any) -> None:
    async def notebook() -> str:
        page = visit("quiet.html")
        page.do(web.Click(point=page.place("#button")))
        return str(page.text("#log"))

    assert "click" in asyncio.run(notebook())


def test_two_environments_work_side_by_side(visit: Any) -> None:
    first, second = visit("quiet.html"), visit("fields.html")
    threads = [
        threading.Thread(target=page.do, args=(web.Hover(point=Point(x=0.5, y=0.5)),))
        for page in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "Title: Quiet" in first.observation.text
    assert "Title: Fields" in second.observation.text


def test_the_random_policy_breaks_nothing(visit: Any) -> None:
    space = ActionSpace([t for t in web.WEB_ACTIONS if t not in (web.GoTo, web.Wait)], seed=7)
    page = visit("tabs.html", action_space=space)
    from eyehand.errors import ModelFeedback

    performed = 0
    for _ in range(25):
        try:
            _, _, terminated, _, _ = page.environment.step(space.sample())
        except ModelFeedback:
            continue
        performed += 1
        if terminated:
            page.environment.reset()
    assert performed > 0
