"""Third-party environments whose code is at fault: the fault is one episode's, and says where."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from eyehand.actions import ActionSpace
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.random import RandomPolicy
from eyehand.envs import make
from eyehand.envs.env import Environment, Observation
from eyehand.envs.gym import watchdog as gym_watchdog
from eyehand.envs.gym.environment import GymEnvironment
from eyehand.envs.gym.rules import Standing
from eyehand.errors import EnvironmentFault, UsageError

FRAME = np.zeros((28, 28, 3), np.uint8)


class Lamp(gymnasium.Env[Any, Any]):
    """Ends after four steps; `odd` replaces what the second step answers, or is called there."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, odd: Any = None, seeds: tuple[int, ...] = (7,)) -> None:
        self.render_mode = "rgb_array"
        self.action_space = spaces.Discrete(2)
        self.observation_space = spaces.Discrete(1)
        self.odd, self.seeds = odd, seeds
        self.frame: Any = FRAME

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.steps, self.is_odd = 0, seed in self.seeds
        return 0, {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        usual = 0, 1.0, self.steps == 4, False, {"is_success": self.steps == 4}
        if not self.is_odd or self.steps != 2 or self.odd is None:
            return usual
        return (self.odd(self) or usual) if callable(self.odd) else self.odd

    def render(self) -> Any:
        return self.frame


def answering(**parts: Any) -> tuple[Any, ...]:
    """Return a step's answer with one part that is odd."""
    usual = {"seen": 0, "reward": 1.0, "terminated": False, "truncated": False, "info": {}}
    return tuple({**usual, **parts}.values())


def exits(lamp: Lamp) -> None:
    sys.exit("simulator licence expired")


class Panic(BaseException):
    """What some compiled libraries raise: no `Exception`."""


def panics(lamp: Lamp) -> None:
    raise Panic("index\nout of bounds")


def goes_grey(lamp: Lamp) -> None:
    lamp.frame = np.zeros((28, 28, 4), np.uint8)


FAULTS: list[tuple[Any, str]] = [
    (answering(reward=float("nan")), "the reward nan, expected one finite number"),
    (answering(reward=float("-inf")), "the reward -inf"),
    (answering(reward=None), "the reward None"),
    (answering(reward=np.ones(2)), r"the reward array\(\[1., 1.\]\)"),
    (answering(reward="1"), "the reward '1'"),
    (answering(info=["won"]), r"the info \['won'\], expected a mapping"),
    (answering(terminated=np.ones(2)), "terminated=array"),
    (answering()[:4], "step returned 4 values, expected"),
    (exits, "step asked the program to exit, saying 'simulator licence expired'"),
    (panics, "step failed with Panic: index out of bounds"),
    (goes_grey, r"rendered uint8 \(28, 28, 4\), expected uint8 \(H, W, 3\)"),
]


def steps(environment: GymEnvironment, count: int) -> list[Any]:
    return [environment.step(environment.action_space.sample()) for _ in range(count)]


@pytest.mark.parametrize(("odd", "said"), FAULTS)
def test_a_fault_names_the_seed_and_the_step_and_the_next_episode_is_whole(
    odd: Any, said: str
) -> None:
    lamp = Lamp(odd)
    environment = GymEnvironment(lamp)
    environment.reset(seed=7)
    with pytest.raises(EnvironmentFault, match=said) as caught:
        steps(environment, 2)
    assert "Lamp: " in str(caught.value)
    assert str(caught.value).endswith("(seed 7, step 2)")
    assert "\n" not in str(caught.value)
    lamp.frame = FRAME
    environment.reset(seed=8)
    *_, (_, _, terminated, _, info) = steps(environment, 4)
    assert (terminated, info["verdict"]) == (True, True)


@pytest.mark.parametrize(
    "odd", [answering(info=None), answering(reward=np.ones(1)), answering(reward=np.float32(1))]
)
def test_what_can_be_read_without_a_guess_is_no_fault(odd: Any) -> None:
    environment = GymEnvironment(Lamp(odd))
    environment.reset(seed=7)
    *_, (_, reward, terminated, _, info) = steps(environment, 4)
    assert (reward, terminated, info["details"]["reward_sum"]) == (1.0, True, 4.0)


def test_rewards_that_add_up_to_infinity_are_a_fault() -> None:
    environment = GymEnvironment(Lamp(lambda lamp: answering(reward=1.7e308)))
    environment.reset(seed=7)
    environment._standing = Standing(reward_sum=1.7e308)
    with pytest.raises(EnvironmentFault, match="add up to no finite number"):
        steps(environment, 2)


@pytest.mark.parametrize("said", [np.array(True), np.array([True])])
def test_a_yes_in_an_array_of_one_is_the_environments_word(said: Any) -> None:
    environment = GymEnvironment(Lamp(answering(terminated=True, info={"is_success": said})))
    environment.reset(seed=7)
    assert steps(environment, 2)[-1][4]["verdict"] is True


class Nomad(Lamp):
    """Changes to a folder of its own, and reads a file there later on."""

    def __init__(self, render_mode: str, folder: str) -> None:
        super().__init__(lambda lamp: Path("own.txt").read_text() and None)
        os.chdir(folder)


def test_an_environment_has_a_working_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("here")
    gymnasium.register("Nomad-v0", Nomad)  # type: ignore[arg-type]
    ours = Path.cwd()
    environment = GymEnvironment("Nomad-v0", folder=str(tmp_path))
    assert Path.cwd() == ours
    environment.reset(seed=7)
    assert steps(environment, 4)[-1][2]
    assert Path.cwd() == ours
    environment.close()


def test_what_a_constructor_raises_is_a_fault() -> None:
    def broken(render_mode: str) -> gymnasium.Env[Any, Any]:
        raise OSError("no\nlicence server")

    gymnasium.register("Broken-v0", broken)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFault, match="making it failed with OSError: no licence server"):
        make("gym:Broken-v0")


