"""The 125 tasks of MiniWoB++ and the actions that each permits."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from eyehand.errors import MissingExtra

if TYPE_CHECKING:
    from eyehand.envs.suites import Suite

# The pages of the package that are outside the usual set of 125: a duplicate with a delay, and
# moving targets that end before any agent has looked twice.
_OUTSIDE = {"button-delay", "chase-circle", "hover-shape", "moving-items", "simon-says"}

UNSEEDED_TASKS = frozenset({"stock-market", "terminal"})
"""Tasks whose pages draw from the clock: prices that run, the date and a blinking cursor."""

RELOADED_TASKS = frozenset(
    {
        "book-flight", "book-flight-nodelay", "choose-date", "choose-date-easy",
        "choose-date-medium", "choose-date-nodelay", "click-pie", "click-pie-nodelay",
        "copy-paste-2", "drag-cube", "use-colorwheel", "use-colorwheel-2",
    }
)  # fmt: skip
"""Tasks whose pages keep something of the episode before (an open calendar, a color, the side of
a cube, a menu that is still being removed): they are loaded afresh for each episode."""

_CLICKING = ("click",)
_TALL = ("click", "scroll")
_TYPING = ("click", "type_text")
_EDITING = ("click", "type_text", "press_keys")
_SCROLLED_TYPING = ("click", "type_text", "scroll")
_DRAGGING = ("click", "drag")

_PERMITTED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "drag-box", "drag-circle", "drag-cube", "drag-items", "drag-items-grid",
            "drag-shapes", "drag-shapes-2", "drag-single-shape", "drag-sort-numbers",
            "draw-circle", "draw-line", "highlight-text", "highlight-text-2",
            "resize-textarea", "use-colorwheel", "use-colorwheel-2",
        ),
        _DRAGGING,
    ),
    **dict.fromkeys(("form-sequence", "use-slider", "use-slider-2"), (*_DRAGGING, "press_keys")),
    **dict.fromkeys(("click-menu", "click-menu-2", "hot-cold"), ("click", "hover")),
    "choose-list": ("click", "select_option"),
    "click-scroll-list": ("click", "scroll", "select_option"),
    **dict.fromkeys(
        (
            "buy-ticket", "email-inbox-delete", "email-inbox-important", "form-sequence-3",
            "order-food", "scroll-text-2", "social-media", "social-media-all",
            "social-media-some",
        ),
        _TALL,
    ),
    **dict.fromkeys(
        (
            "email-inbox", "email-inbox-forward", "email-inbox-forward-nl",
            "email-inbox-forward-nl-turk", "email-inbox-nl-turk", "email-inbox-reply",
            "email-inbox-star-reply", "find-word", "multi-layouts", "multi-orderings",
            "read-table", "read-table-2", "scroll-text", "sign-agreement",
        ),
        _SCROLLED_TYPING,
    ),
    **dict.fromkeys(
        (
            "email-inbox-noscroll", "enter-password", "enter-text", "enter-text-2",
            "enter-text-dynamic", "form-sequence-2", "login-user", "login-user-popup",
            "search-engine", "simple-algebra", "simple-arithmetic", "text-transform",
            "visual-addition",
        ),
        _TYPING,
    ),
    **dict.fromkeys(
        (
            "copy-paste", "copy-paste-2", "guess-number", "terminal", "use-autocomplete",
            "use-autocomplete-nodelay",
        ),
        _EDITING,
    ),
    **dict.fromkeys(("book-flight", "book-flight-nodelay"), (*_EDITING, "scroll")),
    **dict.fromkeys(("enter-date", "enter-time"), (*_TYPING, "select_option")),
    "daily-calendar": (*_EDITING, "scroll", "drag"),
    "stock-market": ("click", "wait"),
    "text-editor": ("click", "double_click", "drag", "press_keys"),
}  # fmt: skip
"""What a task needs beside clicks; tasks that are not named need nothing else."""


def pages_folder() -> Path:
    """Return the folder of the MiniWoB++ pages, without importing the package.

    Raises:
        MissingExtra: the package `miniwob` is not installed.
    """
    spec = find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the MiniWoB++ pages are missing; install them: pip install miniwob")
    return Path(spec.submodule_search_locations[0]) / "html" / "miniwob"


def task_names() -> tuple[str, ...]:
    """Return the names of the 125 tasks, in alphabetical order."""
    pages = sorted(page.stem for page in pages_folder().glob("*.html"))
    return tuple(name for name in pages if name not in _OUTSIDE)


def permitted_actions(task: str) -> tuple[str, ...]:
    """Return the names of the web actions that a task permits, in the order of its prompt."""
    return _PERMITTED.get(task, _CLICKING)


def suite() -> "Suite":
    """Return the suite of all tasks."""
    from eyehand.envs.suites import Suite, SuiteTask

    success = "the page's raw reward is 1"
    tasks = tuple(SuiteTask(f"miniwob:{name}", success=success) for name in task_names())
    return Suite("miniwob", "MiniWoB++: small web pages in real Chromium.", tasks)
