"""How an episode can end, and the exit statuses of the commands. Outcomes are never merged.

This module imports nothing of ours, so that a short command loads nothing else.
"""

from enum import StrEnum

EXIT_SUCCESS = 0
EXIT_NO_SUCCESS = 1
EXIT_USAGE = 2
EXIT_FAULT = 3
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""Nobody reads standard output any more, as after `| head`."""


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
    COST_LIMIT = "cost_limit"
    """The limit of what the model may cost came first."""
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
    Outcome.COST_LIMIT: "the limit of the cost came first",
    Outcome.REFUSED: "the guard did not permit an action",
    Outcome.STOPPED: "a person stopped the episode",
    Outcome.ENVIRONMENT_FAULT: "infrastructure failed; this says nothing about the model",
}
