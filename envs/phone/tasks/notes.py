"""Tasks in the notes."""

from eyehand.envs.phone import pools
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import Note, PhoneState
from eyehand.envs.phone.tasks.task import TYPING, Assignment, PhoneTask, changed


def add_note(draw: Draw, start: PhoneState) -> Assignment:
    """A new note with a title and a text."""
    title, body = draw.choice(pools.NEW_NOTE_TITLES), draw.choice(pools.NEW_NOTE_BODIES)
    goal = changed(start)
    goal["notes"].append({"id": 0, "title": title, "body": body, "pinned": False})
    return Assignment(
        f"Add a note with the title {title} and the text: {body}",
        start,
        goal,
        parameters={"title": title, "body": body},
    )


def delete_note(draw: Draw, start: PhoneState) -> Assignment:
    """One note goes."""
    title = draw.choice(start["notes"])["title"]
    goal = changed(start)
    goal["notes"] = [note for note in goal["notes"] if note["title"] != title]
    return Assignment(f"Delete the note {title}.", start, goal, parameters={"title": title})


def pin_note(draw: Draw, start: PhoneState) -> Assignment:
    """A note gets pinned."""
    title = draw.choice(start["notes"])["title"]
    _note(start, title)["pinned"] = False
    goal = changed(start)
    _note(goal, title)["pinned"] = True
    return Assignment(f"Pin the note {title}.", start, goal, parameters={"title": title})


def _note(state: PhoneState, title: str) -> Note:
    return next(note for note in state["notes"] if note["title"] == title)


TASKS = (
    PhoneTask("add-note", add_note, TYPING),
    PhoneTask("delete-note", delete_note),
    PhoneTask("pin-note", pin_note),
)
