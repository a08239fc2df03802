"""How an episode can end. The outcomes are never merged."""

from dataclasses import dataclass
from enum import StrEnum

from eyehand.actions import Action
from eyehand.actions.web import Answer, Finish

EXIT_SUCCESS = 0
EXIT_NO_SUCCESS = 1
EXIT_USAGE = 2
EXIT_FAULT = 3
EXIT_INTERRUPTED = 130


class Outcome(StrEnum):
    """The end of an episode, told apart by who says so."""

    SUCCEEDED = "succeeded"
    """The environment's own verdict is that the task is solved."""
    FAILED = "failed"
    """The environment's own verdict is that it is not."""
    CLAIMED = "claimed"
    """The policy says that it solved the task, and no verdict exists."""
    GAVE_UP = "gave_up"
    """The policy finished with status "failure"."""
    ENDED = "ended"
    """The environment ended the episode and has no verdict (a game without a success rule)."""
    STEP_LIMIT = "step_limit"
    """The limit of steps, ours or the environment's own, came first."""
    TIME_LIMIT = "time_limit"
    """The limit of seconds came first."""
    TOKEN_LIMIT = "token_limit"
    """The limit of tokens, read and written, came first."""
    REFUSED = "refused"
    """The guard did not permit an action."""
    STOPPED = "stopped"
    """A person stopped the episode."""
    ENVIRONMENT_FAULT = "environment_fault"
    """Infrastructure failed: says nothing about the policy."""

    @property
    def exit_status(self) -> int:
        """The exit status of `eyehand run` for this outcome."""
        if self in (Outcome.SUCCEEDED, Outcome.CLAIMED):
            return EXIT_SUCCESS
        special = {Outcome.STOPPED: EXIT_INTERRUPTED, Outcome.ENVIRONMENT_FAULT: EXIT_FAULT}
        return special.get(self, EXIT_NO_SUCCESS)

    @property
    def label(self) -> str:
        """The outcome in words: "gave up"."""
        return self.value.replace("_", " ")

    @property
    def explanation(self) -> str:
        """What the outcome means, and who says so, in a sentence."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Outcome.SUCCEEDED: "the environment found the task solved",
    Outcome.FAILED: "the environment found the task not solved",
    Outcome.CLAIMED: "the model says that the task is solved; nothing here can check it",
    Outcome.GAVE_UP: "the model said that it cannot solve the task",
    Outcome.ENDED: "the environment ended the episode and does not say whether it was a success",
    Outcome.STEP_LIMIT: "the limit of steps came first",
    Outcome.TIME_LIMIT: "the limit of seconds came first",
    Outcome.TOKEN_LIMIT: "the limit of tokens came first",
    Outcome.REFUSED: "the guard did not permit an action",
    Outcome.STOPPED: "a person stopped the episode",
    Outcome.ENVIRONMENT_FAULT: "infrastructure failed; this says nothing about the model",
}


@dataclass(frozen=True)
class Ending:
    """An outcome and what there is to say about it.

    Attributes:
        outcome: How the episode ended.
        message: The policy's last word, or the reason of a fault; may be empty.
        verdict: The environment's own judgement; None where it has none.
    """

    outcome: Outcome
    message: str = ""
    verdict: bool | None = None


def judge(
    action: Action | None, verdict: bool | None, terminated: bool, truncated: bool
) -> Ending | None:
    """Return how a step ended its episode, or None where the episode goes on.

    The environment's verdict outranks the policy's word, but for a policy that gives up: that is
    `gave_up` even where the environment adds that the task is unsolved.

    Args:
        action: What was performed; None where the answer held no valid action.
        verdict: The environment's judgement, or None.
        terminated: The environment says that the task reached an end state.
        truncated: The environment says that an outer limit came first.
    """
    final = isinstance(action, Answer | Finish)
    if not (terminated or truncated or final):
        return None
    message = last_word(action)
    if verdict:
        return Ending(Outcome.SUCCEEDED, message, verdict)
    if isinstance(action, Finish) and action.status == "failure":
        return Ending(Outcome.GAVE_UP, message, verdict)
    if truncated and not terminated and not final:
        outcome = Outcome.STEP_LIMIT if verdict is None else Outcome.FAILED
        return Ending(outcome, "the environment's own limit came first", verdict)
    if verdict is False:
        return Ending(Outcome.FAILED, message, verdict)
    return Ending(Outcome.CLAIMED if final else Outcome.ENDED, message, verdict)


def word_label(outcome: Outcome, last_action: str | None) -> str:
    """Return what an outcome's message is: the model's answer, its last word, or a reason.

    Args:
        outcome: How the episode ended.
        last_action: Name of the last action that was decided; None where there was none.
    """
    by_word = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CLAIMED, Outcome.GAVE_UP, Outcome.ENDED)
    if outcome not in by_word or last_action not in (Answer.name, Finish.name):
        return "Reason"
    return "Answer" if last_action == Answer.name else "Last word"


def last_word(action: Action | None) -> str:
    """Return the text of an answer, or the message of a finish; empty for anything else."""
    if isinstance(action, Answer):
        return action.text
    return (action.message or "") if isinstance(action, Finish) else ""
