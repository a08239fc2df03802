"""Both codecs: what is written is read again, and half-broken answers mean one thing or nothing."""

from typing import Any

import pytest

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs import Codec, make_codec
from eyehand.actions.web import (
    WEB_ACTIONS,
    AnswerDialog,
    Back,
    Click,
    Drag,
    Finish,
    PressKeys,
    Scroll,
    TypeText,
    Wait,
)
from eyehand.errors import InvalidArgument, OutOfRange, UnknownAction, Unparsable, UsageError

SPACE = ActionSpace(WEB_ACTIONS)
CODECS = [make_codec("keyword"), make_codec("keyword", "*"), make_codec("tool_call")]
IDS = ["keyword-flower", "keyword-asterisk", "tool_call"]
KEYWORD = CODECS[0]
HERE = Click(point=Point(x=0.348, y=0.291))

every_codec = pytest.mark.parametrize("codec", CODECS, ids=IDS)


@every_codec
def test_points_are_read_in_the_models_own_numbers(codec: Codec) -> None:
    pixels = Coordinates("pixels", image_width_px=1288, image_height_px=728, screen="tab-1")
    action = codec.parse(codec.write(HERE, pixels), SPACE, pixels).action
    assert isinstance(action, Click)
    assert action.point.screen == "tab-1"
    assert (action.point.x, action.point.y) == pytest.approx((448 / 1288, 212 / 728))


def test_the_keyword_call_is_written_as_models_are_trained_to() -> None:
    assert KEYWORD.write(HERE) == '✿FUNCTION✿: click\n✿ARGS✿: {"point": [348, 291]}'
    assert KEYWORD.write(Back(), thought=" Go back. ") == ("Go back.\n✿FUNCTION✿: back\n✿ARGS✿: {}")
    assert CODECS[1].write(Scroll(direction="down")) == (
        '*FUNCTION*: scroll\n*ARGS*: {"direction": "down", "amount": 5}'
    )
    assert KEYWORD.write(TypeText(text="你好 ✿")) == (
        '✿FUNCTION✿: type_text\n✿ARGS✿: {"text": "你好 \\u273f"}'
    )
    assert KEYWORD.stop_words == ("✿RESULT✿", "✿RETURN✿")
    assert KEYWORD.before_observation == "\n✿RESULT✿: "
    assert KEYWORD.after_observation == "\n✿RETURN✿: "


def test_the_tool_call_is_json_between_tags() -> None:
    assert CODECS[2].write(HERE) == (
        '<tool_call>\n{"name": "click", "arguments": {"point": [348, 291]}}\n</tool_call>'
    )


F, A = "✿FUNCTION✿: ", "\n✿ARGS✿: "
HALF_BROKEN: list[tuple[str, Action]] = [
    ('✿FUNCTION✿: click ✿ARGS✿: {"point": (348,291)}', HERE),
    ('*FUNCTION*: click\n*ARGS*: {"point": (348, 291)}', HERE),
    ('**FUNCTION**: click\n**ARGS**: {"point": [348, 291]}', HERE),
    ('✿FUNCTION✿:click✿ARGS✿:{"point":[348,291]}', HERE),
    ('✿FUNCTION✿：click\n✿ARGS✿：{"point"：[348，291]}', HERE),
    ("✿FUNCTION✿：click\n✿ARGS✿：｛“point”：（348，291）｝", HERE),
    ('✿FUNCTION✿: click\n✿ARGS: {"point": [348, 291]}', HERE),
    ('✿FUNCTION: click\n✿ARGS✿ {"point": [348, 291]}', HERE),
    ('FUNCTION✿: click\nARGS✿: {"point": [348, 291]}', HERE),
    ('✿FUNCTION✿: click\n{"point": [348, 291]}', HERE),
    ('✿FUNCTION✿: click({"point": [348, 291]})', HERE),
    ('✿FUNCTION✿: `Click`\n✿ARGS✿: {"point": [348, 291]}', HERE),
    (F + "click" + A + '```json\n{"point": [348, 291]}\n```', HERE),
    (F + "click" + A + '{"point": [348, 291]}\n✿RESU', HERE),
    (F + "click" + A + '{"point": [348, 291]}\n✿RESULT✿: a new page\n✿RETURN✿: good', HERE),
    (F + "click" + A + '{"point": [348, 291]}} and then I wait', HERE),
    (F + "click" + A + '{"point": [348, 291}', HERE),
    (F + "click" + A + '{"point": [348, 291]', HERE),
    (F + "click" + A + '{"point": {"x": 348, "y": 291}}', HERE),
    (F + "click" + A + '{"point": "(348, 291)"}', HERE),
    (F + "click" + A + "[348, 291]", HERE),
    (F + "click" + A + "{'point': (348, 291),}", HERE),
    (F + "click" + A + "{point: [348, 291], /* here */}", HERE),
    (F + "click" + A + '{"point": <|box_start|>(340,281),(356,301)<|box_end|>}', HERE),
    (F + "click" + A + '{"point": "<|box_start|>(340,281),(356,301)<|box_end|>"}', HERE),
    (
        F + "click" + A + "<|object_ref_start|>the tab<|object_ref_end|>"
        "<|box_start|>(340,281),(356,301)<|box_end|>",
        HERE,
    ),
    (F + "click" + A + '{"point": <|box_start|>(348,291)<|box_end|>}', HERE),
    (F + "back", Back()),
    (F + "back" + A, Back()),
    (F + "back" + A + "null", Back()),
    (F + "back" + A + "{}", Back()),
    (F + "back()", Back()),
    (F + "wait" + A + "{'seconds': 2}", Wait(seconds=2)),
    (F + "answer_dialog" + A + "{'accept': True, 'text': None}", AnswerDialog(accept=True)),
    (F + "answer_dialog" + A + "{'accept': false}", AnswerDialog(accept=False)),
    (F + "type_text" + A + '{"text": "a\nb"}', TypeText(text="a\nb")),
    (F + "type_text" + A + r"{'text': 'C:\dir', }", TypeText(text="C:\\dir")),
    (F + "type_text" + A + '｛“text”: “a\\"b"c\\”｝', TypeText(text='a"b"c\\')),
    (F + "type_text" + A + r'{"text": "C:\home"}', TypeText(text="C:\\home")),
    (F + "type_text" + A + r"{'text': 'it\'s a\/b\\c\n', }", TypeText(text="it's a/b\\c\n")),
    (F + "type_text" + A + '{"text": "\\ud83d\\ude00"}', TypeText(text="😀")),
    (F + "type_text" + A + '{"text": "（全角，“引号”）"}', TypeText(text="（全角，“引号”）")),
    (F + "press_keys" + A + '{"keys": "Control+a"}', PressKeys(keys=["Control", "a"])),
    (
        F + "drag" + A + '{"start": (0,0), "end": (1000,1000)}',
        Drag(start=Point(x=0, y=0), end=Point(x=1, y=1)),
    ),
]


