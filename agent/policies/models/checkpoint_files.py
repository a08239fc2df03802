"""What a checkpoint's folder says beside its weights, and where the embedded one lies.

`eyehand.json` says how a model was trained to be asked; published checkpoints have none: they are
shown every screen and told what every action means. `model_card.json` says what it was trained for.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.json_object import read_object

EMBEDDED_CHECKPOINT = Path(__file__).resolve().parents[3] / "model" / "checkpoints" / "embedded"
"""The folder of the checkpoint that comes with the package."""
HABITS_FILE = "eyehand.json"
_LARGEST = 10_000


def model_card(folder: Path = EMBEDDED_CHECKPOINT) -> dict[str, Any]:
    """Return the model card of a checkpoint folder; empty where it has none.

    Raises:
        BadConfig: the card is not JSON, or no mapping.
    """
    path = folder / "model_card.json"
    if not path.exists():
        return {}
    return read_object(path)


def trained_for(folder: Path = EMBEDDED_CHECKPOINT) -> list[str]:
    """Return the specs that a checkpoint's card lists under "suites"; empty where it has none."""
    return [str(spec) for spec in model_card(folder).get("suites", [])]


def measured_rates(folder: Path = EMBEDDED_CHECKPOINT) -> dict[str, float]:
    """Return the share of episodes, 0 to 1, that a checkpoint solved, by spec, as its card says."""
    rates = model_card(folder).get("evaluation", {}).get("success_rates", {})
    return {str(spec): float(rate) for spec, rate in rates.items()}


def embedded_suite() -> list[str]:
    """Return the specs of the suite "embedded": those that the embedded model was trained for.

    Raises:
        UsageError: it has no card that lists them.
    """
    specs = trained_for()
    if not specs:
        raise UsageError(f"{EMBEDDED_CHECKPOINT} has no model card that lists its suites")
    return specs


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
