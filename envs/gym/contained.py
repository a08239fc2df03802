"""Contained: the wrapper around a third-party environment that keeps its defects its own.

What it raises, exits with or answers wrongly becomes an `EnvironmentFault` of this one episode;
its working directory is its own; a call that never returns is broken off.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import gymnasium
import numpy as np

from eyehand.envs.env import Pixels
from eyehand.envs.gym.drawing import free_drawing, use_own_context
from eyehand.envs.gym.faults import faults_mapped
from eyehand.envs.gym.watchdog import Overdue, watched
from eyehand.errors import EnvironmentFault

GymEnv = gymnasium.Env[Any, Any]

STEP_VALUES = "(observation, reward, terminated, truncated, info)"
LONGEST_SHOWN = 80


class OwnFolder:
    """The working directory that third-party code changes to; ours stays as it was."""

    def __init__(self) -> None:
        self._theirs: str | None = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be where the code left off, and back afterwards."""
        ours = _folder_now()
        _enter(self._theirs)
        try:
            yield
        finally:
            now = _folder_now()
            self._theirs = None if now == ours else now
            _enter(ours if now != ours else None)


class Contained(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Answers as Gymnasium promises, or raises an `EnvironmentFault`.

    Args:
        environment: Made to render RGB arrays.
        name: What messages call it.
        folder: The folder that it changed to while it was made.

    Attributes:
        deadline_s: When the episode's time limit comes, on the clock of `time.monotonic`; a call
            that is under way then is broken off after `gym_watchdog.GRACE_S`. None for no limit.
    """

    def __init__(self, environment: GymEnv, name: str, folder: OwnFolder | None = None) -> None:
        super().__init__(environment)
        self.deadline_s: float | None = None
        self._name = name
        self._folder = folder or OwnFolder()
        self._seed: int | None = None
        self._steps = 0
        self._stuck = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset; an info of None is an empty one.

        Raises:
            EnvironmentFault: it raised, or answered anything but an observation and an info.
        """
        self._seed, self._steps = seed, 0
        with self._inside("reset"):
            answer = self.env.reset(seed=seed, options=options)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise self._fault(f"reset returned {_shape(answer)}, expected (observation, info)")
        return answer[0], self._info("reset", answer[1])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step; the reward is a finite float, the flags are Python's, an info of None is empty.

        Raises:
            EnvironmentFault: it raised, or answered anything else.
        """
        self._steps += 1
        with self._inside("step"):
            answer: Any = self.env.step(action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            raise self._fault(f"step returned {_shape(answer)}, expected {STEP_VALUES}")
        seen, reward, terminated, truncated, info = answer
        number = one_number(reward)
        if number is None or not math.isfinite(number):
            raise self._fault(f"step gave the reward {_shown(reward)}, expected one finite number")
        flags = self._flag("terminated", terminated), self._flag("truncated", truncated)
        return seen, number, *flags, self._info("step", info)

    def render(self) -> Pixels:
        """Return a copy of the frame, RGB uint8 (H, W, 3).

        Raises:
            EnvironmentFault: it raised, or drew anything else.
        """
        with self._inside("render"):
            use_own_context(self.env)
            frame: Any = self.env.render()
        if fault := frame_fault(frame):
            raise self._fault(fault)
        return np.array(frame, dtype=np.uint8)

    def close(self) -> None:
        """Close it; one that was broken off has `GRACE_S` for that.

        Raises:
            EnvironmentFault: it raised, or did not return.
        """
        self.deadline_s = time.monotonic() if self._stuck else None
        with self._inside("close"):
            try:
                free_drawing(self.env)
            finally:
                self.env.close()

    @contextmanager
    def _inside(self, what: str) -> Iterator[None]:
        """Be in its code."""
        with faults_mapped(self._name, what, self._where()):
            try:
                with self._folder.entered(), watched(self.deadline_s):
                    yield
            except Overdue:
                self._stuck = True
                raise self._fault(f"{what} had not returned long after the time limit") from None

    def _info(self, what: str, info: Any) -> dict[str, Any]:
        if info is None:
            return {}
        if not isinstance(info, Mapping):
            raise self._fault(f"{what} gave the info {_shown(info)}, expected a mapping")
        return dict(info)

    def _flag(self, name: str, value: Any) -> bool:
        with suppress(Exception):  # an array of several values has no truth
            return bool(value)
        raise self._fault(f"step gave {name}={_shown(value)}, expected True or False")

    def _fault(self, text: str) -> EnvironmentFault:
        return EnvironmentFault(f"{self._name}: {text}{self._where()}")

    def _where(self) -> str:
        seed = [] if self._seed is None else [f"seed {self._seed}"]
        step = [f"step {self._steps}"] if self._steps else []
        return f" ({', '.join(seed + step)})" if seed + step else ""


def contained(environment: GymEnv, name: str) -> tuple[GymEnv, Contained]:
    """Return an environment whose calls are contained, and the wrapper that does it."""
    inner: Any = environment
    while isinstance(inner, gymnasium.Wrapper):
        if isinstance(inner, Contained):
            return environment, inner
        inner = inner.env
    wrapper = Contained(environment, name)
    return wrapper, wrapper


def one_number(value: Any) -> float | None:
    """Return a number, a flag, or an array or tensor of one of them as a float; None for others."""
    item = getattr(value, "item", None)
    with suppress(Exception):  # arrays of several values have no item
        plain = item() if callable(item) else value
        return None if isinstance(plain, str | bytes) else float(plain)
    return None


def frame_fault(frame: Any) -> str:
    """Return what is wrong with a frame; empty where it is RGB uint8 (H, W, 3)."""
    if not isinstance(frame, np.ndarray):
        return f"rendered {type(frame).__name__}, expected an RGB array (H, W, 3)"
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        return f"rendered {frame.dtype} {frame.shape}, expected uint8 (H, W, 3)"
    return ""


def _shape(answer: Any) -> str:
    return f"{len(answer)} values" if isinstance(answer, tuple) else type(answer).__name__


def _shown(value: Any) -> str:
    with suppress(Exception):
        text = " ".join(repr(value).split())
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return type(value).__name__


def _folder_now() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted
        return None


def _enter(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)
