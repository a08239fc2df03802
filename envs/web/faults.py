"""Playwright's exceptions become ours, here and nowhere else.

| Playwright          | eyehand            |
|---------------------|--------------------|
| `TargetClosedError` | `BrowserCrashed`   |
| `TimeoutError`      | `EnvironmentFault` |
| `Error`             | `EnvironmentFault` |
"""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from eyehand.errors import BrowserCrashed, EnvironmentFault

# Playwright raises TargetClosedError from a private module; the public name is its base, so the
# class is told by what it is called. The texts are those of a connection that went away.
_CLOSED_TEXTS = ("has been closed", "Target crashed", "Page crashed", "Connection closed")
_NAVIGATED_TEXTS = (
    "context was destroyed",
    "Cannot find context",
    "Cannot find execution context",
    "detached",
    "navigat",
    # Between two documents there is none to take a picture of.
    "Not attached to an active page",
    "Unable to capture screenshot",
)


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's text, without Playwright's call log."""
    return str(error).strip().split("\n")[0] or type(error).__name__


def is_closed(error: PlaywrightError) -> bool:
    """Return whether the error says that the page or the browser went away."""
    named = type(error).__name__ == "TargetClosedError"
    return named or any(text in str(error) for text in _CLOSED_TEXTS)


def has_navigated(error: PlaywrightError) -> bool:
    """Return whether the error says that the document was replaced by another meanwhile."""
    return any(text in str(error) for text in _NAVIGATED_TEXTS)


def as_fault(error: PlaywrightError) -> EnvironmentFault:
    """Return the exception of ours that stands for one of Playwright's."""
    if is_closed(error):
        return BrowserCrashed(f"the browser or its page died: {first_line(error)}")
    if isinstance(error, PlaywrightTimeout):
        return EnvironmentFault(f"the browser did not answer in time: {first_line(error)}")
    return EnvironmentFault(f"the browser refused: {first_line(error)}")


@contextmanager
def faults_mapped() -> Iterator[None]:
    """Raise what Playwright raises inside the block as an `EnvironmentFault`."""
    try:
        yield
    except PlaywrightError as error:
        raise as_fault(error) from error
