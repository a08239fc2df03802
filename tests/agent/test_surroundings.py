"""Signals, full disks, closed streams and low limits, as real commands meet them."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

EPISODE = (
    "run", "--env", "miniwob:terminal", "--policy", "random", "--max-steps", "5000",
    "--seed", "3", "--out", "out",
)  # fmt: skip
SHORT = (
    "run", "--env", "cards:number-line", "--policy", "random", "--allow-random", "--seed", "1",
    "--max-steps", "3", "--out", "out", "--json",
)  # fmt: skip
EVALUATION = (
    "eval", "miniwob:terminal", "--policy", "random", "--episodes", "50", "--max-steps", "20",
    "--workers", "2", "--out", "out",
)  # fmt: skip
LONGEST_S = 180.0


class Command:
    """`eyehand` in a folder of its own, with a place of its own for temporary files."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.temporary = temporary
        self._mark = f"EYEHAND_TEST_MARK={folder}"

    def start(
        self,
        *words: str,
        stdout: int | None = subprocess.PIPE,
        before: Callable[[], object] | None = None,
        **variables: str,
    ) -> "subprocess.Popen[str]":
        def prepare() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # whoever runs the tests may ignore it
            if before is not None:
                before()

        name, _, value = self._mark.partition("=")
        environment = {**os.environ, name: value, "TMPDIR": str(self.temporary), **variables}
        return subprocess.Popen(
            [sys.executable, "-m", "eyehand", *words],
            cwd=self.folder, env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=stdout, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=prepare,
        )  # fmt: skip

    def wait_for_lines(self, process: "subprocess.Popen[str]", name: str, count: int) -> None:
        """Wait until a file of the run has so many lines."""
        path = self.out / name
        wait_until(
            lambda: (
                process.poll() is not None
                or (path.is_file() and path.read_bytes().count(b"\n") >= count)
            )
        )
        assert process.poll() is None, process.communicate()

    def left(self) -> list[str]:
        """The processes that this command started, itself included, and that still run."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                variables = (place / "environ").read_bytes().split(b"\0")
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended in the meantime
                continue
            if self._mark.encode() in variables and command:
                found.append(command)
        return found

    def nothing_is_left(self) -> bool:
        return not self.left() and not list(self.temporary.iterdir())


def wait_until(holds: Callable[[], bool], longest_s: float = LONGEST_S) -> None:
    end = time.monotonic() + longest_s
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def last_line(said: str) -> str:
    line = said.splitlines()[-1]
    assert line.startswith("eyehand: error: ")
    return line


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    # A short path: Chromium makes sockets there.
    with tempfile.TemporaryDirectory(prefix="eyehand-test-") as temporary:
        made = Command(tmp_path, Path(temporary))
        yield made
        wait_until(lambda: not made.left())


def records(command: Command) -> list[dict[str, object]]:
    return [json.loads(line) for line in (command.out / "episode.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_an_episode_as_ctrl_c_does(command: Command, number: signal.Signals) -> None:
    process = command.start(*EPISODE)
    command.wait_for_lines(process, "episode.jsonl", 3)
    process.send_signal(number)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert records(command)[-1]["outcome"] == "stopped"
    assert (command.out / "report.html").is_file()
    wait_until(command.nothing_is_left)


def test_signals_that_come_together_are_one(command: Command) -> None:
    process = command.start(*EPISODE)
    command.wait_for_lines(process, "episode.jsonl", 3)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130, said
    assert records(command)[-1]["outcome"] == "stopped"
    assert (command.out / "report.html").is_file()
    wait_until(command.nothing_is_left)


def test_what_nohup_ignores_stays_ignored(command: Command) -> None:
    process = command.start(*EPISODE, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    command.wait_for_lines(process, "episode.jsonl", 3)
    process.send_signal(signal.SIGHUP)
    command.wait_for_lines(process, "episode.jsonl", 5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_evaluation_with_its_workers(
    command: Command, number: signal.Signals
) -> None:
    process = command.start(*EVALUATION)
    command.wait_for_lines(process, "episodes.jsonl", 1)
    process.send_signal(number)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    wait_until(command.nothing_is_left)


def test_what_a_killed_command_left_goes_with_the_next_one(command: Command) -> None:
    process = command.start(*EPISODE)
    command.wait_for_lines(process, "episode.jsonl", 2)
    process.kill()
    process.communicate(timeout=LONGEST_S)
    wait_until(lambda: not command.left())
    shutil.rmtree(command.out)
    again = command.start(*EPISODE[:6], "1", *EPISODE[7:])
    again.communicate(timeout=LONGEST_S)
    wait_until(command.nothing_is_left)


def test_a_killed_worker_leaves_nothing(command: Command) -> None:
    process = command.start(*EVALUATION[:3], "random", "--episodes", "4", *EVALUATION[6:])
    command.wait_for_lines(process, "episodes.jsonl", 1)
    os.kill(worker_of(process.pid), signal.SIGKILL)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 0, said
    assert len((command.out / "episodes.jsonl").read_text().splitlines()) == 4
    wait_until(command.nothing_is_left)


def worker_of(pid: int) -> int:
    """One of a process's workers."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"evaluation.worker_process" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("there is no worker")


