"""What a person looks at: one self-contained HTML page an episode, and an index an evaluation."""

from pathlib import Path

REPORT_FILE = "report.html"


def write_report(folder: Path | str, out: Path | None = None) -> Path:
    """Write the page of an episode's or an evaluation's folder.

    Args:
        folder: An episode (`episode.jsonl`) or an evaluation (`evaluation.json`).
        out: The file to write; `report.html` in the folder by default.

    Returns:
        The file that was written.

    Raises:
        UsageError: the folder holds neither.
        RecordingFailed: the page cannot be written.
    """
    # Imported here: the command line's help needs no template engine.
    from eyehand.agent.report.pages import write_episode_page, write_evaluation_page
    from eyehand.agent.retention import EVALUATION_FILE

    folder = Path(folder)
    out = out or folder / REPORT_FILE
    if (folder / EVALUATION_FILE).exists():
        return write_evaluation_page(folder, out)
    return write_episode_page(folder, out)


__all__ = ["REPORT_FILE", "write_report"]
