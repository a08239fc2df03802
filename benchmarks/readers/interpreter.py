"""The other interpreter: has the makers' packages answer many requests at once."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eyehand.errors import EnvironmentFault, UsageError

SCRIPT = Path(__file__).with_name("peer.py")
TIMEOUT_S = 600.0
HOW_TO_GET_IT = (
    "make one with `python3 -m venv peers`, `peers/bin/pip install ui-tars qwen-agent soundfile "
    "tqdm python-dateutil` and `peers/bin/pip install --no-deps qwen-vl-utils`, and name "
    "peers/bin/python with --peer-python"
)


class Peer:
    """The makers' packages in an interpreter of their own.

    Args:
        python: That interpreter: a path, or a name on PATH.

    Attributes:
        versions: Of the packages, by name; empty before anything was asked.

    Raises:
        UsageError: there is no such interpreter.
    """

    def __init__(self, python: str) -> None:
        program = shutil.which(python)
        if program is None:
            raise UsageError(f"--peer-python {python!r} is no program to run; {HOW_TO_GET_IT}")
        self._program = program
        self.versions: dict[str, str] = {}

    def ask(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return an answer a request; `peer.py` says what they hold.

        Raises:
            UsageError: the interpreter lacks a package.
            EnvironmentFault: it ended, or took more than 600 s.
        """
        asked = "".join(f"{json.dumps(request)}\n" for request in requests)
        try:
            # -I: neither this folder nor this interpreter's own paths reach the other one.
            ended = subprocess.run(
                [self._program, "-I", str(SCRIPT)],
                input=asked, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(f"the peer gave no answer in {TIMEOUT_S:g} s") from None
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        if len(lines) != len(requests) + 1:
            said = (ended.stderr.strip().splitlines() or ["nothing"])[-1]
            raise UsageError(f"--peer-python cannot be used: {said}; {HOW_TO_GET_IT}")
        self.versions = lines[0]["versions"]
        return lines[1:]
