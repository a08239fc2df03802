"""A call that is not valid names the nearest actions, not all of them."""

import pytest

from eyehand.actions import ActionSpace, web
from eyehand.actions.codecs import make_codec
from eyehand.actions.nearest import nearest
from eyehand.actions.web import WEB_ACTIONS
from eyehand.errors import UnknownAction

SPACE = ActionSpace(WEB_ACTIONS)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("tap", "click"),
        ("clik", "click"),
        ("left_click", "click"),
        ("clickElement", "click"),
        ("type_txt", "type_text"),
        ("input", "type_text"),
        ("navigate", "go_to"),
        ("goto_url", "go_to"),
        ("scroll_down", "scroll"),
        ("hotkey", "press_keys"),
        ("select", "select_option"),
        ("terminate", "finish"),
        ("open_new_tab", "new_tab"),
    ],
)
def test_an_unknown_action_names_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(UnknownAction) as caught:
        SPACE.type_named(written)
    message = str(caught.value)
    assert f"the nearest permitted actions are: {meant}" in message
    assert sum(name in message for name in SPACE.names) < 6


def test_nothing_is_near_to_anything() -> None:
    assert nearest("zzzz", SPACE.names) == []
    with pytest.raises(UnknownAction, match="those of the instructions"):
        SPACE.type_named("zzzz")


def test_few_actions_are_all_named() -> None:
    few = ActionSpace([web.Click, web.Wait])
    with pytest.raises(UnknownAction, match="permitted actions are: click, wait"):
        few.type_named("zzzz")


@pytest.mark.parametrize("dialect", ["keyword", "tool_call"])
@pytest.mark.parametrize(
    ("answer", "meant"),
    [("I will click(100, 200) now.", "click"), ("Let me TypeText hello", "type_text")],
)
def test_an_answer_without_a_call_names_the_action_that_it_speaks_of(
    dialect: str, answer: str, meant: str
) -> None:
    error = make_codec(dialect).parse(answer, SPACE).error
    assert f"the nearest permitted actions are: {meant}" in str(error)
    assert "go_to" not in str(error)
    assert "switch_tab" not in str(error)
