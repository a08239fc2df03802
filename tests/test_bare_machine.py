"""The bare machine: what pip is told here is told there, and where none can be made is said.

That the commands work on one is what CI proves by running them there.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def test_pips_configuration_and_folders_are_shown(tmp_path: Path) -> None:
    box, wheels, index = tmp_path / "box", tmp_path / "wheels", tmp_path / "index" / "simple"
    for folder in (box / "etc", wheels, index):
        folder.mkdir(parents=True)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("six==1.17.0\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": f"{wheels} https://example.org/wheels",
        "PIP_EXTRA_INDEX_URL": f"file://{index}",
        "PIP_CONSTRAINT": str(constraints),
    }
    shown = subprocess.run(
        [sys.executable, str(SCRIPTS / "show_pip_configuration.py"), str(box)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert shown.splitlines() == sorted([str(wheels), str(index.parent)])
    written = (box / "etc" / "pip.conf").read_text().splitlines()
    assert written == [
        "[global]",
        f"constraint = {constraints}",
        f"extra-index-url = file://{index}",
        f"find-links = {wheels} https://example.org/wheels",
    ]
    assert (box / constraints.relative_to("/")).read_text() == "six==1.17.0\n"


@pytest.mark.parametrize(
    ("stand_ins", "reason"),
    [
        ({"id": "echo 1000"}, "it needs root"),
        ({"id": "echo 0", "unshare": "exit 1"}, "mounts are not permitted"),
    ],
    ids=["not root", "no mounts"],
)
def test_a_place_where_none_can_be_made_is_said_in_one_line(
    stand_ins: dict[str, str], reason: str, tmp_path: Path
) -> None:
    for name, act in stand_ins.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{act}\n")
        program.chmod(0o755)
    result = subprocess.run(
        ["bash", str(SCRIPTS / "bare_machine.sh"), "true"],
        env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr == f"no bare machine here: {reason}\n"