def test_a_run_folder_that_is_deleted_is_a_fault_of_the_environment(command: Command) -> None:
    process = command.start(*EPISODE)
    command.wait_for_lines(process, "episode.jsonl", 3)
    shutil.rmtree(command.out)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 3, said
    assert "environment fault after" in said
    assert "Traceback" not in said
    wait_until(command.nothing_is_left)


@pytest.mark.parametrize("words", [("suites",), ("--help",), SHORT], ids=["text", "help", "json"])
def test_a_full_standard_output_is_said_in_one_line(
    command: Command, words: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:
        process = command.start(*words, stdout=full.fileno())
        _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 3
    assert said.splitlines()[-1] == (
        "eyehand: error: the result cannot be written to standard output (No space left on device)"
    )
    assert "Traceback" not in said


@pytest.mark.parametrize("words", [("suites",), ("--help",), SHORT], ids=["text", "help", "json"])
def test_a_reader_that_went_away_is_no_error(command: Command, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = command.start(*words, stdout=writing)
    os.close(writing)
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 141
    assert not [line for line in said.splitlines() if "rror" in line or "xception" in line]


def test_closed_streams_are_no_error_and_no_file_is_taken_for_them(command: Command) -> None:
    def close() -> None:
        os.close(0)
        os.close(1)

    process = command.start(*SHORT, before=close)
    process.communicate(timeout=LONGEST_S)
    assert process.returncode in (0, 1)
    assert all(isinstance(record, dict) for record in records(command))


@pytest.mark.parametrize(
    "words", [EPISODE, EVALUATION, (*EVALUATION[:-4], "--out", "out")], ids=["run", "two", "one"]
)
def test_a_low_limit_of_open_files_is_named(command: Command, words: tuple[str, ...]) -> None:
    process = command.start(
        *words, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    )
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 2
    assert "only 64 files may be open at once (ulimit -n), a browser needs 256" in last_line(said)
    assert "Traceback" not in said


def test_a_limit_that_may_be_raised_is_raised(command: Command) -> None:
    process = command.start(
        *EPISODE[:6], "1", *EPISODE[7:],
        before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1024)),
    )  # fmt: skip
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 1, said


@pytest.mark.parametrize("words", [EPISODE, EVALUATION], ids=["run", "eval"])
def test_a_missing_folder_for_temporary_files_is_named(
    command: Command, words: tuple[str, ...]
) -> None:
    process = command.start(*words, TMPDIR="/no/such/folder")
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 2
    assert "TMPDIR is /no/such/folder, which is no folder" in last_line(said)


def test_a_place_for_temporary_files_that_is_too_deep_is_named(command: Command) -> None:
    deep = command.temporary / ("x" * 60)
    deep.mkdir()
    process = command.start(*EPISODE, TMPDIR=str(deep))
    _, said = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 2
    assert "too long a path for a browser's sockets" in last_line(said)
