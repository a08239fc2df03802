"""The web: real Chromium, driven by Playwright on a thread of its own."""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.envs.web.browser import Browser
    from eyehand.envs.web.environment import WebEnvironment

__all__ = ["Browser", "WebEnvironment"]

__getattr__ = lazy(__name__, {"Browser": "browser", "WebEnvironment": "environment"})
