"""`python -m benchmarks.dialects`: the experts' episodes through every dialect, as a table."""

import argparse
import json
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.dialects.measure import Rate, measure
from eyehand.envs import make
from eyehand.envs.suites import suite_specs
from eyehand.errors import EnvironmentFault
from eyehand.prompts.dialects import DIALECTS

FIRST_SEED = 1_000_000


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dialects", description=__doc__)
    parser.add_argument("suite", help="suites or specs, with commas between")
    parser.add_argument("--dialect", help="some of them, with commas between (default: all)")
    parser.add_argument("--episodes", type=int, default=2, help="a task and dialect (default: 2)")
    parser.add_argument("--json", type=Path, help="keep the figures; those that are there stay")
    arguments = parser.parse_args()
    names = arguments.dialect.split(",") if arguments.dialect else list(DIALECTS)
    kept = json.loads(arguments.json.read_text()) if _exists(arguments.json) else {}
    for spec in suite_specs(arguments.suite):
        with suppress(EnvironmentFault), make(spec) as environment:
            for name in names:
                if f"{name} {spec}" not in kept:
                    seeds = range(FIRST_SEED, FIRST_SEED + arguments.episodes)
                    kept[f"{name} {spec}"] = _json(measure(spec, name, seeds, environment, _say))
        if arguments.json:
            arguments.json.write_text(json.dumps(kept, indent=1))
    print(table(kept))


def table(kept: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table: a dialect a line, a suite a column, and what it has no words for.

    Args:
        kept: "DIALECT SPEC" to figures.
    """
    suites = list(dict.fromkeys(key.split(" ")[1].split(":")[0] for key in kept))
    lines = [
        f"| dialect | {' | '.join(suites)} | no words for |",
        f"|---|{'---|' * len(suites)}---|",
    ]
    for name in dict.fromkeys(key.split(" ")[0] for key in kept):
        cells, unsaid = [], Counter[str]()
        for suite in suites:
            found = [v for k, v in kept.items() if k.startswith(f"{name} {suite}:")]
            won, all_ = sum(v["succeeded"] for v in found), sum(v["episodes"] for v in found)
            cells.append(f"{won} of {all_}")
            for value in found:
                unsaid.update(value["unsaid"])
        lines.append(f"| {name} | {' | '.join(cells)} | {', '.join(sorted(unsaid)) or '-'} |")
    return "\n".join(lines)


def _json(rate: Rate) -> dict[str, Any]:
    return {
        "succeeded": rate.succeeded, "episodes": rate.episodes, "faults": rate.faults,
        "unsaid": dict(rate.unsaid), "changed": dict(rate.changed),
    }  # fmt: skip


def _exists(path: Path | None) -> bool:
    return path is not None and path.is_file()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
