"""A person can always stop it, and it lets go of everything; so it does when the screen dies."""

import signal
import threading
import time
from typing import Any

import pytest

from eyehand.actions import ActionSpace, Point
from eyehand.actions.desktop import Click, Drag, Hover, PressKeys, TypeText, Wait
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import EXIT_INTERRUPTED, Outcome
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs import make
from eyehand.envs.desktop import stop_key
from eyehand.envs.desktop.stop_key import StopKey, StopKeyPressed, read_stop_key
from eyehand.envs.desktop.xlib import _need
from eyehand.envs.env import Observation
from eyehand.errors import (
    CaptureFailed,
    DeviceDisconnected,
    EnvironmentFault,
    MissingExtra,
    StartUnreachable,
    UsageError,
)

Desk = Any  # the fixture's class: conftest.py cannot be imported
STOP = ("Control", "Alt", "q")
LONG_S = 60.0
FIELD = Click(point=Point(x=0.3, y=0.2))


class Pondering(Policy, Conversation):
    """Thinks for a long time, as a large model on a small machine does."""

    name = "pondering"

    def __init__(self) -> None:
        self.thinking = threading.Event()
        self.interrupts = 0

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return self

    def decide(self, observation: Observation) -> Decision:
        self.thinking.set()
        try:
            time.sleep(LONG_S)
        except KeyboardInterrupt:
            self.interrupts += 1
            raise
        return Decision(action=Hover(point=Point(x=0.5, y=0.5)))


def test_the_stop_key_ends_an_episode_while_the_policy_thinks(desk: Desk) -> None:
    policy = Pondering()
    with desk.environment() as environment:
        person = desk.person.press_later(*STOP, when=policy.thinking.is_set)
        episode = run_episode(policy, environment, task="Think")
        person.join()
    assert episode.outcome is Outcome.STOPPED
    assert episode.outcome.exit_status == EXIT_INTERRUPTED
    assert episode.message == "stopped by a person"
    assert policy.interrupts == 1


def test_the_stop_key_ends_an_episode_while_it_acts(desk: Desk) -> None:
    drag = Drag(start=Point(x=0.3, y=0.6), end=Point(x=0.5, y=0.7))
    script = [FIELD, TypeText(text="漢字仮名🎉" * 1500), drag]
    before = desk.person.keymap()
    with desk.environment() as environment:
        person = desk.person.press_later(*STOP, when=lambda: desk.person.keymap() != before)
        episode = run_episode(ScriptedPolicy(script), environment, task="Type")
        person.join()
    assert episode.outcome is Outcome.STOPPED
    assert len(episode.steps) == 2
    assert len(desk.page.evaluate("text.value")) < 6000
    assert desk.person.held() == 0
    assert desk.person.keymap() == before


def test_no_button_stays_down_when_a_drag_is_stopped(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        person = desk.person.press_later(*STOP, when=lambda: desk.person.held() == 256)
        with pytest.raises(StopKeyPressed):
            environment.step(Drag(start=Point(x=0.3, y=0.6), end=Point(x=0.6, y=0.7)))
        person.join()
        assert desk.person.held() == 0
        assert [event["kind"] for event in desk.heard("mouseup")] == ["mouseup"]
        with pytest.raises(KeyboardInterrupt):
            environment.step(Wait(seconds=1))
    assert desk.page.evaluate("heard.length") == 0


@pytest.mark.parametrize("late_s", [0.0, 0.3])  # a busy machine's listener begins late
def test_off_the_main_thread_the_next_step_ends_the_episode(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, late_s: float
) -> None:
    ended: list[str] = []
    listen = StopKey._listen

    def begin_late(listener: StopKey) -> None:
        time.sleep(late_s)
        listen(listener)

    monkeypatch.setattr(StopKey, "_listen", begin_late)

    def act() -> None:
        with desk.environment() as environment:
            environment.reset()
            desk.person.press(*STOP)
            deadline_s = time.monotonic() + LONG_S
            try:
                while time.monotonic() < deadline_s:
                    environment.step(Wait(seconds=0.1))
            except StopKeyPressed as stopped:
                ended.append(str(stopped))

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    assert ended == ["stopped by a person"]


def test_a_listener_that_never_begins_is_a_fault_and_ends_without_a_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen, begin = StopKey._listen, threading.Event()

    def wait_to_begin(listener: StopKey) -> None:
        begin.wait()
        listen(listener)

    monkeypatch.setattr(StopKey, "_listen", wait_to_begin)
    monkeypatch.setattr(stop_key, "LISTENING_TIMEOUT_S", 0.1)
    monkeypatch.setattr(stop_key, "JOIN_TIMEOUT_S", 0.1)
    with (
        desk.environment() as environment,
        pytest.raises(EnvironmentFault, match=r"cannot listen for the stop key: no answer"),
    ):
        environment.reset()
    begin.set()
    for thread in threading.enumerate():
        if thread.name == "stop key":
            thread.join()


def test_the_agents_own_keys_are_not_the_persons(desk: Desk) -> None:
    with desk.environment() as environment:
        environment.reset()
        environment.step(PressKeys(keys=list(STOP)))
        environment.step(PressKeys(keys=["Control", "q"]))
        desk.person.press("Control", "q")
        info = environment.step(Wait(seconds=0.2))[4]
    assert info["effect"].startswith("waited 0.2 s")


def test_another_stop_key_may_be_chosen(desk: Desk) -> None:
    with desk.environment(stop_key="shift+F8") as environment:
        environment.reset()
        environment.step(PressKeys(keys=["F8"]))
        desk.forget()
        person = desk.person.press_later("Shift", "F8", when=lambda: desk.person.held() == 256)
        with pytest.raises(StopKeyPressed):
            environment.step(Drag(start=Point(x=0.3, y=0.6), end=Point(x=0.6, y=0.7)))
        person.join()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q", "would be pressed by ordinary typing"),
        ("shift+q", "would be pressed by ordinary typing"),
        ("ctrl+alt", "would be pressed by ordinary typing"),
        ("ctrl+alt+quit", "'quit' is not a key"),
        ("", "is not a key"),
    ],
)
def test_a_stop_key_that_cannot_serve_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("desktop:", stop_key=text)


def test_stop_keys_are_read_like_combinations() -> None:
    assert read_stop_key("ctrl+alt+q") == ["Control", "Alt", "q"]
    assert read_stop_key("Pause") == ["Pause"]


def test_a_screen_that_dies_is_an_environment_fault(x_server: Any) -> None:
    with x_server(size=(200, 150)) as (display, process), make("desktop:", display=display) as desk:
        desk.reset()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises((DeviceDisconnected, CaptureFailed, EnvironmentFault)):
            desk.step(Hover(point=Point(x=0.5, y=0.5)))


def test_without_a_way_to_hear_the_stop_key_nothing_starts(x_server: Any) -> None:
    with (
        x_server("-extension", "RECORD", size=(200, 150)) as (display, _),
        make("desktop:", display=display) as desk,
        pytest.raises(UsageError, match=r"lacks the extension .*RECORD \(the stop key\)"),
    ):
        desk.reset()


def test_no_screen_wayland_and_a_wrong_name_each_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UsageError, match=r"DISPLAY is not set.*Xvfb"):
        make("desktop:").reset()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(UsageError, match="desktop: works on X11 only"):
        make("desktop:").reset()
    with pytest.raises(StartUnreachable, match="':4711' does not answer"):
        make("desktop:", display=":4711").reset()


def test_without_python_xlib_the_extra_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'eyehand\[desktop\]'"):
        _need("Xlib.no_such_module")
