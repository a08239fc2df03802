"""The loop: policies, episodes, trajectories, evaluation and the command line."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.agent.agent import Agent as Agent
    from eyehand.agent.blind_policy import BlindPolicy as BlindPolicy
    from eyehand.agent.episode import Episode as Episode
    from eyehand.agent.episode import run_episode as run_episode
    from eyehand.agent.evaluate import run_evaluation as run_evaluation
    from eyehand.agent.outcome import Outcome as Outcome
    from eyehand.agent.policy import Conversation as Conversation
    from eyehand.agent.policy import Decision as Decision
    from eyehand.agent.policy import Policy as Policy
    from eyehand.agent.random_policy import RandomPolicy as RandomPolicy
    from eyehand.agent.results import Plan as Plan
    from eyehand.agent.scripted_policy import ScriptedPolicy as ScriptedPolicy
    from eyehand.agent.trajectory import Trajectory as Trajectory
    from eyehand.agent.trajectory import TrajectoryWriter as TrajectoryWriter
    from eyehand.agent.trajectory import read_trajectory as read_trajectory
    from eyehand.agent.vlm_policy import VlmPolicy as VlmPolicy

_WHERE = {
    "Agent": "agent",
    "BlindPolicy": "blind_policy",
    "Conversation": "policy",
    "Decision": "policy",
    "Episode": "episode",
    "Outcome": "outcome",
    "Plan": "results",
    "Policy": "policy",
    "RandomPolicy": "random_policy",
    "ScriptedPolicy": "scripted_policy",
    "Trajectory": "trajectory",
    "TrajectoryWriter": "trajectory",
    "VlmPolicy": "vlm_policy",
    "read_trajectory": "trajectory",
    "run_episode": "episode",
    "run_evaluation": "evaluate",
}

__all__ = [
    "Agent",
    "BlindPolicy",
    "Conversation",
    "Decision",
    "Episode",
    "Outcome",
    "Plan",
    "Policy",
    "RandomPolicy",
    "ScriptedPolicy",
    "Trajectory",
    "TrajectoryWriter",
    "VlmPolicy",
    "read_trajectory",
    "run_episode",
    "run_evaluation",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `eyehand --help` loads neither torch nor a browser."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
