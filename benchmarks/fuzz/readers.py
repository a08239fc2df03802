"""Fuzzes what reads files and answers of others: plans, rows, trajectories, YAML, pictures, calls.

    python -m benchmarks.fuzz.readers --minutes 20
    python -m benchmarks.fuzz.readers plan yaml --minutes 2 --seed 7

Prints one JSON line a reader: inputs, how many of them could be used, the longest time and the
most memory that one took. Ends with status 1 where anything but an error of ours came out of one,
an input took more than 2 s or more than 200 MB; the input is then written to a file. Linux alone.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.agent.strange_inputs import READERS, Reader

AT_A_TIME = 200
MUTATED = 25
"""Changed examples for each document of a shape of its own."""

MOST_SECONDS = 2.0
MOST_MB = 200.0


class Run:
    """Counts what a reader did with its inputs."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.inputs = self.used = 0
        self.slowest_s = 0.0
        self.bytes = 0
        self.fault = ""
        self.most_mb = 0.0

    def one(self, data: bytes) -> None:
        """Try an input."""
        if self.fault:
            return
        if not self.inputs:
            self.reader.try_one(self.reader.example())  # what it needs is imported by then
        before_mb = begin_counting()
        began_s = time.process_time()
        try:
            self.used += self.reader.try_one(data)
        except Exception as error:  # the very thing that is looked for
            self.fault = f"{type(error).__name__}: {error}"[:300]
        self.inputs += 1
        self.bytes += len(data)
        took_s = time.process_time() - began_s
        grew_mb = memory_mb("VmHWM") - before_mb
        self.slowest_s, self.most_mb = max(self.slowest_s, took_s), max(self.most_mb, grew_mb)
        if took_s > MOST_SECONDS:
            self.fault = f"took {took_s:.1f} s"
        elif grew_mb > MOST_MB:
            self.fault = f"took {grew_mb:.0f} MB"
        if self.fault:
            Path(f"fuzz-{self.reader.name}.bin").write_bytes(data)

    def as_json(self) -> str:
        """Return the counts in one line."""
        return json.dumps(
            {
                "reader": self.reader.name,
                "inputs": self.inputs,
                "used": self.used,
                "megabytes_read": round(self.bytes / 1e6, 1),
                "slowest_s": round(self.slowest_s, 3),
                "most_mb": round(self.most_mb, 1),
                "fault": self.fault,
            }
        )


def begin_counting() -> float:
    """Forget the most memory that this process has had; returns what it has now, in MB.

    What the inputs' generator took before is so no part of what an input takes.
    """
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def memory_mb(name: str) -> float:
    """Return a figure of this process's memory, in MB."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) / 1000


def fuzz(reader: Reader, seconds: float, random: Random) -> Run:
    """Try inputs for so many seconds, or until one is found that must not be."""
    run, end_s = Run(reader), time.monotonic() + seconds
    shapes = reader.shapes()
    while time.monotonic() < end_s and not run.fault:

        @seed(random.getrandbits(64))
        @settings(
            max_examples=AT_A_TIME,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def tried(data: st.DataObject) -> None:
            run.one(data.draw(shapes))
            mutations = Random(data.draw(st.integers(0, 2**63)))
            for _ in range(MUTATED if time.monotonic() < end_s else 0):
                run.one(reader.mutated(mutations))

        tried()
    return run


def main() -> int:
    """Fuzz the readers one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = {reader.name: reader for reader in READERS}
    parser.add_argument("readers", nargs="*", choices=[*known, []], default=[])
    parser.add_argument("--minutes", type=float, default=1.0, help="all readers together")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = arguments.readers or list(known)
    random, faulty = Random(arguments.seed), False
    for name in names:
        with tempfile.TemporaryDirectory(prefix="eyehand-fuzz-") as folder:
            run = fuzz(known[name](Path(folder)), 60 * arguments.minutes / len(names), random)
        print(run.as_json(), flush=True)
        faulty = faulty or bool(run.fault)
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
