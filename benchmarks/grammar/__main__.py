"""`python -m benchmarks.grammar`: what a grammar of calls holds, costs and saves.

python -m benchmarks.grammar models --models 10000
python -m benchmarks.grammar steps --specs miniwob:click-button,cards:points24 --episodes 5
"""

import argparse
import json
import sys
from typing import Any

from benchmarks.grammar.random_models import DIALECTS, rooms, spaces_by_name, tally
from benchmarks.grammar.steps import bench_steps
from eyehand.errors import EnvironmentFault, UsageError


def main() -> int:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grammar", description=__doc__)
    parser.add_argument("what", choices=("models", "steps"))
    parser.add_argument("--models", type=int, default=10_000, help="random models, all together")
    parser.add_argument("--most-tokens", type=int, default=20_000, help="most tokens an answer")
    parser.add_argument("--specs", default="miniwob:click-button", help="with commas")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    given = parser.parse_args()
    try:
        if given.what == "models":
            found = bench_models(given.models, given.most_tokens, given.first_seed)
        else:
            specs = given.specs.split(",")
            found = bench_steps(specs, given.episodes, given.first_seed, _say)
    except (UsageError, EnvironmentFault) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def bench_models(models: int, most_tokens: int, first_seed: int) -> dict[str, Any]:
    """Let random models answer, shared out over tokenizers, dialects and action spaces."""
    cases = [(r, d, s) for r in rooms() for d in DIALECTS for s in spaces_by_name()]
    each = -(-models // len(cases))
    outcomes: dict[str, dict[str, int]] = {}
    failures: list[str] = []
    tokens = forced = 0
    for number, (room, dialect, space) in enumerate(cases):
        seeds = range(first_seed + number * each, first_seed + (number + 1) * each)
        found = tally(room, dialect, space, seeds, most_tokens)
        name = f"{dialect}, {space}, {len(room.vocabulary.tokens)} tokens"
        outcomes[name] = dict(found.outcomes)
        failures += found.failures
        tokens, forced = tokens + found.tokens, forced + found.forced
        _say(f"{name}: {outcomes[name]}")
    return {
        "models": each * len(cases), "most_tokens": most_tokens, "tokens": tokens,
        "forced_tokens": forced, "outcomes": outcomes, "failures": failures,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
