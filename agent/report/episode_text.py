"""An episode as Markdown, to paste into a message or an issue."""

from eyehand.agent.ending import word_label
from eyehand.agent.printable import printable
from eyehand.agent.results.summary import shown_name
from eyehand.agent.trajectory.reader import Trajectory
from eyehand.agent.trajectory.records import StepRecord

LONGEST_CELL = 300


def episode_markdown(trajectory: Trajectory) -> str:
    """Return the task, how it ended and a table of the steps."""
    episode, outcome = trajectory.episode, trajectory.outcome
    label = outcome.outcome.label if outcome else "no outcome was recorded"
    facts = [f"environment {plain(shown_name(episode.spec))}"]
    facts += [] if episode.seed is None else [f"seed {episode.seed}"]
    facts += [f"policy {plain(str(episode.policy.get('name', 'policy')))}"]
    facts += [f"{len(trajectory.steps)} of at most {episode.max_steps} steps"]
    facts += [f"{outcome.seconds:.1f} s, reward {outcome.reward:g}"] if outcome else []
    lines = [f"# {plain(episode.task or 'No task was set')}", "", f"**{label}**: "]
    lines[-1] += outcome.outcome.explanation if outcome else "the process ended before the episode"
    if outcome and outcome.message:
        lines += ["", f"{word_label(outcome.outcome, trajectory.last_action)}: "]
        lines[-1] += plain(outcome.message)
    lines += ["", f"{'; '.join(facts)}.", ""]
    return "\n".join([*lines, *_steps(trajectory.steps)]) + "\n"


def _steps(steps: list[StepRecord]) -> list[str]:
    if not steps:
        return ["No step was taken."]
    cells = [(str(s.index), _cell(s.thought), _cell(_action(s)), _cell(_result(s))) for s in steps]
    rows = [f"| {' | '.join(row)} |" for row in cells]
    return ["| step | thought | action | result |", "| --- | --- | --- | --- |", *rows]


def _action(step: StepRecord) -> str:
    return step.action.shown if step.action else "none"


def _result(step: StepRecord) -> str:
    return step.error.message if step.error else step.effect


def plain(text: str) -> str:
    """Return a text in one line in which nothing is Markdown, HTML or a control character."""
    line = " ".join(printable(text).split())
    for mark in "\\`*_[]<>#|":
        line = line.replace(mark, f"\\{mark}")
    return line


def _cell(text: str) -> str:
    return plain(text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}...")
