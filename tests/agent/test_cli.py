"""The command line as a process: its streams and exact exit statuses."""

import functools
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.cli.model_arguments import outside_card_notice
from eyehand.agent.trajectory.reader import read_trajectory

LINE = "cards:number-line"
TIMEOUT_S = 240
"""Against hanging only: a loaded machine takes half a minute to start a browser."""


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Here:
    """Runs commands in this process, which saves their imports; the statuses are the same."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        self._capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as left:  # argparse leaves by itself
            status = left.code if isinstance(left.code, int) else -1
        return Ended(status, *self._capsys.readouterr())


@pytest.fixture
def here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Here:
    monkeypatch.chdir(tmp_path)
    return Here(capsys)


def eyehand(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eyehand", *words],
        cwd=at,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[str]:
    """A page on loopback."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "index.html").write_text("<title>A page</title><h1>Hello</h1>")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_help_teaches_and_loads_nothing_heavy(tmp_path: Path) -> None:
    result = eyehand("--help", at=tmp_path)
    assert result.returncode == 0
    for word in ("run", "eval", "view", "doctor", "first steps"):
        assert word in result.stdout
    code = (
        "import sys, eyehand.agent.cli.main as cli; cli.build_parser(); "
        "print([m for m in ('torch', 'playwright', 'gymnasium', 'numpy') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["run", "eval", "view", "doctor"])
def test_every_command_explains_itself(here: Here, tmp_path: Path, command: str) -> None:
    result = here(command, "--help")
    assert result.returncode == 0
    assert "example" in result.stdout or "exit status" in result.stdout


def test_success_is_0_and_the_report_is_named(tmp_path: Path) -> None:
    # The random policy solves this seed; the seed fixes its draws too.
    result = eyehand("run", "--env", LINE, "--policy", "random", "--seed", "16", at=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "succeeded after" in result.stderr
    assert result.stdout == ""
    report = Path(result.stderr.strip().splitlines()[-1].removeprefix("report: "))
    assert (tmp_path / report).is_file()
    assert report.parts[0] == "runs"


def test_no_success_is_1_and_json_is_one_document(here: Here, tmp_path: Path) -> None:
    result = here(
        "run", "Win", "--env", LINE, "--policy", "random", "--seed", "3", "--max-steps", "2",
        "--out", "here", "--json",
    )  # fmt: skip
    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["outcome"] == "step_limit"
    assert document["exit_status"] == 1
    assert document["unused_task"] == "Win"
    assert len(document["episode"]) == 2
    assert "the one that was given is not used: Win" in result.stderr
    assert read_trajectory(tmp_path / "here").episode.seed == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--env", "cards:numberline"], "did you mean 'number-line'"),
        (["run", "--env", "nope:x"], "scheme"),
        (["run", "--env", "miniwob:click-tabb", "--policy", "random"], "did you mean"),
        (["run", "--env", LINE, "--model", "./none"], "there is no model folder"),
        (["run", "--env", LINE, "--file", "none.txt"], "there is no such file"),
        (["run", "--env", LINE, "--policy", "random", "--viewport", "10x10"], "do not fit"),
        (["run", "--env", LINE, "--viewport", "10"], "expected WIDTHxHEIGHT"),
        (["run", "--env", LINE, "--max-steps", "0"], "expected at least 1"),
        (["run", "--env", LINE, "--temperature", "nan"], "expected a finite number"),
        (["run", "--env", LINE, "--policy", "oracle"], "invalid choice"),
        (["run"], "required: --env"),
        (["run", "--env", LINE, "--nonsense"], "unrecognized arguments"),
        ([], "required: COMMAND"),
        (["eval", "miniwobs"], "did you mean 'miniwob'"),
        (["eval", f"{LINE},cards:none", "--policy", "random"], "no card game is called 'none'"),
        (["eval", f"{LINE},miniwob:drag-cube", "--policy", "expert"], "has no expert"),
        (["eval", LINE, "--policy", "random", "--blind"], "--blind is a control for the model"),
        (["view", "nowhere"], "holds no episode"),
    ],
)
def test_wrong_usage_is_2_and_one_clear_line(
    here: Here, tmp_path: Path, words: list[str], message: str
) -> None:
    result = here(*words)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_mistake_is_json_too_where_that_was_asked_for(here: Here, tmp_path: Path) -> None:
    result = here("run", "--env", "cards:x", "--json")
    assert result.returncode == 2
    assert json.loads(result.stdout)["error"]["type"] == "UsageError"


def test_a_page_needs_a_task(here: Here, tmp_path: Path, pages: str) -> None:
    result = here("run", "--env", pages, "--policy", "random", "--allow-random")
    assert result.returncode == 2
    assert "sets no task by itself: give one" in result.stderr


def test_an_unreachable_start_page_is_3_and_is_recorded(here: Here, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}/"
    result = here(
        "run", "Look", "--env", address, "--policy", "random", "--allow-random", "--out", "here"
    )
    assert result.returncode == 3, result.stderr
    assert "environment fault after 0 steps" in result.stderr
    kept = read_trajectory(tmp_path / "here")
    assert kept.outcome is not None
    assert kept.outcome.outcome.value == "environment_fault"
    assert (tmp_path / "here" / "report.html").is_file()


