"""MiniWoB++ in real Chromium, on the package's own pages."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action, Point
from eyehand.actions.web import Click, Drag, Hover, PressKeys, Scroll, SelectOption, TypeText
from eyehand.envs.check import check_environment
from eyehand.envs.miniwob.check import check_tasks
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.miniwob.tasks import (
    RELOADED_TASKS,
    UNSEEDED_TASKS,
    pages_folder,
    permitted_actions,
    task_names,
)
from eyehand.errors import BrowserCrashed, OutOfRange, StaleScreen, UnknownAction, UsageError

pytestmark = pytest.mark.usefixtures("browser_ends")

SAMPLE = ("choose-date", "click-dialog", "click-shape", "email-inbox-nl-turk", "use-slider")
"""For each change: every kind of page. `python -m eyehand.envs.miniwob.check` checks them all."""

BOX = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""


@pytest.fixture
def play() -> Iterator[Callable[..., MiniWobEnvironment]]:
    """Start a task at a seed; everything is closed at the end."""
    opened: list[MiniWobEnvironment] = []

    def start(task: str, seed: int = 7) -> MiniWobEnvironment:
        environment = MiniWobEnvironment(task)
        opened.append(environment)
        environment.reset(seed=seed)
        return environment

    yield start
    for environment in opened:
        environment.close()


def ask(environment: MiniWobEnvironment, script: str, argument: Any = None) -> Any:
    async def evaluate(page: Any) -> Any:
        return await page.evaluate(script, argument)

    return environment.page_call(evaluate)


def place(environment: MiniWobEnvironment, selector: str) -> Point:
    return environment.geometry.to_point(*ask(environment, BOX, selector))


def mouse_click(environment: MiniWobEnvironment, x: float, y: float) -> None:
    """Click without a step, as nothing of the runtime would."""

    async def click(page: Any) -> None:
        await page.mouse.click(x, y)

    environment.page_call(click)


Play = Callable[..., MiniWobEnvironment]


def test_there_are_125_tasks_each_with_a_page_and_permitted_actions() -> None:
    names = task_names()
    assert len(names) == len(set(names)) == 125
    assert set(RELOADED_TASKS) | set(UNSEEDED_TASKS) <= set(names)
    for name in names:
        environment = MiniWobEnvironment(name)
        assert environment.action_space.names == permitted_actions(name)
        assert "click" in environment.action_space.names
        assert (pages_folder() / f"{name}.html").is_file()


def test_a_seed_gives_the_same_screen_and_words_in_any_order_and_in_any_page() -> None:
    assert {name: wrong for name, wrong in check_tasks(SAMPLE).items() if wrong} == {}


def test_different_seeds_give_different_tasks(play: Play) -> None:
    environment = play("click-color", 1)
    shown = [environment.reset(seed=seed)[0].pixels for seed in (1, 2, 1_999_999)]
    assert not np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[1], shown[2])


@pytest.mark.parametrize("task", ["click-tab-2", "choose-date", "click-button", "click-checkboxes"])
def test_what_an_agent_did_is_gone_at_the_next_reset(play: Play, task: str) -> None:
    environment = play(task, 7)
    first = environment.render()
    environment.reset(seed=8)
    for x, y in ((0.2, 0.35), (0.5, 0.45), (0.1, 0.55)):
        environment.step(Click(point=Point(x=x, y=y)))
        if not environment.running:
            environment.reset(seed=9)
    assert np.array_equal(environment.reset(seed=7)[0].pixels, first)


def test_the_three_tasks_with_fields_in_their_utterance_give_plain_words(play: Play) -> None:
    for task in ("email-inbox-forward-nl", "email-inbox-forward-nl-turk", "email-inbox-nl-turk"):
        environment = play(task)
        assert ask(environment, "() => typeof core.getUtterance()") == "object"
        words = environment.instruction or ""
        assert len(words) > 10
        assert "{" not in words


def test_the_right_click_succeeds_with_the_raw_reward(play: Play) -> None:
    environment = play("click-test-2")
    selector = "#subbtn" if "ONE" in (environment.instruction or "") else "#subbtn2"
    _, reward, terminated, truncated, info = environment.step(
        Click(point=place(environment, selector))
    )
    assert (reward, terminated, truncated, info["verdict"]) == (1.0, True, False, True)
    assert info["details"]["raw_reward"] == 1.0


def test_the_wrong_click_fails_with_minus_one(play: Play) -> None:
    environment = play("click-test-2")
    selector = "#subbtn2" if "ONE" in (environment.instruction or "") else "#subbtn"
    _, reward, terminated, _, info = environment.step(Click(point=place(environment, selector)))
    assert (reward, terminated, info["verdict"]) == (-1.0, True, False)
    assert info["details"]["raw_reward"] == -1.0


def test_half_a_success_is_no_success(play: Play) -> None:
    environment = play("hot-cold")
    ask(environment, "() => core.endEpisode(0.5, true)")
    _, reward, terminated, _, info = environment.step(Hover(point=Point(x=0.9, y=0.99)))
    assert (reward, terminated, info["verdict"]) == (0.5, True, False)
    assert info["details"]["raw_reward"] == 0.5


def test_a_click_after_the_end_neither_starts_an_episode_nor_wipes_the_verdict(play: Play) -> None:
    environment = play("click-test")
    environment.step(Click(point=place(environment, "#subbtn")))
    read = "() => [WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL, WOB_EPISODE_ID]"
    before = ask(environment, read)
    for x, y in ((80, 105), (20, 60), (150, 200)):
        mouse_click(environment, x, y)
    assert ask(environment, read) == before == [True, 1, 1]
    with pytest.raises(UsageError, match="reset"):
        environment.step(Click(point=Point(x=0.5, y=0.5)))


def test_the_pages_own_clock_does_not_end_the_episode(play: Play) -> None:
    for task in ("click-test", "terminal"):
        environment = MiniWobEnvironment(task)
        # Timers of up to 20 minutes fire at once: those that the page set for its own end too.
        environment.page_scripts.append(
            "{ const later = window.setTimeout; window.setTimeout = (f, ms, ...rest) =>"
            " later(f, ms < 1200000 ? Math.min(ms, 1) : ms, ...rest); }"
        )
        environment.reset(seed=1)
        result = environment.step(Click(point=Point(x=0.95, y=0.98)))
        assert not result[2]
        environment.close()


def test_a_page_that_is_taller_than_the_screen_scrolls(play: Play) -> None:
    environment = play("order-food")
    ask(environment, "() => document.body.insertAdjacentHTML('beforeend', '<p>x</p>'.repeat(30))")
    observation = environment.step(Scroll(direction="down", amount=5, point=Point(x=0.97, y=0.95)))
    assert ask(environment, "() => scrollY") == 105
    assert observation[4]["effect"].startswith("scrolled down by 105")
    assert not np.array_equal(environment.reset(seed=7)[0].pixels, observation[0].pixels)
    assert ask(environment, "() => scrollY") == 0


def test_a_point_on_a_scrolled_page_means_the_place_on_the_screen(play: Play) -> None:
    environment = play("scroll-text-2")
    area = place(environment, "textarea")
    before = environment.render()
    after = environment.step(Scroll(direction="up", amount=20, point=area))[0].pixels
    assert not np.array_equal(before, after)
    _, reward, terminated, _, _ = environment.step(Click(point=place(environment, "#subbtn")))
    assert (reward, terminated) == (1.0, True)


def test_a_native_list_tells_its_options_and_takes_one(play: Play) -> None:
    environment = play("choose-list")
    point = place(environment, "select")
    observation, *_ = environment.step(Click(point=point))
    options = ask(
        environment, "() => [...document.querySelector('select').options].map(o => o.text)"
    )
    assert options[0] in observation.feedback
    assert "select_option" in observation.feedback
    wanted = (environment.instruction or "").removeprefix("Select ").split(" from the")[0]
    environment.step(SelectOption(point=point, option=wanted))
    assert environment.step(Click(point=place(environment, "button")))[4]["verdict"] is True


def test_text_is_typed_into_the_field_that_was_clicked(play: Play) -> None:
    environment = play("enter-text")
    wanted = (environment.instruction or "").split('"')[1]
    environment.step(Click(point=place(environment, "#tt")))
    environment.step(TypeText(text=wanted))
    assert environment.step(Click(point=place(environment, "#subbtn")))[1] == 1.0


def test_copy_and_paste_work_by_keys(play: Play) -> None:
    environment = play("copy-paste")
    environment.step(Click(point=place(environment, "textarea")))
    environment.step(PressKeys(keys=["Control", "a"]))
    environment.step(PressKeys(keys=["Control", "c"]))
    environment.step(Click(point=place(environment, "input[type=text]")))
    environment.step(PressKeys(keys=["Control", "v"]))
    assert environment.step(Click(point=place(environment, "#subbtn")))[1] == 1.0


def test_what_one_episode_copied_the_next_does_not_paste(play: Play) -> None:
    environment = play("copy-paste")
    environment.step(Click(point=place(environment, "textarea")))
    environment.step(PressKeys(keys=["Control", "a"]))
    environment.step(PressKeys(keys=["Control", "c"]))
    for started in (environment, play("copy-paste-2")):
        started.reset(seed=3)
        field = place(started, "input[type=text]")
        started.step(Click(point=field))
        started.step(TypeText(text="mine"))
        started.step(PressKeys(keys=["Control", "v"]))
        pasted = ask(started, "() => document.querySelector('input[type=text]').value")
        assert pasted == "mine"


def test_a_slider_moves_by_drag_and_by_keys(play: Play) -> None:
    environment = play("use-slider")
    value = "() => Number(document.querySelector('#val').textContent)"
    handle = place(environment, ".ui-slider-handle")
    start = ask(environment, value)
    environment.step(Drag(start=handle, end=Point(x=handle.x + 0.15, y=handle.y)))
    dragged = ask(environment, value)
    environment.step(PressKeys(keys=["ArrowLeft"]))
    assert dragged > start
    assert ask(environment, value) == dragged - 1


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (PressKeys(keys=["Enter"]), UnknownAction),
        (Click(point=Point(x=0.5, y=0.5, screen="miniwob:click-tab")), StaleScreen),
        (Click(point=Point.model_construct(x=1.2, y=0.5, screen=None)), OutOfRange),
    ],
)
def test_what_is_refused_changes_nothing(
    play: Play, action: Action, error: type[Exception]
) -> None:
    environment = play("click-test")
    before = environment.render()
    with pytest.raises(error):
        environment.step(action)
    assert np.array_equal(environment.render(), before)
    assert ask(environment, "() => WOB_DONE_GLOBAL") is False


def test_a_miniwob_task_keeps_the_contract_with_typing() -> None:
    report = check_environment(MiniWobEnvironment("enter-text"), seeds=(0,), max_steps=4)
    assert report.skipped == []


def test_a_chromium_that_is_killed_is_a_fault_and_the_next_reset_recovers(play: Play) -> None:
    environment = play("click-test")
    first = environment.render()
    for pid in chromium_processes():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(BrowserCrashed):
        environment.step(Click(point=Point(x=0.5, y=0.5)))
    with pytest.raises(UsageError, match="reset"):
        environment.step(Click(point=Point(x=0.5, y=0.5)))
    assert np.array_equal(environment.reset(seed=7)[0].pixels, first)


def test_a_renderer_that_crashes_is_a_fault_and_the_next_reset_recovers(play: Play) -> None:
    environment = play("click-test")
    first = environment.render()

    async def crash(page: Any) -> None:
        session = await page.context.new_cdp_session(page)
        crashed = asyncio.get_running_loop().create_future()
        page.once("crash", lambda _: crashed.set_result(None))
        # A page that died gives no answer.
        sending = asyncio.ensure_future(session.send("Page.crash"))
        await crashed
        sending.cancel()

    environment.page_call(crash)
    with pytest.raises(BrowserCrashed):
        environment.step(Click(point=Point(x=0.5, y=0.5)))
    assert np.array_equal(environment.reset(seed=7)[0].pixels, first)


def chromium_processes() -> list[int]:
    """Our own process's Chromium: descendants that are the browser's main process."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                line = (entry / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = (int(parent), line)

    def ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid][0]
        return pid == os.getpid()

    return [
        pid
        for pid, (_, line) in parents.items()
        if "--remote-debugging-pipe" in line and "--type=" not in line and ours(pid)
    ]


