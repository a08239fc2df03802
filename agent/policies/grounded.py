"""GroundedPolicy: one model plans and names targets in words, another one says where they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.space import holds_point
from eyehand.actions.web import Click
from eyehand.agent.policies.base import COST, Conversation, Decision, Policy, Request, started_by
from eyehand.envs.env import Observation
from eyehand.errors import InvalidArgument, ModelFeedback

Number = TypeVar("Number", int, float)

LONGEST_TARGET = 300
"""Characters of a target's description."""

_CLICK = ActionSpace((Click,))


class GroundedPolicy(Policy):
    """A planner that names targets, and a grounder that finds each on the screen.

    The planner's actions have descriptions where the environment's have places. A target that is
    not found is told to the planner; nothing is performed then.

    Args:
        planner: Decides; its dialect calls actions by their own names.
        grounder: Is asked to click the target, and for nothing else.
        points_only: Whether the grounder takes a bare description, as models do that only point.
    """

    name = "model"

    def __init__(self, planner: Policy, grounder: Policy, points_only: bool) -> None:
        self.planner, self.grounder, self._bare = planner, grounder, points_only

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode of the planner."""
        planned = self.planner.start(task, described(action_space), seed)
        return _GroundedConversation(self, planned, action_space, seed)

    def set_batch_size(self, batch: int) -> None:
        """Tell both."""
        self.planner.set_batch_size(batch)
        self.grounder.set_batch_size(2 * batch)  # a drag has two targets

    def set_conversations(self, count: int) -> None:
        """Tell both."""
        self.planner.set_conversations(count)
        self.grounder.set_conversations(2 * count)

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        """Let the planner decide for all, then find all their targets together."""
        mine = [
            (started_by(self, conversation, _GroundedConversation), seen)
            for conversation, seen in requests
        ]
        planned = self.planner.decide_many([(own.planned, seen) for own, seen in mine])
        targets = [
            _Target(number, name, text, mine[number][1])
            for number, decision in enumerate(planned)
            for name, text in _descriptions(decision.action, mine[number][0].space).items()
        ]
        for target, found in zip(targets, self._found(targets, mine), strict=True):
            target.found = found
        return [
            _placed(decision, own.space, [t for t in targets if t.number == number])
            for number, (decision, (own, _)) in enumerate(zip(planned, mine, strict=True))
        ]

    def describe(self) -> dict[str, Any]:
        """Return what the record keeps: the planner's description, and the grounder's in it."""
        return {**self.planner.describe(), "grounder": self.grounder.describe()}

    def _found(
        self, targets: Sequence["_Target"], mine: Sequence[tuple["_GroundedConversation", Any]]
    ) -> list[Decision]:
        asked: list[Request] = []
        for target in targets:
            task = target.text if self._bare else f"Click {target.text}"
            conversation = self.grounder.start(task, _CLICK, mine[target.number][0].seed)
            asked.append((conversation, replace(target.seen, text="", feedback="")))
        return self.grounder.decide_many(asked) if asked else []


class _GroundedConversation(Conversation):
    def __init__(
        self, policy: GroundedPolicy, planned: Conversation, space: ActionSpace, seed: int | None
    ) -> None:
        self.policy, self.planned, self.space, self.seed = policy, planned, space, seed

    def decide(self, observation: Observation) -> Decision:
        """Plan, then find the targets."""
        return self.policy.decide_many([(self, observation)])[0]


@dataclass
class _Target:
    """A target of one decision: its number, the action's field, the words, the screen."""

    number: int
    name: str
    text: str
    seen: Observation
    found: Decision = field(default_factory=Decision)

    @property
    def point(self) -> Point | None:
        action = self.found.action
        return action.point if isinstance(action, Click) else None


def described(space: ActionSpace) -> ActionSpace:
    """Return a space whose actions have descriptions where the given ones have places.

    Args:
        space: What the environment permits.
    """
    return ActionSpace([_described(action_type) for action_type in space.types])


def _described(action_type: type[Action]) -> type[Action]:
    fields = action_type.model_fields
    if not any(holds_point(info.annotation) for info in fields.values()):
        return action_type
    made = create_model(
        action_type.__name__, __base__=Action, __doc__=action_type.__doc__,
        __module__=action_type.__module__,
        **{name: _in_words(info) for name, info in fields.items()},
    )  # type: ignore[call-overload]  # fmt: skip
    worded: type[Action] = made
    worded.name = action_type.name
    return worded


def _in_words(info: FieldInfo) -> tuple[Any, Any]:
    """Return a field's type and declaration, where a place becomes a text."""
    if not holds_point(info.annotation):
        return info.annotation, info
    said = f"{info.description or 'the place'}: what is there, in words, as it looks on the screen"
    optional = get_origin(info.annotation) in (Union, UnionType) and type(None) in get_args(
        info.annotation
    )
    bounds: dict[str, Any] = {"min_length": 1, "max_length": LONGEST_TARGET}
    if optional:
        return str | None, Field(default=None, description=said, **bounds)
    return str, Field(description=said, **bounds)


def _descriptions(action: Action | None, space: ActionSpace) -> dict[str, str]:
    """Return the targets of an action that a planner decided on, by field."""
    if action is None:
        return {}
    fields = space.type_named(action.name).model_fields
    values = {n: getattr(action, n) for n, info in fields.items() if holds_point(info.annotation)}
    return {name: " ".join(text.split()) for name, text in values.items() if text is not None}


def _placed(decision: Decision, space: ActionSpace, targets: Sequence[_Target]) -> Decision:
    """Return the planner's decision with places instead of descriptions."""
    if decision.action is None:
        return decision
    kept = {"grounding": [_told(target) for target in targets]}
    whole = replace(
        decision,
        details={**decision.details, **(kept if targets else {})},
        timings_s=_with(decision.timings_s, [target.found.timings_s for target in targets]),
        tokens=_with(decision.tokens, [target.found.tokens for target in targets]),
    )
    lost = [target for target in targets if target.point is None]
    if lost:
        why = str(lost[0].found.error or "it points nowhere")
        text = f"{lost[0].text!r} was not found on the screen ({why}): describe it otherwise"
        return replace(whole, action=None, error=InvalidArgument(text))
    places = {target.name: target.point for target in targets}
    given = {name: getattr(decision.action, name) for name in type(decision.action).model_fields}
    try:
        return replace(whole, action=space.build(decision.action.name, given | places))
    except ModelFeedback as error:
        return replace(whole, action=None, error=error)


def _told(target: _Target) -> dict[str, Any]:
    point = target.point
    return {
        "target": target.text, "answer": target.found.raw_text,
        "point": None if point is None else [round(point.x, 4), round(point.y, 4)],
    }  # fmt: skip


def _with(own: Mapping[str, Number], others: Sequence[Mapping[str, Number]]) -> dict[str, Number]:
    """Return a decision's counts with the grounder's beside them; their costs are one sum."""
    sums = dict(own)
    for counts in others:
        for name, number in counts.items():
            key = name if name == COST else f"grounder.{name}"
            sums[key] = sums[key] + number if key in sums else number
    return sums
