"""What holds for all tests: the same generated examples in every run, and a Ctrl-C that is heard.

A failure of a property test is found again where it was seen. `EYEHAND_EXAMPLES=random pytest`
draws new examples, to look for what the fixed ones miss.
"""

import os
import signal
from collections.abc import Iterator

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


@pytest.fixture(scope="module")
def browser_ends() -> Iterator[None]:
    """When a module's tests have run, the browser that they shared is closed."""
    yield
    from eyehand.envs.web.browser import Browser  # most tests need none

    Browser.close_shared()
