"""The desktop vocabulary is the web vocabulary's own classes, without what only a page has."""

from eyehand.actions import ActionSpace
from eyehand.actions.desktop import DESKTOP_ACTIONS
from eyehand.actions.web import WEB_ACTIONS


def test_the_desktop_says_everything_with_the_webs_own_classes() -> None:
    assert set(DESKTOP_ACTIONS) < set(WEB_ACTIONS)


def test_the_desktop_has_pointer_keys_and_words_and_nothing_of_a_page() -> None:
    assert ActionSpace(DESKTOP_ACTIONS).names == (
        "click", "double_click", "right_click", "hover", "drag", "type_text", "press_keys",
        "scroll", "wait", "answer", "finish",
    )  # fmt: skip
