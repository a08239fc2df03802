"""The plan of `eyehand eval`: as it is asked for, or as a folder has it that is gone on with."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import model_arguments
from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.evaluation.evaluate import MakePolicy
    from eyehand.agent.evaluation.plan import Plan

PLANNED: dict[str, Any] = {
    "episodes": 10,
    "first_seed": 1_000_000,
    "max_steps": None,
    "time_limit": None,
    "max_tokens_episode": None,
    "max_cost": None,
    "keep": "all",
    "batch": 1,
    "policy": "model",
    "blind": False,
    "allow_private": False,
    **dict.fromkeys(model_arguments.MODEL_OPTIONS),
}
"""Arguments that the plan fixes, and what holds where they are not given."""


def asked_plan(arguments: argparse.Namespace) -> "Plan":
    """Return the plan that was asked for, or the one that an interrupted evaluation had."""
    from eyehand.agent.agent import default_folder
    from eyehand.agent.evaluation.plan import Plan
    from eyehand.envs.suites import suite_specs

    if arguments.resume is not None:
        if arguments.out is not None:
            raise UsageError("--resume DIR goes on in DIR: leave --out away")
        return _resumed_plan(arguments)
    if arguments.suite is None:
        raise UsageError("nothing to evaluate: name a SUITE, or go on with --resume DIR")
    given = argparse.Namespace(**vars(arguments))
    for name, default in PLANNED.items():
        if getattr(given, name) is None:
            setattr(given, name, default)
    return Plan(
        suite=arguments.suite,
        specs=suite_specs(arguments.suite),
        episodes=given.episodes,
        first_seed=given.first_seed,
        max_steps=given.max_steps,
        time_limit_s=given.time_limit,
        max_tokens=given.max_tokens_episode,
        max_cost_usd=given.max_cost,
        out=arguments.out or default_folder(f"eval-{arguments.suite}"),
        keep=given.keep,
        batch=given.batch,
        options={
            "policy": given.policy,
            "blind": given.blind,
            **({"allow_private": True} if given.allow_private else {}),
            **model_arguments.model_options(given),
        },
    )


def _resumed_plan(arguments: argparse.Namespace) -> "Plan":
    """Return the plan of the folder, perhaps with more episodes, or with its suite named anew.

    Every other option that is given must agree with it.
    """
    from eyehand.agent.evaluation.plan import Plan
    from eyehand.agent.results.folder import read_plan
    from eyehand.envs.suites import suite_specs

    plan = Plan.from_json(read_plan(arguments.resume), arguments.resume)
    for name in PLANNED:
        given, written = getattr(arguments, name), _written(plan, name)
        more = name == "episodes" and given is not None and given > plan.episodes
        if given not in (None, written) and not more:
            flag = f"--{name.replace('_', '-')}"
            only = ", and only more can be asked for" if name == "episodes" else ""
            raise UsageError(
                f"{arguments.resume} was begun with {flag} {written}, not {given}{only}"
            )
    _require_named(plan, arguments)
    plan = replace(plan, episodes=arguments.episodes or plan.episodes)
    if arguments.suite is not None:
        return replace(plan, suite=arguments.suite, specs=suite_specs(arguments.suite))
    return plan


def _require_named(plan: "Plan", arguments: argparse.Namespace) -> None:
    """Refuse to run what only a stored plan names: somebody else may have written it.

    Raises:
        UsageError: the plan names code, something real or a checkpoint elsewhere, and the command
            line does not; or an option that is not known.
    """
    from eyehand.agent.policies.registry import POLICIES
    from eyehand.envs.registry import comes_with_the_package

    folder, options = arguments.resume, plan.options
    unknown = sorted(
        options.keys() - {"policy", "blind", "allow_private", *model_arguments.MODEL_OPTIONS}
    )
    if unknown:
        raise UsageError(f"the plan in {folder} has options that are not known: {unknown[0]}")
    foreign = [spec for spec in plan.specs if not comes_with_the_package(spec)]
    if foreign and arguments.suite is None:
        declared = foreign[0].lower().startswith("suite:")
        how = "name the file where it lies now" if declared else "name it too"
        raise UsageError(
            f"the plan in {folder} names {foreign[0]}, which may be anybody's code: {how}: "
            f"eyehand eval {'FILE' if declared else 'SPEC'} --resume DIR"
        )
    if options.get("allow_private") and not arguments.allow_private:
        raise UsageError(
            f"the plan in {folder} lets pages open private addresses: allow it too: --allow-private"
        )
    policy = options.get("policy")
    if policy not in (None, *POLICIES) and arguments.policy is None:
        raise UsageError(f"the plan in {folder} names the policy {policy}: name it too: --policy")
    for key in ("key_env", "grounder_key_env"):
        if options.get(key) is not None and getattr(arguments, key) is None:
            raise UsageError(
                f"the plan in {folder} names the variable {options[key]}, whose value is sent as "
                f"a key: name it too: --{key.replace('_', '-')}"
            )
    if options.get("prompt") is not None and arguments.prompt is None:
        raise UsageError(
            f"the plan in {folder} names the file {options['prompt']}, which is told to the model: "
            "name it too: --prompt"
        )
    for option in ("model", "grounder"):
        named = options.get(option)
        if named is not None and getattr(arguments, option) is None and not Path(named).is_dir():
            raise UsageError(
                f"the plan in {folder} names the {option} {named}, which would be fetched or "
                f"asked: name it too: --{option} {named}"
            )


def _written(plan: "Plan", name: str) -> Any:
    """Return what a plan says of an argument."""
    named = {
        "time_limit": "time_limit_s", "max_tokens_episode": "max_tokens",
        "max_cost": "max_cost_usd",
    }.get(name, name)  # fmt: skip
    return getattr(plan, named) if hasattr(plan, named) else plan.options.get(name, PLANNED[name])


def planned_policy(options: dict[str, Any]) -> "MakePolicy":
    """Return what makes the policy that a plan names.

    Raises:
        UsageError: there is none of that name, or `--blind` does not fit it.
    """
    from eyehand.agent.policies.blind import BlindPolicy
    from eyehand.agent.policies.registry import policy_maker

    given = dict(options)
    name, blind = given.pop("policy", "model"), given.pop("blind", False)
    given.pop("allow_private", None)
    make_policy = policy_maker(name, **given)
    if not blind:
        return make_policy
    if name in ("random", "expert"):
        raise UsageError("--blind is a control for the model; random and expert see no screen")
    return lambda spec: BlindPolicy(make_policy(spec))
