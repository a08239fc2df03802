"""GymEnvironment: any Gymnasium environment that renders RGB, played by looking at its frames."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np

from eyehand.actions import Action
from eyehand.actions.gym import ActionMapping, Labels
from eyehand.envs.common import UNCHANGED, no_handler
from eyehand.envs.env import (
    Environment,
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    StepResult,
    Video,
)
from eyehand.envs.gym.contained import GymEnv, contained, frame_fault, one_number
from eyehand.envs.gym.faults import faults_mapped
from eyehand.envs.gym.limits import step_limit
from eyehand.envs.gym.make import make_gym, require_rgb
from eyehand.envs.gym.presets import GYM_PRESETS, Preset, Success
from eyehand.envs.gym.rules import Rule, Standing
from eyehand.envs.gym.words import own_word, scalars, words_of
from eyehand.errors import EnvironmentFault, UsageError


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

    After a step that left the frame and the text beside it as they were, `observation.feedback`
    says so: a policy that sees no difference would answer as before.

    `options["gym"]` of `reset` is handed to the environment as its options. What it raises, what
    it answers that no environment may, and a call that does not return by `options["deadline_s"]`
    are an `EnvironmentFault`.

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
        self._frames: deque[Pixels] = deque(maxlen=video_frames)
        self._standing = Standing()
        self._own_word = False
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

    def close(self) -> None:
        """Close the Gymnasium environment; a second call does nothing."""
        super().close()
        if not self._closed:
            self._closed = True
            with faults_mapped(self._id, "close"):
                self._inner.close()

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Start an episode of the Gymnasium environment."""
        started_s = perf_counter()
        self._contained.deadline_s = options.get("deadline_s")
        with faults_mapped(self._id, "reset"):
            seen, _ = self._inner.reset(seed=seed, options=options.get("gym"))
        self._mission, self._text = words_of(seen)
        self._standing = Standing()
        self._own_word = False
        self._frames.clear()
        return self._looked("reset", started_s)

    def _perform(self, action: Action) -> StepResult:
        """Perform one call for one step of the environment."""
        if type(action) not in self._mapping.action_space.types:
            raise no_handler(action)
        before, started_s = self.last, perf_counter()
        move = self._mapping.to_gym(action)
        with faults_mapped(self._id, "step"):
            seen, reward, terminated, truncated, said = self._inner.step(move)
        self._text = words_of(seen)[1]
        self._own_word = self._own_word or own_word(said) is not None
        self._standing = self._after(float(reward), bool(terminated), bool(truncated), said)
        ended = self._standing.terminated or self._standing.truncated
        judged = self._judgement() if ended else {}
        result = self._looked(str(action), started_s)
        result.observation = _compared(before, result.observation)
        result.reward = float(reward)
        result.terminated, result.truncated = bool(terminated), bool(truncated)
        result.verdict = judged.pop("verdict", None)
        result.details = {**self._rewards(float(reward), said), **judged}
        return result

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """A custom action takes no step of the game: its frame is shown anew."""
        started_s, effect = perf_counter(), act()
        if self._frames:
            self._frames.pop()
        result = self._looked(effect, started_s)
        result.details = self._rewards(0.0, {})
        return result

    def _end(self, action: Action) -> StepResult:
        """End the episode where it stands, with the verdict of what the game said last."""
        result = super()._end(action)
        judged = self._judgement()
        result.verdict = judged.pop("verdict", None)
        result.details = {**result.details, **judged}
        return result

    def _after(
        self, reward: float, terminated: bool, truncated: bool, said: dict[str, Any]
    ) -> Standing:
        """Return how the episode stands after another step."""
        before = self._standing
        if not math.isfinite(before.reward_sum + reward):
            raise EnvironmentFault(f"{self._id}: the rewards add up to no finite number")
        return Standing(
            before.reward_sum + reward, reward, before.steps + 1, terminated, truncated, said
        )

    def _looked(self, effect: str, started_s: float) -> StepResult:
        """Render, and note the times of acting and rendering."""
        acted_s = perf_counter()
        frame = self._frame()
        timings_s = {"act": acted_s - started_s, "capture": perf_counter() - acted_s}
        height, width = frame.shape[:2]
        geometry = ScreenGeometry("frame", width, height, width, height)
        seen = Observation(frame, geometry, self._text, video=self._video(frame))
        return StepResult(seen, effect, timings_s=timings_s)

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
        frames.extend([newest.copy()] * (1 if frames else wanted))
        return np.stack(frames)

    def _rewards(self, reward: float, said: dict[str, Any]) -> dict[str, Any]:
        return {"reward": reward, "reward_sum": self._standing.reward_sum, "info": scalars(said)}

    def _judgement(self) -> dict[str, Any]:
        """Return "verdict" and what decided it; nothing where there is no criterion."""
        standing, rule = self._standing, self._given_rule
        own = own_word(standing.info)
        if rule is None and own is not None:
            verdict = bool(one_number(standing.info[own]))
            return {"verdict": verdict, "verdict_from": f"info[{own!r}]"}
        rule = rule or _rule(self._preset.success)
        if rule is None:
            return {}
        verdict = self._ruled(rule, standing)
        note = "" if verdict else rule.not_told(standing)
        noted = {"verdict_note": note} if note else {}
        return {"verdict": verdict, **noted, "verdict_from": str(rule)}

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


def _compared(before: Observation, after: Observation) -> Observation:
    """Return what is seen after a step, with a word about it where that is what was seen before."""
    if (before.geometry, before.text) != (after.geometry, after.text):
        return after
    same = np.array_equal(before.pixels, after.pixels)
    return replace(after, feedback=UNCHANGED) if same else after


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
