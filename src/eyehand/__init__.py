"""eyehand: a visual agent runtime with a Qwen2-VL model inside.

The shortest program::

    from eyehand import Agent, make

    with make("web:https://example.org") as env:
        episode = Agent().run("Open the contact page", env)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.agent.agent import Agent as Agent
    from eyehand.agent.episode import Episode as Episode
    from eyehand.agent.episode import run_episode as run_episode
    from eyehand.agent.outcome import Outcome as Outcome
    from eyehand.envs.registry import make as make

__version__ = "0.1.0"

_WHERE = {
    "Agent": "eyehand.agent.agent",
    "Episode": "eyehand.agent.episode",
    "Outcome": "eyehand.agent.outcome",
    "make": "eyehand.envs.registry",
    "run_episode": "eyehand.agent.episode",
}

__all__ = ["Agent", "Episode", "Outcome", "__version__", "make", "run_episode"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `import eyehand` is quick."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
