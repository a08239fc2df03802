"""Run folders that somebody else has made: nothing outside them is read, written or run."""

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor
from tests.agent.strange import (
    LINE,
    begun,
    episode,
    evaluation,
    first,
    one_line,
    outcome,
    png,
    row,
    screen,
    step,
)

from eyehand.agent.cli.main import main
from eyehand.agent.report import write_report
from eyehand.agent.trajectory.pictures import read_picture
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.agent.trajectory.writer import TrajectoryWriter
from eyehand.errors import UsageError

Capture = pytest.CaptureFixture[str]
ReadPage = Callable[[str], Any]
TASK = "cards-number-line"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Files of the user's that a stranger's folder would like to reach."""
    home = tmp_path / "home"
    for name in ("1000000", "1000000-retry-of-mine", "1000000-retry1"):
        (home / name).mkdir(parents=True)
        (home / name / "precious.txt").write_text("precious")
    (home / "file").write_text("a line of mine without its end")
    return home


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_going_on_removes_nothing_through_a_linked_task_folder(
    tmp_path: Path, home: Path, capsys: Capture
) -> None:
    folder, before = begun(tmp_path / "e"), contents(home)
    (folder / TASK).symlink_to(home)
    capsys.readouterr()
    assert main(["eval", "--resume", str(folder)]) == 2
    assert "is a link, and links in a run folder are not followed" in one_line(capsys)
    assert contents(home) == before


def test_an_episodes_folder_that_is_a_link_is_removed_as_a_link(tmp_path: Path, home: Path) -> None:
    folder, before = begun(tmp_path / "e"), contents(home)
    (folder / TASK).mkdir()
    (folder / TASK / "1000000").symlink_to(home)
    (folder / TASK / "1000000-retry-of-mine").mkdir()
    assert main(["eval", "--resume", str(folder)]) == 0
    assert contents(home) == before
    assert read_trajectory(folder / TASK / "1000000").steps
    assert (folder / TASK / "1000000-retry-of-mine").is_dir()  # no name of a try of ours


def test_a_new_evaluation_writes_nothing_through_a_link(
    tmp_path: Path, home: Path, capsys: Capture
) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / TASK).symlink_to(home)
    before = contents(home)
    words = ["eval", LINE, "--policy", "random", "--episodes", "1", "--max-steps", "2"]
    assert main([*words, "--out", str(tmp_path / "e")]) == 2
    assert "is a link" in one_line(capsys)
    assert contents(home) == before


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", ["link", "hard link", "dangling link"])
def test_rows_are_appended_and_cut_in_the_folder_only(
    tmp_path: Path, home: Path, capsys: Capture, kind: str, workers: str
) -> None:
    folder = begun(tmp_path / "e")
    rows, victim = folder / "episodes.jsonl", home / "file"
    rows.unlink()
    if kind == "hard link":
        os.link(victim, rows)
    else:
        rows.symlink_to(victim if kind == "link" else home / "new")
    before = contents(home)
    status = main(["eval", "--resume", str(folder), "--workers", workers])
    assert contents(home) == before
    assert status == (0 if kind == "hard link" else 2)
    if status:
        assert "episodes.jsonl is a link" in one_line(capsys)


@pytest.mark.parametrize(
    "name",
    [
        "plan.json.partial",
        "evaluation.json",
        "evaluation.json.partial",
        "episodes.csv",
        "episodes.csv.partial",
        "report.html",
        "report.html.partial",
    ],
)
def test_files_are_written_whole_and_never_through_a_link(
    tmp_path: Path, home: Path, name: str
) -> None:
    folder, before = begun(tmp_path / "e"), contents(home)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(home / "file")
    main(["eval", "--resume", str(folder)])
    main(["view", str(folder)])
    assert contents(home) == before


@pytest.mark.parametrize("name", ["screens", "downloads", "episode.jsonl"])
def test_an_episode_is_not_written_through_a_link(
    tmp_path: Path, home: Path, capsys: Capture, name: str
) -> None:
    folder, before = tmp_path / "e", contents(home)
    folder.mkdir()
    (folder / name).symlink_to(home / "new" if name == "episode.jsonl" else home)
    words = ["run", "--env", LINE, "--seed", "1", "--policy", "random", "--out", str(folder)]
    assert main(words) == 2
    one_line(capsys)
    assert contents(home) == before


def test_a_screen_is_not_written_through_a_link(tmp_path: Path, home: Path) -> None:
    folder, before = tmp_path / "e", contents(home)
    (folder / "screens").mkdir(parents=True)
    (folder / "screens" / "000.png").symlink_to(home / "file")
    words = ["run", "--env", LINE, "--seed", "1", "--policy", "random", "--max-steps", "1"]
    assert main([*words, "--out", str(folder)]) == 0
    assert contents(home) == before
    assert not (folder / "screens" / "000.png").is_symlink()


def test_a_killed_writers_files_are_swept_when_it_goes_on(tmp_path: Path) -> None:
    folder = begun(tmp_path / "e")
    left = folder / ".evaluation.json.0123456789abcdef.partial"
    left.write_text("{")
    assert main(["eval", "--resume", str(folder)]) == 0
    assert not left.exists()


@pytest.mark.parametrize(
    ("named", "policy"),
    [("suite:{}#t", "random"), ("SUITE:{}#t", "random"), ("gym:planted:X-v0", "random"),
     ("gym:CartPole-v1?render_mode=x", "random"), ("web:file:///etc/passwd", "expert"),
     ("desktop:", "random")],
)  # fmt: skip
def test_what_only_a_stored_plan_names_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, named: str, policy: str
) -> None:
    mark = tmp_path / "ran"
    for code in (tmp_path / "suite.py", tmp_path / "planted.py"):
        code.write_text(f"open({str(mark)!r}, 'w').write('ran')\n")
    folder = begun(tmp_path / "e", specs=[named.format(tmp_path / "suite.py")], declared=[None])
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "--resume", str(folder)]) == 2
    assert "which may be anybody's code" in one_line(capsys)
    assert not mark.exists()


def test_a_plans_declaration_runs_where_the_command_line_names_it(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("suite: s\ntasks:\n  - {name: t, environment: CartPole-v1}\n")
    words = ["--policy", "random", "--episodes", "1", "--max-steps", "2", "--keep", "none"]
    assert main(["eval", str(suite), *words, "--out", str(tmp_path / "e")]) == 0
    assert main(["eval", str(suite), "--resume", str(tmp_path / "e")]) == 0


def test_reading_a_record_runs_no_code_that_it_names(tmp_path: Path, capsys: Capture) -> None:
    mark, code = tmp_path / "ran", tmp_path / "suite.py"
    code.write_text(f"open({str(mark)!r}, 'w').write('ran')\n")
    spec = f"suite:{code}#t"
    folder = evaluation(tmp_path / "e", row(spec=spec), specs=[spec], episodes=1)
    for words in (["view"], ["view", "--markdown"], ["view", "--csv"], ["compare", str(folder)]):
        assert main([*words, str(folder)]) in (0, 1)
    assert not mark.exists()


def test_a_folder_that_records_are_read_in_lends_no_modules(tmp_path: Path) -> None:
    """An installed package that asks for another one must not find a stranger's."""
    mark = tmp_path / "ran"
    episode(tmp_path / "e")
    info = tmp_path / "e" / "planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[pydantic]\nplanted = planted:plugin\n[gymnasium.envs]\n__root__ = planted:plugin\n"
    )
    code = f"open({str(mark)!r}, 'w').write('ran')\n"
    (tmp_path / "e" / "planted.py").write_text(code)
    start = "import sys; from eyehand.agent.cli.main import main; sys.exit(main(['view', '.']))"
    command = [sys.executable, "-P", "-c", start]
    subprocess.run(command, cwd=tmp_path / "e", check=True, timeout=120, capture_output=True)
    assert not mark.exists()


@pytest.mark.parametrize(
    "made", ["plan.json", "episodes.jsonl", "evaluation.json", "episode.jsonl", "screens/000.png"]
)
def test_a_pipe_in_a_files_place_keeps_nobody_waiting(tmp_path: Path, made: str) -> None:
    folder = evaluation(tmp_path / "e", row())
    (folder / "plan.json").write_text("{}")
    if made in ("episode.jsonl", "screens/000.png"):
        folder = episode(tmp_path / "one")
    (folder / made).unlink(missing_ok=True)
    os.mkfifo(folder / made)
    command = [sys.executable, "-m", "eyehand", "view", str(folder)]
    ended = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
    if made == "screens/000.png":
        assert ended.returncode == 0
        assert "is not a file" in (folder / "report.html").read_text()
    else:
        assert ended.returncode == 2
        assert f"{made} is not a file; it cannot be used" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("file", ["../secret.png", "screens/../../secret.png", "/{}/secret.png",
                                  "secret.png", "screens/link.png", "screens/x.gif",
                                  "screens/.hidden.png", "screens/x/y.png",
                                  "screens\0.png"])  # fmt: skip
def test_no_picture_from_elsewhere_gets_into_a_page(
    tmp_path: Path, file: str, read_page: ReadPage
) -> None:
    (tmp_path / "secret.png").write_bytes(png(32, 32))
    lines = [first(), step(screen=screen(file.format(tmp_path)))]
    folder = episode(tmp_path / "e", *lines)
    (folder / "secret.png").write_bytes(png(32, 32))
    (folder / "screens" / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "screens" / ".hidden.png").write_bytes(png(32, 32))
    page = read_page(write_report(folder).read_text())
    assert "img" not in page.names
    assert "No picture: " in page.words


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png(30_000, 30_000), "pixels"),
        (png(8_000, 6_000), "8000 x 6000 pixels"),
        (png(100_000, 1), "100000 x 1, more than 65,535 pixels a side"),
        (b"GIF89a" + b"\0" * 100, "is no PNG"),
        (png(64, 64)[:50], "cannot read"),
        (b"", "is no PNG"),
    ],
)
def test_a_picture_that_is_no_screen_is_left_out(tmp_path: Path, data: bytes, said: str) -> None:
    folder = episode(tmp_path / "e")
    (folder / "screens" / "000.png").write_bytes(data)
    assert main(["view", str(folder)]) == 0
    assert said in (folder / "report.html").read_text()


