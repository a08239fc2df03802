import numpy as np
import pytest

from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.envs import make
from eyehand.envs.check import check_environment


def test_a_game_keeps_the_contract() -> None:
    check_environment(make("atari:breakout"), seeds=(0, 1), max_steps=6)


def test_the_picture_holds_the_last_four_frames_in_order() -> None:
    environment = make("atari:freeway")
    up = environment.action_space.build("up", {})
    observation, _ = environment.reset(seed=0)
    seen = []
    for _ in range(5):
        observation, *_ = environment.step(up)
        seen.append(observation.pixels)
    height, width = 210, 160
    tiles = [
        observation.pixels[y : y + height, x : x + width] for y in (0, height) for x in (0, width)
    ]
    newest = [pixels[height:, width:] for pixels in seen[-4:]]
    assert all(np.array_equal(tile, frame) for tile, frame in zip(tiles, newest, strict=True))
    assert not np.array_equal(tiles[0], tiles[3])
    environment.close()


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
