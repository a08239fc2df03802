"""ScriptedPolicy: a fixed list of actions or raw answers; runs the loop without a model."""

from collections.abc import Sequence

from eyehand.actions import Action, ActionSpace, Coordinates
from eyehand.actions.codecs import Codec, make_codec
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.envs.env import Observation
from eyehand.errors import Unparsable


class ScriptedPolicy(Policy):
    r"""Plays a script: an Action is performed as it is, a text is parsed like a model's answer.

    Past its end the answer is empty, which uses one step each, like any answer without a call.

    Args:
        script: What to answer, step by step.
        codec: Parses the texts; the Qwen2-VL keyword pattern by default.

    Example:
        >>> policy = ScriptedPolicy(['✿FUNCTION✿: reload\n✿ARGS✿: {}'])
    """

    name = "scripted"

    def __init__(self, script: Sequence[Action | str], codec: Codec | None = None) -> None:
        self.script = tuple(script)
        self.codec = codec or make_codec()

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin at the first line of the script."""
        return _ScriptedConversation(self, action_space)


class _ScriptedConversation(Conversation):
    def __init__(self, policy: ScriptedPolicy, action_space: ActionSpace) -> None:
        self._lines = iter(policy.script)
        self._codec = policy.codec
        self._space = action_space

    def decide(self, observation: Observation) -> Decision:
        """Answer the next line."""
        line = next(self._lines, None)
        if line is None:
            return Decision(error=Unparsable("the script has no further line"))
        if isinstance(line, Action):
            return Decision(action=line, raw_text=self._codec.write(line))
        parsed = self._codec.parse(
            line, self._space, Coordinates(screen=observation.geometry.screen)
        )
        return Decision(
            thought=parsed.thought,
            action=parsed.action,
            error=parsed.error,
            raw_text=line,
            not_performed=parsed.not_performed,
        )
