"""A fuzzer for the codecs: half-broken answers by the million, and what must hold for each.

For every input: nothing is raised; exactly one of action and error is set; the action is contained
in the action space; texts can be encoded. Run it as a command::

    python -m benchmarks.fuzz.codecs --inputs 1000000 --seed 0
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from benchmarks.fuzz.codec_inputs import AnswerGenerator
from eyehand.actions.action import Action
from eyehand.actions.codecs import Codec, Parsed, make_codec
from eyehand.actions.space import ActionSpace
from eyehand.actions.web import WEB_ACTIONS, Click
from eyehand.errors import ModelFeedback

MAX_VIOLATIONS = 10
_REWRITTEN_EVERY = 16


@dataclass
class FuzzReport:
    """What a run found.

    Attributes:
        inputs: How many answers were parsed.
        seed: The run's seed; the same seed makes the same inputs.
        outcomes: Count by outcome: "action", or the class of the error.
        by_codec: The same count by codec, as "codec/outcome".
        with_further_calls: Answers that held more than one call.
        violations: What did not hold, with the input; at most `MAX_VIOLATIONS` are kept.
        seconds: Wall time of the run.
        slowest_ms: The longest time that one parse took, in milliseconds.
    """

    inputs: int
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    by_codec: Counter[str] = field(default_factory=Counter)
    with_further_calls: int = 0
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest_ms: float = 0.0

    def as_json(self) -> str:
        """Return the report as JSON, counts in descending order."""
        shown = dict(vars(self))
        shown["outcomes"] = dict(self.outcomes.most_common())
        shown["by_codec"] = dict(sorted(self.by_codec.items()))
        shown["inputs_per_second"] = round(self.inputs / max(self.seconds, 1e-9))
        shown["seconds"] = round(self.seconds, 1)
        shown["slowest_ms"] = round(self.slowest_ms, 1)
        return json.dumps(shown, indent=2)


def fuzz(inputs: int, seed: int) -> FuzzReport:
    """Parse generated answers with every codec, and check what must hold.

    Args:
        inputs: How many answers; each goes to one codec and one of two action spaces (the whole
            web vocabulary, or only `click`).
        seed: Fixes every input.
    """
    report = FuzzReport(inputs, seed)
    dice = Random(seed)
    spaces = (ActionSpace(WEB_ACTIONS, seed=seed), ActionSpace([Click], seed=seed))
    codecs = {
        "keyword ✿": make_codec("keyword"),
        "keyword *": make_codec("keyword", "*"),
        "tool_call": make_codec("tool_call"),
    }
    answers = AnswerGenerator(dice, tuple(codecs.values()), spaces[0])
    started = time.perf_counter()
    for number in range(inputs):
        label = dice.choice(("keyword ✿", "keyword *", "tool_call"))
        space = spaces[dice.random() < 0.1]
        _check_one(report, label, codecs[label], space, answers.draw(codecs[label]), number)
    report.seconds = time.perf_counter() - started
    return report


def _check_one(
    report: FuzzReport, label: str, codec: Codec, space: ActionSpace, text: str, number: int
) -> None:
    """Parse one answer, and record its outcome and what did not hold."""
    started = time.perf_counter()
    try:
        parsed = codec.parse(text, space)
    except Exception as error:
        # Whatever is raised here is the very thing that this program looks for.
        _violation(report, label, text, f"raised {type(error).__name__}: {str(error)[:200]}")
        return
    report.slowest_ms = max(report.slowest_ms, 1e3 * (time.perf_counter() - started))
    outcome = "action" if parsed.error is None else type(parsed.error).__name__
    report.outcomes[outcome] += 1
    report.by_codec[f"{label}/{outcome}"] += 1
    report.with_further_calls += bool(parsed.not_performed)
    for wrong in broken_promises(parsed, space):
        _violation(report, label, text, wrong)
    if parsed.action is not None and number % _REWRITTEN_EVERY == 0:
        again = codec.parse(codec.write(parsed.action), space)
        if not _same_but_for_rounding(parsed.action, again.action):
            _violation(report, label, text, f"rewritten it reads as {again.action}")


def broken_promises(parsed: Parsed, space: ActionSpace) -> list[str]:
    """Return what a parse result promises and does not keep; empty when all is well."""
    wrong = []
    if (parsed.action is None) == (parsed.error is None):
        wrong.append("action and error: not exactly one of them")
    if parsed.action is not None and not space.contains(parsed.action):
        wrong.append(f"the action is not in the space: {parsed.action!r}")
    if parsed.error is not None and not isinstance(parsed.error, ModelFeedback):
        wrong.append(f"the error is no feedback: {type(parsed.error).__name__}")
    message = "" if parsed.error is None else str(parsed.error)
    if parsed.error is not None and not message:
        wrong.append("the error has no message")
    try:
        "".join((parsed.thought, message, *parsed.not_performed)).encode()
    except UnicodeEncodeError:
        wrong.append("a text cannot be encoded")
    return wrong


def _same_but_for_rounding(action: Action, again: Action | None) -> bool:
    """Return whether two actions agree, points to half of a thousandth."""
    if type(action) is not type(again) or again is None:
        return False
    points, others = action.points(), again.points()
    near = all(
        abs(points[name].x - others[name].x) <= 5.01e-4
        and abs(points[name].y - others[name].y) <= 5.01e-4
        for name in points
    )
    plain = set(type(action).model_fields) - set(points)
    return near and all(getattr(action, name) == getattr(again, name) for name in plain)


def _violation(report: FuzzReport, label: str, text: str, wrong: str) -> None:
    report.outcomes["violation"] += 1
    if len(report.violations) < MAX_VIOLATIONS:
        report.violations.append(f"{label}: {wrong}; input {text[:2000]!a}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzer; the exit status is 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz.codecs", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="how many answers to parse")
    parser.add_argument("--seed", type=int, default=0, help="fixes every input")
    options = parser.parse_args(arguments)
    report = fuzz(options.inputs, options.seed)
    print(report.as_json())
    return 1 if report.outcomes["violation"] else 0


if __name__ == "__main__":
    sys.exit(main())
