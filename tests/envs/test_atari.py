import json
from pathlib import Path

import numpy as np
import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.envs import make
from eyehand.envs.check import check_environment


def test_a_game_keeps_the_contract() -> None:
    check_environment(make("atari:breakout"), seeds=(0, 1), max_steps=6)


def test_an_observation_is_the_newest_frame_with_a_video_of_the_last_four() -> None:
    environment = make("atari:freeway")
    up = environment.action_space.build("up", {})
    observation, _ = environment.reset(seed=0)
    assert observation.pixels.shape == (210, 160, 3)
    seen = [observation.pixels] * 4
    for _ in range(6):
        assert observation.video is not None
        assert np.array_equal(observation.video, np.stack(seen[-4:]))
        observation, *_ = environment.step(up)
        seen.append(observation.pixels)
    assert len({frame.tobytes() for frame in seen[-4:]}) == 4
    assert "video" in (environment.instruction or "")
    environment.close()


def test_the_frames_can_be_tiles_of_one_picture(tmp_path: Path) -> None:
    task = {
        "name": "freeway",
        "environment": "ale_py:ALE/Freeway-v5",
        "instruction": "Cross the road.",
        "screen": {"frames": 4, "show": "tiles"},
        "options": {"repeat_action_probability": 0},
    }
    path = tmp_path / "tiles.json"
    path.write_text(json.dumps({"suite": "mine", "tasks": [task]}), encoding="utf-8")
    tiled = make(f"suite:{path}")
    film = make("gym:ale_py:ALE/Freeway-v5", video_frames=4, repeat_action_probability=0)
    shown = []
    for environment in (tiled, film):
        environment.reset(seed=0)
        for name in ("up", "up", "noop", "up", "up"):
            observation, *_ = environment.step(environment.action_space.build(name, {}))
        shown.append(observation)
        environment.close()
    picture, video = shown[0].pixels, shown[1].video
    assert shown[0].video is None
    assert video is not None
    tiles = [picture[y : y + 210, x : x + 160] for y in (0, 210) for x in (0, 160)]
    assert np.array_equal(np.stack(tiles), video)
    assert len({tile.tobytes() for tile in tiles}) == 4


@pytest.mark.parametrize(("sticky", "same"), [("", False), ("?repeat_action_probability=0", True)])
def test_sticky_actions_make_seeds_differ(sticky: str, same: bool) -> None:
    environment = make(f"atari:freeway{sticky}")
    ends = []
    for seed in (1, 2):
        environment.reset(seed=seed)
        for _ in range(15):
            observation, *_ = environment.step(environment.action_space.build("up", {}))
        ends.append(observation.pixels)
    environment.close()
    assert np.array_equal(ends[0], ends[1]) is same


def test_the_score_decides_and_the_limit_truncates() -> None:
    environment = make("atari:freeway")
    episode = run_episode(expert_for("atari:freeway"), environment, seed=1, max_steps=400)
    assert len(episode.steps) == 300
    assert episode.verdict is (episode.reward >= 5)
    assert episode.verdict is True
    environment.close()
