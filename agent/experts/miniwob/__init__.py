"""Experts for MiniWoB++: they read the page's structure, which the agent never sees."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from playwright.async_api import Page

from eyehand.actions import Action, ActionSpace
from eyehand.agent.experts.miniwob.tasks import EXPERT_TASKS, FAMILIES
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.reading import as_words, reading_script
from eyehand.envs.env import Environment, Observation, ScreenGeometry
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import ActionHadNoEffect, UsageError
from eyehand.model.training.pages import Word

__all__ = [
    "EXPERT_TASKS", "ExpertAnswer", "MiniWobExpert", "Question", "answers", "expert_script",
    "install", "questions", "words",
]  # fmt: skip

Question = tuple[str, Action]
"""An instruction and the action that follows it on the current screen."""

_POINTS = ("point", "start", "end")


@dataclass(frozen=True)
class ExpertAnswer:
    """What an expert answers to one instruction.

    Attributes:
        instruction: What was asked.
        action: What follows on the current screen.
        thought: What is seen there that decides it, in a short sentence.
    """

    instruction: str
    action: Action
    thought: str


@cache
def expert_script() -> str:
    """Return the script that holds the experts of every task."""
    folder = files("eyehand.agent.experts.miniwob")
    own = [folder.joinpath(f"{n}.js").read_text(encoding="utf-8") for n in ("shared", *FAMILIES)]
    return "\n".join((reading_script(), *own))


def install(environment: MiniWobEnvironment) -> None:
    """Load the experts into the environment's page, before its first reset."""
    if expert_script() not in environment.page_scripts:
        environment.page_scripts.append(expert_script())


def answers(environment: MiniWobEnvironment, others: bool = True) -> list[ExpertAnswer]:
    """Return what the current screen answers: the episode's own task first.

    The list is empty where the expert knows no way on; it begins with another instruction than
    the episode's where that one cannot be carried out (a target that lies under another, a wrong
    step that no action takes back). It depends on the page as it is, not on who brought it there,
    so it may be asked at any step of anyone's episode.

    Args:
        environment: Where `install` was called before the page was loaded.
        others: Also answer other instructions that the screen could be given.
    """
    names = list(environment.action_space.names)
    found: list[Any] = environment.page_call(_ask, [environment.task, names, others])
    geometry = environment.geometry
    return [
        ExpertAnswer(instruction, _action(environment, geometry, call), call["thought"])
        for instruction, call in found
    ]


def questions(environment: MiniWobEnvironment) -> list[Question]:
    """Return the instructions and actions of `answers`."""
    return [(answer.instruction, answer.action) for answer in answers(environment)]


def words(environment: MiniWobEnvironment) -> list[Word]:
    """Return the visible words of the current screen with the places of their characters.

    Places are in pixels of the screen. Text that is painted on a canvas is not found.

    Args:
        environment: Where `install` was called before the page was loaded.
    """
    geometry = environment.geometry
    across = geometry.width_px / geometry.device_width
    down = geometry.height_px / geometry.device_height
    area = [geometry.device_width, geometry.device_height]
    return as_words(environment.page_call(_read, area), across, down)


async def _read(page: Page, area: list[float]) -> Any:
    return await page.evaluate("(area) => eyehandCharacters(...area)", area)


async def _ask(page: Page, arguments: list[Any]) -> Any:
    return await page.evaluate("(given) => eyehandQuestions(...given)", arguments)


def _action(
    environment: MiniWobEnvironment, geometry: ScreenGeometry, call: dict[str, Any]
) -> Action:
    """Turn a call in CSS pixels into an action of the environment."""
    arguments = {
        field: geometry.to_point(*value) if field in _POINTS else value
        for field, value in call.items()
        if field not in ("name", "thought")
    }
    return environment.action_space.build(call["name"], arguments)


class MiniWobExpert(Policy):
    """Solves the tasks of `EXPERT_TASKS` from the structure of their pages."""

    name = "expert"

    def __init__(self) -> None:
        self._environment: MiniWobEnvironment | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Take the environment, and see to it that its page holds the experts' script.

        One that was loaded without the script is closed: the next reset loads it with the script.
        """
        if not isinstance(environment, MiniWobEnvironment):
            raise UsageError(f"this expert solves MiniWoB++, not {environment.spec_uri}")
        self._environment = environment
        if expert_script() not in environment.page_scripts:
            install(environment)
            environment.close()

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        if self._environment is None:
            raise UsageError("an expert needs its environment: call bind() first")
        return _MiniWobMoves(self._environment)


class _MiniWobMoves(Conversation):
    def __init__(self, environment: MiniWobEnvironment) -> None:
        self._environment = environment

    def decide(self, observation: Observation) -> Decision:
        """Return the expert's answer to the task; none where the page offers no way on."""
        own = answers(self._environment, others=False)
        if not own:
            return Decision(error=ActionHadNoEffect("the expert sees no way on"))
        answer = own[0]
        return Decision(thought=answer.thought, action=answer.action)
