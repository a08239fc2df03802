"""How many files a process may have open at once (`ulimit -n`)."""

import resource

from eyehand.errors import UsageError

BROWSER_FILES = 256
"""What Chromium and its driver are given at least; few of them are needed at a time."""


def require_open_files(count: int = BROWSER_FILES) -> None:
    """Raise the limit as far as that is permitted, and refuse one that is too low.

    A browser that may not open its files fails in a hundred ways, none of which names the cause.

    Raises:
        UsageError: fewer may be open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise UsageError(
            f"only {hard} files may be open at once (ulimit -n), a browser needs {count}: "
            f"raise the limit, as with `ulimit -n {4 * count}`"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
