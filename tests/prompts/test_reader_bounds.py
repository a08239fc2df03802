"""The dialects' readers: bounded work on huge answers, and what the makers' own readers read."""

import pytest
from benchmarks.fuzz import dialects as fuzz

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.codecs import Parsed
from eyehand.actions.codecs.python_calls import MOST_CALLS, read_call
from eyehand.actions.web import WEB_ACTIONS, Answer, Click, Finish, Scroll, TypeText, Wait
from eyehand.errors import Unparsable
from eyehand.prompts.dialects import DIALECTS, make_dialect
from eyehand.prompts.dialects.ui_tars import UiTarsCodec

WEB = ActionSpace(WEB_ACTIONS)
SIZE = (1288, 728)
LONGEST = 200_000
"""Characters of an answer that a server is waited for."""
FILLERS = ("\n", " ", " \n", "\r\n", "' ,", '", ', "Thought: ", "\nAction: ", "<parameter=a>",
           "<|", "{'action'", "A\n", "wait()\n", "os\n", "(")  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_a_huge_answer_takes_no_more_than_its_length(name: str) -> None:
    """Where work grows with the square of the length, this test does not end for an hour."""
    codec = make_dialect(name).codec
    where = codec.coordinates(None, *SIZE)
    call = codec.write(Click(point=Point(x=0.5, y=0.5)), where, "I see it.")
    opened = (call[: len(call) // 2], "<tool_call><function=x>", "Action: type(content='")
    for filler in FILLERS:
        huge = filler * (LONGEST // len(filler))
        for answer in (huge, huge + call, call + huge, *(begun + huge for begun in opened)):
            parsed = codec.parse(answer, WEB, where)
            assert (parsed.action is None) != (parsed.error is None)


@pytest.mark.parametrize("name", DIALECTS)
def test_the_fuzzer_finds_nothing(name: str) -> None:
    report = fuzz.fuzz(name, 2_000, seed=7)
    assert report.violations == []
    assert sum(report.outcomes.values()) == 2_000
    only_points = make_dialect(name).points_only
    told = ("OutOfRange",) if only_points else ("UnknownAction", "InvalidArgument")
    for outcome in ("action", "Unparsable", *told):
        assert report.outcomes[outcome] > 5, outcome


def test_a_reader_that_raises_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(
        self: UiTarsCodec, text: str, space: ActionSpace, coordinates: Coordinates | None = None
    ) -> Parsed:
        raise RecursionError("too deep")

    monkeypatch.setattr(UiTarsCodec, "parse", parse)
    report = fuzz.fuzz("ui-tars", 5, seed=0)
    assert report.outcomes["violation"] == 5
    assert "raised RecursionError: too deep" in report.violations[0]
    assert fuzz.main(["ui-tars", "--inputs", "5"]) == 1


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        (r"Action: type(content='\u4f60\u597d, caf\u00e9')", TypeText(text="你好, café")),
        (r"Action: type(content='\ud83d\ude00')", TypeText(text="\U0001f600")),
        (r"Action: type(content='C:\build\x64 and \\u4e2d')",
         TypeText(text=r"C:\build\x64 and \u4e2d")),
        (r"Action: type(content='it\'s \"so\"\nand 'so' on')",
         TypeText(text="it's \"so\"\nand 'so' on")),
        ("Action: type(content='f(x)')')", TypeText(text="f(x)')")),
        ("Action: click(start_box='(300,400,500,600)')", Click(point=Point(x=0.4, y=0.5))),
        ("Action: scroll(point='<point>500 250</point>', direction='up')",
         Scroll(direction="up", point=Point(x=0.5, y=0.25))),
        ("Action: finished(content='完成')", Answer(text="完成")),
        ("Reflection: x\nAction_Summary: y\nAction: call_user()", Finish(status="failure")),
        ("Action: wait()\n\nfinished()", Wait(seconds=5.0)),
    ],
)  # fmt: skip
def test_ui_tars_is_read_as_its_makers_read_it(answer: str, action: Action) -> None:
    assert UiTarsCodec().parse(answer, WEB).action == action


@pytest.mark.parametrize(
    "answer",
    ["Action: click(start_box='(1200,400)')", "Action: click(start_box='')", "Action: drag(s",
     "Action: hotkey(ke", "Action: type(content='')"],
)  # fmt: skip
def test_what_their_reader_acts_on_by_halves_is_feedback_here(answer: str) -> None:
    parsed = UiTarsCodec().parse(answer, WEB)
    assert parsed.action is None
    assert parsed.error is not None


def test_half_a_character_in_a_thought_can_be_written_down() -> None:
    answer = '{"note": "", "thought": "\\ud800 ok", "action": {"action": "wait", "seconds": 2}}'
    codec = make_dialect("holo").codec
    parsed = codec.parse(answer, WEB, codec.coordinates(None, *SIZE))
    assert parsed.action == Wait(seconds=2.0)
    assert parsed.thought.encode() == b"? ok"


def test_calls_and_arguments_have_a_bound() -> None:
    many = UiTarsCodec().parse("Action: " + "wait()\n\n" * 500, WEB)
    assert many.action == Wait(seconds=5.0)
    assert len(many.not_performed) == MOST_CALLS - 1
    with pytest.raises(Unparsable, match="more than 20 arguments"):
        read_call(f"click({'1, ' * 21})")
