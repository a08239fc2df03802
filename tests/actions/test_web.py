"""The web vocabulary: bounds, addresses, keys, files, and sampling."""

from typing import Any

import pytest

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.web import WEB_ACTIONS, GoTo, PressKeys, Scroll
from eyehand.errors import InvalidArgument, OutOfRange

SPACE = ActionSpace(WEB_ACTIONS, seed=3)


def test_every_field_of_every_action_has_a_description() -> None:
    for action_type in WEB_ACTIONS:
        assert action_type.description().endswith(".")
        for name, info in action_type.model_fields.items():
            assert info.description, f"{action_type.name}.{name}"


def test_names_are_the_documented_ones() -> None:
    assert SPACE.names == (
        *("click", "double_click", "right_click", "hover", "drag", "type_text"),
        *(
            "replace_text",
            "press_keys",
            "scroll",
            "select_option",
            "go_to",
            "back",
            "forward",
            "reload",
            "new_tab",
            "switch_tab",
        ),
        *("close_tab", "answer_dialog", "upload_file", "wait", "answer", "finish"),
    )


def test_samples_are_contained_and_reach_every_action() -> None:
    samples = [SPACE.sample() for _ in range(600)]
    assert all(SPACE.contains(sample) for sample in samples)
    assert {sample.name for sample in samples} == set(SPACE.names)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org:8443/a/b?c=d#e",
        "HTTPS://EXAMPLE.org/",
        "http://127.0.0.1:8000/",
        "http://[::1]:80/",
        "http://localhost/",
        "https://例子.测试/路径",
    ],
)
def test_go_to_takes_http_and_https(url: str) -> None:
    assert GoTo(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript://example.org/%0aalert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "blob:https://example.org/1",
        "view-source:http://example.org",
        "about:blank",
        "example.org",
        "//example.org/",
        "/path",
        "http:example.org",
        "http:/example.org",
        "http://",
        "http:///path",
        "http://:80/",
        "http://./",
        "http://user@/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:port/",
        "http://[::1/",
        "http://exa mple.org/",
        " http://example.org/",
        "http://example.org/\n",
        "java\nscript:alert(1)",
        "http://example.org\\@other.org/",
        "http://example.org/\x00",
        "http://example.org/\u200b",
        "http://example.org/\u202e",
        "http://%65xample.org/",
        "",
        "http://" + "a" * 2048,
    ],
)
def test_go_to_refuses_everything_else(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^go_to: url: "):
        SPACE.build("go_to", {"url": url})


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        (["Enter"], ["Enter"]),
        (["Control", "a"], ["Control", "a"]),
        ("Control+Shift+T", ["Control", "Shift", "T"]),
        (["ctrl+c"], ["Control", "c"]),
        (["Control", "+"], ["Control", "+"]),
        ("Control++", ["Control", "+"]),
        ("+", ["+"]),
        (["esc"], ["Escape"]),
        ([" "], ["Space"]),
        (["F12"], ["F12"]),
        (["pagedown"], ["PageDown"]),
        (["Shift"], ["Shift"]),
        (["~"], ["~"]),
    ],
)
def test_press_keys_reads_names_as_models_write_them(written: object, keys: list[str]) -> None:
    assert PressKeys.model_validate({"keys": written}).keys == keys


@pytest.mark.parametrize(
    "written",
    [
        [],
        "",
        [""],
        ["F99"],
        ["Entr"],
        ["é"],
        ["a", "b"],
        ["Enter", "Control"],
        ["Control", "Control"],
        ["Control+a", "b"],
        ["\n"],
        [3],
        3,
        {"Enter": 1},
        ["Control", "Shift", "Alt", "Meta", "ControlOrMeta", "a"],
    ],
)
def test_press_keys_refuses_what_is_no_combination(written: object) -> None:
    with pytest.raises(InvalidArgument, match="press_keys"):
        SPACE.build("press_keys", {"keys": written})


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a\\b", "..", ".", "", "a\x00b"])
def test_upload_file_takes_bare_names_only(name: str) -> None:
    for files in (name, ["good.txt", name]):
        with pytest.raises(InvalidArgument, match="upload_file"):
            SPACE.build("upload_file", {"point": [1, 2], "file": files})


def test_upload_file_takes_one_name_or_several() -> None:
    one = SPACE.build("upload_file", {"point": [1, 2], "file": "a.txt"})
    several = SPACE.build("upload_file", {"point": [1, 2], "file": ["a.txt", "b.txt"]})
    assert [one.files, several.files] == [("a.txt",), ("a.txt", "b.txt")]  # type: ignore[attr-defined]
    with pytest.raises(InvalidArgument, match="1 to 50 files"):
        SPACE.build("upload_file", {"point": [1, 2], "file": []})


def test_an_empty_text_replaces_but_cannot_be_typed() -> None:
    assert SPACE.build("replace_text", {"text": ""}).arguments() == {"text": ""}
    with pytest.raises(InvalidArgument, match="type_text"):
        SPACE.build("type_text", {"text": ""})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("wait", {"seconds": 0.05}),
        ("wait", {"seconds": 30.1}),
        ("scroll", {"direction": "down", "amount": 0}),
        ("scroll", {"direction": "down", "amount": 21}),
        ("switch_tab", {"index": -1}),
        ("click", {"point": [1001, 0]}),
    ],
)
def test_numbers_outside_their_bounds_are_out_of_range(name: str, arguments: Any) -> None:
    with pytest.raises(OutOfRange):
        SPACE.build(name, arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("wait", {"seconds": float("nan")}),
        ("scroll", {"direction": "sideways"}),
        ("finish", {}),
        ("finish", {"status": "done"}),
        ("type_text", {"text": "a" * 10_001}),
        ("type_text", {"text": ""}),
        ("type_text", {"text": "\ud800"}),
        ("back", {"point": [1, 2]}),
    ],
)
def test_wrong_arguments_are_refused(name: str, arguments: Any) -> None:
    with pytest.raises((InvalidArgument, OutOfRange)):
        SPACE.build(name, arguments)


def test_scroll_has_a_default_amount_and_an_optional_point() -> None:
    assert SPACE.build("scroll", {"direction": "up"}) == Scroll(direction="up", amount=5)
    at_point = SPACE.build("scroll", {"direction": "up", "point": [0, 1000]})
    assert at_point.points() == {"point": Point(x=0, y=1)}


def test_actions_are_frozen_and_hashable_where_their_fields_are() -> None:
    action: Action = Scroll(direction="up")
    with pytest.raises(ValueError, match="frozen"):
        action.direction = "down"  # type: ignore[attr-defined]
