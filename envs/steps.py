"""What the environments that people use too (pages, devices, the desktop) share in a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eyehand.actions import Action, ActionSpace
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


def check_action(action: object, space: ActionSpace) -> None:
    """Refuse what is no action, or none that is permitted.

    Raises:
        UsageError: it is no action, or another type of the same name is permitted.
        UnknownAction: no permitted action has its name.
    """
    if not isinstance(action, Action):
        raise UsageError(f"step takes an action, not {_shown(action)}; {_example(action, space)}")
    if space.type_named(action.name) is not type(action):
        raise UsageError(
            f"another action than {type(action).__module__}.{type(action).__name__} is called "
            f"{action.name!r} here"
        )


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{str(value)[:60]!r}" if isinstance(value, str) else f"{type(value).__name__} {value!r}"


def _example(given: object, space: ActionSpace) -> str:
    """Return what to pass instead: the action that was meant, or the first one there is."""
    name = given.get("name") if isinstance(given, Mapping) else given
    meant = [t for t in space.types if name in (t, t.name, t.__name__)]
    chosen = (meant or list(space.types))[0]
    needed = [field for field, info in chosen.model_fields.items() if info.is_required()]
    written = {field: "..." for field in needed}
    return (
        f"pass an instance, such as {chosen.__name__}({', '.join(f'{f}=...' for f in needed)}), or "
        f"make one of a model's words: environment.action_space.build({chosen.name!r}, {written})"
    )


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
