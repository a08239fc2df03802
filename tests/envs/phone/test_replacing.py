"""A field's text is replaced in one action, through adb, on the page that is the phone."""

from collections.abc import Iterator
from typing import Any

import pytest

from eyehand.actions.android import ReplaceText, Tap, TypeText
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.env import Observation
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.envs.phone.shell import input_commands

pytestmark = pytest.mark.usefixtures("browser_ends")


@pytest.fixture
def phone(own_adb: Any) -> Iterator[tuple[PhoneScreen, AndroidEnvironment]]:
    with PhoneScreen() as screen:
        screen.open()
        device = AdbDevice(screen)
        device.start()
        environment = AndroidEnvironment(device.address, adb_port=own_adb.port)
        yield screen, environment
        environment.close()
        device.close()


def tap(screen: PhoneScreen, environment: AndroidEnvironment, seen: Observation, key: str) -> Any:
    place = screen.locate(key)
    assert place is not None
    assert place.point is not None
    return environment.step(Tap(point=seen.geometry.to_point(*place.point)))[0]


# Without combinations there are 200 keys to press; ASCII is typed there first of all.
@pytest.mark.parametrize(
    ("text", "combines_keys"),
    [("Short", True), ("Ünïcode 你好", True), ("", True), ("Ünïcode 你好", False), ("", False)],
)
def test_a_notes_title_is_replaced(
    phone: Any, monkeypatch: pytest.MonkeyPatch, text: str, combines_keys: bool
) -> None:
    screen, environment = phone
    if not combines_keys:  # as before Android 12
        monkeypatch.delitem(input_commands.ACTIONS, "keycombination")
    seen, _ = environment.reset()
    for key in ("app-notes", "note-2", "field-title"):
        seen = tap(screen, environment, seen, key)
    for words in ("Ideas", text):
        seen, _, _, _, info = environment.step(ReplaceText(text=words))
    assert ("replaced" if text else "cleared" if combines_keys else "deleted") in info["effect"]
    tap(screen, environment, seen, "save")
    assert screen.state()["notes"][1]["title"] == text


def test_a_text_may_name_the_field_that_is_tapped_first(phone: Any) -> None:
    screen, environment = phone
    seen, _ = environment.reset()
    for key in ("app-notes", "note-2"):
        seen = tap(screen, environment, seen, key)
    place = screen.locate("field-title")
    assert place is not None
    assert place.point is not None
    there = seen.geometry.to_point(*place.point)
    seen, _, _, _, info = environment.step(ReplaceText(text="Other", point=there))
    assert info["effect"].startswith("tapped (")
    assert "then replaced" in info["effect"]
    place = screen.locate("field-title")  # the keyboard may have moved it
    assert place is not None
    assert place.point is not None
    more = TypeText(text="!", point=seen.geometry.to_point(*place.point))
    seen, _, _, _, info = environment.step(more)
    assert "then typed '!'" in info["effect"]
    tap(screen, environment, seen, "save")
    assert screen.state()["notes"][1]["title"].replace("!", "") == "Other"
    assert "!" in screen.state()["notes"][1]["title"]
