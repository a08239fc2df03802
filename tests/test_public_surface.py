"""What users may build on: names, their arguments and members, commands and their options.

A change of it is made on purpose. To write it down anew:

    python -m tests.test_public_surface > tests/golden/public_surface.txt
"""

import argparse
import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, is_typeddict

import pytest

from eyehand.agent.cli.main import build_parser

if TYPE_CHECKING:  # mypy reads this: were a name `Any`, its comment would be reported as unused
    from eyehand import Agent
    from eyehand.agent import run_evaluation
    from eyehand.model import Qwen2VL

    _agent: int = Agent  # type: ignore[assignment]
    _run_evaluation: int = run_evaluation  # type: ignore[assignment]
    _model: int = Qwen2VL  # type: ignore[assignment]

GOLDEN = Path(__file__).parent / "golden" / "public_surface.txt"
MODULES = ("eyehand", "eyehand.agent", "eyehand.envs", "eyehand.actions", "eyehand.model")
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
LAZY = ("eyehand", "eyehand.agent", "eyehand.model")


def surface() -> Iterator[str]:
    """The lines of the golden file."""
    for name in MODULES:
        module = import_module(name)
        for exported in sorted(module.__all__):
            yield from described(f"{name}.{exported}", getattr(module, exported))
    yield from commands(build_parser())


def described(name: str, value: Any) -> Iterator[str]:
    """A function or a class with its arguments, and the class's own public members."""
    yield f"{name}{arguments(value)}"
    if inspect.isclass(value):
        for member in sorted(members(value) - set(arguments_of(value))):
            yield f"{name}.{member}{arguments(getattr(value, member, None))}"


def members(value: type) -> set[str]:
    """The public members that classes of ours give a class: attributes, properties, methods."""
    ours = [cls for cls in value.__mro__ if cls.__module__.startswith("eyehand.")]
    names = {name for cls in ours for name in (*vars(cls), *inspect.get_annotations(cls))}
    return {name for name in names if name[0] != "_" and not name.startswith("model_")}


def arguments(value: Any) -> str:
    """The arguments in brackets, with a "=" where one may be left out; "" for what takes none."""
    bare = [
        p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else Given())
        for name, p in arguments_of(value).items()
        if name != "self"
    ]
    return str(inspect.Signature(bare)) if callable(value) else ""


def arguments_of(value: Any) -> Mapping[str, inspect.Parameter]:
    """The arguments by name; none for what is not called."""
    is_called = callable(value) and (inspect.isroutine(value) or inspect.isclass(value))
    if not is_called or is_typeddict(value) or (inspect.isclass(value) and issubclass(value, Enum)):
        return {}
    return inspect.signature(value).parameters


class Given:
    """Stands for a default, whatever it is."""

    def __repr__(self) -> str:
        return ""


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every command, its positional arguments and its options."""
    (subparsers,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for name, command in subparsers.choices.items():
        yield f"{parser.prog} {name}"
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from commands(command)
            elif not isinstance(action, argparse._HelpAction):
                value = action.metavar or ("" if action.nargs == 0 else "VALUE")
                shown = " ".join(filter(None, [", ".join(action.option_strings), str(value)]))
                yield f"{parser.prog} {name} {shown}"


def test_the_public_surface_is_the_one_that_was_written_down() -> None:
    assert list(surface()) == GOLDEN.read_text(encoding="utf-8").splitlines(), __doc__


@pytest.mark.parametrize("name", LAZY)
def test_what_is_imported_lazily_is_declared_to_type_checkers(name: str) -> None:
    module = import_module(name)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    declared = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert declared == set(module.__all__) - {"__version__"}


def test_every_public_name_is_in_the_reference() -> None:
    """The pages of the other modules follow `__all__` by themselves."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    shown = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    assert {"eyehand.envs", "eyehand.actions", "eyehand.model", "eyehand.errors"} <= shown
    described = {name.rpartition(".")[2] for name in shown}
    named = {
        name for module in ("eyehand", "eyehand.agent") for name in import_module(module).__all__
    }
    assert named - described == {"__version__"}


if __name__ == "__main__":
    print(*surface(), sep="\n")
