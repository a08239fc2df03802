"""The scripted answers of the throughput benchmark: clicks that solve a MiniWoB++ task.

They are found once, before anything is timed, by eyehand's experts, and then played by all sides.
"""

from collections.abc import Sequence
from typing import Any

from benchmarks.step.runners import CLICK_AT
from eyehand.actions import ActionSpace
from eyehand.actions.web import Click
from eyehand.agent.experts import miniwob as miniwob_expert
from eyehand.agent.policies.base import Conversation, Policy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import EnvironmentFault, UsageError

MOST_CLICKS = 6
"""More clicks than any solution of these tasks has."""

Clicks = list[tuple[float, float]]
"""Points in CSS pixels, in order."""


def find_answers(task: str, seeds: Sequence[int], steps: int) -> dict[int, Clicks]:
    """Return for each seed the clicks that solve it.

    Clicks at the instruction's bar, which change nothing, go before them until there are `steps`.

    Args:
        task: A name of MiniWoB++ whose expert only clicks.
        seeds: Of the page's generator.
        steps: Clicks an episode; a solution with more of them is not cut.

    Raises:
        UsageError: the task has no expert, or it does more than click.
        EnvironmentFault: the browser failed, or the expert did not solve a seed.
    """
    if task not in miniwob_expert.EXPERT_TASKS:
        known = ", ".join(miniwob_expert.EXPERT_TASKS)
        raise UsageError(f"{task!r} has no expert to write the answers; there are: {known}")
    environment = MiniWobEnvironment(task)
    miniwob_expert.install(environment)
    try:
        found = {seed: _solve(environment, seed) for seed in seeds}
    finally:
        environment.close()
    return {seed: [CLICK_AT] * (steps - len(clicks)) + clicks for seed, clicks in found.items()}


def _solve(environment: MiniWobEnvironment, seed: int) -> Clicks:
    environment.reset(seed=seed)
    clicks: Clicks = []
    for _ in range(MOST_CLICKS):
        action = dict(miniwob_expert.questions(environment)).get(environment.instruction or "")
        if action is None:
            break
        if not isinstance(action, Click):
            raise UsageError(f"the answers are clicks, and {environment.task} needs {action.name}")
        clicks.append(environment.geometry.to_device(action.point))
        _, reward, terminated, _, _ = environment.step(action)
        if terminated and reward == 1.0:
            return clicks
    raise EnvironmentFault(f"the expert did not solve {environment.spec_uri} with seed {seed}")


class ScriptedAnswers(Policy):
    """Plays the clicks of the episode's seed.

    Args:
        task: A name of MiniWoB++.
        answers: Seed to clicks.
    """

    name = "scripted"
    placement = "worker"

    def __init__(self, task: str, answers: dict[int, Clicks]) -> None:
        geometry = MiniWobEnvironment(task).geometry
        self._scripts = {
            seed: [Click(point=geometry.to_point(*point)) for point in clicks]
            for seed, clicks in answers.items()
        }

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin at the first click.

        Raises:
            UsageError: there are no answers for the seed.
        """
        if seed is None or seed not in self._scripts:
            raise UsageError(f"there are no scripted answers for seed {seed}")
        return ScriptedPolicy(self._scripts[seed]).start(task, action_space, seed)

    def describe(self) -> dict[str, Any]:
        """Return the name and how many episodes there are answers for."""
        return {"name": self.name, "episodes": len(self._scripts)}
