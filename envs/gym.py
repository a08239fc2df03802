"""GymEnvironment: any Gymnasium environment that renders RGB, played by looking at its frames."""

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
from eyehand.envs.gym_make import GymEnv, faults_mapped, make_gym, require_rgb, rgb_frame
from eyehand.envs.gym_presets import GYM_PRESETS, Preset, Success
from eyehand.envs.gym_rules import Rule, Standing
from eyehand.errors import UnknownAction, UsageError

_SUCCESS_KEYS = ("is_success", "success")


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

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Start an episode.

        Args:
            seed: Handed to the Gymnasium environment.
            options: `options["gym"]`, where given, is handed to it as its options.

        Raises:
            EnvironmentFault: the environment raised.
            MissingExtra: its rendering needs a package that is not installed.
        """
        gymnasium.Env.reset(self, seed=seed)
        started_s = perf_counter()
        with faults_mapped(self._id, "reset"):
            seen, _ = self._inner.reset(seed=seed, options=(options or {}).get("gym"))
        self._mission, self._text = _words(seen)
        self._reward_sum, self._steps, self._running = 0.0, 0, True
        self._frames.clear()
        info: StepInfo = {"effect": "reset", "verdict": None, "details": {}}
        return self._observe(info, started_s), info

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one call for one step of the environment.

        Raises:
            ModelFeedback: the action is not permitted or out of bounds; nothing changed.
            EnvironmentFault: the environment raised.
            UsageError: the episode has ended, or none was started.
        """
        if not self._running:
            raise UsageError("no episode is running: call reset() before step()")
        if action not in self.action_space:
            self.action_space.build(action.name, action.model_dump())  # raises what fits best
            raise UnknownAction(f"{action.name} is another action of the same name")
        if handler := self.action_space.handlers.get(type(action)):
            return self._custom(handler(action, self) or str(action))
        started_s = perf_counter()
        move = self._mapping.to_gym(action)
        with faults_mapped(self._id, "step"):
            seen, reward, terminated, truncated, said = self._inner.step(move)
        self._text = _words(seen)[1]
        self._reward_sum += float(reward)
        self._steps += 1
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

    def _custom(self, effect: str) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Answer a custom action, which takes no step of the game: its frame is shown anew."""
        if self._frames:
            self._frames.pop()
        info = self._info(effect, 0.0, {})
        return self._observe(info, perf_counter()), 0.0, False, False, info

    def _observe(self, info: StepInfo, started_s: float) -> Observation:
        """Render, and note the times of acting and rendering."""
        acted_s = perf_counter()
        self._pixels = frame = rgb_frame(self._inner, self._id)
        info["timings_s"] = {"act": acted_s - started_s, "capture": perf_counter() - acted_s}
        height, width = frame.shape[:2]
        geometry = ScreenGeometry("frame", width, height, width, height)
        return Observation(frame.copy(), geometry, self._text, video=self._video(frame))

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
        details = {"reward": reward, "reward_sum": self._reward_sum, "info": _scalars(said)}
        return {"effect": effect, "verdict": None, "details": details}

    def _judge(self, info: StepInfo, standing: Standing) -> None:
        """Put the verdict of an ended episode into its last info, and what decided."""
        said = standing.info
        own = next((key for key in _SUCCESS_KEYS if _is_flag(said.get(key))), None)
        rule = self._given_rule
        if rule is None and own is not None:
            info["verdict"], source = bool(said[own]), f"info[{own!r}]"
        elif (rule := rule or _rule(self._preset.success)) is not None:
            info["verdict"], source = rule.holds(standing), str(rule)
        else:
            return
        info["details"]["verdict_from"] = source


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


def _words(seen: Any) -> tuple[str | None, str]:
    """Return the mission and the other words of a Gymnasium observation."""
    if isinstance(seen, str):
        return None, seen
    if not isinstance(seen, dict):
        return None, ""
    words = {key: value for key, value in seen.items() if isinstance(value, str)}
    mission = words.pop("mission", "").strip() or None
    return mission, "\n".join(f"{key}: {value}" for key, value in words.items())


def _is_flag(value: Any) -> bool:
    """Return whether a value is a plain yes or no: True, False, 0 or 1 of any scalar type."""
    scalar = isinstance(value, bool | int | float | np.bool_ | np.number)
    return scalar and value in (0, 1)


def _scalars(said: dict[str, Any]) -> dict[str, Any]:
    """Keep the parts of a Gymnasium info that JSON can hold; infinities and arrays are left out."""
    kept: dict[str, Any] = {}
    for key, value in said.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, bool | int | str) or (isinstance(plain, float) and np.isfinite(plain)):
            kept[str(key)] = plain
    return kept
