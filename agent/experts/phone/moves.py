"""What every plan of the phone is made of: tap, write, scroll until something is in view."""

from collections.abc import Iterator
from typing import Any

from eyehand.actions import Action
from eyehand.actions.android import Answer, Scroll, TypeText
from eyehand.agent.experts.phone.view import PhoneView, Target
from eyehand.errors import ActionHadNoEffect

Plan = Iterator[Action]
"""Yields actions; what it reads of the phone after a yield is the screen that followed."""

MOST_SCROLLS = 15
SCROLL_TENTHS = 4
"""Less than half a screen, so that nothing is passed by."""


def reveal(view: PhoneView, target: Target) -> Plan:
    """Scroll down until a node is in view.

    Raises:
        ActionHadNoEffect: it does not come.
    """
    for _ in range(MOST_SCROLLS):
        if view.find(target) is not None:
            return
        yield Scroll(direction="down", amount=SCROLL_TENTHS)
    raise ActionHadNoEffect(f"the expert scrolled {MOST_SCROLLS} times and found no {target}")


def go(view: PhoneView, *targets: Target) -> Plan:
    """Tap one node after the other, scrolling to each."""
    for target in targets:
        yield from reveal(view, target)
        yield view.tap(target)


def write(view: PhoneView, field_name: str, text: str) -> Plan:
    """Tap a field and type into it."""
    yield from go(view, Target(field_name))
    yield TypeText(text=text)


def parameter(view: PhoneView, name: str) -> Any:
    """Return a parameter of the episode's task."""
    return view.environment.assignment.parameters[name]


def right_answer(view: PhoneView) -> Answer:
    """Return the answer to the episode's question."""
    right = view.environment.assignment.answer
    if right is None:
        raise ActionHadNoEffect("the task asks for no answer")
    return Answer(text=right.text)
