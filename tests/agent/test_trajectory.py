"""The record on disk: whole, readable after every kind of end, honest about a full disk."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action
from eyehand.actions.web import Click, TypeText
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Decision
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.records import ActionRecord, EpisodeRecord, OutcomeRecord, StepRecord
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.cards.number_line import Minus, NumberLineEnvironment, Plus
from eyehand.envs.env import Observation, Pixels, ScreenGeometry
from eyehand.errors import RecordingFailed, UsageError

GOLDEN = Path(__file__).parent / "golden" / "number-line.jsonl"

FIRST = EpisodeRecord(
    eyehand="0", started_at="now", task="t", spec="s", seed=1, policy={"name": "p"}, max_steps=3
)


def observation(value: int, size: tuple[int, int] = (30, 40)) -> Observation:
    pixels: Pixels = np.full((*size, 3), value, np.uint8)
    return Observation(pixels, ScreenGeometry("s", size[1], size[0], size[1], size[0]))


def noise(index: int) -> Observation:
    generator = np.random.default_rng(index)
    pixels = generator.integers(0, 256, size=(300, 300, 3), dtype=np.uint8)
    return Observation(pixels, ScreenGeometry("s", 300, 300, 300, 300))


def without_times(line: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)
    for key in ("started_at", "seconds", "eyehand"):
        record.pop(key, None)
    for action in record.get("actions", ()):
        action.pop("json_schema")
    for key in ("timings_s", "policy_timings_s", "environment_timings_s"):
        if key in record:
            record[key] = sorted(record[key])
    return record


def test_a_scripted_episode_equals_the_golden_one(tmp_path: Path) -> None:
    script: list[Action | str] = [
        Plus(),
        "I cannot see it.",
        '✿FUNCTION✿: jump\n✿ARGS✿: {"by": 2}',
        Minus(),
    ]
    policy = ScriptedPolicy(script)
    run_episode(policy, NumberLineEnvironment(), seed=5, max_steps=5, trajectory=tmp_path / "e")
    written = (tmp_path / "e" / "episode.jsonl").read_text(encoding="utf-8").splitlines()
    golden = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert [without_times(line) for line in written] == [without_times(line) for line in golden]


def test_an_episode_reads_back_as_it_was(tmp_path: Path) -> None:
    episode = run_episode(
        RandomPolicy(), NumberLineEnvironment(), seed=5, trajectory=tmp_path / "e"
    )
    kept = read_trajectory(tmp_path / "e")
    assert kept.steps == episode.steps
    assert kept.outcome is not None
    assert kept.outcome.outcome is episode.outcome
    assert not kept.partial_line
    first = NumberLineEnvironment().reset(seed=5)[0]
    assert np.array_equal(kept.pixels(kept.steps[0].screen), first.pixels)


def test_recorded_actions_can_be_performed_again(tmp_path: Path) -> None:
    from eyehand.actions import ActionSpace, Point
    from eyehand.actions.web import WEB_ACTIONS, Drag, Finish, PressKeys, Scroll

    space = ActionSpace(WEB_ACTIONS)
    here, there = Point(x=0.25, y=1.0, screen="s"), Point(x=0.0, y=0.5, screen="s")
    for action in (
        Click(point=here),
        Drag(start=here, end=there),
        PressKeys(keys=["Control", "a"]),
        Scroll(direction="down", amount=3, point=there),
        Finish(status="failure"),
        TypeText(text="✿FUNCTION✿ <|im_end|> 中文"),
    ):
        line = json.dumps(ActionRecord.of(action).model_dump())
        assert ActionRecord.model_validate(json.loads(line)).build(space) == action


def test_equal_screens_are_written_once(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        files = [writer.screen(i, observation(v)).file for i, v in enumerate((7, 7, 8, 7))]
    assert files == ["screens/000.png", "screens/000.png", "screens/002.png", "screens/003.png"]


def test_an_array_that_is_drawn_into_again_is_a_new_screen(tmp_path: Path) -> None:
    seen = observation(7)
    with TrajectoryWriter(tmp_path / "e") as writer:
        writer.screen(0, seen)
        seen.pixels[:] = 9
        assert writer.screen(1, seen).file == "screens/001.png"


def test_text_that_utf8_cannot_write_survives(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        writer.write(FIRST.model_copy(update={"task": "half \ud83d of a pair"}))
    assert read_trajectory(tmp_path / "e").episode.task == "half \ud83d of a pair"


def test_a_partial_last_line_is_ignored(tmp_path: Path) -> None:
    run_episode(RandomPolicy(), NumberLineEnvironment(), seed=5, trajectory=tmp_path / "e")
    path = tmp_path / "e" / "episode.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    kept = read_trajectory(tmp_path / "e")
    assert kept.partial_line
    assert kept.outcome is None
    assert len(kept.steps) == data.count(b'"type": "step"')


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        writer.write(FIRST)
    path = tmp_path / "e" / "episode.jsonl"
    path.write_text(path.read_text() + '{"type": "step"}\n')
    with pytest.raises(UsageError, match="line 2, is not a record"):
        read_trajectory(tmp_path / "e")


def test_a_folder_without_an_episode_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no episode"):
        read_trajectory(tmp_path)
    (tmp_path / "episode.jsonl").write_text("")
    with pytest.raises(UsageError, match="does not begin with an episode line"):
        read_trajectory(tmp_path)


def test_an_episode_is_never_overwritten(tmp_path: Path) -> None:
    TrajectoryWriter(tmp_path / "e").close()
    with pytest.raises(UsageError, match="already holds an episode"):
        TrajectoryWriter(tmp_path / "e")


def test_a_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        TrajectoryWriter(tmp_path / "file" / "e")


KILLED = """
import os, signal, sys
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.trajectory.records import StepRecord
from eyehand.envs.cards.number_line import NumberLineEnvironment
from pathlib import Path

