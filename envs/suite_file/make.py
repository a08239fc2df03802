"""Makes the environments that declarations describe."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from eyehand.envs.env import Environment
from eyehand.envs.gym.cameras import CameraViews
from eyehand.envs.gym.contained import GymEnv
from eyehand.envs.gym.display import mujoco_display, prepare_display
from eyehand.envs.gym.environment import GymEnvironment
from eyehand.envs.gym.make import make_gym
from eyehand.envs.gym.rules import Rule
from eyehand.envs.gym.wrappers import EndsWhen, FrameTiles, ScaledNumbers
from eyehand.envs.suggestions import unknown_name
from eyehand.envs.suite_file.load import built_in_suite, declared_task
from eyehand.envs.suite_file.schema import SuiteFile, Task
from eyehand.errors import MissingExtra, UsageError


class DeclaredEnvironment(GymEnvironment):
    """An environment as its declaration describes it.

    Attributes:
        suite: The suite's declaration.
        task: The task's declaration.
        scaled: How the agent's numbers become the environment's own; None where they are those.

    Args:
        suite: The suite, for what its tasks share.
        task: The task.
        **options: Keyword arguments for `gymnasium.make` that replace the declared ones.

    Raises:
        UsageError: Gymnasium cannot make the environment, or the declaration does not fit it.
        MissingExtra: a package is not installed, or MuJoCo cannot render.
    """

    def __init__(self, suite: SuiteFile, task: Task, **options: Any) -> None:
        self.suite = suite
        self.task = task
        self.scaled: ScaledNumbers | None = None
        super().__init__(
            self._made(options),
            labels=task.actions.labels(),
            instruction=task.instruction,
            success=task.success,
            video_frames=task.screen.video_frames,
        )
        self.spec_uri = f"{suite.suite}:{task.name}"
        self._keep_only(task.actions.only)

    def _made(self, options: Mapping[str, Any]) -> GymEnv:
        """Make the Gymnasium environment with all its wrappers."""
        task = self.task
        _prepare(self.suite)
        written: dict[str, Any] = {**task.options, **options}
        if task.limits.steps is not None:
            written.setdefault("max_episode_steps", task.limits.steps)
        made: GymEnv = make_gym(task.environment, written)
        try:
            return self._wrapped(made)
        except UsageError as error:
            made.close()
            raise UsageError(f"{self.suite.suite}:{task.name}: {error}") from None

    def _wrapped(self, made: GymEnv) -> GymEnv:
        task = self.task
        if task.actions.bounds or task.actions.fixed:
            made = self.scaled = ScaledNumbers(made, task.actions.bounds, task.actions.fixed)
        if task.ends_when is not None:
            made = EndsWhen(made, Rule(task.ends_when))
        if task.screen.cameras:
            made = CameraViews(made, task.screen.cameras)
        if task.screen.tiled:
            made = FrameTiles(made, task.screen.frames, task.screen.tile_columns)
        return made

    def _keep_only(self, names: list[str] | None) -> None:
        if names is None:
            return
        known = self.action_space.names
        if missing := [name for name in names if name not in known]:
            self.close()
            raise unknown_name("call of this environment", missing[0], known)
        self.action_space = self.action_space.restricted(names)


def make_built_in(suite: str, task: str, **options: Any) -> DeclaredEnvironment:
    """Make a task of a suite that comes with the package.

    Raises:
        UsageError: the suite has no such task.
        MissingExtra: its packages are not installed.
    """
    declared = built_in_suite(suite)
    return DeclaredEnvironment(declared, declared.task(task), **options)


def make_from_file(name: str, **options: Any) -> Environment:
    """Make a task of a declaration file.

    Args:
        name: "PATH#TASK"; the task may be left out where the file declares one only.
        **options: Keyword arguments for `gymnasium.make`, or of `AndroidEnvironment`, that replace
            the declared ones.

    Raises:
        UsageError: the file cannot be read, is broken, or has no such task.
    """
    suite, task = declared_task(name)
    path = name.rpartition("#")[0] or name
    environment: Environment
    if task.on_phone:
        # Only here: a game needs no adb.
        phone = import_module("eyehand.envs.android.declared").DeclaredPhone
        environment = phone(suite, task, **options)
    else:
        environment = DeclaredEnvironment(suite, task, **options)
    environment.spec_uri = f"suite:{path}#{task.name}"
    return environment


def _prepare(suite: SuiteFile) -> None:
    """Import the suite's packages; before MuJoCo is imported, choose how it renders."""
    if suite.mujoco:
        _import("mujoco", suite)
        prepare_display()
    for package in suite.packages:
        _import(package, suite)


def _import(package: str, suite: SuiteFile) -> None:
    try:
        with mujoco_display():
            import_module(package)
    except ImportError as error:
        how = suite.install or f"install the package that provides {package!r}"
        raise MissingExtra(f"the suite {suite.suite!r} needs {package}: {how} ({error})") from error
