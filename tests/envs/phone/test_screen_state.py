import copy
from typing import Any

import pytest

from eyehand.envs.phone.state import default_state, validated
from eyehand.errors import UsageError


def test_the_default_state_is_a_state() -> None:
    assert validated(default_state()) == default_state()


def test_every_default_state_is_its_own() -> None:
    first = default_state()
    first["shop"]["products"][0]["stock"] = 0
    first["reader"]["articles"][0]["bookmarked"] = True
    assert default_state()["shop"]["products"][0]["stock"] > 0
    assert not default_state()["reader"]["articles"][0]["bookmarked"]


def test_validated_copies_deeply() -> None:
    state = default_state()
    checked = validated(state)
    checked["notes"][0]["title"] = "changed"
    assert state["notes"][0]["title"] != "changed"


def broken(path: str, value: object) -> dict[str, Any]:
    state: Any = copy.deepcopy(default_state())
    *ways, last = path.split(".")
    at = state
    for way in ways:
        at = at[int(way) if way.isdigit() else way]
    at[last] = value
    return dict(state)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("settings.brightness", 101, "0 to 100"),
        ("settings.wifi", "on", "settings.wifi"),
        ("settings.font_size", "huge", "font_size"),
        ("settings.colour", 1, "settings.colour"),
        ("alarms.0.time", "24:00", "HH:MM"),
        ("alarms.1.id", 1, "every id once"),
        ("timer.minutes", 60, "0 to 59"),
        ("shop.cart", [{"product": 999, "quantity": 1}], "a product's id"),
        ("shop.cart", [{"product": 1, "quantity": 0}], "1 or more"),
        ("messages.0.thread.0.from", "you", "from"),
        ("clock.now", "9:5", "HH:MM"),
    ],
)
def test_what_is_no_state_is_refused_with_its_place(path: str, value: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        validated(broken(path, value))
