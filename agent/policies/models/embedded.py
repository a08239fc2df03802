"""The embedded checkpoint: where it lies, and what its card says that it was trained for."""

from pathlib import Path
from typing import Any

from eyehand.errors import UsageError
from eyehand.model.json_object import read_object

EMBEDDED_CHECKPOINT = Path(__file__).resolve().parents[3] / "model" / "checkpoints" / "embedded"
"""The folder of the checkpoint that comes with the package."""


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


def embedded_suite() -> list[str]:
    """Return the specs of the suite "embedded": those that the embedded model was trained for.

    Raises:
        UsageError: it has no card that lists them.
    """
    specs = trained_for()
    if not specs:
        raise UsageError(f"{EMBEDDED_CHECKPOINT} has no model card that lists its suites")
    return specs
