"""GymEnvironment: any Gymnasium environment that renders RGB, played by looking at its frames."""

import math
from collections import deque
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np

from eyehand.actions import Action
from eyehand.actions.gym import ActionMapping, Labels
from eyehand.envs.env import (
    Environment,
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    StepInfo,
    Video,
)
from eyehand.envs.gym.contained import GymEnv, contained, frame_fault, one_number
from eyehand.envs.gym.faults import faults_mapped
from eyehand.envs.gym.limits import step_limit
from eyehand.envs.gym.make import make_gym, require_rgb
from eyehand.envs.gym.presets import GYM_PRESETS, Preset, Success
from eyehand.envs.gym.rules import Rule, Standing
from eyehand.envs.gym.words import own_word, scalars, words_of
from eyehand.envs.steps import check_action
from eyehand.errors import EnvironmentFault, UnknownAction, UsageError


class GymEnvironment(Environment):
    """A Gymnasium environment whose observation is its rendered frame.

    The action space is mapped to named calls by `ActionMapping`: a Discrete space to one call an
    action, any other to one call with bounded arguments. Names are taken from `labels`, else from
    the environment (`get_action_meanings()`, an Enum `actions`), else from `GYM_PRESETS`.

    The verdict comes at the end of an episode, from the first of: `success`; the environment's
    own info["is_success"] or info["success"]; the preset's criterion. Where none of them says
    anything the verdict stays None: a reward threshold that Gymnasium registers is a mean over
    many episodes, so it is not taken for a criterion of one. `details["verdict_from"]` says what
    decided.

    Args:
        environment: An id as `gymnasium.make` takes it, or an environment made with
            `render_mode="rgb_array"`.
        labels: Names, units and descriptions of the actions, see `actions.gym.Labels`.
        instruction: The task in words; by default the observation's "mission", or the preset's.
        success: A number that the summed reward has to reach, "terminated", or any other rule of
            `gym_rules`, such as "terminated and reward_sum > 0".
        video_frames: Above 1, observations carry a video of so many frames: those after each of
            the last steps, the newest included. At the start of an episode the first one repeats.
        **make_options: Keyword arguments for `gymnasium.make`.

    Raises:
        UsageError: the id is unknown (the message names the closest), an option does not fit, or
            the environment does not render RGB arrays.
        MissingExtra: a package that the environment needs is not installed.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - gymnasium's type
        "render_modes": ["rgb_array"],
        "render_fps": 30,
    }

    def __init__(
        self,
        environment: str | GymEnv,
        *,
        labels: Labels | Mapping[str, Any] | None = None,
        instruction: str | None = None,
        success: Success | None = None,
        video_frames: int = 1,
        **make_options: Any,
    ) -> None:
        if video_frames < 1:
            raise UsageError(f"video_frames must be at least 1, got {video_frames}")
        self._inner, self._id = _opened(environment, make_options)
        try:
            require_rgb(self._inner, self._id)
            self._given_rule = _rule(success)
            self._preset = _preset(self._inner)
            self._mapping = _mapping(self._inner, labels, self._preset)
        except Exception:
            self._inner.close()
            raise
        self._inner, self._contained = contained(self._inner, self._id)
        spec = self._inner.spec
        self.spec_uri = f"gym:{self._id}" if spec is not None else ""
        self.seeded = spec is None or not spec.nondeterministic
        self.action_space = self._mapping.action_space
        self.observation_space = ScreenSpace()
        self._given_instruction = instruction
        # Words of a mission come with the observation: only then is the task known later.
        may_say = isinstance(self._inner.observation_space, gymnasium.spaces.Dict)
        self.needs_task = not (instruction or self._preset.instruction or may_say)
        self._mission: str | None = None
        self._text = ""
        self._pixels: Pixels | None = None
        self._frames: deque[Pixels] = deque(maxlen=video_frames)
        self._reward_sum = 0.0
        self._steps = 0
        self._own_word = False
        self._running = False
        self._closed = False

    @property
    def inner(self) -> GymEnv:
        """The Gymnasium environment, for experts and tests."""
        return self._inner

    @property
    def mapping(self) -> ActionMapping:
        """How calls become the environment's own actions, for experts."""
        return self._mapping

    @property
    def instruction(self) -> str | None:
        """The given instruction, else the episode's own mission, else the preset's."""
        return self._given_instruction or self._mission or self._preset.instruction

    @property
    def max_episode_steps(self) -> int | None:
        """The environment's own limit: `spec.max_episode_steps`, or the one that it counts."""
        return step_limit(self._inner)

    @property
    def gives_verdict(self) -> bool:
        """Whether there is a criterion: a rule, a preset's, or info["is_success"] in this episode.

        Without one, no episode of this environment succeeds or fails.
        """
        ruled = self._given_rule is not None or self._preset.success is not None
        return ruled or self._own_word

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Start an episode.

        Args:
            seed: Handed to the Gymnasium environment.
            options: `options["gym"]`, where given, is handed to it as its options;
                `options["deadline_s"]` as in `EpisodeOptions`.

        Raises:
            EnvironmentFault: the environment raised, answered what no environment may, or did not
                return by the deadline.
            MissingExtra: its rendering needs a package that is not installed.
        """
        gymnasium.Env.reset(self, seed=seed)
        started_s = perf_counter()
        given = options or {}
        self._contained.deadline_s = given.get("deadline_s")
        with faults_mapped(self._id, "reset"):
            seen, _ = self._inner.reset(seed=seed, options=given.get("gym"))
        self._mission, self._text = words_of(seen)
        self._reward_sum, self._steps, self._running = 0.0, 0, True
        self._own_word = False
        self._frames.clear()
        info: StepInfo = {"effect": "reset", "verdict": None, "details": {}}
        return self._observe(info, started_s), info

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one call for one step of the environment.

        Raises:
            ModelFeedback: the action is not permitted or out of bounds; nothing changed.
            EnvironmentFault: the environment raised, answered what no environment may, or did not
                return by the deadline.
            UsageError: the episode has ended, or none was started.
        """
        if not self._running:
            raise UsageError("no episode is running: call reset() before step()")
        check_action(action, self.action_space)
        if action not in self.action_space:
            self.action_space.build(action.name, action.model_dump())  # raises what fits best
            raise UnknownAction(f"{action.name} is another action of the same name")
        if handler := self.action_space.handlers.get(type(action)):
            return self._custom(handler(action, self) or str(action))
        started_s = perf_counter()
        move = self._mapping.to_gym(action)
        with faults_mapped(self._id, "step"):
            seen, reward, terminated, truncated, said = self._inner.step(move)
        self._text = words_of(seen)[1]
        self._add(float(reward))
        self._steps += 1
        self._own_word = self._own_word or own_word(said) is not None
        self._running = not (terminated or truncated)
        info = self._info(str(action), float(reward), said)
        if not self._running:
            ended = bool(terminated), bool(truncated)
            self._judge(info, Standing(self._reward_sum, float(reward), self._steps, *ended, said))
        observation = self._observe(info, started_s)
        return observation, float(reward), bool(terminated), bool(truncated), info

    def render(self) -> Pixels:
        """Return the current frame, RGB uint8 (H, W, 3).

        Raises:
            UsageError: no episode was started.
        """
        if self._pixels is None:
            raise UsageError("there is no frame yet: call reset() first")
        return self._pixels.copy()

    def close(self) -> None:
        """Close the Gymnasium environment; a second call does nothing."""
        if not self._closed:
            self._closed, self._running = True, False
            with faults_mapped(self._id, "close"):
                self._inner.close()

    def _add(self, reward: float) -> None:
        if not math.isfinite(self._reward_sum + reward):
            raise EnvironmentFault(f"{self._id}: the rewards add up to no finite number")
        self._reward_sum += reward

    def _custom(self, effect: str) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Answer a custom action, which takes no step of the game: its frame is shown anew."""
        if self._frames:
            self._frames.pop()
        info = self._info(effect, 0.0, {})
        return self._observe(info, perf_counter()), 0.0, False, False, info

    def _observe(self, info: StepInfo, started_s: float) -> Observation:
        """Render, and note the times of acting and rendering."""
        acted_s = perf_counter()
        self._pixels = frame = self._frame()
        info["timings_s"] = {"act": acted_s - started_s, "capture": perf_counter() - acted_s}
        height, width = frame.shape[:2]
        geometry = ScreenGeometry("frame", width, height, width, height)
        return Observation(frame.copy(), geometry, self._text, video=self._video(frame))

    def _frame(self) -> Pixels:
        with faults_mapped(self._id, "render"):
            frame: Any = self._inner.render()
        if fault := frame_fault(frame):
            raise EnvironmentFault(f"{self._id}: {fault}")
        return np.array(frame, dtype=np.uint8)

    def _video(self, newest: Pixels) -> Video | None:
        """Add a frame, and return a copy of the last ones; None where only one is shown."""
        frames, wanted = self._frames, self._frames.maxlen or 1
        if wanted == 1:
            return None
        if frames and frames[-1].shape != newest.shape:
            frames.clear()  # a video has one size
        frames.extend([newest] * (1 if frames else wanted))
        return np.stack(frames)

    def _info(self, effect: str, reward: float, said: dict[str, Any]) -> StepInfo:
        details = {"reward": reward, "reward_sum": self._reward_sum, "info": scalars(said)}
        return {"effect": effect, "verdict": None, "details": details}

    def _judge(self, info: StepInfo, standing: Standing) -> None:
        """Put the verdict of an ended episode into its last info, and what decided."""
        own = own_word(standing.info)
        rule = self._given_rule
        if rule is None and own is not None:
            info["verdict"], source = bool(one_number(standing.info[own])), f"info[{own!r}]"
        elif (rule := rule or _rule(self._preset.success)) is not None:
            info["verdict"], source = self._ruled(rule, standing), str(rule)
            note = "" if info["verdict"] else rule.not_told(standing)
            if note:
                info["details"]["verdict_note"] = note
        else:
            return
        info["details"]["verdict_from"] = source

    def _ruled(self, rule: Rule, standing: Standing) -> bool:
        """Ask a rule; what it cannot read is the environment's fault, of this episode alone."""
        try:
            return rule.holds(standing)
        except UsageError as error:
            raise EnvironmentFault(f"{self._id}: {error}") from None


