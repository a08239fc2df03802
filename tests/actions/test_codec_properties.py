"""Properties of both codecs: what is written is read again, and nothing that is cut off acts."""

from typing import Any

import pytest
from benchmarks.fuzz.codecs import broken_promises
from hypothesis import given, settings
from hypothesis import strategies as st

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.codecs import Codec, make_codec
from eyehand.actions.keys import MODIFIERS, NAMED_KEYS
from eyehand.actions.web import WEB_ACTIONS

SPACE = ActionSpace(WEB_ACTIONS)
CODECS = [make_codec("keyword"), make_codec("keyword", "*"), make_codec("tool_call")]
every_codec = pytest.mark.parametrize("codec", CODECS, ids=["flower", "asterisk", "tool_call"])

thousandths = st.integers(0, 1000).map(lambda n: n / 1000)
points = st.builds(Point, x=thousandths, y=thousandths)
unicode_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
# Texts that a codec could mistake for its own syntax.
hostile_text = st.sampled_from(
    [
        "✿FUNCTION✿: click",
        "*ARGS*: {}",
        "**RESULT**",
        "</tool_call>",
        "<tool_call>",
        "<|im_end|>",
        "<|box_start|>(1,2),(3,4)<|box_end|>",
        '"}]}',
        "```json",
        "\\",
        "\\u273f",
        "“”",
        "a\n✿RETURN✿: b",
    ]
)
texts = st.one_of(unicode_text, hostile_text, st.tuples(unicode_text, hostile_text).map("".join))
single_keys = st.sampled_from([*NAMED_KEYS, *(chr(code) for code in range(0x21, 0x7F))])
combinations = st.one_of(
    single_keys.map(lambda key: [key]),
    st.tuples(
        st.lists(st.sampled_from(MODIFIERS), unique=True, min_size=1, max_size=3), single_keys
    )
    .filter(lambda pair: pair[1] not in pair[0])
    .map(lambda pair: [*pair[0], pair[1]]),
)
urls = st.sampled_from(
    ["https://example.org/", "http://127.0.0.1:8000/a?b=c%20d#e", "http://例子/"]
)
file_names = st.sampled_from(["a.png", "报告.pdf", "with space.txt"])

_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "point": points,
    "start": points,
    "end": points,
    "text": texts,
    "keys": combinations,
    "direction": st.sampled_from(["up", "down", "left", "right"]),
    "amount": st.integers(1, 20),
    "option": texts,
    "url": urls,
    "index": st.integers(0, 99),
    "accept": st.booleans(),
    "file": file_names | st.lists(file_names, min_size=1, max_size=3),
    "press_enter": st.booleans(),
    "seconds": st.floats(0.1, 30),
    "status": st.sampled_from(["success", "failure"]),
    "message": texts,
}


def actions_of(action_type: type[Action]) -> st.SearchStrategy[Action]:
    """Actions of one type; optional fields are None half of the time."""
    fields = {}
    for name, info in action_type.model_fields.items():
        is_optional = not info.is_required() and info.default is None
        fields[name] = st.none() | _FIELDS[name] if is_optional else _FIELDS[name]
    return st.builds(action_type, **fields)


web_actions = st.one_of([actions_of(action_type) for action_type in WEB_ACTIONS])


@every_codec
@settings(max_examples=150, deadline=None)
@given(action=web_actions, thought=st.text(max_size=30))
def test_what_is_written_is_read_again(codec: Codec, action: Action, thought: str) -> None:
    parsed = codec.parse(codec.write(action, thought=thought), SPACE)
    assert parsed.error is None
    assert parsed.action == action
    assert parsed.not_performed == ()


@every_codec
@settings(max_examples=100, deadline=None)
@given(action=web_actions)
def test_written_calls_hold_no_stop_word_and_no_special_token(codec: Codec, action: Action) -> None:
    text = codec.write(action)
    assert not any(word in text for word in (*codec.stop_words, "<|", "<tool_response>"))


@every_codec
@settings(max_examples=150, deadline=None)
@given(data=st.data(), action=web_actions)
def test_a_cut_answer_is_the_same_call_or_none(
    codec: Codec, data: st.DataObject, action: Action
) -> None:
    text = codec.write(action)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    parsed = codec.parse(cut, SPACE)
    assert parsed.action in (None, action)


@every_codec
@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_gives_an_action_or_an_error(codec: Codec, text: str) -> None:
    assert broken_promises(codec.parse(text, SPACE), SPACE) == []
