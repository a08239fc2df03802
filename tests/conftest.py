"""What holds for all tests: the same generated examples in every run, a Ctrl-C that is heard, and
one thread a process where several processes share the processors, and the longest files first.

A failure of a property test is found again where it was seen. `EYEHAND_EXAMPLES=random pytest`
draws new examples, to look for what the fixed ones miss.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes an example slow, which says nothing of the code.
slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", slow, derandomize=True, database=None)
settings.register_profile("random", slow, print_blob=True)
settings.load_profile(os.environ.get("EYEHAND_EXAMPLES", "fixed"))

# A background job of a shell inherits that SIGINT is ignored, and so would every process that a
# test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# PyTorch takes every processor for itself in each process, and its threads wait for each other at
# every operation: where workers share the processors, that costs many times what it brings. Where
# a test asks for two threads, the one that waits sleeps: by default it would spin, which costs five
# times what is computed. This comes before the first import of it, and holds for the commands that
# tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Every browser has a Node.js beside it, which compiles the same 7 MB at each start: kept, and
    # with room for what they make, it starts in half the time.
    os.environ.setdefault(
        "NODE_COMPILE_CACHE", str(Path(__file__).parents[1] / ".pytest_cache/node")
    )
    os.environ.setdefault("NODE_OPTIONS", "--max-semi-space-size=64")

# The files that take longest begin first, so that no worker is left alone with one at the end.
# Another order is no mistake; it only takes longer.
TESTS = Path(__file__).parent
LONGEST_FIRST = [
    TESTS / name
    for name in (
        "agent/test_experts.py",
        "agent/test_ray_engines.py",
        "agent/test_phone_experts.py",
        "envs/web/test_text.py",
        "agent/test_ray_workers.py",
        "agent/test_workers.py",
        "envs/web/test_told.py",
        "envs/web/test_slow_pages.py",
        "agent/test_foreign_environments.py",
        "agent/test_resume.py",
        "envs/web/test_typing.py",
        "envs/web/test_dialogs.py",
        "model/test_together.py",
        "envs/phone/test_screen.py",
        "agent/test_cli.py",
    )
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order within a file stays."""
    rank = {path: number for number, path in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def browser_ends() -> Iterator[None]:
    """When a process's tests have run, the browser that they shared is closed."""
    yield
    from eyehand.envs.web.browser import Browser  # most tests need none

    Browser.close_shared()
