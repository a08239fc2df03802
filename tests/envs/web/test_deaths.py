"""A part of the browser dies, once: a fault of the environment, and the next reset is as ever."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import playwright
import pytest

from eyehand.actions import web
from eyehand.agent.ending import Episode
from eyehand.agent.episode import run_episode
from eyehand.agent.evaluation.evaluate import run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.results.folder import read_rows
from eyehand.agent.trajectory.records import AnyRecord, StepRecord
from eyehand.envs.registry import make
from eyehand.envs.web.browser import Browser, find_chromium
from eyehand.errors import BrowserCrashed

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

TASK = "miniwob:grid-coordinate"
GONE_TIMEOUT_S = 60.0
PARTS = {
    "driver": lambda command: b"run-driver" in command,
    "chromium": lambda command: b"--remote-debugging-pi" in command and b"--type=" not in command,
    "renderer": lambda command: b"--type=renderer" in command,
    "gpu": lambda command: b"--type=gpu-process" in command,
}


OTHERS: set[int] = set()
"""What ran below this process before these tests: servers of other tests, which live on."""


def processes() -> dict[int, bytes]:
    """The living processes below this one but the others, with their command lines."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended in the meantime
            continue
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(stat.parent.name))
    found: dict[int, bytes] = {}
    waiting = [os.getpid()]
    while waiting:
        for pid in parents.get(waiting.pop(), []):
            if pid in OTHERS:
                continue
            waiting.append(pid)
            try:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
    return found


def kill(part: str, how: signal.Signals = signal.SIGKILL) -> None:
    killed = {pid: command for pid, command in processes().items() if PARTS[part](command)}
    assert killed
    for pid in killed:
        os.kill(pid, how)
    if part == "gpu":  # nobody waits for an answer of it
        assert left_of(killed) == set()


def left_of(before: dict[int, bytes]) -> set[int]:
    """What still runs of some processes, whoever they belong to by now, once it had time to end."""
    end_s = time.monotonic() + GONE_TIMEOUT_S
    while (left := set(filter(runs, before))) and time.monotonic() < end_s:
        time.sleep(0.05)
    return left


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True, scope="module")
def _alone() -> Iterator[None]:
    """One browser at a time, that which the test before ended up with; none of these is left."""
    Browser.close_shared()
    OTHERS.clear()
    OTHERS.update(processes())
    yield
    Browser.close_shared()
    assert left_of(processes()) == set()


@pytest.mark.parametrize("part", PARTS)
def test_the_reset_after_a_death_is_as_the_one_before(visit: Any, part: str) -> None:
    page = visit("quiet.html")
    first, whole = page.observation, processes()
    kill(part)
    again, _ = page.environment.reset()
    assert again.text == first.text
    assert np.array_equal(again.pixels, first.pixels)
    if part != "renderer":  # its browser goes on
        assert left_of(whole) == set()


# Chromium's death ends a wait; a driver's is noticed by the next call of it, behind the wait.
@pytest.mark.parametrize(("part", "seconds"), [("driver", 3), ("chromium", 30)])
def test_a_death_in_mid_step_is_a_fault(visit: Any, part: str, seconds: int) -> None:
    page = visit("quiet.html")
    first = page.observation
    killer = threading.Timer(0.5, kill, (part,))
    killer.start()
    with pytest.raises(BrowserCrashed):
        page.do(web.Wait(seconds=seconds))
    killer.join()
    again, _ = page.environment.reset()
    assert again.text == first.text


def test_the_death_of_a_renderer_in_mid_step_is_told(visit: Any) -> None:
    page = visit("quiet.html")
    killer = threading.Timer(0.5, kill, ("renderer",))
    killer.start()
    seen = page.do(web.Wait(seconds=30))
    killer.join()
    assert "This tab crashed" in seen.text
    page.do(web.Reload())
    assert "Title: Quiet" in page.observation.text


def played(episode: Episode) -> list[Any]:
    steps = [(s.action, s.effect, s.feedback, s.text, s.reward, s.verdict) for s in episode.steps]
    return [episode.outcome, episode.verdict, episode.reward, episode.task, *steps]