@pytest.mark.parametrize(("text", "action"), HALF_BROKEN)
def test_half_broken_answers_with_one_meaning_are_read(text: str, action: Action) -> None:
    for codec in CODECS[:2]:  # whichever mark is configured, both are read
        parsed = codec.parse(text, SPACE)
        assert parsed.error is None
        assert parsed.action == action


REFUSED: list[tuple[str, type[Exception], str]] = [
    ("", Unparsable, "✿FUNCTION✿: name"),
    ("I would click the button.", Unparsable, "no call"),
    ("The FUNCTION of this button: click", Unparsable, "no call"),
    ('{"point": [348, 291]}', Unparsable, "no call"),
    (F, Unparsable, "names no action"),
    (F + A + '{"point": [1, 2]}', Unparsable, "names no action"),
    (F + "tap" + A + '{"point": [1, 2]}', UnknownAction, "permitted actions are: click"),
    (F + "click the tab" + A + '{"point": [1, 2]}', UnknownAction, "permitted"),
    (F + "click", InvalidArgument, "needs 'point'"),
    (F + "click" + A + "{}", InvalidArgument, "needs 'point'"),
    (F + "click" + A + '{"point": [348, 29', Unparsable, "cut off"),
    (F + "click" + A + '{"point": <|box_start|>(1,2)', Unparsable, "box"),
    (F + "click" + A + '{"point": [1, 2], "point": [3, 4]}', Unparsable, "twice"),
    (F + "click" + A + '{"point": [1, 2], "speed": 3}', InvalidArgument, "no 'speed'"),
    (F + "click" + A + '{"point": [1, 2, 3, 4]}', InvalidArgument, "two numbers"),
    (F + "click" + A + '{"point": [true, 2]}', InvalidArgument, "two numbers"),
    (F + "click" + A + '{"point": [NaN, 2]}', Unparsable, "not JSON"),
    (F + "click" + A + '{"point": [1e999, 2]}', InvalidArgument, "two numbers"),
    (F + "click" + A + '{"point": [1001, 2]}', OutOfRange, "0 to 1000"),
    (F + "click" + A + '{"point": [-1, 2]}', OutOfRange, "0 to 1000"),
    (F + "drag" + A + "[1, 2]", Unparsable, "no names"),
    (F + "wait" + A + '{"seconds": 31}', OutOfRange, "30"),
    (F + "wait" + A + "{'seconds': __import__('os').getpid()}", Unparsable, "not JSON"),
    (F + "wait" + A + "{'seconds': 1 + 1}", Unparsable, "not JSON"),
    (F + "wait" + A + '{"seconds": 0x' + "f" * 300 + "}", Unparsable, "huge number"),
    (F + "wait" + A + '{"seconds": ' + "9" * 5000 + "}", Unparsable, "not JSON"),
    (F + "scroll" + A + '{"direction": "down"', Unparsable, "cut off"),
    (F + "press_keys" + A + '{"keys": ["Control"', Unparsable, "cut off"),
    (F + "type_text" + A + '{"text": "no end', Unparsable, "quotation mark"),
    (F + "type_text" + A + '{"text": "say "hi" to them"}', Unparsable, "not JSON"),
    (F + "type_text" + A + '{"text": "\\ud800"}', InvalidArgument, "text"),
    (F + "back" + A + "go there", Unparsable, "JSON object"),
    (F + "back" + A + "3", Unparsable, "names"),
    (F + "back" + A + "{]", Unparsable, "not open"),
    (F + "back" + A + "{1: 2}", Unparsable, ""),
    (F + "click" + A + "[" * 100_000, Unparsable, "nested"),
    (F + "click" + A + '{"point": ' * 10_000, Unparsable, "nested"),
    (F + "click" + A + '{"point": ' + "[" * 40 + "]" * 40 + "}", Unparsable, "nested"),
    (F + "click" + A + '{"point": ' + "-" * 3000 + "1}", Unparsable, "not JSON"),
    (F + "click" + A + '{"point": "' + "x" * 200_000 + '"}', Unparsable, "longer"),
]


