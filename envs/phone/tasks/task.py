"""PhoneTask: a task with parameters drawn from the seed, and how its end is judged."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.compare import differences

POINTING = ("tap", "long_press", "swipe", "press", "open_app", "scroll", "finish")
"""What a task needs that is solved by touches alone."""
TYPING = (*POINTING[:-1], "type_text", "finish")
"""What a task needs that writes something."""
ASKING = (*POINTING[:-1], "answer", "finish")
"""What a task needs that asks for something."""


@dataclass(frozen=True)
class Assignment:
    """One drawing of a task.

    Attributes:
        instruction: What to do, in words.
        start: The phone's state at the start.
        goal: The state that solves the task; the start itself where a question is asked.
        answer: The right answer, or None where none is asked for.
        parameters: What was drawn, by name, JSON-ready; experts and records read it.
        brightness_within: How far the brightness may be from the goal's, in percent.
    """

    instruction: str
    start: PhoneState
    goal: PhoneState
    answer: RightAnswer | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    brightness_within: int = 0

    def missing(self, state: PhoneState) -> list[str]:
        """Return the sections of a state that are not as the task wants them; empty at the goal.

        The comparison is with the whole state, so that whatever else was changed counts as well.
        """
        return differences(state, self.goal, self.brightness_within)

    def solved(self, state: PhoneState, answer: str | None = None) -> bool:
        """Return whether the task is solved.

        Args:
            state: The phone's state now.
            answer: What was answered; None where nothing was.
        """
        if self.missing(state):
            return False
        return self.answer is None or (answer is not None and self.answer.accepts(answer))


@dataclass(frozen=True)
class PhoneTask:
    """A kind of task.

    Attributes:
        name: What follows "phone:".
        draw: Draws the parameters over a phone's contents, which it may adapt.
        actions: Names of the permitted actions, in the order of the prompt.
    """

    name: str
    draw: Callable[[Draw, PhoneState], Assignment]
    actions: tuple[str, ...] = POINTING


def changed(start: PhoneState) -> PhoneState:
    """Return a copy of a state that may be turned into the goal."""
    return deepcopy(start)


def question(
    instruction: str, start: PhoneState, answer: RightAnswer, **parameters: Any
) -> Assignment:
    """Return an assignment that asks for something and wants everything left as it is."""
    return Assignment(instruction, start, start, answer, parameters)
