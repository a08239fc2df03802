"""The interface in notebooks and asyncio: what is shown, what is refused, what is given up."""

import asyncio
import io
import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eyehand.actions import Action, ActionSpace, web
from eyehand.errors import UsageError

TYPED = "0123456789" * 49
# Each key takes the page 10 ms, so that the whole text takes longer than an abandoned step may.
SLOW_KEYS = """() => field.addEventListener('keydown', () => {
  const end = performance.now() + 10;
  while (performance.now() < end);
})"""


def test_an_observation_shows_its_picture(visit: Any) -> None:
    seen = visit("quiet.html").observation
    with Image.open(io.BytesIO(seen._repr_png_())) as picture:
        assert np.array_equal(np.asarray(picture), seen.pixels)
    assert repr(seen).startswith("Observation('tab 0, 640x400', 640x400 px, text='URL: ")
    assert "array" not in repr(seen)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("click", r"not 'click'; pass an instance, such as Click\(point=\.\.\.\)"),
        (web.Reload, r"not the class Reload; pass an instance, such as Reload\(\)"),
        ({"name": "go_to", "url": "x"}, r"such as GoTo\(url=\.\.\.\), .*build\('go_to'"),
        (None, "not NoneType None; pass an instance"),
        ("✿FUNCTION✿: back", "pass an instance"),
    ],
)
def test_what_is_no_action_is_refused_with_what_to_pass(visit: Any, wrong: Any, says: str) -> None:
    page = visit("quiet.html")
    with pytest.raises(UsageError, match=says):
        page.environment.step(wrong)
    page.do(web.Reload())


class Linger(Action):
    """Keep the page busy for half a minute."""


class Abandoned:
    """A step on a thread of its own, which nobody waits for."""

    def __init__(self, page: Any, action: Action) -> None:
        self._page, self._action = page, action
        self.began, self.told = threading.Event(), ""
        self.thread = threading.Thread(target=self.step)

    def step(self) -> None:
        self.began.set()
        try:
            self._page.environment.step(self._action)
        except UsageError as error:
            self.told = str(error)


def lingering(visit: Any) -> tuple[Any, threading.Event]:
    began = threading.Event()

    def linger(action: Linger, environment: Any) -> None:
        began.set()
        environment.page_call(lambda page: page.evaluate("new Promise(r => setTimeout(r, 30000))"))

    space = ActionSpace(web.WEB_ACTIONS).extended(Linger, linger)
    return visit("quiet.html", action_space=space), began


def typing(visit: Any) -> tuple[Any, Abandoned]:
    """A page into which an abandoned step has begun to type."""
    page = visit("quiet.html")
    page.do(web.Click(point=page.place("#field")))
    page.ask(SLOW_KEYS)
    step = Abandoned(page, web.TypeText(text=TYPED))
    step.thread.start()
    end_s = time.monotonic() + 20
    while not page.ask("() => field.value") and time.monotonic() < end_s:
        time.sleep(0.001)
    return page, step


def test_a_step_that_was_abandoned_ends_before_the_next_one_begins(visit: Any) -> None:
    page, began = lingering(visit)
    point = page.place("#field")
    step = Abandoned(page, Linger())

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(step.step), 0.2)
        assert await asyncio.to_thread(began.wait, 20)
        assert await asyncio.to_thread(page.timed, web.Click(point=point)) < 20

    asyncio.run(give_up())
    assert "this step was given up: another one began" in step.told
    assert "clicked text field" in page.info["effect"]


def test_keys_of_an_abandoned_step_do_not_mix_with_the_next_ones(visit: Any) -> None:
    page, step = typing(visit)
    page.do(web.TypeText(text="next"))
    step.thread.join(20)
    assert "given up" in step.told
    typed = page.ask("() => field.value")
    assert typed.endswith("next")
    begun = typed.removesuffix("next")
    assert TYPED.startswith(begun)
    assert 0 < len(begun) < len(TYPED)


def test_closing_gives_up_a_step_too(visit: Any) -> None:
    page, step = typing(visit)
    page.environment.close()
    step.thread.join(20)
    assert "given up" in step.told
    observation, _ = page.environment.reset()
    assert "quiet.html" in observation.text
