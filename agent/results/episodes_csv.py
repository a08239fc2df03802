"""`episodes.csv`: the rows of an evaluation as a table, for spreadsheets and data frames."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyehand.agent.printable import spreadsheet_cell
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.trajectory.files import write_whole

CSV_FILE = "episodes.csv"

_SPREAD = ("answer_errors", "tokens", "timings_s")
"""Fields that hold several numbers: each gets a column of its own, as "tokens.prompt"."""

MOST_COLUMNS = 200
"""Further kinds of numbers, which no evaluation of ours has, are left out."""


def write_csv(folder: Path, rows: Sequence[EpisodeResult]) -> Path:
    """Write the rows, one a line, with a line of column names.

    Returns:
        The file.

    Raises:
        RecordingFailed: the disk does not take it.
    """
    columns = dict.fromkeys(name for row in rows for name in _flat(row))
    kept = list(columns)[:MOST_COLUMNS]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(spreadsheet_cell(name) for name in kept)
    for row in rows:
        cells = _flat(row)
        writer.writerow(spreadsheet_cell(cells.get(name, "")) for name in kept)
    write_whole(folder, CSV_FILE, text.getvalue())
    return folder / CSV_FILE


def _flat(row: EpisodeResult) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row.to_json().items():
        if name in _SPREAD:
            cells.update({f"{name}.{part}": number for part, number in value.items()})
        else:
            cells[name] = "; ".join(value) if isinstance(value, list) else value
    return cells
