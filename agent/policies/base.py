"""Policy and Conversation: who decides, where that is, and what a decision is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from eyehand.actions import Action, ActionSpace
from eyehand.envs.env import Environment, Observation
from eyehand.errors import ModelFeedback, UsageError

TokenCallback = Callable[[str], None]
"""Receives each piece of text as it is generated."""


COST = "cost_microusd"
"""Beside the counts of tokens: what they cost, in millionths of a US dollar."""


def dollars(tokens: Mapping[str, float]) -> float:
    """Return what counted tokens cost, in US dollars; 0 where they have no price."""
    return tokens.get(COST, 0) / 1e6


@dataclass(frozen=True)
class Decision:
    """What a policy decided at one observation.

    Attributes:
        thought: The text before the call; empty where there is none.
        action: The parsed and validated action, or None where the answer held none.
        error: Why there is no action: the typed parse failure; None with an action.
        raw_text: The answer exactly as it was generated.
        not_performed: Further calls of the same answer, as text; they are reported, not performed.
        timings_s: Seconds by part, such as "preprocess", "vision", "prefill", "decode", "parse".
        tokens: Token counts, such as "prompt", "generated", "image"; and `COST` where the model
            has a price. A grounder's have "grounder." before them.
        details: What else the record keeps, JSON-ready.
    """

    thought: str = ""
    action: Action | None = None
    error: ModelFeedback | None = None
    raw_text: str = ""
    not_performed: tuple[str, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


class Conversation(ABC):
    """One episode's history, append-only. `decide` is called once a step."""

    @abstractmethod
    def decide(self, observation: Observation) -> Decision:
        """Look at the observation and decide.

        Args:
            observation: The screen now; `observation.feedback` says what became of the previous
                decision, also where that one held no valid action.
        """


Request = tuple[Conversation, Observation]
"""A conversation of this policy, and what it has to decide on."""


Own = TypeVar("Own", bound=Conversation)


def started_by(policy: "Policy", conversation: Conversation, kind: type[Own]) -> Own:
    """Return a conversation as one of a policy's own, which knows it as `policy`.

    Raises:
        UsageError: another policy started it.
    """
    if not isinstance(conversation, kind) or getattr(conversation, "policy", None) is not policy:
        raise UsageError("a policy decides only for the conversations that it started")
    return conversation


Placement = Literal["worker", "shared"]
"""Where a policy decides: a copy in every worker, or one place for all of them."""


class Policy(ABC):
    """Starts conversations. One policy serves many episodes, one after the other or interleaved.

    A policy of one's own defines `start`. `eyehand eval --policy MODULE:CLASS` makes one object
    for all tasks, or one for each task where the constructor takes an argument `spec`.

    Attributes:
        name: Short name for records and tables ("model", "random", "expert").
        placement: "worker": every worker gets a copy, which is pickled, and decides for itself.
            "shared": one object decides for all workers, as a model does. The default is
            "shared", and "worker" for a class that defines `bind`.
    """

    name: str = "policy"
    placement: Placement = "shared"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "bind" in cls.__dict__ and "placement" not in cls.__dict__:
            cls.placement = "worker"  # the environment is there

    @abstractmethod
    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode.

        Args:
            task: What to do, in words.
            action_space: The actions that this episode permits.
            seed: Fixes the policy's own randomness, where it has any.
        """

    def bind(self, environment: Environment, seed: int | None = None) -> None:  # noqa: B027
        """Take the environment of the next episode, before it is reset and `start` is called.

        For privileged policies, which read more than the screen. Most do not define this.

        Args:
            environment: It is reset next; what an expert reads of it is there from `start` on.
            seed: What it is reset with.
        """

    def set_batch_size(self, batch: int) -> None:  # noqa: B027 - most policies need not know
        """Hear how many conversations are decided in one call at most, before the first one.

        A policy whose arithmetic depends on how much it computes at once rounds every decision as
        in a full call, so that none depends on who else was ready.

        Args:
            batch: 1 or more.
        """

    def set_conversations(self, count: int) -> None:  # noqa: B027 - most policies need not know
        """Hear how many conversations are held at once at most, before the first one.

        A policy whose conversations share its memory bounds each to its share of it.

        Args:
            count: 1 or more.
        """

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        """Decide for several conversations, each at its own observation.

        One after the other by default; a policy that can share work between them overrides this.

        Args:
            requests: Conversations that this policy started, each at most once.

        Returns:
            A decision a request, in their order.
        """
        return [conversation.decide(observation) for conversation, observation in requests]

    def split(self) -> "tuple[Policy, Policy | None]":
        """Return what goes to the workers, and who decides elsewhere for them.

        Returns:
            The policy for the workers, and the one that it asks; None where it asks nobody.
        """
        return (self, None) if self.placement == "worker" else (InferenceClient(self), self)

    def connect(self, ask: "RequestFunction") -> None:  # noqa: B027 - most decide by themselves
        """Tell a policy that came from `split` how to ask.

        Args:
            ask: Sends a request and waits for the reply.
        """

    def shown_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size at which a screen is seen, in pixels: what pixel coordinates refer to.

        Args:
            width_px: The screen's width.
            height_px: Its height.
        """
        return width_px, height_px

    def describe(self) -> dict[str, Any]:
        """Return what the record should keep about the policy (model folder, sampling, codec)."""
        return {"name": self.name}


@dataclass(frozen=True)
class ConversationStart:
    """A conversation to start: the arguments of `Policy.start`."""

    task: str
    action_space: ActionSpace
    seed: int | None


@dataclass(frozen=True)
class DecisionRequest:
    """An observation to decide on; the first one of an episode begins its conversation."""

    observation: Observation
    begin: ConversationStart | None = None


@dataclass(frozen=True)
class DecisionReply:
    """What the policy decided, or what it raised."""

    decision: Decision | None = None
    error: BaseException | None = None


RequestFunction = Callable[[DecisionRequest], DecisionReply]
"""Sends an observation to where the policy is, and waits for what it decides."""


class InferenceClient(Policy):
    """Sends each observation to where the policy is, and waits for its decision.

    Args:
        policy: Who decides; only its name and its description are kept.
    """

    placement = "worker"

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self._described = policy.describe()
        self._ask: RequestFunction | None = None

    def connect(self, ask: RequestFunction) -> None:
        """Set how to ask."""
        self._ask = ask

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; the policy hears of it with the first observation.

        Raises:
            UsageError: nobody has connected it.
        """
        if self._ask is None:
            raise UsageError("a policy that decides elsewhere works only inside a worker")
        # Neither handlers nor the generator: whoever decides needs to know the types alone.
        begin = ConversationStart(task, ActionSpace(action_space.types), seed)
        return _ClientConversation(self._ask, begin)

    def shown_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size at which a screen is seen, in pixels: what pixel coordinates refer to.

        Args:
            width_px: The screen's width.
            height_px: Its height.
        """
        return width_px, height_px

    def describe(self) -> dict[str, Any]:
        """Return the deciding policy's description."""
        return self._described


class _ClientConversation(Conversation):
    def __init__(self, ask: RequestFunction, begin: ConversationStart) -> None:
        self._ask = ask
        self._begin: ConversationStart | None = begin

    def decide(self, observation: Observation) -> Decision:
        """Ask; what the policy raised is raised here, where the episode deals with it."""
        begin, self._begin = self._begin, None
        reply = self._ask(DecisionRequest(observation, begin))
        if reply.error is not None:
            raise reply.error
        if reply.decision is None:
            raise UsageError("the policy answered with neither a decision nor an error")
        return reply.decision
