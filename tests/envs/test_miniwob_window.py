"""The window that MiniWoB++ tasks are shown in: kept between tasks, closed where it hangs."""

import gc
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Request

from eyehand.actions import Point
from eyehand.actions.web import Click
from eyehand.envs.miniwob import window
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.web.browser import Browser
from eyehand.envs.web.capture import capture

pytestmark = pytest.mark.usefixtures("browser_ends")

Play = Callable[[str], MiniWobEnvironment]


@pytest.fixture
def play() -> Iterator[Play]:
    """Start a task; everything is closed at the end."""
    opened: list[MiniWobEnvironment] = []

    def start(task: str) -> MiniWobEnvironment:
        opened.append(MiniWobEnvironment(task))
        opened[-1].reset(seed=7)
        return opened[-1]

    yield start
    for environment in opened:
        environment.close()


async def page_itself(page: Any) -> Any:
    return page


def ask(environment: MiniWobEnvironment, script: str) -> Any:
    return environment.page_call(lambda page: page.evaluate(script))


def test_where_nothing_changes_one_picture_is_enough(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    async def counting(*arguments: Any) -> Any:
        taken.append(await capture(*arguments))
        return taken[-1]

    environment = play("click-test")
    monkeypatch.setattr("eyehand.envs.miniwob.environment.capture", counting)
    environment.step(Click(point=Point(x=0.05, y=0.95)))
    assert len(taken) == 1


def test_a_window_is_kept_for_so_many_tasks_and_what_it_asked_for_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window, "MOST_TASKS", 3)
    Browser.close_shared()  # a window of before may have shown some
    windows, remembered = [], []
    for _ in range(2):
        for task in ("click-test", "click-tab", "click-dialog") * 2:
            environment = MiniWobEnvironment(task)
            environment.reset(seed=7)
            windows.append(environment.page_call(page_itself).context)
            environment.close()
        gc.collect()
        remembered.append(sum(type(one) is Request for one in gc.get_objects()))
    changed = [one is not other for one, other in pairwise(windows)]
    assert changed == [number % 3 == 0 for number in range(1, len(windows))]
    assert remembered[1] <= remembered[0]


def test_a_window_whose_page_hangs_is_closed_and_the_next_task_gets_another(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "LEAVE_TIMEOUT_S", 0.5)

    first = play("click-test")
    hanging = first.page_call(page_itself)
    ask(first, "() => { setTimeout(() => { for (;;); }); }")
    first.close()
    assert hanging.is_closed()
    assert ask(play("click-color"), "() => document.title") == "Click Color Task"


def test_the_next_task_takes_over_the_window_of_the_last(play: Play) -> None:
    first = play("click-test")
    page = first.page_call(page_itself)
    first.close()
    second = play("click-color")
    assert second.page_call(page_itself) is page
    third = play("click-test")
    assert third.page_call(page_itself) is not page
    assert ask(second, "() => document.title") == "Click Color Task"
