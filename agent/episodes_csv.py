"""`episodes.csv`: the rows of an evaluation as a table, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyehand.agent.retention import write_whole
from eyehand.agent.rows import EpisodeRow

CSV_FILE = "episodes.csv"

_SPREAD = ("answer_errors", "tokens", "timings_s")
"""Fields that hold several numbers: each gets a column of its own, as "tokens.prompt"."""


def write_csv(folder: Path, rows: Sequence[EpisodeRow]) -> Path:
    """Write the rows, one a line, with a line of column names.

    Returns:
        The file.

    Raises:
        RecordingFailed: the disk does not take it.
    """
    flat = [_flat(row) for row in rows]
    columns = dict.fromkeys(name for row in flat for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    path = folder / CSV_FILE
    write_whole(path, text.getvalue())
    return path


def _flat(row: EpisodeRow) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row.to_json().items():
        if name in _SPREAD:
            cells.update({f"{name}.{part}": number for part, number in value.items()})
        else:
            cells[name] = "; ".join(value) if isinstance(value, list) else value
    return cells
