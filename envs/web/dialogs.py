"""Dialogs: alert, confirm, prompt and beforeunload, which wait until the model answers."""

import asyncio

from playwright.async_api import Dialog, Page

from eyehand.envs.web.news import News
from eyehand.envs.web.tab import Tab, leave_running, quietly


class Dialogs:
    """The dialogs of one context.

    Attributes:
        dismisses: Dialogs are closed as they open.

    Args:
        tabs: The open tabs; the list is shared with who opens and closes them.
        news: Is told of every dialog.
    """

    def __init__(self, tabs: list[Tab], news: News) -> None:
        self.dismisses = False
        self._tabs = tabs
        self._news = news
        self._waiting: list[Dialog] = []

    @property
    def oldest(self) -> Dialog | None:
        """The oldest dialog that waits for an answer; those of tabs set aside wait longer."""
        return next((dialog for dialog in self._waiting if not self._is_set_aside(dialog)), None)

    def tab_of(self, dialog: Dialog) -> Tab | None:
        """Return the tab that a dialog belongs to; None where it has gone."""
        return next((tab for tab in self._tabs if tab.page is dialog.page), None)

    def add(self, dialog: Dialog) -> None:
        """Take a dialog that has just opened."""
        if self.dismisses:
            self._news.notes.append(f"A dialog opened and was closed: {describe_dialog(dialog)}.")
            answer = dialog.accept if dialog.type in ("alert", "beforeunload") else dialog.dismiss
            leave_running(asyncio.ensure_future(quietly(answer)))
            return
        tab = self.tab_of(dialog)
        if tab is not None and tab.closing and dialog.type != "beforeunload":
            return  # it dies with its page
        if tab is not None and dialog.type != "beforeunload":
            tab.alerts += 1
        self._waiting.append(dialog)
        self._news.wake(interrupt=True)

    async def answer(self, accept: bool, text: str | None) -> Dialog | None:
        """Answer the oldest dialog and return it; None where there is none."""
        dialog = self.oldest
        if dialog is None:
            return None
        self._waiting.remove(dialog)
        if accept:
            await dialog.accept(dialog.default_value if text is None else text)
        else:
            await dialog.dismiss()
            tab = self.tab_of(dialog)
            if tab is not None:
                tab.closing = False  # a page that was asked whether it may be left stays
        self._news.wake()
        return dialog

    def set_aside(self) -> None:
        """Let open dialogs wait until their tabs are shown again."""
        for tab in self._tabs:
            tab.set_aside = tab.set_aside or any(d.page is tab.page for d in self._waiting)

    def forget(self, page: Page) -> None:
        """Forget the dialogs of a page that is gone."""
        self._waiting = [dialog for dialog in self._waiting if dialog.page is not page]

    def _is_set_aside(self, dialog: Dialog) -> bool:
        tab = self.tab_of(dialog)
        return tab is not None and tab.set_aside


def describe_dialog(dialog: Dialog) -> str:
    """Return a dialog's kind and text, such as `confirm "Delete?"`."""
    if dialog.type == "beforeunload":
        return 'beforeunload "Leave this page? Changes may be lost."'
    shown = f'{dialog.type} "{dialog.message[:500]}"'
    return f'{shown}, now "{dialog.default_value[:100]}"' if dialog.default_value else shown
