"""Runs the same evaluations by the code of two checkouts, and compares all files.

    git worktree add ../before COMMIT
    python -m benchmarks.trials.two_checkouts --before ../before/src --out trial cards minigrid

Of every suite at least as many episodes as asked for, spread over all its tasks: with the expert
to the end, with the embedded model a few steps. Where something differs, the old code runs once
more: what differs then, too, is the page's own doing. A folder that is there already is not run
again.
"""

import argparse
from pathlib import Path

from benchmarks.trials.identical import evaluate, specs_of
from eyehand.agent.results.diff import Compared, compare_folders

POLICIES = ("expert", "model")


def of_tasks(compared: Compared) -> str:
    """Return which tasks differ, with the number of their episodes."""
    found = ", ".join(f"{spec} ({n})" for spec, n in compared.differing_episodes.items())
    return found or "; ".join(compared.plan) or "none"


def identical(compared: Compared) -> int:
    """Return how many episodes do not differ."""
    return compared.episodes - sum(compared.differing_episodes.values())


def row(suite: str, policy: str, tasks: int, between: Compared, again: Compared | None) -> str:
    """Return a row of the table."""
    counts = f"{between.episodes} | {between.screens} | {identical(between)}"
    control = "-" if again is None else of_tasks(again)
    return f"| {suite} | {tasks} | {policy} | {counts} | {of_tasks(between)} | {control} |"


def words_of(specs: list[str], policy: str, episodes: int, model_steps: int) -> list[str]:
    """Return what follows `eyehand eval`."""
    each = -(-episodes // len(specs))
    words = [",".join(specs), "--policy", policy, "--keep", "all", "--episodes", str(each)]
    return words if policy == "expert" else [*words, "--max-steps", str(model_steps)]


def compared(out: Path, name: str, words: list[str], before: Path) -> list[Compared]:
    """Compare the codes' evaluations and, where they differ, the old one's with its own again."""
    old, new, again = (out / f"{name}-{side}" for side in ("before", "now", "again"))
    evaluate(old, words, before)
    evaluate(new, words)
    found = [compare_folders(old, new)]
    if not found[0].identical:
        evaluate(again, words, before)
        found.append(compare_folders(old, again))
    return found


def main() -> None:
    """Evaluate, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="+")
    parser.add_argument("--before", type=Path, required=True, help="src of the other checkout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=POLICIES)
    parser.add_argument("--episodes", type=int, default=20, help="of a suite, at least")
    parser.add_argument("--model-steps", type=int, default=6)
    arguments = parser.parse_args()
    print("| suite | tasks | policy | episodes | screens | identical | differing "
          "| the old code twice |\n|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    for suite in arguments.suites:
        for policy in arguments.policies:
            specs = specs_of(suite, policy).split(",")
            words = words_of(specs, policy, arguments.episodes, arguments.model_steps)
            found = compared(arguments.out, f"{suite}-{policy}", words, arguments.before)
            again = found[1] if len(found) > 1 else None
            print(row(suite, policy, len(specs), found[0], again), flush=True)


if __name__ == "__main__":
    main()
