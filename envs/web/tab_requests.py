"""What a tab loads: listens to its requests and keeps the tab's fields up to date."""

import asyncio

from playwright.async_api import FileChooser, Request

from eyehand.envs.web.address_guard import AddressGuard
from eyehand.envs.web.news import News
from eyehand.envs.web.tab import OTHER_PROGRAM, Tab

AWAITED_KINDS = ("document", "stylesheet", "script", "image", "font", "xhr", "fetch")


class RequestListener:
    """Keeps `requests`, `navigating`, `traffic`, `failure` and `chooser` of a tab up to date.

    Args:
        tab: The tab.
        guard: Is told of addresses that are outside the browser.
        news: Is told of every request.
    """

    def __init__(self, tab: Tab, guard: AddressGuard, news: News) -> None:
        self._tab = tab
        self._guard = guard
        self._news = news
        tab.page.on("request", self._on_request)
        tab.page.on("requestfinished", self._on_answer)
        tab.page.on("requestfailed", self._on_failure)
        tab.page.on("filechooser", self._on_chooser)

    def _on_request(self, request: Request) -> None:
        if OTHER_PROGRAM.match(request.url):
            return self._guard.note_outside(request.url)  # it never leaves the browser, nor arrives
        if request.resource_type in AWAITED_KINDS:
            self._tab.requests[request] = asyncio.get_running_loop().time()
            self._tab.traffic += 1
        if self._is_page(request):
            self._tab.navigating = True
        self._news.wake()

    def _on_answer(self, request: Request) -> None:
        if self._tab.requests.pop(request, None) is not None:
            self._tab.traffic += 1
        if self._is_page(request):
            self._tab.navigating = False
        self._news.wake()

    def _on_failure(self, request: Request) -> None:
        """A page that did not come; one that was given up is no failure."""
        failure = request.failure or ""
        if self._is_page(request) and "ERR_ABORTED" not in failure:
            self._tab.failure = failure
        self._on_answer(request)

    def _on_chooser(self, chooser: FileChooser) -> None:
        self._tab.chooser = chooser
        self._news.wake()

    def _is_page(self, request: Request) -> bool:
        """Return whether a request is for the tab's own document, not for a frame's or a part."""
        return request.is_navigation_request() and request.frame == self._tab.page.main_frame
