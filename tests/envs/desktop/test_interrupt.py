"""The stop key interrupts the main thread once: no fewer times and no more."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyehand.actions.desktop import Wait
from eyehand.envs.desktop.interrupt import AGAIN_S
from eyehand.envs.desktop.settle import changed_share

Desk = Any  # the fixture's class: conftest.py cannot be imported
STOP = ("Control", "Alt", "q")
LONG_S = 60.0
send = signal.pthread_kill


def lost() -> Callable[[int, int], None]:
    """The first signal cuts nothing short, as if it came just before a system call."""
    calls: list[int] = []

    def kill(thread: int, number: int) -> None:
        calls.append(number)
        if len(calls) > 1:
            send(thread, number)

    return kill


def doubled() -> Callable[[int, int], None]:
    """The signal is sent again when its handler has begun and has not taken it yet."""

    def kill(thread: int, number: int) -> None:
        send(thread, number)
        time.sleep(AGAIN_S)  # by now the handler waits for the sender
        send(thread, number)

    return kill


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Whatever a test does, Python's own handler is there again when the environment is closed."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    yield
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert found is signal.default_int_handler


def interrupts_of(press: Callable[[], None], wait_s: float = LONG_S) -> int:
    """Return how often the main thread is interrupted, in a long wait and in the time after it."""
    person = threading.Thread(target=press)
    count = 0
    for seconds in (wait_s, 5 * AGAIN_S):
        try:
            if not person.ident:
                person.start()
            time.sleep(seconds)
        except KeyboardInterrupt:
            count += 1
    person.join()
    return count


def press_stop(desk: Desk) -> Callable[[], None]:
    return lambda: desk.person.press(*STOP)


def test_the_stop_key_interrupts_once(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        assert interrupts_of(press_stop(desk)) == 1


@pytest.mark.parametrize("fault", [lost, doubled])
def test_it_interrupts_once_however_the_signal_falls(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Callable[[int, int], None]]
) -> None:
    monkeypatch.setattr(signal, "pthread_kill", fault())
    with desk.environment() as environment:
        environment.reset()
        assert interrupts_of(press_stop(desk)) == 1


def test_a_stop_key_pressed_when_a_step_is_as_good_as_over_ends_the_thinking_that_follows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.environment() as environment:
        environment.reset()

        def pressed_late(*pictures: Any) -> float:  # nothing looks at the stop key after this
            desk.person.press(*STOP)
            deadline_s = time.monotonic() + LONG_S
            while not environment._session.stop_key.pressed and time.monotonic() < deadline_s:
                time.sleep(0.005)
            return changed_share(*pictures)

        monkeypatch.setattr("eyehand.envs.desktop.environment.changed_share", pressed_late)
        environment.step(Wait(seconds=0.1))
        with pytest.raises(KeyboardInterrupt):
            time.sleep(LONG_S)


def test_where_ctrl_c_is_ignored_the_stop_key_is_not(desk: Desk) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background process of a script
    with desk.environment() as environment:
        environment.reset()
        assert interrupts_of(lambda: signal.raise_signal(signal.SIGINT), wait_s=AGAIN_S) == 0
        assert interrupts_of(press_stop(desk)) == 1
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN


def test_where_ctrl_c_ends_the_process_at_once_nothing_stands_before_it(desk: Desk) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with desk.environment() as environment:
        environment.reset()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_DFL


def test_the_callers_handler_is_called_once_and_decides(desk: Desk) -> None:
    heard: list[int] = []
    theirs: Any = lambda number, frame: heard.append(number)  # noqa: E731
    signal.signal(signal.SIGINT, theirs)
    with desk.environment() as environment:
        environment.reset()
        assert interrupts_of(press_stop(desk), wait_s=5 * AGAIN_S) == 0
        assert heard == [signal.SIGINT]
        signal.raise_signal(signal.SIGINT)
        assert heard == [signal.SIGINT] * 2
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is theirs


def test_a_handler_that_is_set_later_stays_and_is_called_once(desk: Desk) -> None:
    heard: list[int] = []
    theirs: Any = lambda number, frame: heard.append(number)  # noqa: E731
    with desk.environment() as environment:
        environment.reset()
        signal.signal(signal.SIGINT, theirs)
        assert interrupts_of(press_stop(desk), wait_s=5 * AGAIN_S) == 0
        assert heard == [signal.SIGINT]
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is theirs


def test_a_signal_that_comes_while_the_first_is_taken_is_dropped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "sigpending", lambda: signal.raise_signal(signal.SIGINT))
    heard: list[int] = []
    theirs: Any = lambda number, frame: heard.append(number)  # noqa: E731
    signal.signal(signal.SIGINT, theirs)
    with desk.environment() as environment:
        environment.reset()
        assert interrupts_of(press_stop(desk), wait_s=5 * AGAIN_S) == 0
        assert heard == [signal.SIGINT]
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is theirs


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("stopped", [0, 1])
def test_environments_inside_each_other_stop_by_their_own_keys(
    desk: Desk, order: tuple[int, int], stopped: int
) -> None:
    keys = ("F8", "F9")
    environments = [desk.environment(stop_key=key) for key in keys]
    for environment in environments:
        environment.reset()
    assert interrupts_of(lambda: desk.person.press(keys[stopped])) == 1
    for number in order:
        environments[number].close()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_closed_environment_leaves_ctrl_c_to_python(desk: Desk) -> None:
    outer, inner = (desk.environment(stop_key=key) for key in ("F8", "F9"))
    outer.reset()
    inner.reset()
    outer.close()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    inner.close()
