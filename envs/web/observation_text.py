"""What an observation says in words beside its pixels: short, and only what they do not show."""

from eyehand.actions import Action, web
from eyehand.envs.web.action_context import ActionContext
from eyehand.envs.web.dialogs import describe_dialog
from eyehand.envs.web.tabs import Tabs

MAX_TITLE_LENGTH = 100
MAX_URL_LENGTH = 200
# Actions whose purpose is to change what is seen: an unchanged screen is worth telling.
VISIBLE = (web.Click, web.DoubleClick, web.Drag)


def tell_page(tabs: Tabs, told: str) -> str:
    """Return address, title, tabs if there are several, the open dialog, and what was told.

    Args:
        tabs: The tabs; one is shown.
        told: Further sentences.
    """
    tab = tabs.current
    if tab is None:
        return told
    lines = [f"URL: {tab.page.url[:MAX_URL_LENGTH]}", f"Title: {tab.title[:MAX_TITLE_LENGTH]}"]
    if len(tabs.tabs) > 1:
        listed = (
            f"{i}{' (shown)' if t is tab else ''}: {t.title[:30] or t.page.url[:60]}"
            for i, t in enumerate(tabs.tabs)
        )
        lines.append("Tabs: " + "; ".join(listed))
    if tabs.dialog is not None:
        shown = describe_dialog(tabs.dialog)
        asking = tabs.dialogs.tab_of(tabs.dialog)
        leave = asking is not None and asking.looping and tabs.dialog.type != "beforeunload"
        more = " The page may also be left." if leave else ""
        lines.append(f"Open dialog: {shown}. Answer it with answer_dialog.{more}")
    return "\n".join([*lines, told] if told else lines)


def tell_file_picker(names: tuple[str, ...]) -> str:
    """Return what to do about a file picker, which no screenshot shows."""
    files = ", ".join(names) or "none"
    return f"The page asks for a file: use upload_file at the same point (files: {files})."


def tell_outcome(context: ActionContext, action: Action | None, restless: str, same: bool) -> str:
    """Return what the next screen does not show: a failure, or that nothing visible happened.

    Args:
        context: What the action said about itself.
        action: The action; None without one.
        restless: Why the page is not quiet; empty where it is.
        same: The screen is pixel for pixel what it was.
    """
    told = [context.feedback, restless]
    silent = not any(told) and not context.hints and context.tabs.dialog is None
    if same and silent and isinstance(action, web.Scroll):
        told.append(f"Nothing scrolled {action.direction}: the end, or an area that does not.")
    elif same and silent and isinstance(action, VISIBLE):
        told.append(f"Nothing visible changed; at the point is {context.under}.")
    return " ".join(filter(None, told))