def _opened(environment: str | GymEnv, options: dict[str, Any]) -> tuple[GymEnv, str]:
    """Return the Gymnasium environment and the name that messages call it by."""
    if isinstance(environment, str):
        made = make_gym(environment, options)
        return made, made.spec.id if made.spec is not None else environment
    if options:
        raise UsageError(f"options {sorted(options)} need an id to make, not an environment")
    spec = environment.spec
    return environment, spec.id if spec is not None else type(environment.unwrapped).__name__


def _preset(environment: GymEnv) -> Preset:
    """Return the preset of one of Gymnasium's own environments, an empty one for any other."""
    spec = environment.spec
    own = spec is not None and type(environment.unwrapped).__module__.startswith("gymnasium.envs.")
    return GYM_PRESETS.get(spec.name, Preset()) if own and spec is not None else Preset()


def _mapping(
    environment: GymEnv, labels: Labels | Mapping[str, Any] | None, preset: Preset
) -> ActionMapping:
    """Map the action space; a preset's labels count only where nobody gave any."""
    return ActionMapping.from_environment(environment, labels or preset.labels)


def _rule(success: object) -> Rule | None:
    """Return a criterion as a rule.

    Raises:
        UsageError: it is neither a number nor a rule.
    """
    if success is None or isinstance(success, str):
        return Rule(success) if success is not None else None
    if isinstance(success, int | float) and not isinstance(success, bool):
        return Rule(f"reward_sum >= {success:g}")
    raise UsageError(f"success is a reward to reach, 'terminated' or a rule, got {success!r}")
