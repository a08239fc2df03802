"""Declarations: how a Gymnasium environment or a phone joins as a suite, with no class to write.

The classes here are what a declaration file holds; `declaration_files` reads it, and
`declaration_make` makes the environments.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from eyehand.envs.gym.cameras import Camera
from eyehand.envs.gym.rules import Rule
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import UsageError

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]*"
"""Names of suites and tasks: lower case, as in a spec."""

PHONE_PREFIX = "android:"
ANSWER = "answer"
"""The name under which rules find a model's answer."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Actions(_Declared):
    """The calls: names, units, bounds. Every part may be left out.

    Attributes:
        names: For a Discrete space the names of its calls, otherwise of the one call's arguments:
            a list in the space's order, or a mapping from the number to the name.
        only: Names of the calls on offer, for a Discrete space; all by default.
        units: Unit of each argument.
        descriptions: What each call or argument does.
        values: For arguments that choose among alternatives: the alternatives' names.
        bounds: For a Box of one dimension: [low, high] of a number as the agent writes it. They
            are mapped linearly to the environment's own bounds.
        fixed: For such a Box: numbers that the agent does not write, with the value that they
            always have, in the environment's own numbers.
        call: Name of the one call of a space that is not Discrete.
        description: What that call does.
    """

    names: list[str] | dict[str, str] = Field(default_factory=list)
    only: list[str] | None = Field(default=None, min_length=1)
    units: list[str] | dict[str, str] = Field(default_factory=list)
    descriptions: list[str] | dict[str, str] = Field(default_factory=list)
    values: dict[str, list[str]] = Field(default_factory=dict)
    bounds: dict[int, tuple[float, float]] = Field(default_factory=dict)
    fixed: dict[int, float] = Field(default_factory=dict)
    call: str | None = None
    description: str | None = None

    @field_validator("names", "units", "descriptions", "values", mode="before")
    @classmethod
    def _textual_keys(cls, given: Any) -> Any:
        """Take the numbers that YAML reads as keys for the paths that they are."""
        return {str(k): v for k, v in given.items()} if isinstance(given, Mapping) else given

    @field_validator("bounds")
    @classmethod
    def _ascending(cls, given: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
        for low, high in given.values():
            if low >= high:
                raise ValueError(f"expected [low, high] with low below high, got [{low}, {high}]")
        return given

    def labels(self) -> dict[str, Any]:
        """Return the parts that `actions.gym.Labels` takes; empty parts are left out."""
        parts = self.model_dump(exclude={"only", "bounds", "fixed"})
        return {key: part for key, part in parts.items() if part}


class ScreenSize(_Declared):
    """What the agent sees.

    Attributes:
        frames: How many of the last decisions' frames are shown, the oldest first. At the start
            of an episode the first one repeats.
        show: How they are shown: "video" beside the newest frame, for models that read videos, or
            "tiles" of one picture, for those that do not.
        columns: Tiles in a row; by default all in one row up to 3, else in a square.
        cameras: Views of a MuJoCo scene, side by side; none for the environment's own picture.
    """

    frames: int = Field(default=1, ge=1, le=16)
    show: Literal["video", "tiles"] = "video"
    columns: int | None = Field(default=None, ge=1, le=16)
    cameras: list[Camera] = Field(default_factory=list, max_length=4)

    @model_validator(mode="after")
    def _columns_of_tiles(self) -> "ScreenSize":
        if self.columns is not None and self.show != "tiles":
            raise ValueError("columns are for tiles: write show: tiles, or leave columns out")
        return self

    @property
    def tiled(self) -> bool:
        """Whether several frames stand in one picture."""
        return self.frames > 1 and self.show == "tiles"

    @property
    def video_frames(self) -> int:
        """Frames of an observation's video; 1 where there is none."""
        return self.frames if self.show == "video" else 1

    @property
    def tile_columns(self) -> int:
        """Tiles in a row."""
        if self.columns is not None:
            return min(self.columns, self.frames)
        return self.frames if self.frames <= 3 else -(-self.frames // 2)


class TaskLimits(_Declared):
    """Outer limits of an episode.

    Attributes:
        steps: Most steps; the episode is truncated after them. None leaves it to Gymnasium.
    """

    steps: int | None = Field(default=None, ge=1)


class Task(_Declared):
    """One environment of a suite. What is left out is taken from the suite's `defaults`.

    Attributes:
        name: Its name in specs: `SUITE:NAME`.
        environment: An id as `gymnasium.make` takes it; "package:ID" imports the package first. Or
            a phone: "android:SERIAL", or "android:" for the only one.
        options: Keyword arguments for `gymnasium.make`, or of `AndroidEnvironment`.
        instruction: The task in words; by default the observation's "mission".
        actions: See `Actions`.
        screen: See `ScreenSize`.
        limits: See `TaskLimits`.
        success: When an episode succeeded, see `gym_rules`.
        ends_when: Ends the episode as soon as this rule holds, in the same words.
        ceiling: The best success rate that there can be, where it is known.
        ceiling_source: Where that number is from.
        expert: Name of the expert that solves it, where eyehand has one.
        start: For a phone: lines for its shell that bring it to the start of every episode.
        read: For a phone: what is asked of its shell for the rules: `info.NAME` is what the line
            of that name writes. `info.answer` is the model's answer.
    """

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    environment: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    instruction: str | None = Field(default=None, min_length=1)
    actions: Actions = Actions()
    screen: ScreenSize = ScreenSize()
    limits: TaskLimits = TaskLimits()
    success: str | None = None
    ends_when: str | None = None
    ceiling: float | None = Field(default=None, ge=0, le=1)
    ceiling_source: str = ""
    expert: str | None = None
    start: list[str] = Field(default_factory=list)
    read: dict[str, str] = Field(default_factory=dict)

    @property
    def on_phone(self) -> bool:
        """Whether the environment is a phone."""
        return self.environment.startswith(PHONE_PREFIX)

    @model_validator(mode="after")
    def _fields_of_its_kind(self) -> "Task":
        """Refuse what the other kind of environment has, rather than ignore it."""
        if not self.on_phone:
            if self.start or self.read:
                raise ValueError("start and read are for phones (environment: android:SERIAL)")
            return self
        parts = (*self.actions.labels(), "bounds" * bool(self.actions.bounds))
        labelled = [f"actions.{part}" for part in parts if part]
        if unused := [*labelled, *(["screen"] if self.screen != ScreenSize() else [])]:
            raise ValueError(f"{', '.join(unused)}: for Gymnasium environments, not for phones")
        if self.instruction is None:
            raise ValueError("a phone sets no task by itself: write an instruction")
        if bad := [name for name in self.read if not re.fullmatch(r"\w+", name)]:
            raise ValueError(f"read: expected names of letters, digits and _, got {bad[0]!r}")
        asked = re.findall(r"\binfo\.(\w+)", f"{self.success} {self.ends_when}")
        if missing := [key for key in asked if key not in (*self.read, ANSWER)]:
            raise ValueError(f"a rule asks for info.{missing[0]}, which is not among read")
        return self

    @field_validator("success", "ends_when")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        """Parse the rule, so that a slip is found before an episode is played."""
        try:
            return text if text is None else str(Rule(text))
        except UsageError as error:
            raise ValueError(str(error)) from None


class SuiteFile(_Declared):
    """A suite: what a declaration file holds.

    Attributes:
        suite: Its name.
        description: What it is, in a sentence.
        packages: Modules to import first; they register their environments with Gymnasium.
        install: What to type where one of them is missing.
        mujoco: Whether MuJoCo renders the pictures, so that a way to do so without a display is
            looked for.
        defaults: Parts of a task that all of them share, `name` and `environment` aside.
        tasks: The tasks, at least one.
    """

    suite: str = Field(pattern=f"^{NAME_PATTERN}$")
    description: str = ""
    packages: list[str] = Field(default_factory=list)
    install: str = ""
    mujoco: bool = False
    defaults: dict[str, Any] = Field(default_factory=dict)
    tasks: list[Task] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, given: Any) -> Any:
        """Merge the defaults into every task, mappings key by key."""
        if not isinstance(given, dict) or not isinstance(given.get("tasks"), list):
            return given
        defaults = given.get("defaults") or {}
        if not isinstance(defaults, dict):
            return given
        tasks = [_merged(defaults, t) if isinstance(t, dict) else t for t in given["tasks"]]
        return {**given, "tasks": tasks}

    @model_validator(mode="after")
    def _different_names(self) -> "SuiteFile":
        names = [task.name for task in self.tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the task names {twice} come twice")
        return self

    def task(self, name: str) -> Task:
        """Return a task by name.

        Raises:
            UsageError: there is none; the message names the closest.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise unknown_name(f"task of the suite {self.suite}", name, [t.name for t in self.tasks])


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, mappings inside them too; lists are replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged
