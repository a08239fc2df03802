from typing import Any

import pytest

from eyehand.actions import web
from eyehand.errors import ActionHadNoEffect, InvalidArgument


@pytest.mark.parametrize("text", ["plain", "héllo wörld", "你好，世界", "🙂 ✿ \u200d", "a" * 3000])
def test_any_unicode_reaches_the_field(visit: Any, text: str) -> None:
    page = visit("quiet.html")
    page.do(web.Click(point=page.place("#field")))
    page.do(web.TypeText(text=text))
    assert page.ask("() => field.value") == text
    assert text not in page.info["effect"]


def test_typing_into_an_editor_works(visit: Any) -> None:
    page = visit("quiet.html")
    page.do(web.Click(point=page.place("#editor")))
    page.do(web.TypeText(text="rich"))
    assert page.text("#editor") == "rich"


def test_typing_without_a_focused_field_is_refused(visit: Any) -> None:
    page = visit("quiet.html")
    with pytest.raises(ActionHadNoEffect, match="click one first"):
        page.do(web.TypeText(text="lost"))
    page.do(web.Click(point=page.place("#fixed")))
    with pytest.raises(ActionHadNoEffect, match="cannot be changed"):
        page.do(web.TypeText(text="lost"))


def test_key_combinations_reach_the_field(visit: Any) -> None:
    page = visit("quiet.html")
    page.do(web.Click(point=page.place("#field")))
    page.do(web.TypeText(text="wrong"))
    page.do(web.PressKeys(keys=["Control", "a"]))
    page.do(web.PressKeys(keys=["Backspace"]))
    page.do(web.PressKeys(keys=["Shift", "x"]))
    page.do(web.PressKeys(keys=["+"]))
    assert page.ask("() => field.value") == "X+"


def test_a_click_on_a_list_tells_its_options_and_typing_chooses(visit: Any) -> None:
    page = visit("fields.html")
    page.do(web.Click(point=page.place("#fruit")))
    assert "Apple | Banana | Cherry | Durian" in page.observation.text
    page.do(web.TypeText(text="che"))
    assert page.ask("() => [fruit.value, heard.join()]") == ["c", "change fruit"]
    page.do(web.PressKeys(keys=["ArrowUp"]))
    assert page.ask("() => fruit.value") == "b"
    page.do(web.Click(point=page.place("#button")))
    assert 'clicked button "Press"' in page.info["effect"]


def test_select_option_takes_texts_and_values(visit: Any) -> None:
    page = visit("fields.html")
    for option, value in (("Banana", "b"), ("  cherry ", "c"), ("a", "a")):
        page.do(web.SelectOption(point=page.place("#fruit"), option=option))
        assert page.ask("() => fruit.value") == value
    assert page.ask("() => heard.length") == 3


def test_a_list_of_several_choices_keeps_those_it_has(visit: Any) -> None:
    page = visit("fields.html")
    for option in ("One", "Three"):
        page.do(web.SelectOption(point=page.place("#many"), option=option))
    assert page.ask("() => [...many.selectedOptions].map(o => o.value)") == ["One", "Three"]


@pytest.mark.parametrize(
    ("selector", "option", "error", "says"),
    [
        ("#fruit", "Mango", InvalidArgument, "it offers: Apple"),
        ("#fruit", "Durian", ActionHadNoEffect, "switched off"),
        ("#off", "Never", ActionHadNoEffect, "switched off"),
        ("#button", "Apple", ActionHadNoEffect, "no list or picker"),
        ("#date", "tomorrow", InvalidArgument, "YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_the_reason(
    visit: Any, selector: str, option: str, error: type[Exception], says: str
) -> None:
    page = visit("fields.html")
    with pytest.raises(error, match=says):
        page.do(web.SelectOption(point=page.place(selector), option=option))
    assert page.ask("() => [fruit.value, date.value, heard.length]") == ["a", "", 0]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "2024-03-05"),
        ("time", "16:45"),
        ("color", "#00ff80"),
        ("range", "75"),
        ("month", "2025-11"),
    ],
)
def test_pickers_take_their_value_both_ways(visit: Any, kind: str, value: str) -> None:
    page = visit("fields.html")
    page.do(web.SelectOption(point=page.place(f"#{kind}"), option=value))
    assert page.ask("s => document.querySelector(s).value", f"#{kind}") == value
    page.ask("s => { document.querySelector(s).value = ''; }", f"#{kind}")
    page.do(web.Click(point=page.place(f"#{kind}")))
    assert f"A {kind} field has the focus" in page.observation.text
    page.do(web.TypeText(text=value))
    assert page.ask("s => document.querySelector(s).value", f"#{kind}") == value
