"""Every example runs as its reader runs it: the script, the notebook's cells, the commands."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "run" / "notebook.ipynb"
SUITE = EXAMPLES / "extend" / "own_suite.yaml"

# What each script is given, so that it is quick here, and what it says at its end.
SCRIPTS = {
    "run/own_page.py": (
        (),
        "claimed; the page said: URL: file:///.*/shop.html\nTitle: Thank you, Ada!",
    ),
    "run/phone_task.py": ((), "succeeded, by the state of the phone's apps: True"),
    "run/gymnasium_game.py": ((), "succeeded, reward 1"),
    "extend/own_action.py": ((), "'Gate 12' is in view\n.*\nclaimed: at noon"),
    "extend/own_policy.py": ((), "own_policy:PoleBalancer: mean reward 200 of 200"),
    "evaluate/compare_policies.py": (
        ("--episodes", "2"),
        r"model 100% .* against random .*only the model solved \d, only random 0",
    ),
}

# A notebook runs an event loop of its own around its cells.
NOTEBOOK_RUNNER = """
import asyncio, json, sys

async def run():
    names = {}
    for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), sys.argv[1], "exec"), names)

asyncio.run(run())
"""


def run(folder: Path, *command: str) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    return result.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    options, said = SCRIPTS[name]
    shown = run(tmp_path, sys.executable, str(EXAMPLES / name), *options)
    assert re.search(said, shown), shown


def test_the_notebooks_cells_run_inside_an_event_loop(tmp_path: Path) -> None:
    shown = run(tmp_path, sys.executable, "-c", NOTEBOOK_RUNNER, str(NOTEBOOK))
    assert "told to the model: y = 2500 is outside the screen" in shown
    assert "succeeded 1.0" in shown


def test_the_notebook_is_kept_with_its_pictures_and_without_errors() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_the_suites_own_commands_run(tmp_path: Path) -> None:
    shutil.copy(SUITE, tmp_path)
    text = SUITE.read_text(encoding="utf-8")
    commands = [line.split() for line in re.findall(r"^#   eyehand (.*)$", text, re.MULTILINE)]
    assert [command[0] for command in commands] == ["suites", "eval", "run"]
    statuses = []
    for command in commands:
        result = subprocess.run(
            [sys.executable, "-m", "eyehand", *command],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        statuses.append((command[0], result.returncode))
    assert statuses[:2] == [("suites", 0), ("eval", 0)]
    assert statuses[2][1] in (0, 1)  # the random policy may fall into a hole
    rows = (tmp_path / "runs" / "own-suite" / "episodes.jsonl").read_text().splitlines()
    assert len(rows) == 6


def test_the_policy_is_named_on_the_command_line(tmp_path: Path) -> None:
    policy = EXAMPLES / "extend" / "own_policy.py"
    shutil.copy(policy, tmp_path)
    (words,) = re.findall(r"^    eyehand (.*)$", policy.read_text(encoding="utf-8"), re.MULTILINE)
    command = (*words.split(), "--max-steps", "60", "--json")
    shown = json.loads(run(tmp_path, sys.executable, "-m", "eyehand", *command))
    assert shown["policy"] == "pole-balancer"
    assert shown["tasks"][0]["mean_reward"]["value"] == 60


def test_every_example_is_run_and_named_in_the_readme() -> None:
    files = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.*")}
    files = {name for name in files if "__pycache__" not in name} - {"README.md"}
    shown = [NOTEBOOK, SUITE, *(EXAMPLES / name for name in SCRIPTS)]
    assert files == {path.relative_to(EXAMPLES).as_posix() for path in shown}
    linked = re.findall(r"\]\((.+?)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert set(linked) == files


@pytest.mark.parametrize("name", [*SCRIPTS, "extend/own_suite.yaml"])
def test_an_example_is_20_to_60_lines(name: str) -> None:
    assert 20 <= len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 60