def sleeps(lamp: Lamp) -> None:
    time.sleep(3600)


def spins(lamp: Lamp) -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:  # as a retry loop does
            continue


def started(odd: Any) -> GymEnvironment:
    """Return an environment in an episode whose time limit has come."""
    environment = GymEnvironment(Lamp(odd))
    environment.reset(seed=7, options={"deadline_s": time.monotonic()})
    return environment


@pytest.mark.parametrize("odd", [sleeps, spins])
def test_a_step_that_never_returns_is_broken_off(odd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym_watchdog, "GRACE_S", 2.0)
    theirs = signal.getsignal(signal.SIGALRM)
    environment = started(odd)
    late = r"Lamp: step had not returned long after the time limit \(seed 7, step 2\)"
    with pytest.raises(EnvironmentFault, match=late):
        steps(environment, 2)
    environment.close()
    assert signal.getsignal(signal.SIGALRM) is theirs
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_episodes_time_limit_is_what_breaks_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym_watchdog, "GRACE_S", 0.1)
    lamp = Lamp()
    lamp.reset = lambda **given: time.sleep(3600)  # type: ignore[method-assign, assignment]
    with GymEnvironment(lamp) as environment:
        episode = run_episode(RandomPolicy(), environment, task="Wait.", time_limit_s=0.1)
    assert episode.outcome is Outcome.ENVIRONMENT_FAULT
    assert "reset had not returned long after the time limit" in episode.message


def test_a_step_that_is_only_slow_is_the_time_limit() -> None:
    def slow(lamp: Lamp) -> None:
        late_s = time.monotonic() + 0.3
        while time.monotonic() < late_s:
            time.sleep(0.001)

    with GymEnvironment(Lamp(slow)) as environment:
        episode = run_episode(
            RandomPolicy(), environment, task="Switch it on.", seed=7, time_limit_s=0.2
        )
    assert episode.outcome is Outcome.TIME_LIMIT


def test_somebody_elses_timer_goes_on_afterwards() -> None:
    heard: list[int] = []
    theirs = signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    signal.setitimer(signal.ITIMER_REAL, 900)
    try:
        steps(started(None), 4)
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left_s <= 900
        assert heard == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, theirs)


class Balance(Policy, Conversation):
    """Balances CartPole for ever; sees more than the screen."""

    name = "balance"

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        assert isinstance(environment, GymEnvironment)
        self.world: Any = environment.inner.unwrapped

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        self.space = action_space
        return self

    def decide(self, observation: Observation) -> Decision:
        x, v, angle, w = self.world.state
        right = angle + 0.4 * w + 0.02 * x + 0.05 * v > 0
        return Decision(action=self.space.build("push_right" if right else "push_left", {}))


