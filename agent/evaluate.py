"""Many episodes, honestly counted.

The seed of an episode is fixed by its index, `first_seed + i`, the same for every task. Only
faults of the environment are retried, with the same seed in a fresh environment, and they are
counted apart: a wrong answer never gets a second try, a crash never counts as a wrong answer.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from eyehand.agent.blind_policy import BlindPolicy
from eyehand.agent.episode import Episode, run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policy import Policy
from eyehand.agent.results import Evaluation, Plan, TaskResult
from eyehand.agent.retention import Shelf
from eyehand.envs.env import Environment
from eyehand.errors import EnvironmentFault

FAULT_RETRIES = 2
"""How often an episode is tried again after a fault of the environment."""

MakeEnvironment = Callable[[str], Environment]
MakePolicy = Callable[[str], Policy]


class Watcher(Protocol):
    """Follows an evaluation: live progress."""

    def task_begins(self, spec: str, episodes: int) -> None:
        """A task's first episode is about to start."""

    def episode_ended(self, spec: str, episode: Episode, result: TaskResult) -> None:
        """An episode was counted, or lost to a fault."""


class Unwatched:
    """Follows nothing."""

    def task_begins(self, spec: str, episodes: int) -> None:
        """Do nothing."""

    def episode_ended(self, spec: str, episode: Episode, result: TaskResult) -> None:
        """Do nothing."""


def run_evaluation(
    plan: Plan,
    make_environment: MakeEnvironment,
    make_policy: MakePolicy,
    watcher: Watcher | None = None,
) -> Evaluation:
    """Run a plan in this process, task by task.

    Args:
        plan: What to run.
        make_environment: Makes an environment from a spec; called again after a fault.
        make_policy: Returns the policy for a spec; it may return the same one each time.
        watcher: Follows along.

    Returns:
        The rows; those so far, with `finished` False, where a person stopped it.

    Raises:
        UsageError: a spec or a policy cannot be made.
        EnvironmentFault: the disk is full, so that nothing more can be kept.
    """
    evaluation = Evaluation(plan)
    shelf = Shelf(plan.out, plan.keep)
    try:
        # All policies first: one that does not exist is better refused before hours of work.
        policies = [make_policy(spec) for spec in plan.specs]
        for spec, policy in zip(plan.specs, policies, strict=True):
            runner = _TaskRunner(plan, spec, make_environment, policy, shelf)
            evaluation.policy = runner.policy.describe()
            evaluation.tasks.append(runner.result)
            runner.run(watcher or Unwatched())
            shelf.save(evaluation.to_json())
    except KeyboardInterrupt:
        evaluation.finished = False
    shelf.save(evaluation.to_json())
    return evaluation


class _TaskRunner:
    """Runs one task's episodes in one environment, made anew after each fault."""

    def __init__(
        self,
        plan: Plan,
        spec: str,
        make_environment: MakeEnvironment,
        policy: Policy,
        shelf: Shelf,
    ) -> None:
        self.plan = plan
        self.spec = spec
        self.policy = policy
        self.result = TaskResult(spec)
        self._make_environment = make_environment
        self._shelf = shelf
        self._environment: Environment | None = None

    def run(self, watcher: Watcher) -> None:
        watcher.task_begins(self.spec, self.plan.episodes)
        try:
            for seed in self.plan.seeds():
                episode = self._with_retries(seed)
                watcher.episode_ended(self.spec, episode, self.result)
        finally:
            self._close()

    def _with_retries(self, seed: int) -> Episode:
        """Run a seed until it meets no fault, at most three times, and count it."""
        for attempt in range(FAULT_RETRIES + 1):
            episode = self._attempt(seed, attempt)
            if episode.outcome is Outcome.STOPPED:
                raise KeyboardInterrupt
            if episode.outcome is not Outcome.ENVIRONMENT_FAULT:
                self.result.add(episode)
                self._shelf.settle(episode)
                return episode
            self.result.environment_faults += 1
            self._close()
        self.result.unscored += 1
        return episode

    def _attempt(self, seed: int, attempt: int) -> Episode:
        folder = self._shelf.folder(self.spec, seed, attempt)
        try:
            environment = self._environment or self._make_environment(self.spec)
            self._environment = environment
            if isinstance(self.policy, BlindPolicy):
                # The neighbour's seed: unlike seed + 1 it stays within an even-bounded range.
                self.policy.show(environment.reset(seed=seed ^ 1)[0])
        except EnvironmentFault as fault:
            return lost_episode(self.spec, seed, fault)
        episode = run_episode(
            self.policy,
            environment,
            seed=seed,
            max_steps=self.plan.max_steps,
            time_limit_s=self.plan.time_limit_s,
            trajectory=folder,
        )
        self._shelf.check(episode)
        return episode

    def _close(self) -> None:
        environment, self._environment = self._environment, None
        if environment is not None:
            # A browser that has crashed may also fail to close; the next one is a fresh process.
            with suppress(EnvironmentFault):
                environment.close()


def lost_episode(spec: str, seed: int, fault: EnvironmentFault) -> Episode:
    """Return the episode that a fault kept from beginning."""
    return Episode(
        outcome=Outcome.ENVIRONMENT_FAULT,
        message=f"{type(fault).__name__}: {fault}",
        task="",
        unused_task=None,
        spec=spec,
        seed=seed,
        verdict=None,
        reward=0.0,
        seconds=0.0,
        steps=[],
        details={},
        folder=None,
    )
