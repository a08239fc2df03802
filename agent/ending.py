"""Ending: how an episode ended, by which rules; Episode: what became of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyehand.actions import Action
from eyehand.actions.web import Answer, Finish
from eyehand.agent.outcome import Outcome
from eyehand.agent.trajectory.records import StepRecord


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


@dataclass(frozen=True)
class Episode:
    """What became of an episode.

    Attributes:
        outcome: How it ended.
        message: The policy's answer or last word, or the reason of a fault.
        task: What was asked: the environment's own instruction where it has one.
        unused_task: The task that was given although the environment sets its own; else None.
        spec: The environment's URI.
        seed: The environment's seed, or None.
        verdict: The environment's own judgement, or None.
        gives_verdict: Whether there was one to be had; None where that is not known.
        reward: Sum of the rewards.
        seconds: Wall-clock seconds, the reset included.
        steps: The steps' records, in order.
        details: What the environment said at the last step.
        folder: The trajectory's folder, or None.
    """

    outcome: Outcome
    message: str
    task: str
    unused_task: str | None
    spec: str
    seed: int | None
    verdict: bool | None
    reward: float
    seconds: float
    steps: list[StepRecord]
    details: dict[str, Any]
    folder: Path | None
    gives_verdict: bool | None = None

    def summary(self) -> dict[str, Any]:
        """Return the episode without its steps, JSON-ready: what `eyehand run --json` prints."""
        return {
            "outcome": self.outcome.value,
            "message": self.message,
            "task": self.task,
            "unused_task": self.unused_task,
            "spec": self.spec,
            "seed": self.seed,
            "verdict": self.verdict,
            "reward": self.reward,
            "steps": len(self.steps),
            "seconds": round(self.seconds, 3),
            "folder": str(self.folder) if self.folder else None,
        }


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