VIEW = """
import resource, sys
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.report.pages import episode_page
from pathlib import Path

def most_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

small, large = map(read_trajectory, sys.argv[1:])
episode_page(small)
before_mb = most_mb()
page = episode_page(large)
print(page.count("<img"), most_mb() - before_mb)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in KiB")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16", "P"])
@pytest.mark.parametrize("size", [(5_000, 5_000), (65_535, 381), (381, 65_535)])
def test_the_largest_pictures_are_shown_in_two_hundred_megabytes(
    tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    small, large = episode(tmp_path / "small"), episode(tmp_path / "large")
    Image.new(mode, size).save(large / "screens" / "000.png")
    command = [sys.executable, "-c", VIEW, str(small), str(large)]
    ended = subprocess.run(command, timeout=300, capture_output=True, text=True, check=True)
    pictures, memory_mb = ended.stdout.split()
    assert pictures == "1"
    assert float(memory_mb) < 200


def test_a_large_screen_is_shown_reduced_and_whole(tmp_path: Path, read_page: ReadPage) -> None:
    size, corners = (6_000, 4_001), [(0, 0), (5_990, 0), (0, 3_990), (5_990, 3_990)]
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]
    picture = Image.new("RGB", size, "#888888")
    for corner, colour in zip(corners, colours, strict=True):
        picture.paste(colour, (*corner, corner[0] + 11, corner[1] + 11))
    folder = episode(tmp_path / "e")
    picture.save(folder / "screens" / "000.png")
    (data,) = re.findall(r'src="data:image/\w+;base64,([^"]+)"', write_report(folder).read_text())
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert shown.size == (3_000, 2_001)
        pixels = np.asarray(shown.convert("RGB"), dtype=np.int16)
    for (x, y), colour in zip(corners, colours, strict=True):
        wanted = ImageColor.getrgb(colour)
        assert np.abs(pixels[y // 2 + 2, x // 2 + 2] - wanted).max() < 60


def test_a_video_of_many_large_frames_is_too_large(tmp_path: Path) -> None:
    files = ["screens/000.png"] * 4
    folder = episode(tmp_path / "e", first(), step(screen=screen(video=files)), outcome())
    (folder / "screens" / "000.png").write_bytes(png(3_000, 3_000))
    trajectory = read_trajectory(folder)
    with pytest.raises(UsageError, match="more than 25,000,000 pixels in all its frames"):
        trajectory.video(trajectory.steps[0].screen)


def test_a_picture_that_many_steps_show_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(folder: RunFolder, name: str, formats: tuple[str, ...]) -> Any:
        read.append(name)
        return read_picture(folder, name, formats)

    monkeypatch.setattr("eyehand.agent.trajectory.reader.read_picture", counted)
    folder = episode(tmp_path / "e", first(), *(step(n) for n in range(50)), outcome())
    page = write_report(folder).read_text()
    assert page.count("<img") == 50
    assert read == ["screens/000.png"]


def test_a_page_holds_as_many_pictures_as_a_page_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyehand.agent.report.screens.MOST_PIXELS", 3 * 64 * 64)
    files = [f"screens/{n:03d}.png" for n in range(6)]
    folder = episode(tmp_path / "e", first(), *(step(screen=screen(file)) for file in files))
    for file in files:
        (folder / file).write_bytes(png(64, 64))
    page = write_report(folder).read_text()
    assert page.count("<img") == 4
    assert page.count("holds as many pictures as a page can") == 2


def test_a_video_of_unlike_frames_is_wrong_usage(tmp_path: Path, capsys: Capture) -> None:
    files = ["screens/001.png", "screens/000.png"]
    folder = episode(tmp_path / "e", first(), step(screen=screen(video=files)))
    (folder / "screens" / "001.png").write_bytes(png(3, 5))
    words = ["score", "--reference", str(folder), "--predictions", str(folder)]
    assert main(words) == 2
    assert "another size" in one_line(capsys)


def test_episodes_pages_are_written_in_the_folder_only(tmp_path: Path, home: Path) -> None:
    outside = episode(tmp_path / "outside")
    folder = evaluation(tmp_path / "e", *(row(n, folder=name) for n, name in enumerate(
        ("../outside", str(outside), "linked", "linked/../../outside", "", ".", "in/\0", "fine")
    )))  # fmt: skip
    (folder / "linked").symlink_to(outside)
    episode(folder / "fine")
    before = contents(tmp_path / "outside")
    assert main(["view", str(folder)]) == 0
    assert contents(tmp_path / "outside") == before
    assert (folder / "fine" / "report.html").is_file()


def test_two_evaluations_are_compared_within_their_folders(tmp_path: Path, capsys: Capture) -> None:
    outside = episode(tmp_path / "outside")
    folders = [evaluation(tmp_path / n, row(folder="linked"), suite="s") for n in ("a", "b")]
    for folder in folders:
        (folder / "linked").symlink_to(outside)
    assert main(["compare", *map(str, folders), "--identical"]) == 2
    assert "is a link" in one_line(capsys)
    for folder in folders:
        (folder / "linked").unlink()
        episode(folder / "linked")
        os.mkfifo(folder / "linked" / "pipe")
    assert main(["compare", *map(str, folders), "--identical"]) == 2
    assert "pipe is not a file" in one_line(capsys)


def test_a_folder_may_itself_be_reached_through_a_link(tmp_path: Path) -> None:
    episode(tmp_path / "e")
    (tmp_path / "latest").symlink_to(tmp_path / "e")
    assert main(["view", str(tmp_path / "latest")]) == 0
    assert main(["view", str(tmp_path / "latest"), "--markdown"]) == 0
    with TrajectoryWriter(tmp_path / "latest" / "inner") as writer:
        assert writer.folder == tmp_path / "latest" / "inner"


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for name in ("", ".", "..", "a/../b", "/etc/passwd", "a//b", "a\0b"):
        with pytest.raises(UsageError, match="is no name of something in"):
            folder.read(name, 1)
