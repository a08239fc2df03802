import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from eyehand.actions import web
from eyehand.envs.png import decode_png
from eyehand.envs.web.browser import Browser, find_chromium, has_sandbox, launch_flags
from eyehand.envs.web.faults import as_fault
from eyehand.errors import (
    BrowserCrashed,
    CaptureFailed,
    EnvironmentFault,
    EyehandError,
    UsageError,
)

HANG_S = 60.0
"""Against hanging only: a loaded machine may take long for anything."""

PROGRAM = """
import sys, threading, time
from eyehand.actions.web import Wait
from eyehand.envs.web import WebEnvironment
environment = WebEnvironment(sys.argv[1])
environment.reset()
main = threading.main_thread().ident

def tell_when_it_waits():
    names = []
    while "step" not in names or "result" not in names:
        time.sleep(0.01)
        frame, names = sys._current_frames()[main], []
        while frame:
            frame, names = frame.f_back, [*names, frame.f_code.co_name]
    print("ready", flush=True)

if sys.argv[2] == "wait":
    threading.Thread(target=tell_when_it_waits, daemon=True).start()
    try:
        environment.step(Wait(seconds=30))
    except KeyboardInterrupt:
        environment.close()
        print("closed", flush=True)
else:
    print("ready", flush=True)
"""


def descendants(pid: int) -> list[int]:
    """Living processes below a process, zombies left out."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents.setdefault(int(parent), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def alive(pids: list[int]) -> list[int]:
    return [p for p in pids if (state := _state(p)) is not None and state != "Z"]


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def wait_until_gone(pids: list[int], timeout_s: float = HANG_S) -> list[int]:
    end_s = time.monotonic() + timeout_s
    while alive(pids) and time.monotonic() < end_s:
        time.sleep(0.05)
    return alive(pids)


def chromium_of_this_process() -> int:
    for pid in descendants(os.getpid()):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"--headless=new" in command and b"--type=" not in command:
            return pid
    raise AssertionError("no Chromium runs")


def test_a_killed_browser_is_a_fault_and_the_next_reset_starts_another(visit: Any) -> None:
    page = visit("quiet.html", step_timeout_s=2 * HANG_S)
    os.kill(chromium_of_this_process(), signal.SIGKILL)
    began_s = time.monotonic()
    with pytest.raises(BrowserCrashed):
        page.do(web.Click(point=page.observation.geometry.to_point(60, 20)))
    assert time.monotonic() - began_s < HANG_S
    again, _ = page.environment.reset()
    assert "Title: Quiet" in again.text


def test_a_browser_killed_while_it_works_is_a_fault_promptly(visit: Any) -> None:
    page = visit("quiet.html")
    killer = threading.Timer(0.5, os.kill, (chromium_of_this_process(), signal.SIGKILL))
    killer.start()
    began_s = time.monotonic()
    with pytest.raises(BrowserCrashed):
        page.do(web.Wait(seconds=30))
    assert time.monotonic() - began_s < 25
    killer.join()


def test_a_call_that_takes_too_long_is_a_fault(visit: Any) -> None:
    page = visit("quiet.html")
    never = "() => new Promise(() => {})"
    with pytest.raises(EnvironmentFault, match="no answer in"):
        page.environment.page_call(lambda p: p.evaluate(never), timeout_s=0.3)
    page.do(web.Reload())
    assert "Title: Quiet" in page.observation.text


def test_an_error_in_a_users_script_is_no_exception_of_playwright(visit: Any) -> None:
    page = visit("quiet.html")
    with pytest.raises(EnvironmentFault, match="is not defined"):
        page.ask("() => missing()")
    with pytest.raises(EnvironmentFault):
        page.environment.page_call(lambda p: p.click("#absent", timeout=100))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (PlaywrightTimeout("Timeout 5ms exceeded"), EnvironmentFault),
        (PlaywrightError("Target page, context or browser has been closed"), BrowserCrashed),
        (PlaywrightError("Page.click: Target crashed"), BrowserCrashed),
        (PlaywrightError("Protocol error"), EnvironmentFault),
    ],
)
def test_every_exception_of_playwright_has_one_of_ours(
    error: PlaywrightError, ours: type[EyehandError]
) -> None:
    assert type(as_fault(error)) is ours


def test_playwright_raises_no_class_that_is_not_mapped() -> None:
    from playwright._impl import _errors

    classes = [c for c in vars(_errors).values() if isinstance(c, type)]
    raised = {c.__name__ for c in classes if issubclass(c, Exception)}
    assert raised == {"Error", "TimeoutError", "TargetClosedError"}


def test_a_damaged_picture_is_a_fault() -> None:
    with pytest.raises(CaptureFailed):
        decode_png(b"not a picture")


def test_a_chromium_that_cannot_be_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYEHAND_CHROMIUM", "/no/such/chromium")
    with pytest.raises(UsageError, match="EYEHAND_CHROMIUM is '/no/such/chromium'"):
        Browser()


def test_the_variable_goes_before_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.touch(mode=0o755)
    monkeypatch.setenv("EYEHAND_CHROMIUM", str(mine))
    assert find_chromium() == str(mine)
    monkeypatch.delenv("EYEHAND_CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() is None


def test_the_sandbox_is_given_up_as_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert has_sandbox()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not has_sandbox()


def test_the_window_is_shown_only_where_it_is_wanted() -> None:
    assert "--headless=new" in launch_flags(headed=False)
    assert "--headless=new" not in launch_flags(headed=True)
    assert "--no-sandbox" not in launch_flags(headed=False)


def test_what_playwright_disables_stays_disabled(visit: Any) -> None:
    visit("quiet.html")
    command = Path(f"/proc/{chromium_of_this_process()}/cmdline").read_text()
    lists = re.findall(r"--disable-features=([\w,]+)", command)
    playwrights, ours = (set(names.split(",")) for names in lists)
    assert playwrights - ours == set()
    assert ours - playwrights == {name for name in ours if name.startswith("WebUIOmnibox")}


def test_a_window_loads_its_page_and_nothing_beside_it(visit: Any) -> None:
    page = visit("quiet.html")

    async def kinds(shown: Any) -> set[str]:
        session = await shown.context.browser.new_browser_cdp_session()
        found = await session.send("Target.getTargets", {"filter": [{}]})
        return {target["type"] for target in found["targetInfos"]}

    assert page.environment.page_call(kinds) <= {"page", "tab", "browser"}


def test_closing_a_browser_leaves_no_process() -> None:
    before = set(descendants(os.getpid()))
    browser = Browser()
    mine = [pid for pid in descendants(os.getpid()) if pid not in before]
    assert len(mine) > 1
    browser.close()
    browser.close()
    assert wait_until_gone(mine) == []
    with pytest.raises(EnvironmentFault, match="closed"):
        browser.call(lambda: None)


def test_a_call_from_the_browsers_own_thread_is_refused() -> None:
    browser = Browser.shared()
    with pytest.raises(EnvironmentFault, match="own thread"):
        browser.call(lambda: browser.call(lambda: None))


@pytest.mark.parametrize(
    ("how", "number"), [("end", None), ("wait", signal.SIGINT), ("wait", signal.SIGKILL)]
)
def test_no_chromium_outlives_its_program(
    site: str, how: str, number: signal.Signals | None
) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, f"{site}/quiet.html", how]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        started = descendants(program.pid)
        if number is not None:
            program.send_signal(number)
        said, complaints = program.communicate(timeout=HANG_S)
    assert wait_until_gone(started) == []
    if number == signal.SIGINT:
        assert said == "closed\n"
    if number != signal.SIGKILL:
        assert program.returncode == 0
        assert complaints == ""
