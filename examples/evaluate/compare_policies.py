"""An evaluation with a comparison: did the model look, or was it lucky?

    python examples/evaluate/compare_policies.py
    python examples/evaluate/compare_policies.py --task miniwob:click-color --episodes 20

The embedded model, the same model shown another episode's screen, and the random policy play the
same episodes, which are fixed by their seeds; so they are compared episode by episode.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from eyehand import make
from eyehand.agent import BlindPolicy, Plan, Policy, compare, policy_maker, read_run, run_evaluation


def main() -> None:
    """Run three evaluations and compare the last two with the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="cards:number-line")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="a new folder")
    arguments = parser.parse_args()
    model = policy_maker("model")
    makers: dict[str, Callable[[str], Policy]] = {
        "model": model,
        "blind": lambda spec: BlindPolicy(model(spec)),
        "random": policy_maker("random"),
    }
    rows = {}
    for name, make_policy in makers.items():
        out = arguments.out / name
        plan = Plan(name, [arguments.task], arguments.episodes, max_steps=8, out=out)
        run_evaluation(plan, make, make_policy)
        rows[name] = read_run(out).rows
    for name in ("blind", "random"):
        difference = compare(rows[name], rows["model"]).overall
        print(
            f"model {difference.second} against {name} {difference.first}: only the model solved "
            f"{difference.gained}, only {name} {difference.lost}, p = {difference.p_value:.3g}"
        )


if __name__ == "__main__":
    main()
