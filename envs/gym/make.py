"""Making a Gymnasium environment, and refusing one that cannot be used."""

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium import error as gym_error

from eyehand.envs.gym.contained import Contained, GymEnv, OwnFolder
from eyehand.envs.gym.display import mujoco_display, require_display
from eyehand.envs.gym.faults import faults_mapped, missing_package
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import MissingExtra, UsageError

OWN_PACKAGE = "gymnasium."


def make_gym(environment_id: str, options: dict[str, Any]) -> Contained:
    """Make a registered environment that renders RGB arrays.

    Where it imports MuJoCo, the way to render without a display is chosen first.

    Args:
        environment_id: As `gymnasium.make` takes it, "package:Namespace/Name-v0" included.
        options: Its keyword arguments.

    Raises:
        MissingExtra: a package that the environment needs is not installed, or MuJoCo cannot
            render.
        UsageError: the id is not registered or deprecated, or an option does not fit.
        EnvironmentFault: its constructor raised anything else, or asked the program to exit.
    """
    folder = OwnFolder()
    with faults_mapped(environment_id, "making it"), folder.entered(), mujoco_display():
        made = _made(environment_id, options)
    try:
        require_display(made)
    except MissingExtra:
        made.close()
        raise
    spec = made.spec
    return Contained(made, spec.id if spec is not None else environment_id, folder)


def _made(environment_id: str, options: dict[str, Any]) -> GymEnv:
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


def known_here_only(environment_id: str) -> bool:
    """Return whether an id is one that this very program has registered.

    Another process does not know it: it is registered in `__main__`, or it comes without the
    module whose import registers it.

    Args:
        environment_id: As `gymnasium.make` takes it.
    """
    module, _, name = environment_id.rpartition(":")
    if module:
        return module == "__main__"
    spec = gymnasium.registry.get(name)
    return spec is not None and not _module_of(spec.entry_point).startswith(OWN_PACKAGE)


def _module_of(entry_point: str | Callable[..., Any] | None) -> str:
    if isinstance(entry_point, str):
        return entry_point.partition(":")[0]
    return str(getattr(entry_point, "__module__", ""))


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