def test_a_disk_that_takes_no_screen_is_3(here: Here, tmp_path: Path) -> None:
    (tmp_path / "screens" / "000.png").mkdir(parents=True)  # no file can be written there
    result = here("run", "--env", LINE, "--policy", "random", "--out", ".")
    assert result.returncode == 3
    assert "Is a directory" in result.stderr
    assert "Traceback" not in result.stderr
    assert read_trajectory(tmp_path).steps == []


def interrupted(*words: str, at: Path, after: str) -> tuple[int, str]:
    """Start a command, press Ctrl-C (the whole group gets it) once `after` was printed."""
    command = [sys.executable, "-m", "eyehand", *words]
    said = ""
    with subprocess.Popen(
        command,
        cwd=at,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        timer = threading.Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        assert process.stderr is not None
        for line in process.stderr:
            said += line
            if after and after in line:
                os.killpg(process.pid, signal.SIGINT)
                after = ""
        status = process.wait()
        timer.cancel()
    return status, said


def test_ctrl_c_is_130_and_leaves_a_readable_trajectory(tmp_path: Path, pages: str) -> None:
    status, said = interrupted(
        "run", "Look", "--env", pages, "--policy", "random", "--allow-random", "--out", "here",
        "--seed", "1", "--max-steps", "100000", at=tmp_path, after="  2  ",
    )  # fmt: skip
    assert status == 130, said
    assert "stopped after" in said
    kept = read_trajectory(tmp_path / "here")
    assert kept.outcome is not None
    assert kept.outcome.outcome.value == "stopped"
    assert len(kept.steps) >= 3
    assert (tmp_path / "here" / "report.html").is_file()


def test_eval_prints_what_it_counted(here: Here, tmp_path: Path) -> None:
    result = here(
        "eval", "number-line", "--policy", "random", "--episodes", "5", "--json", "--out", "e",
        "--max-steps", "4",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert {"suite", "policy", "success_rate", "tasks"} <= set(document)
    assert (document["suite"], document["policy"]) == ("number-line", "random")
    row = document["tasks"][0]
    keys = {"task", "episodes", "successes", "success_rate", "interval", "environment_faults"}
    assert keys <= set(row)
    assert row["episodes"] == 5
    assert (tmp_path / "e" / "report.html").is_file()
    view = here("view", "e", "--out", "index.html", "--json")
    assert json.loads(view.stdout) == {"report": "index.html"}


def test_eval_of_nothing_but_faults_is_3(here: Here, tmp_path: Path) -> None:
    spec = f"web:http://127.0.0.1:{free_port()}/"
    result = here("eval", spec, "--policy", "random", "--allow-random", "--episodes", "1", "--json")
    assert result.returncode == 3, result.stderr
    row = json.loads(result.stdout)["tasks"][0]
    assert (row["episodes"], row["environment_faults"], row["unscored"]) == (0, 3, 1)
    assert row["success_rate"] is None


def test_view_writes_the_page_of_an_episode(here: Here, tmp_path: Path) -> None:
    here("run", "--env", LINE, "--policy", "random", "--seed", "1", "--out", "e")
    result = here("view", "e", "--out", "page.html")
    assert result.returncode == 0
    assert result.stdout.strip() == "page.html"
    assert "<!doctype html>" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "policy", "specs", "says"),
    [
        (None, "model", ["miniwob:click-tab"], ""),
        (None, "model", ["web:https://example.org"], "never tried on web:https://example.org:"),
        (None, "model", ["cards:a", "cards:b", "miniwob:click-tab"], "on cards:a and 1 more:"),
        (None, "model", ["miniwob:login-user"], "fails most episodes of miniwob:login-user:"),
        (
            None, "model", ["miniwob:login-user", "cards:a"],
            "never tried on cards:a and fails most episodes of miniwob:login-user:",
        ),
        ("./mine", "model", ["web:https://example.org"], ""),
        (None, "random", ["web:https://example.org"], ""),
    ],
)  # fmt: skip
def test_the_embedded_model_says_where_little_can_be_expected(
    monkeypatch: pytest.MonkeyPatch, model: str | None, policy: str, specs: list[str], says: str
) -> None:
    monkeypatch.setattr(
        "eyehand.agent.policies.models.checkpoint_files.measured_rates",
        lambda: {"miniwob:click-tab": 1.0, "miniwob:login-user": 0.2},
    )
    notice = outside_card_notice(model, policy, specs) or ""
    assert says in notice
    assert bool(notice) is bool(says)
    if says:
        assert "--model" in notice
        assert "\n" not in notice


def test_train_read_writes_a_tower_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reading"
    first = eyehand("train", "read", "--out", str(out), "--steps", "1", "--json", at=tmp_path)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["step"] == 1
    assert main(["train", "read", "--out", str(out), "--steps", "2"]) == 0
    assert "step 2" in "".join(capsys.readouterr())
    assert (out / "tower.safetensors").is_file()
