"""The boundary to Gymnasium: making an environment, and whose mistake its exceptions are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error as gym_error

from eyehand.envs.env import Pixels
from eyehand.envs.names import unknown_name
from eyehand.errors import EnvironmentFault, EyehandError, MissingExtra, UsageError

GymEnv = gymnasium.Env[Any, Any]


def make_gym(environment_id: str, options: dict[str, Any]) -> GymEnv:
    """Make a registered environment that renders RGB arrays.

    Args:
        environment_id: As `gymnasium.make` takes it, "package:Namespace/Name-v0" included.
        options: Its keyword arguments.

    Raises:
        MissingExtra: a package that the environment needs is not installed.
        UsageError: the id is not registered or deprecated, or an option does not fit.
    """
    try:
        return gymnasium.make(
            environment_id, render_mode="rgb_array", disable_env_checker=True, **options
        )
    except (gym_error.DependencyNotInstalled, ImportError) as error:
        raise missing_package(environment_id, error) from error
    except gym_error.UnregisteredEnv as error:
        names = [*gymnasium.registry]
        unknown = unknown_name("Gymnasium environment", environment_id, names)
        raise UsageError(
            f"{unknown}. One that another package registers is written PACKAGE:ID, such as "
            "ale_py:ALE/Pong-v5"
        ) from error
    except (gym_error.Error, TypeError) as error:
        raise UsageError(f"gymnasium cannot make {environment_id!r}: {error}") from error


def missing_package(environment_id: str, error: Exception) -> MissingExtra:
    """Say which package to install."""
    name = getattr(error, "name", None)
    hint = f"; install the package that provides {name!r}" if name else ""
    return MissingExtra(f"{environment_id} needs a package that is not installed: {error}{hint}")


@contextmanager
def faults_mapped(environment_id: str, what: str) -> Iterator[None]:
    """Map what a third-party environment raises while it runs.

    Its code may raise anything at all, so everything but our own errors becomes an
    `EnvironmentFault` that carries the original as its cause.

    Args:
        environment_id: Named in the message.
        what: "reset", "step", "render" or "close".
    """
    try:
        yield
    except EyehandError:
        raise
    except (gym_error.DependencyNotInstalled, ImportError) as error:
        raise missing_package(environment_id, error) from error
    except Exception as error:
        raise EnvironmentFault(
            f"{environment_id}: {what} failed with {type(error).__name__}: {error}"
        ) from error


def require_rgb(environment: GymEnv, environment_id: str) -> None:
    """Refuse an environment that was not made to render RGB arrays.

    Raises:
        UsageError: its render mode is another; the message says how to make it.
    """
    modes = environment.metadata.get("render_modes") or []
    if "rgb_array" not in modes:
        raise UsageError(
            f"{environment_id} cannot render RGB arrays, its render modes are {list(modes)}; an "
            "agent that sees needs 'rgb_array'"
        )
    if environment.render_mode != "rgb_array":
        raise UsageError(
            f"{environment_id} was made with render_mode={environment.render_mode!r}; make it "
            "with render_mode='rgb_array'"
        )


def rgb_frame(environment: GymEnv, environment_id: str) -> Pixels:
    """Render a frame and return a copy of it.

    Raises:
        UsageError: what it renders is no RGB uint8 array (H, W, 3).
    """
    with faults_mapped(environment_id, "render"):
        frame = environment.render()
    if not isinstance(frame, np.ndarray):
        raise UsageError(
            f"{environment_id} rendered {type(frame).__name__}, expected an RGB array (H, W, 3)"
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UsageError(
            f"{environment_id} rendered {frame.dtype} {frame.shape}, expected uint8 (H, W, 3)"
        )
    return np.array(frame, dtype=np.uint8)
