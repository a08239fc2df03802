"""Privileged policies that solve tasks by reading their state: they make demonstrations."""

from importlib import import_module

from eyehand.agent.policies.base import Policy
from eyehand.envs.registry import expert_of
from eyehand.errors import UsageError

DECLARED_EXPERTS = {"minigrid": "minigrid", "robot": "robot.expert", "atari": "atari"}
"""The experts that a declaration may name, and the module of each."""


def expert_for(spec: str) -> Policy:
    """Return the expert of an environment, as its scheme names it.

    Args:
        spec: The environment's URI, such as "miniwob:click-tab".

    Raises:
        UsageError: nobody wrote an expert for it, or what its scheme gives is no policy.
    """
    expert = expert_of(spec)
    if expert is None:
        raise UsageError(f"{spec} has no expert; `eyehand suites NAME` lists the tasks that do")
    if not isinstance(expert, Policy):
        raise UsageError(f"the expert of {spec} is {expert!r:.200}, expected a Policy")
    return expert


def miniwob_expert(spec: str) -> Policy | None:
    """Return the expert of a MiniWoB++ task."""
    from eyehand.agent.experts.miniwob import EXPERT_TASKS, MiniWobExpert

    return MiniWobExpert() if spec.partition(":")[2] in EXPERT_TASKS else None


def cards_expert(spec: str) -> Policy | None:
    """Return the expert of a card game."""
    from eyehand.agent.experts.cards.expert import card_expert

    return card_expert(spec.partition(":")[2])


def phone_expert(spec: str) -> Policy | None:
    """Return the expert of a task on the simulated phone."""
    from eyehand.agent.experts.phone.expert import PhoneExpert
    from eyehand.envs.phone.tasks import PHONE_TASKS

    return PhoneExpert() if spec.partition(":")[2] in PHONE_TASKS else None


def declared_expert(spec: str) -> Policy | None:
    """Return the expert that a task's declaration names.

    Raises:
        UsageError: no expert is called so.
    """
    from eyehand.agent.experts.state import StateExpert
    from eyehand.envs.suite_file.make import DeclaredEnvironment
    from eyehand.envs.suites import suite_task

    task = suite_task(spec)
    if task is None or task.declared_expert is None:
        return None
    if task.declared_expert not in DECLARED_EXPERTS:
        known = ", ".join(DECLARED_EXPERTS)
        raise UsageError(f"{spec}: no expert is called {task.declared_expert!r}; there are {known}")
    module = import_module(f"eyehand.agent.experts.{DECLARED_EXPERTS[task.declared_expert]}")
    return StateExpert(DeclaredEnvironment, module.begin)
