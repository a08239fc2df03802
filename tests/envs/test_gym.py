import sys
from dataclasses import replace
from enum import IntEnum
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from eyehand.actions import Action
from eyehand.envs import make
from eyehand.envs.check import check_environment
from eyehand.envs.gym.environment import GymEnvironment
from eyehand.envs.gym.presets import GYM_PRESETS
from eyehand.errors import EnvironmentFault, MissingExtra, OutOfRange, UnknownAction, UsageError


class Board(gymnasium.Env[Any, Any]):
    """Draws its last action; succeeds, fails and speaks as the test asks."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(
        self,
        action_space: spaces.Space[Any],
        infos: tuple[dict[str, Any], ...] = ({},),
        observation: Any = 0,
        reward: float = 1.0,
    ) -> None:
        self.action_space = action_space
        self.observation_space = spaces.Discrete(1)
        self.render_mode = "rgb_array"
        self.infos, self.observation, self.reward = infos, observation, reward
        self.moves: list[Any] = []
        self.frame: Any = np.zeros((56, 84, 3), np.uint8)
        self.closes = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.moves = []
        self.options = options
        self.frame = self.np_random.integers(0, 256, (56, 84, 3), np.uint8)
        return self.observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        self.moves.append(action)
        self.frame[0, 0] = len(self.moves)
        info = self.infos[len(self.moves) - 1]
        return self.observation, self.reward, False, len(self.moves) == len(self.infos), info

    def render(self) -> Any:
        return self.frame

    def close(self) -> None:
        self.closes += 1


class Talking(Board):
    """Draws the same frame for ever, and says "one" once and "two" from then on."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        before = self.frame.copy()
        _, *rest = super().step(action)
        self.frame = before
        return {"said": "one" if len(self.moves) == 1 else "two"}, *rest  # type: ignore[return-value]


INTO_A_WALL = ("turn_left", "forward", "forward", "turn_right")
"""From the corner in which empty-5x5 begins, looking along the upper wall."""
BOX = spaces.Box(-1, 1, (2,), np.float32)


def named(environment: GymEnvironment, name: str, **arguments: Any) -> Action:
    return environment.action_space.build(name, arguments)


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([3, 2]),
        BOX,
        spaces.Dict({"arm": BOX, "grip": spaces.Discrete(2)}),
        spaces.Discrete(3, start=-1),
    ],
)
def test_any_mapped_space_keeps_the_contract(space: spaces.Space[Any]) -> None:
    report = check_environment(GymEnvironment(Board(space, infos=({},) * 5)))
    assert "gymnasium" in report.passed
    assert report.steps == 10


def test_arguments_reach_the_environment_in_its_own_types() -> None:
    board = Board(BOX)
    environment = GymEnvironment(board, labels={"names": ["x", "y"], "call": "move"})
    environment.reset(seed=0)
    environment.step(named(environment, "move", x=0.5, y=-1))
    move: NDArray[np.float32] = board.moves[0]
    assert move.dtype == np.float32
    assert move.tolist() == [0.5, -1.0]


def test_a_step_that_changes_neither_frame_nor_words_says_so() -> None:
    with make("minigrid:empty-5x5") as environment:
        assert environment.reset(seed=0)[0].feedback == ""
        moves = [environment.action_space.build(name, {}) for name in INTO_A_WALL]
        told = [environment.step(move)[0].feedback for move in moves]
    assert told == ["", "Nothing visible changed.", "Nothing visible changed.", ""]


def test_what_only_the_words_tell_is_a_change() -> None:
    environment = GymEnvironment(Talking(spaces.Discrete(2), infos=({},) * 3))
    environment.reset(seed=0)
    wait = environment.action_space.sample()
    told = [environment.step(wait)[0] for _ in range(3)]
    assert [seen.text for seen in told] == ["said: one", "said: two", "said: two"]
    assert [seen.feedback for seen in told] == ["", "", "Nothing visible changed."]


def test_cartpole_is_played_by_named_actions_to_its_verdict() -> None:
    with make("gym:CartPole-v1") as environment:
        observation, _ = environment.reset(seed=3)
        assert observation.pixels.shape == (400, 600, 3)
        terminated = False
        steps = 0
        while not terminated:
            seen, _, terminated, _, info = environment.step(
                environment.action_space.build("push_left", {})
            )
            steps += 1
        assert not np.array_equal(seen.pixels, observation.pixels)
        assert info["verdict"] is False
        assert info["details"]["reward_sum"] == steps
        assert info["details"]["verdict_from"] == "reward_sum >= 475"


