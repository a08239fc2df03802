"""The Environment contract: how a reset and a step go, and what they answer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypedDict

import gymnasium

from eyehand.actions import Action, ActionSpace
from eyehand.actions.web import Answer, Finish
from eyehand.envs.common import call_reset, opened
from eyehand.envs.observation import (
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    Video,
    same_video,
)
from eyehand.errors import EnvironmentFault, ModelFeedback

__all__ = [
    "Environment",
    "EpisodeOptions",
    "Observation",
    "Pixels",
    "ScreenGeometry",
    "ScreenSpace",
    "StepInfo",
    "StepResult",
    "Video",
    "same_video",
]


class StepInfo(TypedDict, total=False):
    """The `info` of `reset` and `step`.

    Keys:
        effect: One line: what the action did ("clicked (348, 291)"), for people and the record.
        verdict: The environment's own judgement once it has one: True or False; absent or None
            where there is none (the open web).
        timings_s: Seconds by part, such as "act", "settle", "capture".
        details: Anything else that is JSON-ready (the raw reward, its reason).
    """

    effect: str
    verdict: bool | None
    timings_s: dict[str, float]
    details: dict[str, Any]


@dataclass
class StepResult:
    """What a reset or a step came to: what an environment's own code answers.

    Attributes:
        observation: The screen once it had settled.
        effect: One line: what the action did.
        reward: The reward; 0 where the environment gives none.
        terminated: Whether the task reached an end state.
        truncated: Whether an outer limit came first.
        verdict: The environment's own judgement, or None.
        failed: Whether the action was tried and could not do what it says.
        timings_s: Seconds by part.
        details: Anything else for the record, JSON-ready.
    """

    observation: Observation
    effect: str = ""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    verdict: bool | None = None
    failed: bool = False
    timings_s: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.terminated or self.truncated

    @property
    def info(self) -> StepInfo:
        """What Gymnasium calls `info`; a failed action is named in its details."""
        details = {**self.details, **({"error": "ActionHadNoEffect"} if self.failed else {})}
        return StepInfo(
            effect=self.effect, verdict=self.verdict, timings_s=self.timings_s, details=details
        )

    def add(self, inner: "StepResult") -> None:
        """Take over the reward and the end of a step that a custom action took by itself."""
        self.reward += inner.reward
        if inner.ended:
            self.terminated, self.truncated = inner.terminated, inner.truncated
            self.verdict = inner.verdict
            self.details = {**self.details, **inner.details}


@dataclass
class EpisodeOptions:
    """What the runtime tells an environment about one episode, as `reset(options=...)`.

    Attributes:
        folder: The episode's folder, where downloads go; None keeps none.
        uploads: Files that `upload_file` may send, by the name the model sees.
        deadline_s: When the episode's time limit comes, on the clock of `time.monotonic`; None
            without one. Environments whose calls might never return break them off after it.
    """

    folder: Path | None = None
    uploads: dict[str, Path] = field(default_factory=dict)
    deadline_s: float | None = None

    def as_options(self) -> dict[str, Any]:
        """Return the mapping to hand to `reset(options=...)`."""
        return {"folder": self.folder, "uploads": self.uploads, "deadline_s": self.deadline_s}


class Environment(gymnasium.Env[Observation, Action]):
    """Base of every environment: a `gymnasium.Env` over screens and actions.

    `reset` and `step` are the same for all: whether an episode runs, whether the action is
    permitted and belongs to this screen, whether it has a handler of the user's, whether it ends
    the episode. An environment writes `_begin` and `_perform`. It overrides `_perform_custom`
    where looking again is more than `render`, `_judged` where every step may end the episode, and
    `_end` where the model's word is judged.

    `reset` and `step` return once the screen has settled, within a bound. A step that refuses its
    action raises a `ModelFeedback` and leaves the environment as it was; infrastructure that
    fails raises an `EnvironmentFault`. `terminated` means that the task reached an end state,
    `truncated` that an outer limit did.

    Attributes:
        spec_uri: The URI that makes this environment again, such as "miniwob:click-tab".
        seeded: Whether `reset(seed=...)` fixes the episode.
        needs_task: Whether it is known before the first reset that the user has to give the task.
        action_space: The permitted actions; a reset may replace it (a task declares its own).
        observation_space: Every screen.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - gymnasium's type
    spec_uri: str = ""
    seeded: bool = False
    needs_task: bool = False
    render_mode: str | None = "rgb_array"
    action_space: ActionSpace
    observation_space: ScreenSpace
    _last: Observation | None = None
    _running: bool = False
    _inner_steps: list[StepResult] | None = None

    @property
    def instruction(self) -> str | None:
        """The task that the current episode sets by itself; None where the user gives it."""
        return None

    @property
    def max_episode_steps(self) -> int | None:
        """Most steps an episode lasts by the environment's own limit; None where it sets none."""
        return None

    @property
    def gives_verdict(self) -> bool | None:
        """Whether there is a judgement to be had in this episode; None where that is not known."""
        return None

    @property
    def running(self) -> bool:
        """Whether an episode has begun and not ended."""
        return self._running

    @property
    def last(self) -> Observation:
        """The latest observation of the episode.

        Raises:
            UsageError: there is none.
        """
        return opened(self._last, "there is no screen yet")

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Start an episode.

        Args:
            seed: Fixes the episode where the environment is seeded.
            options: See `EpisodeOptions`, and the environment's class for its own.

        Raises:
            EnvironmentFault: the environment could not be brought to its start.
        """
        super().reset(seed=seed)
        self._running, self._last = False, None
        result = self._begin(seed, options or {})
        self._running, self._last = True, result.observation
        return result.observation, result.info

    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action and return once the screen has settled.

        A custom action's handler may take steps itself: their rewards are added, and the episode
        ends where one of them ended it.

        Returns:
            The observation, the reward, terminated, truncated, and the step's info.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            EnvironmentFault: infrastructure failed.
            UsageError: no episode is running; `action` is no action, or nobody performs it.
        """
        self._require_running()
        self.action_space.check(action)
        for point in action.points().values():
            self.last.geometry.to_device(point)
        with self._stepping():
            result = self._judged(action, self._result_of(action))
        self._running = self._running and not result.ended
        self._last = result.observation
        if self._inner_steps is not None:
            self._inner_steps.append(result)
        return (
            result.observation,
            float(result.reward),
            result.terminated,
            result.truncated,
            result.info,
        )

    def render(self) -> Pixels:
        """Return the screen as it was observed last, RGB uint8 (H, W, 3)."""
        return self.last.pixels.copy()

    def close(self) -> None:
        """End the episode; what it holds open is let go of."""
        self._running = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        """Close it; a fault while it closes does not hide what ended the `with`, such as Ctrl-C."""
        try:
            self.close()
        except EnvironmentFault:
            if error is None:
                raise
        return False

    # --- what an environment writes -------------------------------------------------------

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Bring the environment to its start and look at it; `self.np_random` is seeded."""
        raise NotImplementedError(f"{type(self).__name__} has to write _begin")

    def _perform(self, action: Action) -> StepResult:
        """Perform a permitted action of the environment's own vocabulary."""
        raise NotImplementedError(f"{type(self).__name__} has to write _perform")

    def _perform_custom(self, action: Action, act: Callable[[], str]) -> StepResult:
        """Perform a custom action and look again.

        Args:
            action: A permitted action that has a handler.
            act: Runs the handler, and returns what it did in a line.
        """
        effect = act()
        return StepResult(self.last.with_pixels(self.render()), effect)

    def _end(self, action: Action) -> StepResult:
        """End the episode on the model's word: an answer, or that it is finished."""
        seen = replace(self.last, pixels=self.last.pixels.copy(), feedback="")
        return StepResult(seen, str(action), terminated=True, details=action.arguments())

    def _judged(self, action: Action, result: StepResult) -> StepResult:
        """Judge what an action of any kind came to: end the episode, or give a verdict."""
        return result

    def _stepping(self) -> AbstractContextManager[Any]:
        """Return what surrounds the performing of every action."""
        return nullcontext()

    # --- the template ---------------------------------------------------------------------

    def _require_running(self) -> None:
        """Raise `UsageError` where there is no episode, or it has ended."""
        if not self._running:
            ended = self._last is not None
            raise call_reset("the episode has ended" if ended else "no episode is running")

    def _result_of(self, action: Action) -> StepResult:
        """Let the handler, or the environment, perform an action."""
        handler = self.action_space.handlers.get(type(action))
        ends = isinstance(action, Answer | Finish)
        if handler is None:
            return self._end(action) if ends else self._perform(action)
        told: list[str] = []

        def act() -> str:
            told.append(handler(action, self) or "")
            return told[-1] or str(action)

        outer, inner = self._inner_steps, list[StepResult]()
        self._inner_steps = inner
        try:
            result = self._ended_by(action, act) if ends else self._perform_custom(action, act)
        except ModelFeedback as refusal:
            if not inner:
                raise
            result, told = replace(inner.pop(), failed=True), [str(refusal)]
        finally:
            self._inner_steps = outer
        for step in inner:
            result.add(step)
        said = " ".join(filter(None, (result.observation.feedback, *told)))
        result.observation = replace(result.observation, feedback=said)
        return result

    def _ended_by(self, action: Action, act: Callable[[], str]) -> StepResult:
        effect = act()
        result = self._end(action)
        result.effect = effect
        return result
