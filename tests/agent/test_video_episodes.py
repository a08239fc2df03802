"""Screens over time: what the model reads of them, what the record keeps, what the page shows."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eyehand.actions import ActionSpace
from eyehand.agent.episode import run_episode
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.experts import expert_for
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.blind import BlindPolicy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_conversation import VlmConversation
from eyehand.agent.policies.random import RandomPolicy
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.report import write_report
from eyehand.agent.results.diff import differences
from eyehand.agent.scoring.recorded import steps_of
from eyehand.agent.training.demonstrations import still
from eyehand.agent.trajectory.reader import Trajectory, read_trajectory
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation, ScreenGeometry, same_video
from eyehand.envs.registry import make
from eyehand.errors import UsageError

FREEWAY = "atari:freeway"
SEEN_PIXELS = 112 * 84
UP = "✿FUNCTION✿: up\n✿ARGS✿: {}"


def film(*values: int, size: int = 40) -> Observation:
    """A screen whose video is of frames of one value each."""
    frames = np.stack([np.full((size, size, 3), value, np.uint8) for value in values])
    geometry = ScreenGeometry("s", size, size, size, size)
    return Observation(frames[-1].copy(), geometry, "said", "told", video=frames)


class Watching(Policy, Conversation):
    """Lets another policy decide, and keeps what it was shown."""

    name = "watching"

    def __init__(self, inner: Policy) -> None:
        self.inner = inner
        self.seen: list[Observation] = []

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        self.conversation = self.inner.start(task, action_space, seed)
        return self

    def decide(self, observation: Observation) -> Decision:
        self.seen.append(observation)
        return self.conversation.decide(observation)


@pytest.fixture(scope="module")
def model() -> VlmPolicy:
    return VlmPolicy(device="cpu", max_new_tokens=12, history="full", max_pixels=SEEN_PIXELS)


@pytest.fixture(scope="module")
def played(model: VlmPolicy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watching, Path]:
    """An episode of the embedded model on a game, with what it saw."""
    folder = tmp_path_factory.mktemp("games") / "freeway"
    environment, policy = make(FREEWAY), Watching(model)
    run_episode(policy, environment, seed=1, max_steps=4, trajectory=folder)
    environment.close()
    return policy, folder


def test_the_model_reads_every_screen_of_a_game_as_a_video(
    model: VlmPolicy, played: tuple[Watching, Path]
) -> None:
    policy, folder = played
    conversation = policy.conversation
    assert isinstance(conversation, VlmConversation)
    ids, config = conversation.session.token_ids, model.checkpoint.network.config
    steps = read_trajectory(folder).steps
    assert ids.count(config.image_token_id) == 0
    assert ids.count(config.video_token_id) == sum(step.tokens["image"] for step in steps)
    assert conversation.session.num_visuals == len(steps) == 4
    # 112 x 84 pixels a frame at most, tokens of 14 pixels, two pairs of frames.
    assert {step.tokens["image"] for step in steps} == {7 * 6 * 2}


@torch.inference_mode()
def test_a_conversation_counts_the_positions_of_its_videos(model: VlmPolicy) -> None:
    conversation = model.start("Look", make("cards:number-line").action_space)
    assert isinstance(conversation, VlmConversation)
    for seen in (film(0, 9), replace(film(5), video=None), film(*range(40))):
        conversation.read(seen)
        session = conversation.session
        counted = session.num_positions
        session.read_pending(session.encode_pending())
        assert session.cache.next_position == counted


def test_a_recorded_game_reads_back_as_the_same_observations(
    played: tuple[Watching, Path],
) -> None:
    policy, folder = played
    kept = read_trajectory(folder)
    assert [kept.observation(step) for step in kept.steps] == policy.seen
    assert all(seen.video is not None and len(seen.video) == 4 for seen in policy.seen)


def test_a_recorded_game_is_played_again_from_its_record(tmp_path: Path) -> None:
    environment = make(FREEWAY)
    script = [UP, UP, "no call", "✿FUNCTION✿: noop\n✿ARGS✿: {}", UP, UP]
    run_episode(
        ScriptedPolicy([*script]), environment, seed=4, max_steps=6, trajectory=tmp_path / "e"
    )
    kept = read_trajectory(tmp_path / "e")
    observation, _ = environment.reset(seed=kept.episode.seed)
    for step in kept.steps:
        assert kept.observation(step) == replace(observation, feedback=step.feedback)
        if step.action:
            action = step.action.build(environment.action_space)
            observation, *_ = environment.step(action)
    environment.close()
    videos = [kept.observation(step).video for step in kept.steps]
    # What was refused took no time: the next decision is made on the same video.
    assert same_video(videos[2], videos[3])
    assert not same_video(videos[1], videos[2])
    assert not same_video(videos[3], videos[4])


def test_each_frame_is_written_once(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        first = writer.screen(0, film(1, 1, 1))
        second = writer.screen(1, film(1, 1, 2))
        third = writer.screen(2, film(2, 5, 3))
        fourth = writer.screen(3, replace(film(3), video=None))
    assert first.video == ["screens/000.png"] * 3
    assert second.video == ["screens/000.png", "screens/000.png", "screens/001.png"]
    assert third.video == ["screens/001.png", "screens/002-2.png", "screens/002.png"]
    assert (third.file, fourth.file, fourth.video) == ("screens/002.png",) * 2 + (None,)
    files = sorted(path.name for path in (tmp_path / "e" / "screens").iterdir())
    assert files == ["000.png", "001.png", "002-2.png", "002.png"]


def test_a_line_of_a_still_screen_says_nothing_of_videos(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "e") as writer:
        still = writer.screen(0, replace(film(1), video=None))
        moving = writer.screen(1, film(1, 2))
    assert "video" not in json.loads(still.model_dump_json())
    assert json.loads(moving.model_dump_json())["video"] == moving.video
    assert type(moving).model_validate(moving.model_dump()) == moving
    assert type(still).model_validate(still.model_dump()) == still


def test_a_missing_frame_is_named_and_does_not_stop_the_page(tmp_path: Path) -> None:
    environment = make(FREEWAY)
    run_episode(expert_for(FREEWAY), environment, seed=1, max_steps=3, trajectory=tmp_path / "e")
    environment.close()
    (tmp_path / "e" / "screens" / "001.png").unlink()
    kept = read_trajectory(tmp_path / "e")
    with pytest.raises(UsageError, match=r"001\.png"):
        kept.video(kept.steps[2].screen)
    assert "missing" in write_report(tmp_path / "e").read_text(encoding="utf-8")


def test_the_page_shows_the_frames_before_each_screen(played: tuple[Watching, Path]) -> None:
    _, folder = played
    page = write_report(folder).read_text(encoding="utf-8")
    articles = page.split("<article")[1:5]
    for article in articles:
        strip = re.findall(r"<figcaption.*?</figcaption>", article, re.DOTALL)
        assert len(strip) == 1
        assert strip[0].count('<img src="data:image/webp;base64,') == 3
        assert "video of 4 frames" in strip[0]


def test_workers_give_the_same_videos(tmp_path: Path) -> None:
    for workers in (1, 2):
        plan = Plan("s", [FREEWAY], 2, max_steps=5, out=tmp_path / str(workers))
        run_evaluation(plan, make, policy_maker("random"), compute=ComputeConfig(workers))
    assert differences(tmp_path / "1", tmp_path / "2") == []
    frames = sorted((tmp_path / "1").rglob("screens/*.png"))
    frames[-1].write_bytes(frames[0].read_bytes())
    assert len(differences(tmp_path / "1", tmp_path / "2")) == 1


class MovingLine(NumberLineEnvironment):
    """Number-line with a video of noise before each screen."""

    def reset(self, **options: Any) -> Any:
        observation, info = super().reset(**options)
        return replace(observation, video=np.stack([observation.pixels] * 2)), info


def test_training_documents_refuse_a_video() -> None:
    with pytest.raises(UsageError, match="a video of 2 frames, and training documents hold still"):
        still(MovingLine().reset(seed=1)[0])


def test_a_blind_policy_sees_another_seeds_video() -> None:
    watching = Watching(RandomPolicy())
    blind = BlindPolicy(watching)
    environment = make(FREEWAY)
    other = environment.reset(seed=0)[0].video
    run_episode(blind, environment, seed=1, max_steps=2)
    environment.close()
    assert other is not None
    assert [
        np.array_equal(seen.video, other) for seen in watching.seen if seen.video is not None
    ] == [True] * 2


def test_steps_on_the_same_screen_after_another_past_are_not_scored(tmp_path: Path) -> None:
    """Two episodes that see equal screens, of which the second has come another way."""

    def recorded(name: str, videos: list[Observation]) -> Trajectory:
        shown = iter(videos)

        class Shown(NumberLineEnvironment):
            def reset(self, **options: Any) -> Any:
                return next(shown), super().reset(**options)[1]

            def step(self, action: Any) -> Any:
                return next(shown), *super().step(action)[1:]

        script = [f"✿FUNCTION✿: {name}\n✿ARGS✿: {{}}" for name in ("plus", "minus")]
        folder = tmp_path / name
        run_episode(ScriptedPolicy([*script]), Shown(), seed=5, max_steps=2, trajectory=folder)
        return read_trajectory(folder)

    one = recorded("one", [film(1, 1), film(1, 2), film(2, 3)])
    same = recorded("same", [film(1, 1), film(1, 2), film(2, 3)])
    other = recorded("other", [film(1, 1), film(0, 2), film(2, 3)])
    assert len(list(steps_of(one, same, "e"))) == 2
    assert len(list(steps_of(one, other, "e"))) == 1