def test_a_scroll_to_the_side_does_not_go_back() -> None:
    environment = MiniWobEnvironment("email-inbox")
    try:
        environment.reset(seed=1)
        action = Scroll(direction="left", amount=5, point=Point(x=0.5, y=0.5))
        _, _, terminated, _, info = environment.step(action)
        assert not terminated
        assert info["effect"].startswith("scrolled left by 0 of")
    finally:
        environment.close()


def test_a_page_that_is_left_fails_the_episode_and_the_next_one_begins_anew() -> None:
    environment = MiniWobEnvironment("click-test")
    try:
        environment.reset(seed=1)
        leave = "() => { addEventListener('mousedown', () => { location.href = 'about:blank' }) }"
        environment.page_call(lambda page: page.evaluate(leave))
        _, _, terminated, _, info = environment.step(Click(point=Point(x=0.9, y=0.9)))
        assert (terminated, info["verdict"]) == (True, False)
        environment.reset(seed=2)
        assert environment.instruction == "Click the button."
    finally:
        environment.close()


def test_the_first_screen_after_a_load_is_drawn_like_every_later_one(play: Play) -> None:
    environment = play("click-color", seed=5)
    first, _ = environment.reset(seed=3)
    environment.close()
    again, _ = environment.reset(seed=3)
    environment.reset(seed=4)
    later, _ = environment.reset(seed=3)
    assert first == again == later


def test_back_does_not_lead_to_another_task_whose_verdict_still_stands(play: Play) -> None:
    solved = play("click-test")
    terminated = solved.step(Click(point=place(solved, "#subbtn")))[2]
    assert terminated
    solved.close()
    environment = play("enter-text")
    ask(environment, "() => { history.back(); }")
    field = place(environment, "#tt")
    _, reward, terminated, _, info = environment.step(Click(point=field))
    assert (reward, terminated, info.get("verdict")) == (0.0, False, None)
