"""Privileged policies that solve tasks by reading their state: they make demonstrations."""

from importlib import import_module

from eyehand.agent.policies.base import Policy
from eyehand.errors import UsageError

DECLARED_EXPERTS = {"minigrid": "minigrid", "robot": "robot.expert", "atari": "atari"}
"""The experts that a declaration may name, and the module of each."""


def expert_for(spec: str) -> Policy:
    """Return the expert of an environment.

    Args:
        spec: The environment's URI, such as "miniwob:click-tab".

    Raises:
        UsageError: nobody wrote an expert for it.
    """
    scheme, _, task = spec.partition(":")
    expert: Policy | None = None
    if scheme == "miniwob":
        from eyehand.agent.experts.miniwob import EXPERT_TASKS, MiniWobExpert

        expert = MiniWobExpert() if task in EXPERT_TASKS else None
    elif scheme == "cards":
        from eyehand.agent.experts.cards.expert import card_expert

        expert = card_expert(task)
    elif scheme == "phone":
        from eyehand.agent.experts.phone.expert import PhoneExpert
        from eyehand.envs.phone.tasks import PHONE_TASKS

        expert = PhoneExpert() if task in PHONE_TASKS else None
    else:
        expert = _declared_expert(spec)
    if expert is None:
        raise UsageError(f"{spec} has no expert; `eyehand suites NAME` lists the tasks that do")
    return expert


def _declared_expert(spec: str) -> Policy | None:
    """Return the expert that a task's declaration names."""
    from eyehand.agent.experts.state import StateExpert
    from eyehand.envs.suite_catalogue import suite_task
    from eyehand.envs.suite_file.make import DeclaredEnvironment

    task = suite_task(spec)
    if task is None or task.expert is None:
        return None
    if task.expert not in DECLARED_EXPERTS:
        known = ", ".join(DECLARED_EXPERTS)
        raise UsageError(f"{spec}: no expert is called {task.expert!r}; there are {known}")
    module = import_module(f"eyehand.agent.experts.{DECLARED_EXPERTS[task.expert]}")
    return StateExpert(DeclaredEnvironment, module.begin)
