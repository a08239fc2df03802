"""Policies by name, as the command line offers them."""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.policies.base import Policy

_log = logging.getLogger(__name__)

POLICY_NAMES = ("model", "random", "expert")


def policy_maker(name: str, **model_options: Any) -> Callable[[str], "Policy"]:
    """Return what makes the policy for a spec. A model is loaded once, at its first use.

    Args:
        name: "model", "random" or "expert".
        **model_options: Arguments of `VlmPolicy`; used by "model" only.

    Raises:
        UsageError: no policy has that name.
    """
    if name == "random":
        return _random
    if name == "expert":
        return _expert
    if name == "model":
        return _OneModel(model_options)
    raise UsageError(f"no policy is called {name!r}; there are {', '.join(POLICY_NAMES)}")


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


def check_model_named(policy: str, model: str | None) -> None:
    """Look at a named model before anything is loaded.

    Args:
        policy: Name of the policy; only "model" uses one.
        model: A folder or a Hub id; None is the embedded model.

    Raises:
        UsageError: it is neither.
        CheckpointError: the folder cannot be used.
    """
    from eyehand.model.folder import check_model

    if policy == "model" and model is not None:
        check_model(model)


def goes_along(make_policy: Callable[[str], "Policy"]) -> bool:
    """Return whether what makes the policies is cheap, and they decide in the workers.

    Then nothing has to be made elsewhere to know them.
    """
    return make_policy in (_random, _expert)


def _random(spec: str) -> "Policy":
    from eyehand.agent.policies.random import RandomPolicy

    return RandomPolicy()


def _expert(spec: str) -> "Policy":
    from eyehand.agent.experts import expert_for

    return expert_for(spec)


class _OneModel:
    """Makes one model for all specs. It is sent as its options: each side loads for itself."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._policy: Policy | None = None

    def __reduce__(self) -> tuple[type["_OneModel"], tuple[dict[str, Any]]]:
        return _OneModel, (self._options,)

    def __call__(self, spec: str) -> "Policy":
        if self._policy is None:
            model = self._options.get("model")
            _log.info("loading %s ...", "the embedded model" if model is None else model)
            from eyehand.agent.policies.model import VlmPolicy

            self._policy = VlmPolicy(**self._options)
        return self._policy
