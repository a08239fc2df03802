"""The expert of the simulated phone: it reads the hierarchy and acts as anyone else does."""

from eyehand.actions import ActionSpace
from eyehand.agent.experts.phone.moves import Plan
from eyehand.agent.experts.phone.plans import PLANS
from eyehand.agent.experts.phone.view import PhoneView
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Environment, Observation
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.errors import ActionHadNoEffect, ModelFeedback, UsageError

EXPERT_TASKS = tuple(PLANS)
"""The tasks that have an expert."""


class PhoneExpert(Policy):
    """Solves the phone's tasks by plans that read its hierarchy and its state.

    It is privileged in what it reads; it acts through the environment's actions only.
    """

    name = "expert"

    def __init__(self) -> None:
        self._environment: PhoneEnvironment | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Take the environment whose phone is read.

        Raises:
            UsageError: it is no phone.
        """
        if not isinstance(environment, PhoneEnvironment):
            raise UsageError(f"this expert works the phone, not {environment.spec_uri}")
        self._environment = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode."""
        if self._environment is None:
            raise UsageError("an expert needs its environment: call bind() first")
        view = PhoneView(self._environment)
        return _PhoneMoves(view, PLANS[self._environment.task](view))


class _PhoneMoves(Conversation):
    def __init__(self, view: PhoneView, plan: Plan) -> None:
        self._view = view
        self._plan = plan

    def decide(self, observation: Observation) -> Decision:
        """Return the plan's next action; none where it ends or finds no way on."""
        self._view.geometry = observation.geometry
        try:
            action = next(self._plan, None)
        except ModelFeedback as feedback:
            return Decision(error=feedback)
        if action is None:
            return Decision(error=ActionHadNoEffect("the expert's plan has come to its end"))
        return Decision(action=action)