def watch(record):
    if isinstance(record, StepRecord) and record.index == 2:
        os.kill(os.getpid(), signal.SIGKILL)

run_episode(RandomPolicy(), NumberLineEnvironment(), seed=8, trajectory=Path(sys.argv[1]),
            watch=watch)
"""


def test_a_killed_process_leaves_a_readable_trajectory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "e")]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    kept = read_trajectory(tmp_path / "e")
    assert [step.index for step in kept.steps] == [0, 1, 2]
    assert kept.outcome is None
    assert kept.pixels(kept.steps[2].screen).shape == (300, 300, 3)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        result = subprocess.run(mount, capture_output=True, check=False, timeout=20)
    except OSError as error:
        pytest.skip(f"a small disk needs mount: {error}")
    if result.returncode:
        pytest.skip(f"a small disk cannot be mounted: {result.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=20)


class Noisy(NumberLineEnvironment):
    """Number-line on screens that do not compress: about 270 kB each."""

    def reset(self, **options: Any) -> tuple[Observation, Any]:
        return noise(0), super().reset(seed=options["seed"])[1]

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Any]:
        index = int(np.random.default_rng().integers(2**31))
        return noise(index), *super().step(action)[1:]


def test_a_full_disk_is_a_fault_and_what_was_written_stays_readable(small_disk: Path) -> None:
    episode = run_episode(
        ScriptedPolicy([Plus(), Minus()] * 5), Noisy(), seed=1, trajectory=small_disk / "e"
    )
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT
    assert episode.message.startswith("RecordingFailed: cannot write the trajectory in")
    assert "No space left on device" in episode.message
    kept = read_trajectory(small_disk / "e")
    assert 1 <= len(kept.steps) < 10
    for step in kept.steps:
        assert kept.pixels(step.screen).shape == (300, 300, 3)


def test_a_disk_that_is_full_for_lines_keeps_whole_lines(small_disk: Path) -> None:
    written = 0
    writer = TrajectoryWriter(small_disk / "e")
    writer.write(FIRST)
    step = StepRecord(
        index=0, screen=writer.screen(0, observation(1)), raw_text="x" * 9000, action=None
    )
    message = ""
    while not message:
        try:
            writer.write(step)
            written += 1
        except RecordingFailed as full:
            message = str(full)
    writer.close()
    assert "what was written before stays readable" in message
    kept = read_trajectory(small_disk / "e")
    assert len(kept.steps) == written
    assert not kept.partial_line


LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.random import RandomPolicy
from eyehand.envs.cards.number_line import NumberLineEnvironment
episode = run_episode(RandomPolicy(), NumberLineEnvironment(), seed=8, trajectory=Path(sys.argv[1]))
print(episode.outcome, episode.message)
"""


def test_a_limit_on_file_sizes_is_a_fault_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "e")]
    result = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert result.stdout.startswith("environment_fault RecordingFailed: cannot write")
    assert "File too large" in result.stdout
    assert read_trajectory(tmp_path / "e").episode.spec == "cards:number-line"


def test_a_disk_that_fills_up_at_the_last_line_is_a_fault(tmp_path: Path) -> None:
    class FullAtTheEnd(TrajectoryWriter):
        def write(self, record: Any) -> None:
            if isinstance(record, OutcomeRecord):
                raise RecordingFailed("the disk is full")
            super().write(record)

    episode = run_episode(
        ScriptedPolicy([]),
        NumberLineEnvironment(),
        seed=1,
        max_steps=1,
        trajectory=FullAtTheEnd(tmp_path / "e"),
    )
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT
    assert episode.folder == tmp_path / "e"
    assert len(read_trajectory(tmp_path / "e").steps) == 1


def test_what_an_environment_puts_into_its_details_is_made_plain(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        writer.write(FIRST.model_copy(update={"details": {"reward": np.float32(0.5), "p": Path()}}))
    assert read_trajectory(tmp_path / "e").episode.details == {"reward": 0.5, "p": "."}


def test_files_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    run_episode(RandomPolicy(), NumberLineEnvironment(), seed=5, trajectory=tmp_path / "e")
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before


def test_a_decision_without_action_and_error_still_counts(tmp_path: Path) -> None:
    from eyehand.agent.policies.base import Conversation, Policy

    class Silent(Policy, Conversation):
        def start(self, task: str, action_space: Any, seed: int | None = None) -> Conversation:
            return self

        def decide(self, observation: Observation) -> Decision:
            return Decision()

    episode = run_episode(Silent(), NumberLineEnvironment(), seed=1, max_steps=2)
    assert [step.error.message for step in episode.steps if step.error] == [
        "the answer held no action"
    ] * 2
