"""Who may know whom, what a short command may load, and how large a room may grow."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from eyehand import errors

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agent", "envs", "actions", "model", "prompts")
HEAVY = ("torch", "transformers", "playwright", "gymnasium", "adbutils", "jinja2", "PIL", "numpy")

MOST_MODULES = 12
MOST_LINES = 340
MOST_FUNCTION_LINES = 60

PROGRAM = """
import sys
{start}
print("loaded:", *[name for name in {heavy!r} if name in sys.modules])
"""


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def sources(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def test_the_layers_hold() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.fail("import-linter is not installed: pip install -e '.[dev]'")
    result = run(program, "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module imports when it runs, also inside of functions."""
    graph = grimp.build_graph("eyehand", exclude_type_checking_imports=True, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


@pytest.mark.parametrize("room", ROOMS)
def test_no_modules_import_each_other_in_a_circle(imports: dict[str, set[str]], room: str) -> None:
    left = {name: found for name, found in imports.items() if name.startswith(f"eyehand.{room}")}
    # Whoever imports nothing that is left is in no circle, and neither is who imports only such.
    while free := {name for name, found in left.items() if not found & left.keys()}:
        left = {name: found for name, found in left.items() if name not in free}
    while free := {n for n in left if not any(n in found for found in left.values())}:
        left = {name: found for name, found in left.items() if name not in free}
    assert left == {}


def test_a_folder_of_the_agent_holds_few_modules() -> None:
    counts: dict[Path, int] = defaultdict(int)
    for path, _ in sources("agent"):
        counts[path.parent] += 1
    assert {folder: n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_functions_and_files_of_the_agent_are_short() -> None:
    long: list[str] = []
    for path, tree in sources("agent"):
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        long += [f"{path}: {lines} lines"] if lines > MOST_LINES else []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                long += [f"{path}: {node.name}"] if length > MOST_FUNCTION_LINES else []
    assert long == []


def test_no_two_public_classes_share_a_name() -> None:
    """The vocabularies of web and Android may: the call is the same word in both."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in sources(*ROOMS):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.as_posix())
    shared = {name: paths for name, paths in homes.items() if len(paths) > 1}
    vocabularies = ["actions/android.py", "actions/web.py"]
    assert {name: paths for name, paths in shared.items() if paths != vocabularies} == {}


def test_exit_statuses_are_numbered_in_one_place() -> None:
    numbered = {
        path.as_posix()
        for path, tree in sources("agent")
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.startswith("EXIT_")
    }
    assert numbered == {"agent/outcome.py"}


def test_the_tree_of_errors_is_the_one_that_is_printed() -> None:
    printed: dict[str, str] = {}
    above: list[str] = []
    lines = (errors.__doc__ or "").partition("Tree::\n\n")[2].partition("\n\n")[0].splitlines()
    for line in lines:
        depth = (len(line) - len(line.lstrip()) - 4) // 2
        name = line.split()[0]
        above[depth:] = [name]
        printed[name] = above[depth - 1] if depth else "Exception"
    there = {
        name: kind.__base__.__name__
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__ and kind.__base__ is not None
    }
    assert printed == there


def test_every_path_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+(?:/|\.py|\.j2|\.md|\.yaml|\.toml))`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in linked if not (ROOT / "docs" / link).exists()] == []


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
