"""A virtual X screen with a real window on it: a headed Chromium that tells what it received."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from eyehand.envs.desktop.environment import DesktopEnvironment
from eyehand.envs.desktop.keysyms import keysyms_of_key
from eyehand.envs.desktop.xlib import X, connect, rq, xtest
from eyehand.envs.web.browser import find_chromium

SCREEN = (1000, 800)
WINDOW = (60, 40, 800, 700)
DESK = (Path(__file__).parent / "pages" / "desk.html").as_uri()
START_TIMEOUT_S = 60.0


@contextmanager
def x_server(*extra: str, size: tuple[int, int] = SCREEN) -> Iterator[tuple[str, Any]]:
    """Start Xvfb on a free display; yields its name and its process."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.fail("the desktop's tests need a virtual X screen: apt-get install xvfb")
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-nolisten", "tcp", "-noreset", *extra]
    screen = ["-screen", "0", f"{size[0]}x{size[1]}x24"]
    with subprocess.Popen(
        [*command, *screen], pass_fds=[writing], stderr=subprocess.DEVNULL
    ) as process:
        os.close(writing)
        try:
            with os.fdopen(reading) as answer:
                number = answer.readline().strip()
            if not number:
                pytest.fail("Xvfb did not start")
            yield f":{number}", process
        finally:
            process.terminate()


class SetMonitor(rq.Request):  # type: ignore[misc, unused-ignore] # python-xlib has no types
    """RRSetMonitor of RandR 1.5, without outputs; python-xlib 0.33 cannot pack its own."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(43),
        rq.RequestLength(),
        rq.Window("window"),
        rq.Card32("name"),
        rq.Pad(4),  # neither primary nor automatic, no outputs
        rq.FixedList("place", 2, rq.Card16Obj),
        rq.FixedList("size", 6, rq.Card16Obj),  # in pixels, then in millimetres, low word first
    )


class Person:
    """A person at the same screen: another connection, of which the environment knows nothing."""

    def __init__(self, display: str) -> None:
        self.connection = connect(display)

    def press(self, *keys: str) -> None:
        """Press a combination and release it."""
        codes = [self.connection.keysym_to_keycode(keysyms_of_key(key)[0]) for key in keys]
        for kind, order in ((X.KeyPress, codes), (X.KeyRelease, codes[::-1])):
            for code in order:
                xtest.fake_input(self.connection, kind, code)
        self.connection.sync()

    def press_later(self, *keys: str, when: Callable[[], bool]) -> threading.Thread:
        """Press a combination as soon as `when` holds, from another thread."""

        def wait_and_press() -> None:
            deadline_s = time.monotonic() + START_TIMEOUT_S
            while not when() and time.monotonic() < deadline_s:
                time.sleep(0.005)
            self.press(*keys)

        thread = threading.Thread(target=wait_and_press)
        thread.start()
        return thread

    def held(self) -> int:
        """The modifiers and buttons that are down now (X11's mask; 0 for none)."""
        mask: int = self.connection.screen().root.query_pointer().mask
        return mask

    def pointer(self) -> tuple[int, int]:
        """Where the pointer is, in pixels of the root window."""
        place = self.connection.screen().root.query_pointer()
        return place.root_x, place.root_y

    def keymap(self) -> list[list[int]]:
        """The whole keyboard map."""
        first, last = (
            getattr(self.connection.display.info, f"{n}_keycode") for n in ("min", "max")
        )
        return [list(row) for row in self.connection.get_keyboard_mapping(first, last - first + 1)]

    def plug(self, name: str, left: int, top: int, width: int, height: int) -> None:
        """Divide the screen: make a part of it a further monitor, as RandR 1.5 can."""
        root = self.connection.screen().root
        SetMonitor(
            display=root.display,
            opcode=root.display.get_extension_major("RANDR"),
            window=root,
            name=self.connection.intern_atom(name),
            place=[left, top],
            size=[width, height, 100, 0, 100, 0],
        )
        self.connection.sync()

    def unplug(self, name: str) -> None:
        """Take away a monitor that `plug` made."""
        root = self.connection.screen().root
        root.xrandr_delete_monitor(self.connection.intern_atom(name))
        self.connection.sync()

    def close(self) -> None:
        self.connection.close()


@dataclass
class Desk:
    """The screen, its window, and the person in front of it."""

    display: str
    page: Page
    person: Person

    def environment(self, area: str = "", **options: Any) -> DesktopEnvironment:
        return DesktopEnvironment(area, display=self.display, **options)

    def heard(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the events of a kind, once there are `count`; forgets all that came so far."""
        self.page.wait_for_function(
            "([kind, count]) => heard.filter(e => e.kind === kind).length >= count",
            arg=[kind, count],
        )
        events: list[dict[str, Any]] = self.page.evaluate("heard.splice(0)")
        return [event for event in events if event["kind"] == kind]

    def forget(self) -> None:
        self.page.evaluate(
            "play(false), scrollTo(0, 0), text.value = '', text.blur(), heard.splice(0)"
        )

    def wait_for_text(self, expected: str) -> str:
        """Return the field's text, once it is what is expected or 3 s have passed."""
        try:
            self.page.wait_for_function(
                "expected => text.value === expected", arg=expected, timeout=3000
            )
        except PlaywrightTimeout:
            pass
        value: str = self.page.evaluate("text.value")
        return value


# Not for the whole run: while Playwright's synchronous interface is open, asyncio.run refuses.
@pytest.fixture(scope="module")
def _desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    left, top, width, height = WINDOW
    with x_server() as (display, _), sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            headless=False,
            executable_path=find_chromium(),
            no_viewport=True,
            env={**os.environ, "DISPLAY": display},
            args=[
                "--no-sandbox",
                f"--app={DESK}",
                f"--window-position={left},{top}",
                f"--window-size={width},{height}",
            ],
        )
        person = Person(display)
        desk = Desk(display, context.pages[0], person)
        desk.page.set_default_timeout(60_000)
        wait_until_it_hears(desk)
        yield desk
        person.close()
        context.close()


def wait_until_it_hears(desk: Desk) -> None:
    """A window that was just opened is deaf for a moment: nudge the pointer until it hears."""
    desk.page.wait_for_load_state()
    deadline_s = time.monotonic() + START_TIMEOUT_S
    x = WINDOW[0] + WINDOW[2] // 2
    while not desk.page.evaluate("heard.length"):
        if time.monotonic() > deadline_s:
            pytest.fail("the window never heard the pointer")
        x += 1
        xtest.fake_input(desk.person.connection, X.MotionNotify, 0, x=x, y=WINDOW[1] + 400)
        desk.person.connection.sync()
        desk.page.evaluate("new Promise(requestAnimationFrame)")


@pytest.fixture
def desk(_desk: Desk) -> Desk:
    _desk.forget()
    return _desk


@pytest.fixture(name="x_server")
def _x_server() -> Any:
    """Starts further virtual screens: `with x_server(...) as (display, process)`."""
    return x_server


@pytest.fixture(name="person_at")
def _person_at() -> Any:
    """Puts a person in front of a further screen: `person_at(display)`."""
    return Person
