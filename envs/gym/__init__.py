"""Gymnasium's environments, played by looking at their frames."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.envs.gym.environment import GymEnvironment


def make_registered(name: str, **options: Any) -> "GymEnvironment":
    """Make an environment that Gymnasium knows.

    Args:
        name: Its id; "?key=value&..." after it gives further options.
        **options: Arguments of `GymEnvironment`, and of `gymnasium.make`.
    """
    from eyehand.envs.gym.environment import GymEnvironment
    from eyehand.envs.registry import call
    from eyehand.envs.spec import with_options

    environment_id, written = with_options(name)
    environment: GymEnvironment = call(GymEnvironment, environment_id, {**written, **options})
    environment.spec_uri = f"gym:{name}"
    return environment
