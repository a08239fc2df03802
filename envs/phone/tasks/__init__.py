"""The simulated phone's tasks: parameters from the seed, success read from the apps' state."""

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import draw_state
from eyehand.envs.phone.tasks import clock, contacts, messages, notes, reader, settings, shop
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.compare import comparable, differences
from eyehand.envs.phone.tasks.task import Assignment, PhoneTask

PHONE_TASKS: dict[str, PhoneTask] = {
    task.name: task
    for module in (clock, settings, contacts, messages, notes, shop, reader)
    for task in module.TASKS
}
"""Every task by its name."""


def draw_assignment(task: PhoneTask, draw: Draw) -> Assignment:
    """Draw a phone's contents and a task over them."""
    return task.draw(draw, draw_state(draw))


__all__ = [
    "PHONE_TASKS",
    "Assignment",
    "PhoneTask",
    "RightAnswer",
    "comparable",
    "differences",
    "draw_assignment",
]
