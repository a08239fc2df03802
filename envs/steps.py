"""What the environments that people use too (pages, devices, the desktop) share in a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eyehand.actions import Action
from eyehand.envs.env import Observation, StepInfo
from eyehand.errors import UsageError

Performer = TypeVar("Performer")


@dataclass
class View:
    """What an observation was made of, and what a record wants to know about it.

    Attributes:
        observation: The screen once it had settled.
        effect: One line: what the action did.
        failed: Whether the action was tried and could not do what it says.
        timings_s: Seconds by part.
        details: Anything else for the record, JSON-ready.
    """

    observation: Observation
    effect: str = ""
    failed: bool = False
    timings_s: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict, kw_only=True)


def ended_on_word(
    action: Action, last: Observation | None
) -> tuple[Observation, float, bool, bool, StepInfo]:
    """Return the step that ends an episode on the model's word; nobody here can say if it is right.

    Args:
        action: `answer` or `finish`.
        last: The observation at which it was said.

    Raises:
        UsageError: there is no observation yet.
    """
    if last is None:
        raise UsageError("there is no screen yet: call reset first")
    observation = replace(last, pixels=last.pixels.copy(), feedback="")
    info = StepInfo(effect=str(action), verdict=None, timings_s={}, details=action.arguments())
    return observation, 0.0, True, False, info


def performer_of(performers: Mapping[type[Action], Performer], action: Action) -> Performer:
    """Return what performs a type of action.

    Raises:
        UsageError: nothing does; the message says how to register a handler.
    """
    performer = performers.get(type(action))
    if performer is None:
        raise UsageError(
            f"{action.name} has no handler: register one with "
            "ActionSpace.extended(action_type, handler)"
        )
    return performer
