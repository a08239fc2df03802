"""Going on with an evaluation: whether it is the same one, and where its rows stand in the plan.

A task of a declaration file is known by what the file says of it, wherever the file lies by now;
any other task by its spec. More episodes a task may be asked for than at the beginning.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.errors import UsageError

LONGEST_SHOWN = 200

APART = ("eyehand", "suite", "specs", "declared", "policies", "episodes")
"""What is not compared word for word: the version, names of files, and what may grow."""


def require_same_plan(out: Path, written: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Refuse to mix two plans in one folder; the version that wrote the plan may differ.

    Args:
        out: The evaluation's folder, for messages.
        written: Its plan as it was read.
        plan: What is asked for now.

    Raises:
        UsageError: they differ; the message names every difference.
    """
    plan = json.loads(json.dumps(plan))
    different = [*_different_tasks(written, plan), *_different_limits(written, plan)]
    if different:
        shown = "; ".join(text[:LONGEST_SHOWN] for text in different)
        raise UsageError(f"{out} was begun with another plan: {shown}")


def renumbered(
    rows: Iterable[EpisodeResult], written: Mapping[str, Any], plan: Mapping[str, Any]
) -> dict[int, EpisodeResult]:
    """Return the rows by their number in the plan, and under the plan's names of their tasks.

    A row's place is its task and its seed, so that a plan with more episodes, and one whose
    declaration file has moved, finds it again, also where an earlier renumbering was cut off.
    """
    if "specs" not in plan:
        return {row.index: row for row in rows}
    places = {spec: i for named in (written, plan) for i, spec in enumerate(named["specs"])}
    count, first = plan["episodes"], plan["first_seed"]
    found: dict[int, EpisodeResult] = {}
    for row in rows:
        place, number = places.get(row.spec), row.seed - first
        if place is not None and 0 <= number < count:
            index = place * count + number
            found[index] = replace(row, index=index, spec=plan["specs"][place])
    return found


def _different_tasks(written: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    ours, theirs = _tasks(written), _tasks(plan)
    if len(ours) != len(theirs):
        return [_was("specs", written.get("specs"), plan.get("specs"))]
    different = []
    for (spec, said), (spec_now, said_now) in zip(ours, theirs, strict=True):
        if said is None or said_now is None:
            different += [_was("specs", spec, spec_now)] if spec != spec_now else []
        else:
            different += _different_parts(spec_now, said, said_now)
    return different


def _tasks(plan: Mapping[str, Any]) -> list[tuple[str, dict[str, Any] | None]]:
    """Return each task's spec, and what its declaration says; None where there is none."""
    specs, declared = plan.get("specs") or [], plan.get("declared") or []
    return list(zip(specs, [*declared, *[None] * (len(specs) - len(declared))], strict=True))


def _different_parts(spec: str, said: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{spec}: {_was(part, said.get(part), now.get(part))}"
        for part in dict.fromkeys([*said, *now])
        if said.get(part) != now.get(part)
    ]


def _different_limits(written: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys(name for name in (*written, *plan) if name not in APART)
    different = [
        _was(name, written.get(name), plan.get(name))
        for name in names
        if written.get(name) != plan.get(name)
    ]
    if plan.get("episodes", 0) < written.get("episodes", 0):
        fewer = _was("episodes", written["episodes"], plan["episodes"])
        different.insert(0, f"{fewer}, and only more may be asked for")
    policies = _policies(written), _policies(plan)
    return [*different, _was("policies", *policies)] if policies[0] != policies[1] else different


def _policies(plan: Mapping[str, Any]) -> list[Any]:
    """Return what the policies say of themselves, in the order of the tasks."""
    described = plan.get("policies") or {}
    return [described.get(spec) for spec in plan.get("specs") or []]


def _was(name: str, before: Any, now: Any) -> str:
    return f"{name} was {before!r} and is now {now!r}"
