"""Prompts: the paper's form, only what is permitted, and golden files."""

import json
from pathlib import Path

import pytest

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.codecs import make_codec
from eyehand.actions.web import WEB_ACTIONS, Back, Click, Drag, Finish, Scroll
from eyehand.errors import UsageError
from eyehand.prompts import render_system, render_task

GOLDEN = Path(__file__).parents[1] / "golden" / "prompts"
CLICK = ActionSpace([Click])
WEB = ActionSpace(WEB_ACTIONS)
SOME = ActionSpace([Click, Drag, Scroll, Back, Finish])
every_prompt = pytest.mark.parametrize(
    ("codec", "language"),
    [(codec, language) for codec in ("keyword", "tool_call") for language in ("en", "zh")],
)


@every_prompt
def test_the_prompt_is_the_golden_one(codec: str, language: str) -> None:
    golden = (GOLDEN / f"{codec}.{language}.txt").read_text(encoding="utf-8")
    assert render_system(SOME, codec, language) == golden.removesuffix("\n")


@every_prompt
def test_prompts_have_no_trailing_space_and_do_not_change(codec: str, language: str) -> None:
    text = render_system(WEB, codec, language)
    assert text == render_system(ActionSpace(WEB_ACTIONS), codec, language)
    assert text == text.strip()
    assert all(line == line.rstrip() for line in text.split("\n"))


@every_prompt
def test_only_the_permitted_actions_are_listed(codec: str, language: str) -> None:
    text = render_system(CLICK, codec, language)
    for name in WEB.names:
        listed = f"### {name}\n" in text or f'"name": "{name}"' in text
        assert listed == (name == "click")


def test_prompts_are_short() -> None:
    assert len(render_system(CLICK, "keyword").split()) <= 90
    assert len(render_system(WEB, "keyword").split()) < 1200
    assert len(render_system(WEB, "tool_call").split()) < 1200


def test_actions_are_listed_as_in_the_paper() -> None:
    text = render_system(SOME, "keyword", keyword_mark="*")
    assert "Continuously take action until the task is completed." in text
    assert (
        "### click\nClick a point.\n"
        'Parameters: [{"name": "point", "description": "where to click; x and y range from 0 to '
        '1000", "required": True}]\n'
    ) in text
    assert "### back\nGo back to the previous page of this tab.\nParameters: []\n" in text
    assert '"required": False}' in text
    assert "*FUNCTION*: " in text
    assert "✿" not in text


def test_the_prompt_explains_the_keywords_that_the_codec_writes() -> None:
    for mark in ("✿", "*"):
        written = make_codec("keyword", mark).write(Click(point=Point(x=0, y=0)))
        keywords = [line.split(":")[0] for line in written.split("\n")]
        lines = render_system(CLICK, "keyword", keyword_mark=mark).split("\n")
        assert all(any(line.startswith(f"{word}: ") for line in lines) for word in keywords)


def test_tools_are_json_schemas_in_the_models_numbers() -> None:
    text = render_system(WEB, "tool_call")
    tools = [json.loads(line) for line in text.split("\n") if line.startswith('{"type"')]
    assert [tool["function"]["name"] for tool in tools] == list(WEB.names)
    scroll = tools[WEB.names.index("scroll")]["function"]["parameters"]
    assert scroll["required"] == ["direction"]
    assert scroll["properties"]["amount"]["maximum"] == 20
    assert scroll["properties"]["point"]["items"]["maximum"] == 1000
    assert "$ref" not in text


def test_every_web_action_and_field_has_chinese_words() -> None:
    english = render_system(WEB, "keyword", "en")
    chinese = render_system(WEB, "keyword", "zh")
    for action_type in WEB_ACTIONS:
        assert action_type.description() in english
        assert action_type.description() not in chinese
        for info in action_type.model_fields.values():
            assert f'"{info.description}' not in chinese


def test_a_custom_action_is_described_in_its_own_words() -> None:
    class Wave(Action):
        """Wave a number of times."""

        times: int = 1

    text = render_system(ActionSpace([Wave]), "keyword", "zh")
    assert "### wave\nWave a number of times.\n" in text
    assert '{"name": "times", "description": "times", "required": False}' in text


def test_the_first_turn_ends_with_the_task() -> None:
    assert render_task("Open the menu. ") == "Task: Open the menu."
    assert render_task("打开菜单", "https://a/ ", "zh") == "https://a/\n任务：打开菜单"
    assert render_task("{braces} and {{ more }}") == "Task: {braces} and {{ more }}"


def test_unknown_codecs_and_languages_are_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="languages en, zh"):
        render_system(CLICK, "keyword", "fr")
    with pytest.raises(UsageError, match="codecs keyword, tool_call"):
        render_system(CLICK, "morse")
    with pytest.raises(UsageError, match="no prompts in 'fr'"):
        render_task("x", language="fr")
