"""Who may know whom, and what a short command may load."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "playwright", "gymnasium", "adbutils", "jinja2", "PIL", "numpy")

PROGRAM = """
import sys
{start}
print("loaded:", *[name for name in {heavy!r} if name in sys.modules])
"""


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_layers_hold() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.fail("import-linter is not installed: pip install -e '.[dev]'")
    result = run(program, "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "start",
    [
        "import eyehand",
        "from eyehand.agent.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
    ids=["import eyehand", "eyehand --help"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(start: str) -> None:
    result = run(sys.executable, "-c", PROGRAM.format(start=start, heavy=HEAVY))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "loaded:"
