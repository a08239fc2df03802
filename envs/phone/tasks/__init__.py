"""The simulated phone's tasks: parameters from the seed, success read from the apps' state."""

from typing import TYPE_CHECKING

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import draw_state
from eyehand.envs.phone.tasks import clock, contacts, messages, notes, reader, settings, shop
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.compare import comparable, differences
from eyehand.envs.phone.tasks.task import Assignment, PhoneTask

if TYPE_CHECKING:
    from eyehand.envs.suites import Suite

PHONE_TASKS: dict[str, PhoneTask] = {
    task.name: task
    for module in (clock, settings, contacts, messages, notes, shop, reader)
    for task in module.TASKS
}
"""Every task by its name."""


def draw_assignment(task: PhoneTask, draw: Draw) -> Assignment:
    """Draw a phone's contents and a task over them."""
    return task.draw(draw, draw_state(draw))


def suite() -> "Suite":
    """Return the suite of all tasks."""
    from eyehand.envs.suites import Suite, SuiteTask

    success = "the simulated phone's apps are in the state that was asked for"
    tasks = tuple(SuiteTask(f"phone:{name}", success=success) for name in PHONE_TASKS)
    return Suite("phone", "A simulated phone behind the real adb.", tasks)


__all__ = [
    "PHONE_TASKS",
    "Assignment",
    "PhoneTask",
    "RightAnswer",
    "comparable",
    "differences",
    "draw_assignment",
    "suite",
]
