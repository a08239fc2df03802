"""Episodes of the experts through every dialect: server, reader, coordinates, environment.

python -m benchmarks.dialects --dialect ui-tars --task miniwob:click-tab,cards:number-line
"""

import base64
import io
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from benchmarks.dialects.server import ScriptedServer
from benchmarks.playing import FAULT, played
from eyehand.actions import Action, ActionSpace
from eyehand.agent.experts import expert_for
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.models.endpoint import EndpointPolicy
from eyehand.envs.env import Environment, Observation
from eyehand.errors import EnvironmentFault, UsageError
from eyehand.prompts.dialects import make_dialect


class Spoken(Policy):
    """An expert whose actions go through a dialect and a server before they are performed.

    Args:
        spec: The environment, which says who the expert is.
        dialect: The dialect's name.

    Attributes:
        unsaid: Names of the actions that the dialect has no words for, counted.
        changed: Actions that came back as others, by name, counted.
    """

    name = "spoken"

    def __init__(self, spec: str, dialect: str) -> None:
        self._expert = expert_for(spec)
        self._dialect = make_dialect(dialect)
        self.server = ScriptedServer(self._answer)
        self.served = EndpointPolicy(self.server.url, "expert", self._dialect)
        self.unsaid: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.next: tuple[Action, str] | None = None
        self._pointer: Any = None
        self._lock = threading.Lock()

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Show the expert the environment."""
        self._expert.bind(environment, seed)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin both conversations."""
        self._pointer = None
        return _Spoken(
            self, self._expert.start(task, action_space, seed),
            self.served.start(task, action_space, seed),
        )  # fmt: skip

    def say(self, decision: Decision) -> None:
        """Keep what the server answers next."""
        if decision.action is None:
            raise UsageError("the expert has no action")
        self.next = (decision.action, decision.thought)

    def close(self) -> None:
        """Stop the server."""
        self.server.close()

    def _answer(self, request: dict[str, Any]) -> str:
        """Write the expert's action as the model would, in the numbers of the sent picture."""
        codec = self._dialect.codec
        if self.next is None:
            return "nothing"
        action, thought = self.next
        where = codec.coordinates(None, *_picture_size(request), pointer=self._pointer)
        if action.points():
            self._pointer = list(action.points().values())[-1]
        try:
            return codec.write(action, where, thought)
        except UsageError:
            self.unsaid[action.name] += 1
            return "I have no words for this."


class _Spoken(Conversation):
    def __init__(self, policy: Spoken, expert: Conversation, served: Conversation) -> None:
        self._policy, self._expert, self._served = policy, expert, served

    def decide(self, observation: Observation) -> Decision:
        """Let the expert decide, and hear it from the server."""
        meant = self._expert.decide(observation)
        if meant.action is None:  # nothing was heard, or the expert knows no way from here
            return meant
        self._policy.say(meant)
        heard = self._served.decide(observation)
        if heard.action is not None and meant.action is not None:
            if type(heard.action) is not type(meant.action):
                self._policy.changed[meant.action.name] += 1
        return heard


def _picture_size(request: dict[str, Any]) -> tuple[int, int]:
    """Return the size of the newest picture in a request.

    Raises:
        UsageError: there is none.
    """
    for message in reversed(request["messages"]):
        if isinstance(message["content"], list):
            for part in reversed(message["content"]):
                if part["type"] == "image_url":
                    data = part["image_url"]["url"].split(",", 1)[1]
                    return Image.open(io.BytesIO(base64.b64decode(data))).size
    raise UsageError("the request shows no picture")


@dataclass
class Rate:
    """What came of one task in one dialect.

    Attributes:
        succeeded: Episodes that did.
        episodes: All that were counted.
        faults: Episodes that were lost to the environment.
        unsaid: Names of actions without words, counted.
        changed: Names of actions that came back as others, counted.
    """

    succeeded: int = 0
    episodes: int = 0
    faults: int = 0
    unsaid: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)


def measure(
    spec: str, dialect: str, seeds: range, environment: Environment,
    follow: Callable[[str], None] = print,
) -> Rate:  # fmt: skip
    """Run the expert's episodes through a dialect.

    Args:
        spec: The task.
        dialect: The dialect's name.
        seeds: One episode each.
        environment: Of that task; it stays open.
        follow: Receives a line for an episode that did not succeed.
    """
    rate = Rate(unsaid=Counter(), changed=Counter())
    policy = Spoken(spec, dialect)
    try:
        for seed in seeds:
            episode = played(policy, environment, seed)
            rate.faults += episode.outcome == FAULT
            rate.episodes += episode.outcome != FAULT
            rate.succeeded += episode.outcome == "succeeded"
            if episode.outcome != "succeeded":
                follow(f"{dialect} {spec} seed {seed}: {episode.outcome}: {episode.message}")
    finally:
        with suppress(EnvironmentFault):
            policy.close()
    rate.unsaid, rate.changed = policy.unsaid, policy.changed
    return rate
