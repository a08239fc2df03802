"""Typing as people's pages make it hard: what arrives, where, and what is said about it."""

import re
from typing import Any

import pytest

from eyehand.actions import web
from eyehand.envs.web.arrival import Field, arrived
from eyehand.envs.web.text import MAX_TYPED_LENGTH
from eyehand.errors import ActionHadNoEffect

LETTER = "Dear Ann,\nsee you at 5.\nBob"


def focus(page: Any, selector: str) -> None:
    page.do(web.Click(point=page.place(selector)))


def at(page: Any, x: float, y: float) -> Any:
    return page.observation.geometry.to_point(x, y)


@pytest.mark.parametrize("selector", ["#chat", "#area"])
def test_line_breaks_never_send_what_is_half_written(visit: Any, selector: str) -> None:
    page = visit("typing.html")
    focus(page, selector)
    page.do(web.TypeText(text=LETTER))
    held = page.ask(
        "s => { const e = document.querySelector(s); return e.value ?? e.innerText }", selector
    )
    assert [held, page.ask("() => sent")] == [LETTER, []]
    assert "2 line breaks as Shift+Enter" in page.info["effect"]
    page.do(web.TypeText(text="\r\nPS", press_enter=True))
    assert page.ask("() => sent") == [LETTER + "\nPS"]
    assert page.info["effect"].endswith("and pressed Enter")


