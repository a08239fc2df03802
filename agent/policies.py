"""Policies by name, as the command line offers them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eyehand.errors import UsageError

if TYPE_CHECKING:
    from eyehand.agent.policy import Policy

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


def _random(spec: str) -> "Policy":
    from eyehand.agent.random_policy import RandomPolicy

    return RandomPolicy()


def _expert(spec: str) -> "Policy":
    from eyehand.agent.experts import expert_for

    return expert_for(spec)


class _OneModel:
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._policy: Policy | None = None

    def __call__(self, spec: str) -> "Policy":
        from eyehand.agent.vlm_policy import VlmPolicy

        if self._policy is None:
            self._policy = VlmPolicy(**self._options)
        return self._policy
