"""However a program ends, its simulated phones leave the adb server's list."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 90.0
LEAVE_TIMEOUT_S = 20.0
"""Well below the minute after which the server itself forgets a device that is gone."""


def await_states(
    adb: Any, fits: Callable[[list[str]], bool], timeout_s: float = TIMEOUT_S
) -> list[str]:
    """Wait until the states of the listed devices fit, and return them."""
    end_s = time.monotonic() + timeout_s
    while True:
        states = [device.state for device in adb.list()]
        if fits(states) or time.monotonic() > end_s:
            return states
        time.sleep(0.05)


@pytest.mark.parametrize(("end", "workers"), [(signal.SIGINT, 2), (signal.SIGKILL, 1)])
def test_no_phone_stays_on_the_list(
    own_adb: Any, tmp_path: Path, end: signal.Signals, workers: int
) -> None:
    assert [device.state for device in own_adb.list()] == []
    words = ["eval", "phone:wifi,phone:set-alarm", "--policy", "expert", "--episodes", "50"]
    program = subprocess.Popen(
        [sys.executable, "-m", "eyehand", *words, "--workers", str(workers), "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "ANDROID_ADB_SERVER_PORT": str(own_adb.port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wanted = ["device"] * workers
        assert await_states(own_adb, lambda states: states == wanted) == wanted
        program.send_signal(end)
        program.wait(TIMEOUT_S)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    assert await_states(own_adb, lambda states: not states, LEAVE_TIMEOUT_S) == []