def test_a_long_text_keeps_its_lines(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#chat")
    text = "\n".join(["a line of words that is as long as this"] * 15)
    assert len(text) > MAX_TYPED_LENGTH
    page.do(web.TypeText(text=text))
    assert page.ask("() => chat.innerText") == text
    assert page.ask("() => sent") == []


def test_a_field_of_one_line_takes_no_line_breaks_and_says_so(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#line")
    page.do(web.TypeText(text="one\ntwo\n"))
    assert page.ask("() => line.value") == "one two"
    assert "line breaks were left out" in page.observation.feedback


def test_enter_submits_where_it_is_asked_for(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#line")
    page.do(web.TypeText(text="query", press_enter=True))
    assert "quiet.html?line=query" in page.observation.text


@pytest.mark.parametrize(
    ("selector", "text", "held", "says"),
    [
        ("#short", "12345678", "123", "Only 3 of the 8 characters .* takes at most 3"),
        ("#vanishing", "12345678", "1234", "Only 4 of the 8 .* focus is no longer in it"),
        ("#tag", "12345678", "12", "Only 2 of the 8"),
        ("#number", "7 pounds", "57", "Only 2 of the 8"),
    ],
)
def test_what_was_lost_is_told(visit: Any, selector: str, text: str, held: str, says: str) -> None:
    page = visit("typing.html")
    focus(page, selector)
    page.do(web.PressKeys(keys=["End"]))
    page.do(web.TypeText(text=text, press_enter=True))
    assert page.ask("s => document.querySelector(s).value", selector) == held
    assert re.search(says, page.observation.feedback)
    assert "Enter was not pressed" in page.observation.feedback
    assert " of 8 characters" in page.info["effect"]
    assert page.info["details"]["error"] == "ActionHadNoEffect"


@pytest.mark.parametrize(
    ("selector", "text", "held"),
    [("#upper", "loud", "LOUD"), ("#mask", "123456", "12-34-56")],
)
def test_what_a_field_formats_is_not_lost(visit: Any, selector: str, text: str, held: str) -> None:
    page = visit("typing.html")
    focus(page, selector)
    page.do(web.TypeText(text=text))
    assert page.ask("s => document.querySelector(s).value", selector) == held
    assert page.observation.feedback == ""
    assert f"typed {len(text)} characters into" in page.info["effect"]


def test_a_field_that_nobody_sees_is_not_read_back(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#code")
    page.do(web.TypeText(text="let x = 1"))
    assert page.text("#code pre") == "let x = 1"
    assert page.observation.feedback == ""


@pytest.mark.parametrize("row", ["#slow", "#cut"])
def test_boxes_that_pass_the_focus_on_later_get_a_character_each(visit: Any, row: str) -> None:
    page = visit("typing.html")
    focus(page, f"{row} input")
    page.do(web.TypeText(text="4711"))
    values = "s => [...document.querySelectorAll(s + ' input')].map(e => e.value)"
    assert page.ask(values, row) == list("4711")
    assert page.observation.feedback == ""


def test_boxes_that_keep_the_focus_are_told(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#stuck input")
    page.do(web.TypeText(text="471"))
    assert "Only 1 of the 3" in page.observation.feedback


def test_a_cell_that_opens_its_field_late_gets_the_whole_text(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#late")
    page.do(web.TypeText(text="hello there"))
    assert page.ask("() => document.querySelector('#late input').value") == "hello there"


@pytest.mark.parametrize("selector", ["#board", "#choice"])
def test_what_hears_keys_gets_keys(visit: Any, selector: str) -> None:
    page = visit("typing.html")
    focus(page, selector)
    page.do(web.TypeText(text="ab\nc d"))
    assert page.ask("() => heard") == ["a", "b", "Enter", "c", " ", "d"]
    assert "as keys" in page.observation.feedback
    assert "1 line break as Enter" in page.info["effect"]


def test_a_page_that_hears_keys_itself_gets_them(visit: Any) -> None:
    page = visit("typing.html")
    page.ask("() => { addEventListener('keydown', event => heard.push(event.key)); }")
    page.do(web.TypeText(text="crane"))
    assert page.ask("() => heard.join('')") == "crane"


def test_typing_never_presses_the_button_that_has_the_focus(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#key")
    page.ask("() => { heard.length = 0; }")
    with pytest.raises(ActionHadNoEffect, match="would press it"):
        page.do(web.TypeText(text="two words"))
    assert page.ask("() => heard") == []
    page.do(web.TypeText(text="one"))
    assert page.ask("() => heard") == ["o", "n", "e"]
    focus(page, "#idle")
    with pytest.raises(ActionHadNoEffect, match="click one first"):
        page.do(web.TypeText(text="lost"))


def test_closed_shadow_roots_are_typed_into_and_chosen_from(visit: Any) -> None:
    page = visit("closed.html")
    for place, text in ((at(page, 100, 24), "plain"), (at(page, 100, 144), "nested")):
        page.do(web.Click(point=place))
        page.do(web.TypeText(text=text))
        assert page.ask("() => heard.at(-1)[1]") == text
        assert f'text field "{text}"' in page.info["effect"]
    page.do(web.TypeText(text="more"))
    assert "takes at most 6" in page.observation.feedback
    page.do(web.Click(point=at(page, 260, 76)))
    assert "red | green" in page.observation.text
    page.do(web.SelectOption(point=at(page, 260, 76), option="green"))
    assert page.ask("() => heard.at(-1)") == ["card", "green"]


@pytest.mark.parametrize(("frame", "top"), [(1, 8), (2, 203)])
def test_closed_shadow_roots_in_frames_too(visit: Any, frame: int, top: int) -> None:
    page = visit("closed-frames.html")
    heard = "() => heard.at(-1)[1]"

    async def ask(shown: Any) -> Any:
        return await shown.frames[frame].evaluate(heard)

    page.do(web.Click(point=at(page, 123, top + 24)))
    page.do(web.TypeText(text="deep"))
    assert page.environment.page_call(ask) == "deep"
    page.do(web.ReplaceText(text="er"))
    assert page.environment.page_call(ask) == "er"
    page.do(web.SelectOption(point=at(page, 283, top + 76), option="green"))
    assert page.environment.page_call(ask) == "green"


def test_the_page_box_of_a_pdf_viewer_can_be_typed_into(visit: Any) -> None:
    page = visit("pages/2", viewport=(1288, 728))
    for _ in range(20):  # until the viewer has its last layout; it is a page of its own
        page.do(web.Click(point=at(page, 465, 28)))
        if "Page number" in page.info["effect"]:
            break
    assert "Page number" in page.info["effect"]
    before = page.observation.pixels[100:]
    page.do(web.ReplaceText(text="2", press_enter=True))
    assert "replaced the text" in page.info["effect"]
    page.do(web.Wait(seconds=0.5))
    assert (page.observation.pixels[100:] != before).any()


@pytest.mark.parametrize(
    ("selector", "old", "new"),
    [
        ("#line", "before", "after"),
        ("#area", "two\nlines", "one"),
        ("#chat", "an editor's\nlines", "new\nlines"),
        ("#number", "5", "12"),
        ("#password", "old secret", "new secret"),
        ("#mask", "12-34", "56-78"),
        ("#upper", "SAME", "SAME"),
    ],
)
def test_a_fields_text_is_replaced_in_one_action(
    visit: Any, selector: str, old: str, new: str
) -> None:
    page = visit("typing.html")
    held = "s => { const e = document.querySelector(s); return e.value ?? e.innerText }"
    page.ask(
        "([s, old]) => { const e = document.querySelector(s);"
        "if (e.isContentEditable) e.innerText = old; else e.value = old; }",
        [selector, old],
    )
    focus(page, selector)
    page.do(web.ReplaceText(text=new))
    assert page.ask(held, selector) == new
    assert page.observation.feedback == ""
    assert "replaced the text of" in page.info["effect"]
    assert "secret" not in page.info["effect"]
    page.do(web.ReplaceText(text=""))
    assert page.ask(held, selector).strip() == ""
    assert "cleared" in page.info["effect"]
    page.do(web.ReplaceText(text=""))
    assert "was empty already" in page.info["effect"]


def test_a_field_that_keeps_its_text_is_told(visit: Any) -> None:
    page = visit("typing.html")
    focus(page, "#wipe")
    page.do(web.ReplaceText(text=""))
    assert "did not let its text be deleted" in page.observation.feedback
    page.do(web.ReplaceText(text="new"))
    assert page.ask("() => wipe.value") == "new"


def test_lists_and_pickers_are_replaced_too(visit: Any) -> None:
    page = visit("fields.html")
    page.do(web.Click(point=page.place("#date")))
    page.do(web.ReplaceText(text="2024-03-05"))
    assert page.ask("() => date.value") == "2024-03-05"
    page.do(web.ReplaceText(text=""))
    assert page.ask("() => date.value") == ""


@pytest.mark.parametrize(
    ("text", "fields", "count"),
    [
        ("abc", [Field("", "abc", 3)], 3),
        ("abc", [Field("x", "xab", 2)], 2),
        ("aaa", [Field("aaa", "aaa", 0)], 0),
        ("aaa", [Field("aaa", "aaa", 3)], 3),
        ("A b\nc", [Field("", "ab c", 4)], 5),
        ("1234", [Field("", "1"), Field("", "2"), Field("", ""), Field("", "4")], 3),
        ("5551234567", [Field("", "(555) 123-4567", 0)], 10),
        ("hello", [Field("", "olleh", 5)], 2),
        ("abc", [Field("", "", 3, seen=False)], None),
        ("abc", [Field("", "abc", 3, seen=False)], 3),
        ("x" * 3000, [Field("", "x" * 2000, 1)], 2000),
        ("abc", [], None),
    ],
)
def test_what_arrived_is_counted(text: str, fields: list[Field], count: int | None) -> None:
    assert arrived(text, fields) == count


def test_a_text_may_name_the_place_that_is_clicked_first(visit: Any) -> None:
    page = visit("typing.html")
    page.do(web.TypeText(text="query", point=page.place("#line")))
    assert page.ask("() => line.value") == "query"
    assert re.match(r"clicked .* at .*, then typed 5 characters into", page.info["effect"])
    page.do(web.ReplaceText(text="other", point=page.place("#area")))
    assert page.ask("() => [line.value, area.value]") == ["query", "other"]
    page.do(web.ReplaceText(text="", point=page.place("#line")))
    assert page.ask("() => line.value") == ""


def test_a_place_that_takes_no_text_is_clicked_and_that_is_told(visit: Any) -> None:
    page = visit("typing.html")
    page.do(web.TypeText(text="lost", point=at(page, 700, 700)))
    assert page.info["effect"].startswith("clicked ")
    assert "typed" not in page.info["effect"]
    assert "has the focus" in page.observation.text