def test_frozen_lake_is_solved_on_the_known_way() -> None:
    with make("gym:FrozenLake-v1?is_slippery=false") as environment:
        environment.reset(seed=0)
        for name in ("down", "down", "right", "right", "down", "right"):
            *_, terminated, _, info = environment.step(environment.action_space.build(name, {}))
        assert terminated
        assert info["verdict"] is True
        assert environment.spec_uri == "gym:FrozenLake-v1?is_slippery=false"


def test_a_hole_in_the_ice_fails() -> None:
    with make("gym:FrozenLake-v1", is_slippery=False) as environment:
        environment.reset(seed=0)
        for name in ("right", "down"):
            *_, terminated, _, info = environment.step(environment.action_space.build(name, {}))
        assert terminated
        assert info["verdict"] is False


def test_every_preset_fits_its_environment() -> None:
    known = {spec.name for spec in gymnasium.registry.values()}
    assert set(GYM_PRESETS) <= known
    for environment_id in ("Taxi-v4", "Pendulum-v1", "MountainCar-v0", "Acrobot-v1"):
        with GymEnvironment(environment_id) as environment:
            assert environment.instruction
            first = environment.action_space.types[0]
            labels = GYM_PRESETS[environment_id.partition("-")[0]].labels["names"]
            assert labels[0] in (first.name, next(iter(first.model_fields), ""))


def test_the_environments_own_names_are_used() -> None:
    class Moves(IntEnum):
        turn_left = 0
        turn_right = 1

    board = Board(spaces.Discrete(2))
    board.actions = Moves  # type: ignore[attr-defined]
    assert GymEnvironment(board).action_space.names == ("turn_left", "turn_right")


def last_info(**given: Any) -> dict[str, Any]:
    board = Board(
        spaces.Discrete(2), infos=given.pop("infos", ({},)), reward=given.pop("reward", 1.0)
    )
    environment = GymEnvironment(board, **given)
    environment.reset(seed=0)
    for _ in board.infos:
        *_, info = environment.step(environment.action_space.sample())
    return dict(info)


def test_without_a_criterion_there_is_no_verdict() -> None:
    info = last_info()
    assert info["verdict"] is None
    assert "verdict_from" not in info["details"]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [(True, True), (np.float32(0.0), False), (np.bool_(True), True), (0.7, None), ([1], None)],
)
def test_the_environments_own_word_is_the_verdict(said: Any, verdict: bool | None) -> None:
    assert last_info(infos=({"is_success": said},))["verdict"] is verdict


def test_the_last_word_counts_and_none_is_given_before() -> None:
    infos = ({"success": True}, {"success": False})
    board = Board(spaces.Discrete(2), infos=infos)
    environment = GymEnvironment(board)
    environment.reset(seed=0)
    verdicts = []
    for _ in infos:
        *_, info = environment.step(environment.action_space.sample())
        verdicts.append(info["verdict"])
    assert verdicts == [None, False]


def test_a_given_criterion_outranks_the_environments_word() -> None:
    assert last_info(infos=({"success": False},), success=1.0)["verdict"] is True
    assert last_info(infos=({}, {}), success=2.5)["verdict"] is False
    assert last_info(success="terminated")["verdict"] is False


def test_a_criterion_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="terminated"):
        GymEnvironment(Board(BOX), success="often")


def test_details_keep_what_json_can_hold() -> None:
    said = {"lives": np.int64(3), "rate": float("nan"), "grid": np.zeros(3), "where": "home"}
    assert last_info(infos=(said,))["details"]["info"] == {"lives": 3, "where": "home"}


def test_a_mission_is_the_instruction_and_other_words_are_the_text() -> None:
    seen = {"mission": "go to the red ball", "image": np.zeros(3), "hint": "it is behind you"}
    environment = GymEnvironment(Board(spaces.Discrete(2), observation=seen))
    assert environment.instruction is None
    observation, _ = environment.reset(seed=0)
    assert environment.instruction == "go to the red ball"
    assert observation.text == "hint: it is behind you"
    assert GymEnvironment(Board(BOX), instruction="Wave.").instruction == "Wave."


def test_reset_options_are_handed_on() -> None:
    board = Board(BOX)
    GymEnvironment(board).reset(seed=0, options={"gym": {"level": 2}, "folder": None})
    assert board.options == {"level": 2}


def test_an_unknown_id_names_the_closest_ones() -> None:
    with pytest.raises(UsageError, match="'CartPole-v1'") as caught:
        make("gym:Cartpole-v1")
    assert "PACKAGE:ID" in str(caught.value)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingExtra, match="no_such_games"):
        make("gym:no_such_games:Maze-v0")


