"""Every task of the phone has an expert that solves it, through a real adb server."""

import os
import socket
from collections.abc import Iterator

import pytest
from adbutils import AdbClient

from eyehand.agent.episode import run_episode
from eyehand.agent.experts import expert_for
from eyehand.agent.experts.phone.expert import EXPERT_TASKS, PhoneExpert
from eyehand.agent.experts.phone.plans import PLANS
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.random import RandomPolicy
from eyehand.envs.android.server import AdbServer
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.envs.phone.tasks import PHONE_TASKS
from eyehand.envs.suites import suite_specs
from eyehand.errors import UsageError

pytestmark = pytest.mark.usefixtures("browser_ends")

FIRST_SEED = 1_000_000

ONE_TASK_A_PLAN = sorted({plan: task for task, plan in PLANS.items()}.values())
"""Tasks that differ in a parameter only share a plan, which is tried once."""


@pytest.fixture(scope="module")
def adb_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A port with an adb server of its own, whose keys lie in a home of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "HOME", str(tmp_path_factory.mktemp("home")))
        AdbServer(port).ensure()
    yield port
    AdbClient(port=port).server_kill()


def test_every_task_has_an_expert_and_is_in_the_suite() -> None:
    assert set(EXPERT_TASKS) == set(PHONE_TASKS)
    specs = suite_specs("phone")
    assert specs == [f"phone:{task}" for task in PHONE_TASKS]
    assert all(isinstance(expert_for(spec), PhoneExpert) for spec in specs)


@pytest.mark.parametrize("task", ONE_TASK_A_PLAN)
def test_an_expert_solves_its_task(task: str, adb_port: int) -> None:
    environment = PhoneEnvironment(task, adb_port=adb_port)
    try:
        episode = run_episode(expert_for(f"phone:{task}"), environment, seed=FIRST_SEED)
    finally:
        environment.close()
    assert episode.outcome is Outcome.SUCCEEDED, episode.message
    assert all(step.action is not None for step in episode.steps)
    assert episode.reward == 1.0


def test_an_unsolved_task_ends_at_the_limit_without_a_verdict(adb_port: int) -> None:
    environment = PhoneEnvironment("add-contact", adb_port=adb_port)
    try:
        episode = run_episode(RandomPolicy(), environment, seed=FIRST_SEED, max_steps=3)
    finally:
        environment.close()
    assert episode.outcome is Outcome.STEP_LIMIT
    assert episode.verdict is None


def test_the_expert_refuses_another_environment() -> None:
    with pytest.raises(UsageError, match="works the phone"):
        PhoneExpert().bind(NumberLineEnvironment())
