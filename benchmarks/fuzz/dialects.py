"""A fuzzer for the dialects' readers: half-broken answers, and what must hold for each.

For every input: nothing is raised; exactly one of action and error is set; the action is contained
in the action space; texts can be encoded; it takes no more than 2 s. Run it as a command::

    python -m benchmarks.fuzz.dialects --minutes 25 --seed 0
    python -m benchmarks.fuzz.dialects ui-tars aguvis --inputs 1000000

Prints one JSON line a dialect. Ends with status 1 where something did not hold.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from random import Random

from benchmarks.fuzz.codecs import MAX_VIOLATIONS, FuzzReport, broken_promises
from benchmarks.fuzz.dialect_inputs import SIZE, DialectAnswers
from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.codecs.codec import Codec
from eyehand.actions.web import WEB_ACTIONS, Click
from eyehand.errors import UsageError
from eyehand.prompts.dialects import DIALECTS, make_dialect

MOST_SECONDS = 2.0
_REWRITTEN_EVERY = 16
_POINTER = Point(x=0.5, y=0.25)


class Pick(Action):
    """Pick a card, somewhere, some times: an action of a user's own."""

    card: str
    where: Point | None = None
    times: int = 1


VOCABULARIES: tuple[Sequence[type[Action]], ...] = (
    WEB_ACTIONS, ANDROID_ACTIONS, (Click,), (Pick, *WEB_ACTIONS[:3]),
)  # fmt: skip


def fuzz(name: str, inputs: int, seed: int, seconds: float = float("inf")) -> FuzzReport:
    """Read generated answers in one dialect, and check what must hold.

    Args:
        name: The dialect.
        inputs: Most answers; each goes to one of four action spaces.
        seed: Fixes every input.
        seconds: Ends earlier after so many.
    """
    report, dialect = FuzzReport(inputs, seed), make_dialect(name)
    spaces = [ActionSpace(types, seed=seed) for types in VOCABULARIES]
    dice = Random(f"{seed} {name}")
    answers, codec = DialectAnswers(dice, dialect, spaces), dialect.codec
    started, number = time.perf_counter(), 0
    while number < inputs and time.perf_counter() - started < seconds:
        _check_one(report, codec, dice.choice(spaces), answers.draw(codec), number)
        number += 1
    report.inputs, report.seconds = number, time.perf_counter() - started
    return report


def _check_one(
    report: FuzzReport, codec: Codec, space: ActionSpace, text: str, number: int
) -> None:
    """Read one answer, and record its outcome and what did not hold."""
    where = codec.coordinates(None, *SIZE, pointer=_POINTER if number % 2 else None)
    started_s = time.process_time()
    try:
        parsed = codec.parse(text, space, where)
        wrong = broken_promises(parsed, space)
        if parsed.action is not None and number % _REWRITTEN_EVERY == 0:
            wrong += _rewritten(codec, parsed.action, space)
    except Exception as error:
        # Whatever is raised here is the very thing that this program looks for.
        _violation(report, text, f"raised {type(error).__name__}: {str(error)[:200]}")
        return
    took_s = time.process_time() - started_s
    report.slowest_ms = max(report.slowest_ms, 1e3 * took_s)
    report.outcomes["action" if parsed.error is None else type(parsed.error).__name__] += 1
    report.with_further_calls += bool(parsed.not_performed)
    if took_s > MOST_SECONDS:
        wrong.append(f"took {took_s:.1f} s for {len(text)} characters")
    for what in wrong:
        _violation(report, text, what)


def _rewritten(codec: Codec, action: Action, space: ActionSpace) -> list[str]:
    """Return what is wrong with an action that is written again: it is read as one of its kind."""
    where = codec.coordinates(None, *SIZE, pointer=_POINTER)
    try:
        text = codec.write(action, where)
    except UsageError:
        return []
    again = codec.parse(text, space, where)
    if again.action is None:
        return [f"rewritten it reads as nothing: {text[:300]!a}: {again.error}"]
    if type(again.action) is not type(action):
        return [f"rewritten it reads as {again.action.name}: {text[:300]!a}"]
    return []


def _violation(report: FuzzReport, text: str, wrong: str) -> None:
    report.outcomes["violation"] += 1
    if len(report.violations) < MAX_VIOLATIONS:
        report.violations.append(f"{wrong}; input of {len(text)}: {text[:1000]!a}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzzer; the exit status is 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz.dialects", description=__doc__)
    parser.add_argument("dialects", nargs="*", choices=[*DIALECTS, []], default=[])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="most answers a dialect")
    parser.add_argument("--minutes", type=float, default=1e9, help="most for all together")
    parser.add_argument("--seed", type=int, default=0, help="fixes every input")
    options = parser.parse_args(arguments)
    names, failed = options.dialects or list(DIALECTS), False
    for name in names:
        report = fuzz(name, options.inputs, options.seed, 60 * options.minutes / len(names))
        shown = {"dialect": name, **json.loads(report.as_json())}
        del shown["by_codec"]
        print(json.dumps(shown), flush=True)
        failed |= bool(report.outcomes["violation"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