def test_a_package_that_is_missed_while_rendering_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with make("gym:CartPole-v1") as environment:
        monkeypatch.setitem(sys.modules, "pygame", None)
        with pytest.raises(MissingExtra, match="classic-control"):
            environment.reset(seed=0)


def test_an_option_that_does_not_fit_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="colour"):
        make("gym:CartPole-v1", colour="red")
    with pytest.raises(UsageError, match="KEY=VALUE"):
        make("gym:CartPole-v1?colour")


def test_an_environment_that_renders_no_rgb_is_refused_and_closed() -> None:
    board = Board(BOX)
    board.metadata = {"render_modes": ["ansi"]}
    with pytest.raises(UsageError, match="ansi"):
        GymEnvironment(board)
    assert board.closes == 1


def test_another_render_mode_says_how_to_make_it() -> None:
    board = Board(BOX)
    board.render_mode = "human"
    with pytest.raises(UsageError, match="render_mode='rgb_array'"):
        GymEnvironment(board)


@pytest.mark.parametrize("frame", [None, [1], np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_a_frame_that_is_no_rgb_image_is_a_fault_that_names_the_seed(frame: Any) -> None:
    board = Board(BOX)
    environment = GymEnvironment(board)
    board.render = lambda: frame  # type: ignore[method-assign]
    with pytest.raises(EnvironmentFault, match=r"Board: rendered .*, expected .*\(seed 0\)"):
        environment.reset(seed=0)


def test_an_environment_that_raises_is_a_fault_with_its_cause() -> None:
    board = Board(BOX)
    environment = GymEnvironment(board)
    environment.reset(seed=0)
    board.infos = ()
    with pytest.raises(EnvironmentFault, match="Board: step failed with IndexError") as caught:
        environment.step(environment.action_space.sample())
    assert isinstance(caught.value.__cause__, IndexError)


def test_refused_actions_say_why_and_move_nothing() -> None:
    class Jump(Action):
        """Jump."""

    board = Board(BOX)
    environment = GymEnvironment(board, labels={"names": ["x", "y"]})
    environment.reset(seed=0)
    far = environment.action_space.sample().model_copy(update={"x": 3.0})
    with pytest.raises(UnknownAction, match="permitted actions are: act"):
        environment.step(Jump())
    with pytest.raises(OutOfRange, match="x"):
        environment.step(far)
    assert board.moves == []


def test_a_custom_action_is_performed_by_its_handler_without_a_step() -> None:
    class Wave(Action):
        """Wave."""

    board = Board(BOX)
    environment = GymEnvironment(board)
    environment.action_space = environment.action_space.extended(Wave, lambda action, env: "waved")
    environment.reset(seed=0)
    *_, info = environment.step(Wave())
    assert info["effect"] == "waved"
    assert board.moves == []


def test_the_last_frames_are_a_video() -> None:
    environment = GymEnvironment("CartPole-v1", video_frames=3)
    observation, _ = environment.reset(seed=1)
    frames = [observation.pixels] * 3
    for name in ("push_left", "push_left", "push_right", "push_right"):
        observation, *_ = environment.step(environment.action_space.build(name, {}))
        frames.append(observation.pixels)
        assert observation.video is not None
        assert np.array_equal(observation.video, np.stack(frames[-3:]))
    assert observation in environment.observation_space
    again, _ = environment.reset(seed=1)
    assert again.video is not None
    assert np.array_equal(again.video, np.stack(frames[:3]))
    environment.close()


def test_a_custom_action_adds_no_frame_to_the_video() -> None:
    class Look(Action):
        """Look again."""

    environment = GymEnvironment("CartPole-v1", video_frames=3)
    environment.action_space = environment.action_space.extended(Look, lambda *_: "looked")
    environment.reset(seed=1)
    before, *_ = environment.step(environment.action_space.build("push_left", {}))
    after, *_ = environment.step(Look())
    assert after.feedback == "looked"
    assert replace(after, feedback="") == before
    environment.close()


def test_a_video_has_at_least_one_frame() -> None:
    with pytest.raises(UsageError, match="video_frames must be at least 1, got 0"):
        GymEnvironment("CartPole-v1", video_frames=0)


def test_stepping_and_rendering_without_an_episode_name_reset() -> None:
    environment = GymEnvironment(Board(BOX))
    with pytest.raises(UsageError, match="reset"):
        environment.step(environment.action_space.sample())
    with pytest.raises(UsageError, match="reset"):
        environment.render()


def test_closing_twice_closes_once() -> None:
    board = Board(BOX)
    environment = GymEnvironment(board)
    environment.close()
    environment.close()
    assert board.closes == 1


def test_options_need_an_id() -> None:
    with pytest.raises(UsageError, match="level"):
        GymEnvironment(Board(BOX), level=3)
