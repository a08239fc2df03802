"""Whether a window can be shown here."""

import os
import sys

from eyehand.errors import UsageError


def check_display(headed: bool) -> None:
    """Refuse a window where nothing can show it.

    Args:
        headed: Whether a window was asked for.

    Raises:
        UsageError: it was, and there is no display.
    """
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if headed and sys.platform.startswith("linux") and not has_display:
        raise UsageError(
            "headed shows the browser's window, and there is no display here (DISPLAY is not "
            "set): leave it away, or run under xvfb-run"
        )
