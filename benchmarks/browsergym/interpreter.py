"""The other interpreter: starts `episodes_there.py` in it and asks for episodes."""

import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from eyehand.errors import EnvironmentFault, UsageError

SCRIPT = Path(__file__).with_name("episodes_there.py")
# A reset starts two browsers: half a minute on a busy machine with two cores.
ANSWER_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 20.0
HOW_TO_GET_IT = (
    "make one with `python3 -m venv bg-venv`, `bg-venv/bin/pip install browsergym-miniwob`, "
    "`bg-venv/bin/pip install 'playwright>=1.55'`, and name bg-venv/bin/python with --peer-python"
)


class Peer:
    """BrowserGym in an interpreter of its own.

    Args:
        python: That interpreter: a path, or a name on PATH.
        pages: The folder of the MiniWoB++ pages.
        chromium: The Chromium that it shall start; None leaves it to its Playwright.

    Attributes:
        versions: Of the interpreter and its packages, by name.

    Raises:
        UsageError: there is no such interpreter, or it has no BrowserGym.
        EnvironmentFault: it gives no answer.
    """

    def __init__(self, python: str, pages: Path, chromium: str | None) -> None:
        program = shutil.which(python)
        if program is None:
            raise UsageError(f"--peer-python {python!r} is no program to run; {HOW_TO_GET_IT}")
        environ = {**os.environ, "MINIWOB_URL": pages.as_uri() + "/"}
        if chromium is not None:
            environ["PEER_CHROMIUM"] = chromium
        self._said = tempfile.TemporaryFile()
        try:
            # -I: neither this folder nor this interpreter's own paths reach the other one.
            self._process = subprocess.Popen(
                [program, "-I", str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environ,
            )
        except OSError as error:
            self._said.close()
            raise UsageError(f"--peer-python {python!r} does not start: {error}") from error
        try:
            self.versions = self._greeting(python)
        except BaseException:
            self.close()
            raise

    def play(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have one episode played; see `episodes_there.py` for requests and answers.

        Raises:
            EnvironmentFault: it failed, or it gave no answer in 300 s.
        """
        self.ask(request)
        return self.answer()

    def ask(self, request: dict[str, Any]) -> None:
        """Ask for one episode; `answer` waits for it.

        Raises:
            EnvironmentFault: the interpreter has ended.
        """
        stdin = self._process.stdin
        if stdin is None:
            raise EnvironmentFault("BrowserGym's interpreter was closed")
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise self._died() from error

    def answer(self) -> dict[str, Any]:
        """Wait for the episode that was asked for.

        Raises:
            EnvironmentFault: it failed, or it gave no answer in 300 s.
        """
        answer = self._answer()
        if "error" in answer:
            raise EnvironmentFault(f"BrowserGym's episode failed: {answer['error']}")
        return answer

    def fileno(self) -> int:
        """Return what `select` takes: it is readable when the answer is there."""
        if self._process.stdout is None:
            raise EnvironmentFault("BrowserGym's interpreter was closed")
        return self._process.stdout.fileno()

    def close(self) -> None:
        """End the process; its browsers go with it."""
        process = self._process
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _greeting(self, python: str) -> dict[str, str]:
        try:
            greeting = self._answer()
        except EnvironmentFault as error:
            raise UsageError(f"--peer-python {python!r} cannot be used: {error}") from error
        if "missing" in greeting:
            raise UsageError(
                f"--peer-python {python!r} has no BrowserGym ({greeting['missing']}); "
                f"{HOW_TO_GET_IT}"
            )
        return {str(name): str(value) for name, value in greeting["versions"].items()}

    def _answer(self) -> dict[str, Any]:
        stdout = self._process.stdout
        if stdout is None:
            raise EnvironmentFault("BrowserGym's interpreter was closed")
        first_of([self])
        try:
            answer: dict[str, Any] = json.loads(stdout.readline())
        except ValueError as error:
            raise self._died() from error
        return answer

    def _died(self) -> EnvironmentFault:
        """Return what the process said last."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        return EnvironmentFault(f"the interpreter ended; it said last: {lines[-1]}")


def first_of(peers: Sequence[Peer]) -> Peer:
    """Wait for the first of several peers that has its answer.

    Raises:
        EnvironmentFault: none has one in 300 s.
    """
    ready = select.select(peers, [], [], ANSWER_TIMEOUT_S)[0]
    if not ready:
        raise EnvironmentFault(f"BrowserGym gave no answer in {ANSWER_TIMEOUT_S:g} s")
    found: Peer = ready[0]
    return found
