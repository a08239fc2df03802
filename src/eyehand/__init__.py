"""eyehand: a visual agent runtime with a Qwen2-VL model inside.

The shortest program::

    from eyehand import Agent, make

    with make("web:https://example.org") as env:
        episode = Agent().run("Open the contact page", env)
"""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy
from eyehand.version import __version__

if TYPE_CHECKING:
    from eyehand.agent.agent import Agent as Agent
    from eyehand.agent.ending import Episode as Episode
    from eyehand.agent.episode import run_episode as run_episode
    from eyehand.agent.outcome import Outcome as Outcome
    from eyehand.envs.registry import make as make

__getattr__ = lazy(
    __name__,
    {
        "Agent": "agent.agent",
        "Episode": "agent.ending",
        "Outcome": "agent.outcome",
        "make": "envs.registry",
        "run_episode": "agent.episode",
    },
)

__all__ = ["Agent", "Episode", "Outcome", "__version__", "make", "run_episode"]