def test_the_environments_own_limit_is_the_default() -> None:
    with make("gym:CartPole-v1") as environment:
        assert environment.max_episode_steps == 500
        episode = run_episode(Balance(), environment, seed=3)
    assert (episode.outcome, len(episode.steps)) == (Outcome.SUCCEEDED, 500)


def test_a_limit_that_is_given_counts_instead() -> None:
    with make("gym:CartPole-v1") as environment:
        episode = run_episode(Balance(), environment, seed=3, max_steps=4)
    assert (episode.outcome, len(episode.steps)) == (Outcome.STEP_LIMIT, 4)


def test_without_any_limit_there_are_30_steps() -> None:
    with make("gym:CartPole-v1?max_episode_steps=-1") as environment:
        assert environment.max_episode_steps is None
        episode = run_episode(Balance(), environment, seed=3)
    assert (episode.outcome, len(episode.steps)) == (Outcome.STEP_LIMIT, 30)


def test_limits_are_found_wherever_an_environment_keeps_them() -> None:
    pytest.importorskip("minigrid")
    limits = {
        "gym:CartPole-v1?max_episode_steps=7": 7,
        "gym:minigrid:MiniGrid-Empty-8x8-v0": 256,
    }
    for spec, limit in limits.items():
        with make(spec) as environment:
            assert environment.max_episode_steps == limit


def test_mujoco_environments_choose_their_renderer(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    without = {n: v for n, v in os.environ.items() if n not in ("MUJOCO_GL", "DISPLAY")}
    command = [
        sys.executable,
        "-m",
        "eyehand",
        "run",
        "Balance.",
        "--env",
        "gym:InvertedPendulum-v5",
    ]
    ended = subprocess.run(
        [*command, "--policy", "random", "--seed", "1", "--max-steps", "2", "--out", "o"],
        cwd=tmp_path, env=without, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "step limit after 2 steps" in ended.stderr


def test_a_package_that_imports_mujoco_itself_has_its_renderer_chosen(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    (tmp_path / "ball.py").write_text(BALL)
    without = {n: v for n, v in os.environ.items() if n not in ("MUJOCO_GL", "DISPLAY")}
    command = [sys.executable, "-m", "eyehand", "run", "Look.", "--env", "gym:ball:Ball-v0"]
    ended = subprocess.run(
        [*command, "--policy", "random", "--seed", "1", "--out", "o"],
        cwd=tmp_path, env=without, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


BALL = """
import gymnasium, mujoco, numpy as np
XML = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"

class Ball(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"]}
    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Discrete(1)

    def __init__(self, render_mode):
        self.render_mode = render_mode
        self.model = mujoco.MjModel.from_xml_string(XML)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)
        self.renderer = mujoco.Renderer(self.model, 28, 28)

    def reset(self, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, 1.0, True, False, {"is_success": True}

    def render(self):
        self.renderer.update_scene(self.data)
        return self.renderer.render()

gymnasium.register("Ball-v0", Ball)
"""


def test_a_rule_that_meets_no_number_is_a_fault_of_that_episode() -> None:
    lamp = Lamp(answering(terminated=True, info={"won": "yes"}))
    environment = GymEnvironment(lamp, success="info.won")
    environment.reset(seed=7)
    with pytest.raises(EnvironmentFault, match=r"info\.won, which is 'yes', not a number"):
        steps(environment, 2)


def test_a_key_that_is_missing_is_no_success_and_is_said() -> None:
    lamp = Lamp(answering(terminated=True, info={"lives": 3}))
    with GymEnvironment(lamp, success="info.won", instruction="Win.") as environment:
        episode = run_episode(RandomPolicy(), environment, seed=7)
    assert (episode.outcome, episode.verdict) == (Outcome.FAILED, False)
    assert episode.message == "the rule asks for info.won, but info held lives"


def test_an_unusable_call_of_the_environment_stays_the_users() -> None:
    environment = GymEnvironment(Lamp())
    with pytest.raises(UsageError, match="reset"):
        environment.step(environment.action_space.sample())
