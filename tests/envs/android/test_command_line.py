"""`eyehand run` drives the simulated phone as a task, and the same phone as a plain device."""

import json
import os
import subprocess
import sys
from pathlib import Path

from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.phone import AdbDevice, PhoneScreen
from eyehand.envs.phone.environment import DEFAULT_DENSITY_DPI, DEFAULT_SIZE_PX

TIMEOUT_S = 120.0


def eyehand(*words: str, adb_port: int, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eyehand", *words],
        cwd=at,
        env={**os.environ, "ANDROID_ADB_SERVER_PORT": str(adb_port)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_task_and_a_plain_device_run_from_the_command_line(tmp_path: Path, adb_port: int) -> None:
    task = eyehand(
        "run", "--env", "phone:wifi", "--policy", "expert", "--seed", "1000000", "--out", "task",
        "--json", adb_port=adb_port, at=tmp_path,
    )  # fmt: skip
    assert task.returncode == 0, task.stderr
    assert json.loads(task.stdout)["outcome"] == "succeeded"
    with PhoneScreen(*DEFAULT_SIZE_PX, density_dpi=DEFAULT_DENSITY_DPI) as screen:
        screen.open()
        with AdbDevice(screen) as device:
            plain = eyehand(
                "run", "Switch the Wi-Fi off", "--env", f"android:{device.address}",
                "--policy", "random", "--allow-random", "--seed", "3", "--max-steps", "3",
                "--out", "plain", adb_port=adb_port, at=tmp_path,
            )  # fmt: skip
            received = list(device.commands)
    assert plain.returncode in (0, 1), plain.stderr
    assert any(line.startswith("input") for line in received)
    for name in ("task", "plain"):
        recorded = read_trajectory(tmp_path / name)
        assert len(recorded.steps) >= 1
        assert (tmp_path / name / "report.html").is_file()
