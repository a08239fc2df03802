"""Privileged policies that solve tasks by reading their state: they make demonstrations."""

from eyehand.agent.policy import Policy
from eyehand.errors import UsageError

NUMBER_LINE = "cards:number-line"


def expert_for(spec: str) -> Policy:
    """Return the expert of an environment.

    Args:
        spec: The environment's URI, such as "miniwob:click-tab".

    Raises:
        UsageError: nobody wrote an expert for it.
    """
    from eyehand.agent.experts.miniwob import EXPERT_TASKS, MiniWobExpert
    from eyehand.agent.experts.number_line import NumberLineExpert

    scheme, _, task = spec.partition(":")
    if spec == NUMBER_LINE:
        return NumberLineExpert()
    if scheme == "miniwob" and task in EXPERT_TASKS:
        return MiniWobExpert()
    known = ", ".join([NUMBER_LINE, *(f"miniwob:{name}" for name in EXPERT_TASKS)])
    raise UsageError(f"{spec} has no expert; there are experts for: {known}")
