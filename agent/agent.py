"""Agent: a policy with defaults; the shortest way from a task to an episode."""

import time
from pathlib import Path
from typing import Any

from eyehand.agent.ending import Episode
from eyehand.agent.episode import check_task, run_episode
from eyehand.agent.policies.base import Policy
from eyehand.agent.trajectory.files import slug
from eyehand.agent.trajectory.recorder import Watch
from eyehand.agent.trajectory.writer import TrajectoryWriter, check_free
from eyehand.envs.env import Environment


class Agent:
    """Runs tasks with one policy, which stays loaded between them.

    Args:
        model: A checkpoint's folder or Hub id, a server's address, or a Policy; None is the
            embedded checkpoint.
        **options: Arguments of `model_policy`, such as `dialect`, `served_model` or `temperature`.

    Example:
        ```python
        with make("miniwob:click-tab") as environment:
            episode = Agent().run(None, environment, seed=1)
        ```
    """

    def __init__(self, model: str | Path | Policy | None = None, **options: Any) -> None:
        self._model = None if isinstance(model, Policy) else model
        self._options = options
        self._policy = model if isinstance(model, Policy) else None

    @property
    def policy(self) -> Policy:
        """The policy; a model is loaded when it is first asked for.

        Raises:
            CheckpointError: the model cannot be loaded.
        """
        if self._policy is None:
            from eyehand.agent.policies.models import model_policy

            self._policy = model_policy(self._model, **self._options)
        return self._policy

    def run(
        self,
        task: str | None,
        environment: Environment,
        *,
        seed: int | None = None,
        max_steps: int | None = None,
        time_limit_s: float | None = None,
        out: Path | str | None = None,
        uploads: dict[str, Path] | None = None,
        watch: Watch | None = None,
    ) -> Episode:
        """Run one episode.

        Args:
            task: What to do; None where the environment has its own instruction.
            environment: Where; it stays open.
            seed: Fixes the environment's episode, where it is seeded.
            max_steps: Most decisions; None is the environment's own limit, 30 without one.
            time_limit_s: Most seconds.
            out: Folder of the trajectory; None keeps it in memory only.
            uploads: Files that may be uploaded, by the name that the model sees.
            watch: Called with every record as it is made.

        Raises:
            UsageError: no task and no instruction, or an unusable folder or limit.
            CheckpointError: the model cannot be used.
        """
        check_task(environment, task)
        if out is not None:
            check_free(Path(out))
        return run_episode(
            self.policy,
            environment,
            task=task,
            seed=seed,
            max_steps=max_steps,
            time_limit_s=time_limit_s,
            trajectory=None if out is None else TrajectoryWriter(out),
            uploads=uploads,
            watch=watch,
        )


def default_folder(spec: str, root: Path = Path("runs")) -> Path:
    """Return `runs/YYYYMMDD-HHMMSS-SPEC`, with a number after it where that exists already."""
    base = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(spec)}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder
