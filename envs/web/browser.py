"""Chromium as a process that many episodes share: found, started, watched, ended."""

import atexit
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, CDPSession, Playwright
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.open_files import require_open_files
from eyehand.envs.temporary import TemporaryFolder
from eyehand.envs.web.faults import faults_mapped
from eyehand.envs.web.graphics import Graphics
from eyehand.envs.web.outliving import end_processes_of
from eyehand.envs.web.starting import start_driver, start_first
from eyehand.envs.web.thread import BrowserThread
from eyehand.errors import BrowserCrashed, EnvironmentFault, UsageError

CHROMIUM_VARIABLE = "EYEHAND_CHROMIUM"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-quic",
    "--overscroll-history-navigation=0",  # a scroll to the side scrolls; it never goes back
    "--disable-smooth-scrolling",  # a wheel's turn is there at once, so nothing waits for it
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    "--disable-print-preview",  # its preview crashes the renderer when a PDF is printed
)
# Chromium heeds the last such list alone, so that this one repeats Playwright's.
DISABLED_FEATURES = (
    # The address bar's popups, which nobody sees here, would be two more pages in every window:
    # more than half of what a window costs.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    # Playwright's own.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
)
PERSONS_HABITS = (
    "--hide-scrollbars",  # a screen that shows scroll bars says that it scrolls
    "--disable-popup-blocking",  # a window opens at a click, and not by a page's own will
)
"""What Playwright switches off and a person's browser has on."""

LONGEST_TEMPORARY = 107 - len("/org.chromium.Chromium.123456/SingletonSocket")
"""Bytes of a path in which Chromium can still make its socket; Linux permits 107."""

START_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 10.0
# How long a browser that runs may take to say so, on a busy machine.
ANSWER_TIMEOUT_S = 10.0


def find_chromium() -> str | None:
    """Return the path of the system's Chromium, or None where there is none.

    The environment variable EYEHAND_CHROMIUM goes before the names on PATH.

    Raises:
        UsageError: EYEHAND_CHROMIUM names something that cannot be run.
    """
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        path = shutil.which(named)
        if path is None:
            raise UsageError(f"{CHROMIUM_VARIABLE} is {named!r}, which is no program to run")
        return path
    return next(_on_path(), None)


def chromium_version() -> str:
    """Start Chromium, ask for its version and end it: whether there is one that works.

    Returns:
        The version, and where the program lies.

    Raises:
        MissingProgram: no Chromium is installed, or none starts; the message says what to install.
        UsageError: EYEHAND_CHROMIUM names something that cannot be run.
        EnvironmentFault: it gave no answer.
    """
    browser = Browser()
    try:
        return f"{browser.version} starts ({browser.program or 'Playwright’s own'})"
    finally:
        browser.close()


def _on_path() -> Iterator[str]:
    return filter(None, map(shutil.which, CHROMIUM_NAMES))


def launch_flags(headed: bool) -> list[str]:
    """Return what is added to Chromium's command line: quiet, and headless unless `headed`."""
    flags = [*QUIET_FLAGS, f"--disable-features={','.join(DISABLED_FEATURES)}"]
    return flags if headed else [*flags, "--headless=new"]


def has_sandbox() -> bool:
    """Return whether Chromium may be sandboxed: for everyone but root, who cannot have it."""
    return not (hasattr(os, "geteuid") and os.geteuid() == 0)


class Browser:
    """A running Chromium. Use `Browser.shared()`: one process serves the whole program.

    Everything of Playwright runs on one thread; `call` brings a function there. A browser that
    died, or whose driver died, is noticed by `alive`, and `shared` then starts a new one.

    Args:
        headed: Show the window.

    Raises:
        MissingProgram: no Chromium is installed, or none starts.
        UsageError: EYEHAND_CHROMIUM names something that cannot be run, TMPDIR names no folder
            or a long one, or too few files may be open.
        BrowserCrashed: Chromium or its driver was killed while it started.
    """

    _shared: dict[bool, "Browser"] = {}  # noqa: RUF012 - one registry for the process
    _lock = threading.Lock()

    def __init__(self, headed: bool = False) -> None:
        self.headed = headed
        self._playwright: Playwright | None = None
        self._browser: PlaywrightBrowser | None = None
        self._session: CDPSession | None = None
        self._answers = True
        self._hangs = False
        self._graphics = Graphics(None)
        self.program: str | None = None  # the path; None is Playwright's own
        require_open_files()
        self._temporary = TemporaryFolder(LONGEST_TEMPORARY)
        self.downloads = self._temporary.path / "downloads"
        self.downloads.mkdir()
        self._thread = BrowserThread()
        try:
            with faults_mapped():
                self._thread.call(self._start, timeout_s=START_TIMEOUT_S)
        except BaseException:
            with suppress(EnvironmentFault):
                self.close()
            raise

    @classmethod
    def shared(cls, headed: bool = False) -> "Browser":
        """Return the program's browser; a dead or closed one is replaced by a new process."""
        with cls._lock:
            browser = cls._shared.get(headed)
            if browser is None or not browser.answers():
                if browser is not None:
                    # Its driver may be gone, or hang: whatever it says, another one is started.
                    with suppress(EnvironmentFault):
                        browser.close()
                browser = cls._shared[headed] = cls(headed)
            return browser

    @classmethod
    def close_shared(cls) -> None:
        """Close the program's browsers; it happens by itself at exit."""
        while cls._shared:
            with suppress(EnvironmentFault):  # one that does not answer has been ended
                cls._shared.popitem()[1].close()

    @property
    def alive(self) -> bool:
        """Whether the process, its driver and its graphics run and take calls, as is known."""
        connected = self._browser is not None and self._browser.is_connected()
        runs = connected and self._answers and self._thread.alive
        return runs and not (self._thread.lost_program or self.lost_graphics)

    @property
    def lost_graphics(self) -> bool:
        """Whether its GPU process died: its pages go on, and what they drew on a canvas is gone."""
        return self._graphics.lost

    def answers(self) -> bool:
        """Ask the process whether it runs; one that does not answer is not `alive` any more."""
        if not self.alive or self._session is None:
            return False
        try:
            self._thread.call(self._session.send, "Browser.getVersion", timeout_s=ANSWER_TIMEOUT_S)
        except PlaywrightError:
            self._answers = False
        except EnvironmentFault:
            self._answers, self._hangs = False, True
        return self._answers

    @property
    def version(self) -> str:
        """Chromium's version, such as "140.0.7339.16"."""
        return self._connected().version

    def call(self, function: Callable[..., Any], *args: Any, timeout_s: float | None = None) -> Any:
        """Run a function on the browser's thread; see `BrowserThread.call`.

        Raises:
            BrowserCrashed: the page or the process died.
            EnvironmentFault: the browser failed otherwise, or `timeout_s` has passed.
        """
        try:
            with faults_mapped():
                return self._thread.call(function, *args, timeout_s=timeout_s)
        except EnvironmentFault:
            if not self._thread.is_current:
                self.answers()  # the next reset has to know whether the whole browser died
            raise

    async def new_context(
        self,
        viewport: tuple[int, int] = (1288, 728),
        pixel_ratio: float = 1.0,
        downloads: bool = True,
    ) -> BrowserContext:
        """Open a context: its cookies, storage and cache are its own. Await it inside `call`.

        Args:
            viewport: Width and height of the page in CSS pixels.
            pixel_ratio: Device pixels in a CSS pixel.
            downloads: Whether pages may download.
        """
        width, height = viewport
        return await self._connected().new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=pixel_ratio,
            accept_downloads=downloads,
        )

    async def new_session(self) -> CDPSession:
        """Open a session of Chromium's protocol with the whole browser. Await it inside `call`."""
        return await self._connected().new_browser_cdp_session()

    def close(self) -> None:
        """End the process and the thread. Closing twice is fine."""
        try:
            if self._thread.alive and not self._hangs:
                self._thread.call(self._stop, timeout_s=CLOSE_TIMEOUT_S)
        finally:
            self._thread.close()
            end_processes_of(self._temporary.path)
            self._temporary.close()

    def _connected(self) -> PlaywrightBrowser:
        if self._browser is None or not self._browser.is_connected():
            raise BrowserCrashed("the browser process is gone; the next reset starts a new one")
        return self._browser

    async def _start(self) -> None:
        try:
            await self._start_both()
        except UsageError as error:
            if await self._thread.killed_program():
                raise BrowserCrashed("the browser's driver was killed as it started") from error
            raise

    async def _start_both(self) -> None:
        self._playwright = await start_driver(self._temporary.path)
        named = os.environ.get(CHROMIUM_VARIABLE)
        candidates = [find_chromium()] if named else [*_on_path(), None]
        variable = CHROMIUM_VARIABLE if named else ""
        self.program, self._browser = await start_first(candidates, self._launch, variable)
        self._session = await self._browser.new_browser_cdp_session()
        self._graphics = await Graphics.of(self._session)

    async def _launch(self, program: str | None) -> PlaywrightBrowser:
        assert self._playwright is not None
        return await self._playwright.chromium.launch(
            executable_path=program,
            headless=not self.headed,
            chromium_sandbox=has_sandbox(),
            args=launch_flags(self.headed),
            downloads_path=self.downloads,
            ignore_default_args=list(PERSONS_HABITS),
            # Signals are the caller's: Ctrl-C must leave a browser that can be closed.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    async def _stop(self) -> None:
        try:
            if self._browser is not None and self._browser.is_connected():
                await self._browser.close()
        except PlaywrightError:
            pass  # it died while closing, which is what was wanted
        finally:
            if self._playwright is not None:
                await self._playwright.stop()


def _forget_after_fork() -> None:
    """A forked child has the parent's objects but not its threads: it starts its own browser."""
    Browser._shared.clear()
    Browser._lock = threading.Lock()


atexit.register(Browser.close_shared)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
