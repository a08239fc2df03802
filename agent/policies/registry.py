"""Policies by name, as the command line offers them: ours, and a user's own as MODULE:CLASS."""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.policies.base import Placement, Policy

_log = logging.getLogger(__name__)

POLICIES: dict[str, tuple[str, "Placement"]] = {
    "model": ("eyehand.agent.policies.models.choose:model_policy", "shared"),
    "random": ("eyehand.agent.policies.random:RandomPolicy", "worker"),
    "expert": ("eyehand.agent.experts:expert_for", "worker"),
}
"""Name to what makes the policy, imported when it is needed, and where that decides."""


_CHECKED = ("model", "served_model", "dialect", "prompt", "grounder", "served_grounder",
            "adapter")  # fmt: skip
"""Options that name something which can be looked at before anything is loaded."""


class PolicyMaker:
    """Makes a policy for each spec. Other machines get its name and options, and make their own.

    Args:
        name: "model", "random", "expert", or MODULE:CLASS.
        options: Arguments of `model_policy`; used by "model" only.

    Raises:
        UsageError: no policy has that name, or the class cannot be imported.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        if name not in POLICIES and ":" not in name:
            known = ", ".join(POLICIES)
            raise UsageError(f"no policy is called {name!r}; there are {known}, and MODULE:CLASS")
        self.name = name
        self._options = options
        self._made: Policy | None = None
        self.placement: Placement
        if name in POLICIES:
            self._where, self.placement = POLICIES[name]
        else:
            self._where, self.placement = name, getattr(_imported(name), "placement", "shared")

    def __reduce__(self) -> tuple[type["PolicyMaker"], tuple[str, dict[str, Any]]]:
        return PolicyMaker, (self.name, self._options)

    def __call__(self, spec: str) -> "Policy":
        """Return the policy for a spec: the same one for all, unless its class asks for the spec.

        Raises:
            UsageError: what is named makes no policy.
            CheckpointError: the model cannot be used.
        """
        if self._made is not None:
            return self._made
        options = self._options if self.name == "model" else {}
        if self.name == "model":
            model = options.get("model")
            _log.info("loading %s ...", "the embedded model" if model is None else model)
        make = _imported(self._where)
        if "spec" in _parameters(self._where, make):
            return _checked(self._where, make(spec=spec, **options))
        self._made = _checked(self._where, make(**options))
        return self._made


def policy_maker(name: str, **model_options: Any) -> PolicyMaker:
    """Return what makes the policy for a spec. A model is loaded once, at its first use.

    A policy of one's own is a class that derives from `Policy`, in a module that can be imported:
    its constructor takes nothing, or the task's `spec`. A function that returns one will do.

    Args:
        name: "model", "random", "expert", or MODULE:CLASS.
        **model_options: Arguments of `model_policy`; used by "model" only.

    Raises:
        UsageError: no policy has that name, or the class cannot be imported.
    """
    return PolicyMaker(name, model_options)


def check_random(policy: str, specs: Iterable[str], allowed: bool) -> None:
    """Refuse to act at random where that would reach something real.

    Args:
        policy: Name of the policy.
        specs: The environments that it will meet.
        allowed: Whether the user said `--allow-random`.

    Raises:
        UsageError: the random policy would meet such an environment, and nobody allowed it.
    """
    from eyehand.envs.registry import is_real

    if policy != "random" or allowed:
        return
    for spec in specs:
        if is_real(spec):
            raise UsageError(
                f"{spec} is real: random clicks and keys may buy, send or delete there. Add "
                "--allow-random where nothing can be lost"
            )


def check_model_named(policy: str, options: Mapping[str, Any]) -> None:
    """Look at a named model before anything is loaded.

    Args:
        policy: Name of the policy; only "model" uses one.
        options: Arguments of `model_policy`.

    Raises:
        UsageError: there is no such model or dialect, or an option is missing.
        CheckpointError: the folder cannot be used.
    """
    from eyehand.agent.policies.models.choose import check_named

    if policy == "model":
        check_named(*(options.get(name) for name in _CHECKED))


def _imported(where: str) -> Callable[..., Any]:
    """Return what MODULE:NAME names."""
    module, _, name = where.partition(":")
    try:
        found: Any = getattr(import_module(module), name, None)
    except (Exception, SystemExit) as error:  # importing a module runs it
        last = extract_tb(error.__traceback__)[-1]
        at = "" if isinstance(error, ImportError) else f" ({last.filename}, line {last.lineno})"
        raise UsageError(f"the policy {where} cannot be imported: {error}{at}") from error
    if not callable(found) or inspect.isabstract(found):
        why = "does not define `start`" if callable(found) else f"is no class of {module}"
        raise UsageError(f"the policy {where} cannot be used: {name or 'CLASS'} {why}")
    make: Callable[..., Any] = found
    return make


def _parameters(where: str, make: Callable[..., Any]) -> set[str]:
    """Return the names of what it takes.

    Raises:
        UsageError: it needs something that nobody gives.
    """
    try:
        known = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return set()
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = {n for n, one in known.items() if one.default is one.empty} - {"spec"}
    needed -= {name for name, one in known.items() if one.kind in optional}
    if needed:
        raise UsageError(
            f"the policy {where} needs {', '.join(sorted(needed))}: its constructor may take "
            "`spec`, and nothing else that has no default"
        )
    return set(known)


def _checked(where: str, made: object) -> "Policy":
    from eyehand.agent.policies.base import Policy

    if not isinstance(made, Policy):
        raise UsageError(
            f"{where} makes no policy: derive its class from eyehand.agent.Policy, with `start`"
        )
    if made.placement not in ("worker", "shared"):
        raise UsageError(
            f"the placement of {where} is 'worker' or 'shared', not {made.placement!r}"
        )
    return made
