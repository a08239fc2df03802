"""Experts for MiniWoB++: they read the page's structure, which the agent never sees."""

from functools import cache
from importlib.resources import files
from typing import Any

from playwright.async_api import Page

from eyehand.actions import Action, ActionSpace
from eyehand.agent.policy import Conversation, Decision, Policy
from eyehand.envs.env import Environment, Observation, ScreenGeometry
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import ActionHadNoEffect, UsageError

Question = tuple[str, Action]
"""An instruction and the action that follows it on the current screen."""

EXPERT_TASKS = (
    "click-button", "click-collapsible-nodelay", "click-color", "click-dialog", "click-dialog-2",
    "click-link", "click-shape", "click-tab", "click-test", "click-test-2", "click-widget",
    "count-sides", "drag-box", "enter-text", "focus-text", "focus-text-2", "grid-coordinate",
    "identify-shape",
)  # fmt: skip
"""The tasks that have an expert."""


@cache
def expert_script() -> str:
    """Return the script that holds the experts of every task."""
    return files("eyehand.agent.experts").joinpath("miniwob.js").read_text(encoding="utf-8")


def install(environment: MiniWobEnvironment) -> None:
    """Load the experts into the environment's page, before its first reset."""
    if expert_script() not in environment.page_scripts:
        environment.page_scripts.append(expert_script())


def questions(environment: MiniWobEnvironment) -> list[Question]:
    """Return what the current screen answers: the episode's own task first.

    The list is empty where the expert knows no way on; it begins with another instruction than
    the episode's where that one cannot be carried out (a target that lies under another).
    """
    found: list[Any] = environment.page_call(_ask, environment.task)
    geometry = environment.geometry
    return [(instruction, _action(environment, geometry, call)) for instruction, call in found]


async def _ask(page: Page, task: str) -> Any:
    return await page.evaluate("(task) => eyehandQuestions(task)", task)


def _action(
    environment: MiniWobEnvironment, geometry: ScreenGeometry, call: dict[str, Any]
) -> Action:
    """Turn a call in CSS pixels into an action of the environment."""
    arguments = {
        field: geometry.to_point(*value) if isinstance(value, list) else value
        for field, value in call.items()
        if field != "name"
    }
    return environment.action_space.build(call["name"], arguments)


class MiniWobExpert(Policy):
    """Solves the tasks of `EXPERT_TASKS` from the structure of their pages."""

    name = "expert"

    def __init__(self) -> None:
        self._environment: MiniWobEnvironment | None = None

    def bind(self, environment: Environment) -> None:
        """Take the environment, and see to it that its page holds the experts' script.

        A page that was loaded without the script is loaded again with it, at the same seed.
        """
        if not isinstance(environment, MiniWobEnvironment):
            raise UsageError(f"this expert solves MiniWoB++, not {environment.spec_uri}")
        self._environment = environment
        if expert_script() not in environment.page_scripts:
            install(environment)
            environment.close()
            environment.reset(seed=environment.seed)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        if self._environment is None:
            raise UsageError("an expert needs its environment: call bind() first")
        return _MiniWobMoves(self._environment, task)


class _MiniWobMoves(Conversation):
    def __init__(self, environment: MiniWobEnvironment, task: str) -> None:
        self._environment = environment
        self._task = task

    def decide(self, observation: Observation) -> Decision:
        """Return the expert's answer to the task; none where the page offers no way on."""
        answers = dict(questions(self._environment))
        action = answers.get(self._task)
        if action is None:
            return Decision(error=ActionHadNoEffect("the expert sees no way on"))
        return Decision(action=action)
