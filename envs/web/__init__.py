"""The web: real Chromium, driven by Playwright on a thread of its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.envs.web.browser import Browser
    from eyehand.envs.web.environment import WebEnvironment

__all__ = ["Browser", "WebEnvironment"]

_HOMES = {"Browser": "browser", "WebEnvironment": "environment"}


def __getattr__(name: str) -> Any:
    """Import the browser's modules on first use: Playwright takes a while to load."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
