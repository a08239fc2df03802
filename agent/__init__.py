"""The loop: policies, episodes, trajectories, evaluation and the command line."""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.agent.agent import Agent as Agent
    from eyehand.agent.ending import Episode as Episode
    from eyehand.agent.episode import run_episode as run_episode
    from eyehand.agent.evaluation.evaluate import ComputeConfig as ComputeConfig
    from eyehand.agent.evaluation.evaluate import run_evaluation as run_evaluation
    from eyehand.agent.evaluation.plan import Plan as Plan
    from eyehand.agent.outcome import Outcome as Outcome
    from eyehand.agent.policies.base import Conversation as Conversation
    from eyehand.agent.policies.base import Decision as Decision
    from eyehand.agent.policies.base import Policy as Policy
    from eyehand.agent.policies.blind import BlindPolicy as BlindPolicy
    from eyehand.agent.policies.model import VlmPolicy as VlmPolicy
    from eyehand.agent.policies.random import RandomPolicy as RandomPolicy
    from eyehand.agent.policies.registry import policy_maker as policy_maker
    from eyehand.agent.policies.scripted import ScriptedPolicy as ScriptedPolicy
    from eyehand.agent.report import write_report as write_report
    from eyehand.agent.results.compare import compare as compare
    from eyehand.agent.results.evaluation_result import EvaluationResult as EvaluationResult
    from eyehand.agent.results.evaluation_result import read_run as read_run
    from eyehand.agent.trajectory.reader import Trajectory as Trajectory
    from eyehand.agent.trajectory.reader import read_trajectory as read_trajectory
    from eyehand.agent.trajectory.writer import TrajectoryWriter as TrajectoryWriter

__getattr__ = lazy(
    __name__,
    {
        "Agent": "agent",
        "BlindPolicy": "policies.blind",
        "ComputeConfig": "evaluation.evaluate",
        "Conversation": "policies.base",
        "Decision": "policies.base",
        "Episode": "ending",
        "EvaluationResult": "results.evaluation_result",
        "Outcome": "outcome",
        "Plan": "evaluation.plan",
        "Policy": "policies.base",
        "RandomPolicy": "policies.random",
        "ScriptedPolicy": "policies.scripted",
        "Trajectory": "trajectory.reader",
        "TrajectoryWriter": "trajectory.writer",
        "VlmPolicy": "policies.model",
        "compare": "results.compare",
        "policy_maker": "policies.registry",
        "read_run": "results.evaluation_result",
        "read_trajectory": "trajectory.reader",
        "run_episode": "episode",
        "run_evaluation": "evaluation.evaluate",
        "write_report": "report",
    },
)

__all__ = [
    "Agent",
    "BlindPolicy",
    "ComputeConfig",
    "Conversation",
    "Decision",
    "Episode",
    "EvaluationResult",
    "Outcome",
    "Plan",
    "Policy",
    "RandomPolicy",
    "ScriptedPolicy",
    "Trajectory",
    "TrajectoryWriter",
    "VlmPolicy",
    "compare",
    "policy_maker",
    "read_run",
    "read_trajectory",
    "run_episode",
    "run_evaluation",
    "write_report",
]
