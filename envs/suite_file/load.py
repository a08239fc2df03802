"""Reads declaration files: YAML or JSON, or Python that makes a `SuiteFile` itself."""

import json
import os
import runpy
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from eyehand.envs.registry import DECLARED_FOLDER
from eyehand.envs.suite_file.schema import SuiteFile, Task
from eyehand.errors import UsageError

SUFFIXES = (".yaml", ".yml", ".json", ".py")
PYTHON_NAME = "SUITE"
"""The name that a Python file gives to its `SuiteFile`."""

MOST_BYTES = 256 * 1024
"""The largest declaration file that is read."""

MOST_DEPTH = 20
MOST_VALUES = 20_000
"""Values of a declaration, those that aliases repeat included."""

LONGEST_SHOWN = 80
LONGEST_EXPLAINED = 16 * 1024

# libyaml's is ten times quicker; not every build of PyYAML has it.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def is_declaration_path(text: str) -> bool:
    """Return whether a text is the path of a declaration file, by its suffix."""
    return text.lower().endswith(SUFFIXES)


def read_suite(path: Path) -> SuiteFile:
    """Read a declaration file; one that has not changed since is not read again.

    Raises:
        UsageError: it is missing or broken; one line names the file, the field and what was
            expected.
    """
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    return _read(path.resolve(), changed_ns, path)


def built_in_suite(name: str) -> SuiteFile:
    """Read one of the suites that come with the package, such as "minigrid"."""
    return read_suite(DECLARED_FOLDER / f"{name}.yaml")


def declared_task(name: str) -> tuple[SuiteFile, Task]:
    """Return a task of a declaration file, and its suite.

    Args:
        name: "PATH#TASK"; the task may be left out where the file declares one only.

    Raises:
        UsageError: the file cannot be read, is broken, or has no such task.
    """
    path, _, wanted = name.rpartition("#") if "#" in name else (name, "", "")
    suite = read_suite(Path(path))
    if not wanted and len(suite.tasks) > 1:
        raise UsageError(f"{path} has {len(suite.tasks)} tasks: write {path}#TASK")
    return suite, suite.task(wanted) if wanted else suite.tasks[0]


def scheme_behind(name: str) -> str:
    """Return the scheme of what a task of a declaration file reaches: "android" or "gym".

    Args:
        name: "PATH#TASK", as in `declared_task`; the first task where none is named.

    Raises:
        UsageError: the file cannot be read, is broken, or has no such task.
    """
    path, _, wanted = name.partition("?")[0].partition("#")
    suite = read_suite(Path(path))
    task = suite.task(wanted) if wanted else suite.tasks[0]
    return "android" if task.on_phone else "gym"


@lru_cache(maxsize=32)
def _read(path: Path, changed_ns: int, shown: Path) -> SuiteFile:
    if path.suffix.lower() == ".py":
        return _python_suite(path, shown)
    content = _content(path, shown)
    if not isinstance(content, dict):
        got = repr(content)[:LONGEST_SHOWN]
        raise UsageError(f"{shown}: expected a mapping with 'suite' and 'tasks', got {got}")
    try:
        return SuiteFile.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{shown}: {_first_fault(error, content)}") from None


def _content(path: Path, shown: Path) -> Any:
    """Parse the file, without any type of its own: yaml.safe_load makes plain values only."""
    try:
        text = _text(path, shown)
        return _json(text) if path.suffix.lower() == ".json" else _yaml(text)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: expected UTF-8: {error}") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{shown}: line {error.lineno}: not JSON: {error.msg}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(f"{shown}: {where}not YAML: {problem}") from None
    except RecursionError:
        raise UsageError(f"{shown}: nested deeper than {MOST_DEPTH}") from None
    except (ValueError, TypeError) as error:  # such as a date of the 13th month
        raise UsageError(f"{shown}: cannot be read: {error}") from None


def _text(path: Path, shown: Path) -> str:
    """Read the file's text; a pipe or an endless file is not waited for."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageError(f"{shown}: is no file")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"{shown}: is larger than {MOST_BYTES:,} bytes")
    return data.decode("utf-8")


def _json(text: str) -> Any:
    content = json.loads(text)
    level, depth = [content], 0
    while level:
        inner = [part for value in level if isinstance(value, dict) for part in value.values()]
        inner += [part for value in level if isinstance(value, list) for part in value]
        level, depth = inner, depth + 1
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return content


def _yaml(text: str) -> Any:
    try:
        _measure(text)
    except yaml.YAMLError:
        for _ in yaml.parse(text[:LONGEST_EXPLAINED], Loader=yaml.SafeLoader):
            pass  # it names the line where the fault begins, libyaml the one where it shows
        raise
    return yaml.load(text, Loader=_LOADER)  # plain values only, as safe_load


def _measure(text: str) -> None:
    """Refuse what would grow without end: deep nesting, and aliases of aliases.

    Raises:
        ValueError: the document is nested too deep, or holds too many values with its aliases.
        yaml.YAMLError: it is not YAML.
    """
    open_values: list[tuple[str | None, int]] = [(None, 0)]  # each one's anchor and values so far
    known: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        anchor, count = getattr(event, "anchor", None), 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_values.append((anchor, 1))
            if len(open_values) > MOST_DEPTH:
                raise ValueError(f"nested deeper than {MOST_DEPTH}")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, count = open_values.pop()
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in known:
                raise ValueError(f"the alias *{event.anchor} names nothing that ends before it")
            anchor, count = None, known[event.anchor]
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if anchor is not None:
            known[anchor] = count
        above, sum_above = open_values.pop()
        open_values.append((above, sum_above + count))
        if sum_above + count > MOST_VALUES:
            raise ValueError(f"holds more than {MOST_VALUES:,} values, with those of its aliases")


def _python_suite(path: Path, shown: Path) -> SuiteFile:
    """Run the user's own file and take its `SUITE`. Their code may raise anything."""
    try:
        suite = runpy.run_path(str(path)).get(PYTHON_NAME)
    except ValidationError as error:
        raise UsageError(f"{shown}: {_first_fault(error, {})}") from None
    except Exception as error:
        raise UsageError(f"{shown}: failed with {type(error).__name__}: {error}") from error
    if not isinstance(suite, SuiteFile):
        raise UsageError(f"{shown}: expected {PYTHON_NAME} = SuiteFile(...), found {suite!r}")
    return suite


def _first_fault(error: ValidationError, content: dict[str, Any]) -> str:
    """Say in one line which field is wrong, what was expected and what came."""
    fault = error.errors(include_url=False)[0]
    where = _where(fault["loc"], content)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such field"
    if fault["type"] == "missing":
        return f"{where}: is missing"
    shown = repr(fault["input"])
    told = len(shown) <= LONGEST_SHOWN and fault["type"] != "value_error"
    came = f", got {shown}" if told else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {message[:1].lower()}{message[1:]}{came}{more}"


def _where(place: Sequence[int | str], content: dict[str, Any]) -> str:
    """Write a place as a person looks for it: tasks[2] gets the task's name."""
    if not place:
        return "the suite"
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    shown = text.lstrip(".")
    if len(place) > 1 and place[0] == "tasks" and isinstance(place[1], int):
        tasks = content.get("tasks")
        task = tasks[place[1]] if isinstance(tasks, list) and place[1] < len(tasks) else None
        if isinstance(task, dict) and isinstance(task.get("name"), str):
            shown += f" (task {task['name']!r})"
    return shown
