"""The catalogue of suites: what each task asks, its limits, what success is, its ceiling."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from eyehand.envs.suggestions import unknown_name
from eyehand.envs.suite_file.load import built_in_suite, declared_task, read_suite
from eyehand.envs.suite_file.schema import SuiteFile as Declaration
from eyehand.envs.suite_file.schema import Task as DeclaredTask
from eyehand.envs.suites import SUITES

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
        expert: Name of its expert; None where there is none.
    """

    spec: str
    instruction: str
    success: str
    max_steps: int | None = None
    ceiling: float | None = None
    ceiling_source: str = ""
    expert: str | None = None


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
        return asdict(self)


def suite_named(name: str) -> Suite:
    """Return a suite by its name, or the suite that a declaration file holds.

    Raises:
        UsageError: there is none of that name; the message names the closest.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]()
    if name in SUITES:
        return _selected(name)
    if Path(name).suffix:
        return from_declaration(read_suite(Path(name)), f"suite:{name}#")
    raise unknown_name("suite", name, SUITES)


def suites() -> Iterable[Suite]:
    """Yield every suite that comes with the package."""
    return (build() for build in CATALOGUE.values())


def suite_task(spec: str) -> SuiteTask | None:
    """Return what is known of a spec; None where it belongs to no suite.

    Raises:
        UsageError: it names a declaration file that cannot be read.
    """
    scheme, _, rest = spec.partition(":")
    name = rest.partition("#")[0] if scheme == "suite" else scheme
    if scheme != "suite" and scheme not in CATALOGUE:
        return None
    bare = spec.partition("?")[0]
    return next((task for task in suite_named(name).tasks if task.spec == bare), None)


def step_limit(spec: str) -> int | None:
    """Return the most steps that a spec's suite gives an episode; None where it says nothing.

    Raises:
        UsageError: it names a declaration file that cannot be read.
    """
    task = suite_task(spec)
    return task.max_steps if task else None


def is_declared(spec: str) -> bool:
    """Return whether a spec is a task of a declaration file of the user's."""
    return spec.partition(":")[0].lower() == "suite"


def declared_content(spec: str) -> dict[str, Any] | None:
    """Return what a declaration file says of a task that fixes its episodes, JSON-ready.

    None for a task that is declared in no file of the user's.

    Raises:
        UsageError: the file cannot be read, or has no such task.
    """
    scheme, _, name = spec.partition(":")
    if scheme.lower() != "suite":
        return None
    suite, task = declared_task(name)
    shared = suite.model_dump(mode="json", include={"packages", "mujoco"}, exclude_defaults=True)
    own = task.model_dump(
        mode="json", exclude={"ceiling", "ceiling_source", "expert"}, exclude_defaults=True
    )
    return {**shared, **own}


def stands_behind(spec: str) -> str:
    """Return the scheme of what a spec reaches; a suite's task may reach a phone.

    Raises:
        UsageError: it names a declaration file that cannot be read, or no task of it.
    """
    scheme, _, rest = spec.partition(":")
    if scheme.lower() != "suite":
        return scheme.lower()
    path, _, name = rest.partition("?")[0].partition("#")
    declared = read_suite(Path(path))
    task = declared.task(name) if name else declared.tasks[0]
    return "android" if task.on_phone else "gym"


def _selected(name: str) -> Suite:
    """Return a suite that picks tasks of others."""
    specs = SUITES[name]()
    tasks = (suite_task(spec) or SuiteTask(spec, DRAWN, "the environment's word") for spec in specs)
    of = ", ".join(dict.fromkeys(spec.partition(":")[0] for spec in specs))
    return Suite(name, f"{len(specs)} of the tasks of {of}.", tuple(tasks))


def from_declaration(declared: Declaration, prefix: str) -> Suite:
    """Return the suite that a declaration describes.

    Args:
        declared: The declaration.
        prefix: What stands before a task's name in its spec, such as "minigrid:".
    """
    tasks = tuple(_declared_task(task, prefix) for task in declared.tasks)
    return Suite(declared.suite, declared.description, tasks)


def _declared_task(task: DeclaredTask, prefix: str) -> SuiteTask:
    return SuiteTask(
        spec=prefix + task.name,
        instruction=task.instruction or DRAWN,
        success=task.success or ("none" if task.on_phone else OWN_WORD),
        max_steps=task.limits.steps,
        ceiling=task.ceiling,
        ceiling_source=task.ceiling_source,
        expert=task.expert,
    )


def _built_in(name: str) -> Callable[[], Suite]:
    return lambda: from_declaration(built_in_suite(name), f"{name}:")


def _miniwob() -> Suite:
    from eyehand.envs.miniwob.tasks import task_names

    with_expert = import_module("eyehand.agent.experts.miniwob.tasks").EXPERT_TASKS

    tasks = tuple(
        SuiteTask(
            f"miniwob:{name}",
            DRAWN,
            "the page's raw reward is 1",
            expert="miniwob" if name in with_expert else None,
        )
        for name in task_names()
    )
    return Suite("miniwob", "MiniWoB++: small web pages in real Chromium.", tasks)


def _cards() -> Suite:
    from eyehand.envs.cards import CARD_FACTS, make_card_game

    tasks = []
    for name, facts in CARD_FACTS.items():
        instruction = make_card_game(name).instruction or DRAWN
        tasks.append(
            SuiteTask(
                f"cards:{name}",
                instruction,
                facts.success,
                facts.max_steps,
                facts.ceiling,
                facts.ceiling_source,
                "cards",
            )
        )
    about = "The card and number games of gym_cards' rules (arXiv:2405.10292), our own pictures."
    return Suite("cards", about, tuple(tasks))


def _phone() -> Suite:
    from eyehand.envs.phone.tasks import PHONE_TASKS

    success = "the simulated phone's apps are in the state that was asked for"
    tasks = tuple(SuiteTask(f"phone:{n}", DRAWN, success, expert="phone") for n in PHONE_TASKS)
    return Suite("phone", "A simulated phone behind the real adb.", tasks)


CATALOGUE: dict[str, Callable[[], Suite]] = {
    "miniwob": _miniwob,
    "cards": _cards,
    "minigrid": _built_in("minigrid"),
    "robot": _built_in("robot"),
    "atari": _built_in("atari"),
    "phone": _phone,
}
"""Suite name, which is also its tasks' scheme, to what makes it."""
