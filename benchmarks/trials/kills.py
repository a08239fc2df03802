"""Kills parts of an evaluation at random moments, and compares what comes of it.

    python -m benchmarks.trials.kills --only driver gpu --times 20 --seed 1
    python -m benchmarks.trials.kills --times 20 --json trials.json --out kill-trials.md

Each trial evaluates the same plan, kills a part at moments that are drawn, lets the evaluation go
on (by itself; with --resume where the evaluator was killed) and compares the folder with that
of an undisturbed run: plan, rows, records, and screens pixel by pixel. Then it looks for processes
and temporary folders that are left. Trials of kinds that are not run again stay in the JSON file.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.trials.kill_kinds import KINDS, Kind, await_moment, moments, records, victims
from benchmarks.trials.trial_processes import below, end, keep_orphans, left, reap
from benchmarks.trials.two_nodes import two_nodes
from eyehand.agent.results.diff import differences
from eyehand.agent.results.folder import read_rows
from eyehand.errors import EyehandError

MAX_STEPS = 10
DEADLINE_S = 400.0
LEFT_TIMEOUT_S = 15.0
ADB_PORT = 15037
# The cluster's own processes; and the adb server, which stays when an evaluation ends.
IGNORED = (b"ray/core/src", b"ray/_private", b"ray::IDLE", b"ray::DASH", b" fork-server server",
           b"multiprocessing", b"ray/dashboard")  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """What was killed when, and what came of it.

    Attributes:
        kind: A name of `KINDS`.
        seed: What drew it.
        workers: How many workers there were.
        killed: What each kill hit: words of command lines; nothing where all had ended before.
        after: Records that had been written before each.
        again: Episodes that were run again.
        seconds: How long the evaluation took.
        different: How it differs from the undisturbed one.
        processes: Command lines that were left.
        folders: Names of temporary folders that were left.
    """

    kind: str
    seed: int
    workers: int
    killed: list[list[str]]
    after: list[int]
    again: int
    seconds: float
    different: list[str]
    processes: list[str]
    folders: list[str]

    @property
    def held(self) -> bool:
        """Whether nothing differs and nothing is left."""
        return not (self.different or self.processes or self.folders)

    @property
    def hits(self) -> int:
        """How many kills met a living process."""
        return sum(map(bool, self.killed))


class Trials:
    """Runs the trials of a kind.

    Args:
        kind: A name of `KINDS`.
        place: A folder of its own.
        address: A cluster's address; None without one.
        adb_port: Port of an adb server that nobody else uses.
    """

    def __init__(self, kind: str, place: Path, address: str | None, adb_port: int) -> None:
        self.name, self.kind = kind, KINDS[kind]
        self.place = place
        self.address = address if self.kind.ray else None
        self.place.mkdir()
        self.temporary = Path(os.environ["TMPDIR"]) if self.kind.ray else place / "t"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.surroundings = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "ANDROID_ADB_SERVER_PORT": str(adb_port),
        }
        self.calm = place / "calm"
        ended = self.start(self.calm, 1).wait()
        if ended:
            raise SystemExit(f"the undisturbed evaluation of {kind} ended with status {ended}")
        self.steps = records(self.calm, self.kind.ray)

    def start(self, folder: Path, workers: int, *words: str) -> "subprocess.Popen[bytes]":
        """Start an evaluation into a folder, or go on with it where words say so."""
        kind = self.kind
        plan = [kind.suite, "--policy", kind.policy, "--episodes", str(kind.episodes)]
        plan += ["--max-steps", str(MAX_STEPS), "--out", str(folder)]
        where = ["--workers", str(workers), *(["--ray", self.address] if self.address else [])]
        command = [sys.executable, "-m", "eyehand", "eval", *(words or plan), *where]
        with (self.place / "output.txt").open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, env=self.surroundings)

    def run(self, number: int, seed: int) -> Trial:
        """Run one trial."""
        draw = random.Random(f"{self.name} {seed} {number}")
        workers = self.kind.workers[number % len(self.kind.workers)]
        expected, folder = set(below()), self.place / f"trial-{number}"
        began_s = time.monotonic()
        running = self.start(folder, workers)
        after, killed, before = list[int](), list[list[str]](), frozenset[int]()
        for moment in moments(self.kind, self.steps, draw):
            await_moment(self.kind, folder, running, moment, draw, before)
            after.append(records(folder, self.kind.ray))
            struck = victims(self.kind, running, draw)
            killed.append(_killed(self.kind, struck, running))
            before |= struck.keys()
        trouble = _end_of(running, began_s)
        if self.kind.wanted is None and any(killed):
            trouble = _end_of(self.start(folder, workers, "--resume", str(folder)), began_s)
        seconds = time.monotonic() - began_s
        found = left(expected, IGNORED, LEFT_TIMEOUT_S)
        end(found)
        reap()
        return Trial(
            self.name, seed, workers, killed, after, _again(folder), round(seconds, 1),
            [*trouble, *self._compared(folder)],
            [command.decode("utf-8", "replace")[:200] for command in found.values()],
            self._folders_left(),
        )  # fmt: skip

    def _folders_left(self) -> list[str]:
        """Return what is left of temporary files, but for Ray's own and the adb server's log."""
        names = sorted(path.name for path in self.temporary.iterdir())
        if self.kind.ray:
            return [name for name in names if name.startswith("eyehand")]
        return [name for name in names if not name.startswith("adb.")]

    def _compared(self, folder: Path) -> Iterator[str]:
        try:
            yield from differences(self.calm, folder)
        except EyehandError as error:
            yield str(error)
        odd = {p.name for p in folder.iterdir()} ^ {p.name for p in self.calm.iterdir()}
        if odd:
            yield f"files of only one of them: {', '.join(sorted(odd))}"


def _killed(kind: Kind, struck: dict[int, bytes], running: "subprocess.Popen[bytes]") -> list[str]:
    """Kill or stop processes; return what they were."""
    killed: list[str] = []
    for pid, command in struck.items() if running.poll() is None else ():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if kind.hangs else signal.SIGKILL)
            killed.append(_named(command))
    return killed


def _named(command: bytes) -> str:
    """Return the word of a command line that says what it is."""
    for word in (b"run-driver", b"--type=renderer", b"--type=gpu-process", b"fork-server"):
        if word in command:
            return word.decode()
    return os.path.basename(command.split(b" ")[0].decode("utf-8", "replace"))


def _end_of(running: "subprocess.Popen[bytes]", began_s: float) -> list[str]:
    """Wait for an evaluation; return what is wrong with its end."""
    try:
        status = running.wait(max(1.0, began_s + DEADLINE_S - time.monotonic()))
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return [f"it had not ended after {DEADLINE_S:g} s"]
    return [f"it ended with status {status}"] if status else []


def _again(folder: Path) -> int:
    rows = folder / "episodes.jsonl"
    return sum(row.attempts > 1 for row in read_rows(rows)[0]) if rows.exists() else 0


def report(trials: list[Trial], machine: str, date: str) -> str:
    """Return the trials as Markdown."""
    struck = sum(trial.hits for trial in trials)
    lines = [
        "# Parts killed at random moments",
        "",
        "Each trial is a whole evaluation, run as a command, in which a part is killed with "
        "SIGKILL (or stopped with SIGSTOP) at one or two drawn moments. Web: `miniwob:click-tab` "
        "and `enter-text` (workers: `cards:number-line` and `miniwob:click-tab`), the random "
        "policy. Phone: `phone:add-contact` and `set-alarm`, the expert, a private adb server. "
        "Two evaluations with one worker, then one with two. "
        "The folder is then compared with an undisturbed run's as `eyehand compare --identical` "
        "does: plan, rows (outcomes, verdicts, steps), and every trajectory's records and screens, "
        "pixel by pixel. Afterwards no process and no temporary folder may be left: everything "
        "that the command started is looked for, also what left its parent.",
        "",
        f"**{struck} kills; {sum(trial.held for trial in trials)} of {len(trials)} evaluations as "
        "the undisturbed one, with nothing left.**",
        "",
        f"`python -m benchmarks.trials.kills --times 20 --seed {trials[0].seed}`, "
        f"{machine}, {date}.",
        "",
        "| what was killed | kills | evaluations | with an episode run again | identical "
        "| processes left | folders left | seconds, median and longest |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, kind in KINDS.items():
        of = [trial for trial in trials if trial.kind == name]
        if of:
            took = sorted(trial.seconds for trial in of)
            counts = [
                sum(t.hits for t in of), len(of), sum(t.again > 0 for t in of),
                sum(not t.different for t in of), sum(len(t.processes) for t in of),
                sum(len(t.folders) for t in of),
            ]  # fmt: skip
            cells = " | ".join(map(str, counts))
            lines.append(f"| {kind.what} | {cells} | {took[len(took) // 2]:.0f}, {took[-1]:.0f} |")
    for trial in trials:
        if not trial.held:
            found = [*trial.different[:3], *trial.processes[:2], *trial.folders[:2]]
            lines += ["", f"- {trial.kind}, {trial.workers} workers: {'; '.join(found)}"]
    return "\n".join(lines) + "\n"


def kept(path: Path | None, without: list[str]) -> list[Trial]:
    """Return the trials of other kinds that a JSON file holds."""
    if path is None or not path.exists():
        return []
    stored: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [Trial(**one) for one in stored if one["kind"] not in without]


@contextmanager
def cluster(wanted: bool) -> Iterator[str | None]:
    """Start a cluster where one is wanted."""
    if not wanted:
        yield None
        return
    with two_nodes(1) as address:
        yield address


def main() -> int:
    """Run the trials and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--times", type=int, default=20, help="kills a kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adb-port", type=int, default=ADB_PORT, help="one that nobody else uses")
    parser.add_argument("--json", type=Path, help="keep every trial here")
    parser.add_argument("--out", type=Path, help="write the Markdown table here")
    parser.add_argument("--machine", default="this machine", help="its name in the table")
    arguments = parser.parse_args()
    keep_orphans()
    trials = kept(arguments.json, arguments.only)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kt-")))
        stack.callback(lambda: end(left(set(), (), 0.0)))
        os.environ["TMPDIR"] = str(place / "r")
        (place / "r").mkdir()
        address = stack.enter_context(cluster(any(KINDS[name].ray for name in arguments.only)))
        runs = [Trials(name, place / name, address, arguments.adb_port) for name in arguments.only]
        hits = dict.fromkeys(arguments.only, 0)
        # By turns, so that what is there after half of the time says something of all of them.
        for number in range(arguments.times):
            for kind in runs:
                if hits[kind.name] < arguments.times:
                    trials.append(kind.run(number, arguments.seed))
                    hits[kind.name] += trials[-1].hits
                    print(f"{hits[kind.name]}/{arguments.times}", trials[-1], flush=True)
                    _write(arguments, trials)
    print(f"{sum(trial.held for trial in trials)} of {len(trials)} held")
    return 0 if all(trial.held for trial in trials) else 1


def _write(arguments: argparse.Namespace, trials: list[Trial]) -> None:
    if arguments.json:
        stored = json.dumps([asdict(trial) for trial in trials], indent=1)
        arguments.json.write_text(stored, encoding="utf-8")
    if arguments.out:
        text = report(trials, arguments.machine, time.strftime("%Y-%m-%d"))
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
