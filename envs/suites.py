"""Suites: lists of tasks, with what each one asks, its limits, what success is and its ceiling.

They come from the registered schemes (`registry.Scheme.suites`) and from declaration files.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eyehand.envs.registry import SELECTIONS, Named, expert_of, find, scheme_of, schemes
from eyehand.envs.spec import split_spec
from eyehand.envs.suggestions import unknown_name
from eyehand.envs.suite_file.load import (
    built_in_suite,
    declared_task,
    is_declaration_path,
    read_suite,
)
from eyehand.envs.suite_file.schema import SuiteFile
from eyehand.envs.suite_file.schema import Task as DeclaredTask
from eyehand.errors import UsageError

DRAWN = "its own, drawn from the seed"
"""Stands for an instruction that differs from episode to episode."""

OWN_WORD = "the environment's own word, where it has one"


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite.

    Attributes:
        spec: What `make` takes.
        instruction: The task in words, or that the environment draws it.
        success: When an episode succeeded, in words.
        max_steps: Most steps an episode needs or lasts; None where the task sets no limit.
        ceiling: The best success rate that there can be, where it is known.
        ceiling_source: Where that number is from.
        declared_expert: The expert that the task's declaration names; None for any other task.
    """

    spec: str
    instruction: str = DRAWN
    success: str = OWN_WORD
    max_steps: int | None = None
    ceiling: float | None = None
    ceiling_source: str = ""
    declared_expert: str | None = None

    @property
    def expert(self) -> str | None:
        """Name of its expert, None where there is none. The scheme is asked, and imports it."""
        if self.declared_expert or expert_of(self.spec) is None:
            return self.declared_expert
        return split_spec(self.spec)[0]

    def to_json(self) -> dict[str, Any]:
        """Return the task, JSON-ready."""
        written = asdict(self)
        del written["declared_expert"]
        return {**written, "expert": self.expert}


@dataclass(frozen=True)
class Suite:
    """A named list of tasks.

    Attributes:
        name: Its name on the command line.
        description: What it is, in a sentence.
        tasks: The tasks, in the order in which they are evaluated.
    """

    name: str
    description: str
    tasks: tuple[SuiteTask, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the suite, JSON-ready."""
        return {**asdict(self), "tasks": [task.to_json() for task in self.tasks]}


def suite_names() -> list[str]:
    """Return the names of all suites: those of the schemes, and the selections of their tasks."""
    return [*SELECTIONS, *_of_schemes()]


def suites() -> Iterator[Suite]:
    """Yield every suite that a scheme brings."""
    return (find(named)() for named in _of_schemes().values())


def suite_named(name: str) -> Suite:
    """Return a suite by its name, or the suite that a declaration file holds.

    Raises:
        UsageError: there is none of that name; the message names the closest.
    """
    if name in SELECTIONS:
        return _selected(name)
    if name in (known := _of_schemes()):
        suite: Suite = find(known[name])()
        return suite
    if Path(name).suffix:
        return _from_file(name)
    raise unknown_name("suite", name, suite_names())


def suite_specs(name: str) -> list[str]:
    """Return the specs of a suite, of one spec, or of a list with commas of either.

    Args:
        name: The name of a suite, the path of a declaration file, a spec such as
            "miniwob:click-tab", or several of them with commas between.

    Raises:
        UsageError: a part names neither a suite nor a spec, or a file that cannot be used.
    """
    parts = [part.strip() for part in name.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"no suite is named; there are: {', '.join(suite_names())}")
    specs = [spec for part in parts for spec in _specs_of(part)]
    return list(dict.fromkeys(specs))


def _specs_of(part: str) -> list[str]:
    if part in SELECTIONS:
        specs: list[str] = find(SELECTIONS[part])()
        return specs
    if is_declaration_path(part) and (":" not in part or Path(part).is_file()):
        return [task.spec for task in _from_file(part).tasks]
    if ":" in part:
        return [part]
    if part in suite_names():
        return [task.spec for task in suite_named(part).tasks]
    raise UsageError(
        f"{unknown_name('suite', part, suite_names())}; and any spec such as miniwob:click-tab, "
        "or a declaration file such as my-suite.yaml"
    )


def suite_task(spec: str) -> SuiteTask | None:
    """Return what is known of a spec; None where it belongs to no suite.

    Raises:
        UsageError: it names a declaration file that cannot be read.
    """
    bare = spec.partition("?")[0]
    if is_declared(spec):
        listed = [_from_file(bare.partition(":")[2].partition("#")[0])]
    else:
        scheme = scheme_of(spec)
        listed = [find(make)() for make in scheme.suites.values()] if scheme else []
    tasks = (task for suite in listed for task in suite.tasks)
    return next((task for task in tasks if task.spec == bare), None)


def step_limit(spec: str) -> int | None:
    """Return the most steps that a spec's suite gives an episode; None where it says nothing.

    Raises:
        UsageError: it names a declaration file that cannot be read.
    """
    task = suite_task(spec)
    return task.max_steps if task else None


def is_declared(spec: str) -> bool:
    """Return whether a spec is a task of a declaration file of the user's."""
    return split_spec(spec)[0] == "suite"


def declared_content(spec: str) -> dict[str, Any] | None:
    """Return what a declaration file says of a task that fixes its episodes, JSON-ready.

    None for a task that is declared in no file of the user's.

    Raises:
        UsageError: the file cannot be read, or has no such task.
    """
    if not is_declared(spec):
        return None
    suite, task = declared_task(split_spec(spec)[1])
    shared = suite.model_dump(mode="json", include={"packages", "mujoco"}, exclude_defaults=True)
    own = task.model_dump(
        mode="json", exclude={"ceiling", "ceiling_source", "expert"}, exclude_defaults=True
    )
    return {**shared, **own}


def from_declaration(declared: SuiteFile, prefix: str) -> Suite:
    """Return the suite that a declaration describes.

    Args:
        declared: The declaration.
        prefix: What stands before a task's name in its spec, such as "minigrid:".
    """
    tasks = tuple(_declared_task(task, prefix) for task in declared.tasks)
    return Suite(declared.suite, declared.description, tasks)


def built_in(name: str) -> Suite:
    """Return a suite that is declared in a file which comes with the package."""
    return from_declaration(built_in_suite(name), f"{name}:")


def _from_file(path: str) -> Suite:
    return from_declaration(read_suite(Path(path)), f"suite:{path}#")


def _declared_task(task: DeclaredTask, prefix: str) -> SuiteTask:
    return SuiteTask(
        spec=prefix + task.name,
        instruction=task.instruction or DRAWN,
        success=task.success or ("none" if task.on_phone else OWN_WORD),
        max_steps=task.limits.steps,
        ceiling=task.ceiling,
        ceiling_source=task.ceiling_source,
        declared_expert=task.expert,
    )


def _of_schemes() -> dict[str, Named]:
    return {name: named for scheme in schemes() for name, named in scheme.suites.items()}


def _selected(name: str) -> Suite:
    """Return a suite that picks tasks of others."""
    specs = _specs_of(name)
    tasks = (suite_task(spec) or SuiteTask(spec) for spec in specs)
    of = ", ".join(dict.fromkeys(spec.partition(":")[0] for spec in specs))
    return Suite(name, f"{len(specs)} of the tasks of {of}.", tuple(tasks))