@pytest.mark.parametrize("part", PARTS)
def test_the_episode_after_a_death_is_the_undisturbed_one(part: str) -> None:
    def watch(record: AnyRecord) -> None:
        if isinstance(record, StepRecord) and record.index == 1:
            kill(part)

    def play(**options: Any) -> Episode:
        return run_episode(RandomPolicy(), environment, seed=4, max_steps=4, **options)

    with make(TASK) as environment:
        undisturbed = play()
        assert len(undisturbed.steps) > 2
        disturbed = play(watch=watch)
        assert disturbed.outcome is Outcome.ENVIRONMENT_FAULT, disturbed.message
        assert played(play()) == played(undisturbed)


@pytest.mark.parametrize("part", ["driver", "chromium"])
@pytest.mark.parametrize("then", ["played", "closed"])
def test_what_hangs_is_ended_and_the_next_episode_is_the_undisturbed_one(
    part: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyehand.envs.miniwob.environment.STEP_TIMEOUT_S", 5.0)
    monkeypatch.setattr("eyehand.envs.web.browser.ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr("eyehand.envs.web.browser.CLOSE_TIMEOUT_S", 1.0)
    monkeypatch.setattr("eyehand.envs.web.thread.GIVEN_UP_S", 1.0)

    def watch(record: AnyRecord) -> None:
        if isinstance(record, StepRecord) and record.index == 1:
            kill(part, signal.SIGSTOP)

    def play(**options: Any) -> Episode:
        return run_episode(RandomPolicy(), environment, seed=4, max_steps=4, **options)

    with make(TASK) as environment:
        undisturbed, whole = play(), processes()
        disturbed = play(watch=watch)
        assert disturbed.outcome is Outcome.ENVIRONMENT_FAULT, disturbed.message
        if then == "played":
            assert played(play()) == played(undisturbed)
        else:
            environment.close()
            Browser.close_shared()
        assert left_of(whole) == set()


def dies_once(program: str, at: Path, name: str, victim: str, when: str = "true") -> Path:
    """Write a program that kills `victim` the first time that `when` holds, and else is another."""
    at.mkdir()
    script = at / name
    once = f"if {when} && [ ! -e {at}/once ]; then touch {at}/once; kill -9 {victim}; sleep 60; fi"
    script.write_text(f'#!/bin/sh\n{once}\nexec {program} "$@"\n')
    script.chmod(0o755)
    return script


def at_start(part: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part die once, as the browser starts."""
    if part == "driver":
        node = Path(playwright.__file__).parent / "driver" / "node"
        starts = 'case "$*" in *run-driver*) true;; *) false;; esac'
        script = dies_once(str(node), folder / "n", "node", "$$", starts)
        monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(script))
        return
    chromium = find_chromium() or pytest.skip("needs a Chromium of the system's")
    victim = "$PPID" if part == "driver of a starting Chromium" else "$$"
    script = dies_once(chromium, folder / "c", "chromium", victim)
    if part == "chromium on the path":
        monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    else:
        monkeypatch.setenv("EYEHAND_CHROMIUM", str(script))


def rows(folder: Path) -> list[Any]:
    read = read_rows(folder / "episodes.jsonl")[0]
    return [(r.seed, r.task, r.outcome, r.verdict, r.reward, r.steps) for r in read]


STARTS = ("driver", "chromium", "chromium on the path", "driver of a starting Chromium")


@pytest.mark.parametrize("part", STARTS)
def test_a_death_at_the_start_is_retried_and_changes_no_result(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(name: str) -> list[str]:
        plan = Plan("s", [TASK], episodes=2, max_steps=2, out=tmp_path / name)
        run_evaluation(plan, make, lambda spec: RandomPolicy())
        read = read_rows(tmp_path / name / "episodes.jsonl")[0]
        return [fault for row in read for fault in row.faults]

    assert evaluate("undisturbed") == []
    Browser.close_shared()
    at_start(part, tmp_path, monkeypatch)
    (fault,) = evaluate("disturbed")
    assert fault.startswith("BrowserCrashed: ")
    assert "start" in fault
    assert rows(tmp_path / "disturbed") == rows(tmp_path / "undisturbed")
