"""What commands that play episodes share: tries that end without a fault, and figures on disk."""

import json
from pathlib import Path
from typing import Any

from eyehand.agent.ending import Episode
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.base import Policy
from eyehand.envs.env import Environment
from eyehand.errors import UsageError

FAULT = "environment_fault"
MOST_TRIES = 3
"""So often an episode is begun that met a fault of the environment."""


def played(
    policy: Policy, environment: Environment, seed: int, max_steps: int | None = None
) -> Episode:
    """Play an episode, again where the environment failed; its outcome is `FAULT` if it always did.

    Args:
        policy: Who plays.
        environment: Where.
        seed: Of the episode.
        max_steps: Most decisions; None for the environment's own limit.
    """
    for _ in range(MOST_TRIES):
        episode = run_episode(policy, environment, seed=seed, max_steps=max_steps)
        if episode.outcome != FAULT:
            break
    return episode


def read_figures(path: Path | None) -> dict[str, Any]:
    """Return the figures that a command kept before; none where there is no file.

    Raises:
        UsageError: the file holds something else.
    """
    if path is None or not path.is_file():
        return {}
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError(f"{path} holds no figures of this command: name another file") from None
    return kept