@pytest.mark.parametrize(("text", "error", "says"), REFUSED, ids=range(len(REFUSED)))
def test_unclear_answers_are_refused_with_what_was_expected(
    text: str, error: type[Exception], says: str
) -> None:
    parsed = KEYWORD.parse(text, SPACE)
    assert parsed.action is None
    assert type(parsed.error) is error
    assert says in str(parsed.error)
    assert len(str(parsed.error)) < 700


def test_of_several_calls_the_first_is_the_action() -> None:
    text = "\n".join(KEYWORD.write(action) for action in (HERE, Back(), Wait(seconds=1)))
    parsed = KEYWORD.parse("I will click.\n" + text, SPACE)
    assert parsed.action == HERE
    assert parsed.thought == "I will click."
    assert parsed.not_performed == ("back ✿ARGS✿: {}", 'wait ✿ARGS✿: {"seconds": 1.0}')


def test_a_bad_first_call_does_not_let_the_second_act() -> None:
    parsed = KEYWORD.parse(f"{F}tap{A}{{}}\n{F}back{A}{{}}", SPACE)
    assert parsed.action is None
    assert isinstance(parsed.error, UnknownAction)
    assert parsed.not_performed == ("back ✿ARGS✿: {}",)


def test_an_answer_without_a_call_keeps_its_text_as_the_thought() -> None:
    assert KEYWORD.parse("Let me think. ✿FUN", SPACE).thought == "Let me think."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"name": "click", "arguments": {"point": [348, 291]}}</tool_call>', HERE),
        ('{"name": "click", "arguments": {"point": (348,291)}}', HERE),
        ('{"name": "click", "arguments": {"point": [348, 291]}', HERE),
        ('{"name": "click", "arguments": "{\\"point\\": [348, 291]}"}', HERE),
        ('```json\n{"name": "click", "arguments": {"point": [348, 291]}}\n```', HERE),
        ("{'name': 'back', 'arguments': {}}", Back()),
        ('{"name": "back"}', Back()),
        ('{"name": "back"', Unparsable),
        ('{"name": "finish", "arguments": {"status": "success"}', Finish(status="success")),
        ('{"name": "finish", "arguments": {"status": "success"', Unparsable),
        ('{"arguments": {}}', Unparsable),
        ('{"name": 3}', Unparsable),
        ('{"name": "back", "arguments": [1]}', Unparsable),
        ("[1, 2]", Unparsable),
        ("", Unparsable),
        ('{"name": "tap", "arguments": {}}', UnknownAction),
    ],
)
def test_tool_calls_are_read_with_the_same_care(body: str, expected: Any) -> None:
    parsed = CODECS[2].parse(f"Thinking.\n<tool_call>\n{body}", SPACE)
    assert parsed.thought == "Thinking."
    if isinstance(expected, Action):
        assert parsed.action == expected
    else:
        assert type(parsed.error) is expected


def test_further_tool_calls_are_not_performed() -> None:
    text = CODECS[2].write(HERE) + "\n" + CODECS[2].write(Back())
    parsed = CODECS[2].parse(text, SPACE)
    assert parsed.action == HERE
    assert parsed.not_performed == ('{"name": "back", "arguments": {}}',)


def test_an_unknown_codec_or_mark_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="did you mean 'keyword'"):
        make_codec("keywords")
    with pytest.raises(UsageError, match="mark"):
        make_codec("keyword", "#")
