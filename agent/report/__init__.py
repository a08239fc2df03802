"""What a person looks at: one self-contained HTML page an episode, and one an evaluation."""

from collections.abc import Sequence
from pathlib import Path

REPORT_FILE = "report.html"


def write_report(
    folder: Path | str,
    out: Path | None = None,
    beside: Sequence[Path] = (),
    pages: int | None = None,
) -> Path:
    """Write the page of an episode's or an evaluation's folder.

    Args:
        folder: An episode (`episode.jsonl`) or an evaluation (`episodes.jsonl`).
        out: The file to write; `report.html` in the folder by default.
        beside: Evaluations to stand beside this one, as the random policy's.
        pages: Most pages of an evaluation's episodes to write, failures first.

    Returns:
        The file that was written.

    Raises:
        UsageError: the folder holds neither, or an episode shall stand beside something.
        RecordingFailed: the page cannot be written.
    """
    # Imported here: the command line's help needs no template engine.
    from eyehand.agent.report.evaluation import MOST_PAGES, write_evaluation_page
    from eyehand.agent.report.pages import write_episode_page
    from eyehand.agent.results.evaluation_result import is_evaluation
    from eyehand.agent.trajectory.run_folder import RunFolder
    from eyehand.errors import UsageError

    folder = Path(folder)
    out = out or folder / REPORT_FILE
    place, name = RunFolder(out.parent), out.name
    if is_evaluation(folder):
        most = MOST_PAGES if pages is None else pages
        return write_evaluation_page(folder, place, name, beside, most)
    if beside:
        raise UsageError(f"{folder} holds no evaluation: only those stand beside each other")
    return write_episode_page(folder, place, name)


__all__ = ["REPORT_FILE", "write_report"]
