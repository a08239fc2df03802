"""Whose mistake it is what third-party code raises."""

from collections.abc import Iterator
from contextlib import contextmanager

from gymnasium import error as gym_error

from eyehand.errors import EnvironmentFault, EyehandError, MissingExtra

LONGEST_REASON = 300


def missing_package(environment_id: str, error: Exception) -> MissingExtra:
    """Say which package to install."""
    # Gymnasium wraps the failed import of an id's module in an error that has no name.
    name = getattr(error, "name", None) or getattr(error.__cause__, "name", None)
    hint = (
        f"; install the package that provides {name!r}, or work in the folder where it lies"
        if name
        else ""
    )
    return MissingExtra(f"{environment_id} needs a package that is not installed: {error}{hint}")


@contextmanager
def faults_mapped(environment_id: str, what: str, where: str = "") -> Iterator[None]:
    """Map what a third-party environment raises while it runs.

    Its code may raise anything at all, and may even ask the program to exit; so everything but
    our own errors and Ctrl-C becomes an `EnvironmentFault` that carries the original as its cause.

    Args:
        environment_id: Named in the message.
        what: "reset", "step", "render" or "close".
        where: Ends the message: which seed, which step.
    """
    try:
        yield
    except (EyehandError, KeyboardInterrupt, GeneratorExit):
        raise
    except (gym_error.DependencyNotInstalled, ImportError) as error:
        raise missing_package(environment_id, error) from error
    except SystemExit as error:
        said = f", saying {one_line(error.code)!r}" if isinstance(error.code, str) else ""
        raise EnvironmentFault(
            f"{environment_id}: {what} asked the program to exit{said}{where}"
        ) from error
    except BaseException as error:
        raise EnvironmentFault(
            f"{environment_id}: {what} failed with {type(error).__name__}: {one_line(error)}{where}"
        ) from error


def one_line(words: object) -> str:
    """Return what third-party code says as one line, cut to a bound."""
    text = " ".join(str(words).split())
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."
