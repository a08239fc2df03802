"""How a checkpoint was trained to be asked: a small file in its folder, `eyehand.json`.

Published checkpoints have none: they are shown every screen and told what every action means.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from eyehand.errors import CheckpointError

HABITS_FILE = "eyehand.json"
_LARGEST = 10_000


class Habits(BaseModel):
    """What a model expects around a screen.

    Attributes:
        brief: The system prompt only names the actions.
        newest_only: The model sees the newest screen with the last calls as text, instead of all
            screens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    brief: bool = False
    newest_only: bool = False


EMBEDDED_HABITS = Habits(brief=True, newest_only=True)
"""How demonstrations are written for the embedded model."""


def read_habits(folder: Path) -> Habits:
    """Return a checkpoint folder's habits; the defaults where it has no file.

    Raises:
        CheckpointError: the file is no such JSON.
    """
    path = folder / HABITS_FILE
    if not path.is_file():
        return Habits()
    try:
        with path.open("rb") as file:
            return Habits.model_validate_json(file.read(_LARGEST))
    except ValidationError as error:
        problem = error.errors()[0]
        raise CheckpointError(f"{path}: {problem['msg']}") from None


def write_habits(folder: Path, habits: Habits) -> None:
    """Write a checkpoint folder's habits."""
    (folder / HABITS_FILE).write_text(habits.model_dump_json(indent=2) + "\n", encoding="utf-8")
