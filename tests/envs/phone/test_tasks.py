"""The phone's tasks: what is drawn, and how strict their verdicts are."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest

from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.draw_state import draw_state
from eyehand.envs.phone.state import PhoneState, validated
from eyehand.envs.phone.tasks import PHONE_TASKS, Assignment, RightAnswer, draw_assignment
from eyehand.envs.phone.tasks.task import TYPING

ALL_TASKS = sorted(PHONE_TASKS)
SEEDS = range(12)


def draw(task: str, seed: int) -> Assignment:
    return draw_assignment(PHONE_TASKS[task], Draw(np.random.default_rng(seed)))


# Shared between the tests, none of which changes it.
assignment = cache(draw)


def drawn_state(seed: int) -> PhoneState:
    return draw_state(Draw(np.random.default_rng(seed)))


def test_there_are_at_least_twenty_four_tasks() -> None:
    assert len(PHONE_TASKS) >= 24


@pytest.mark.parametrize("task", ALL_TASKS)
def test_a_seed_fixes_everything_that_is_drawn(task: str) -> None:
    drawn = [assignment(task, seed) for seed in SEEDS]
    assert drawn == [draw(task, seed) for seed in SEEDS]
    assert len({str(one.start) for one in drawn}) == len(SEEDS)


@pytest.mark.parametrize("task", ALL_TASKS)
def test_no_task_is_solved_at_its_start_and_every_goal_solves_it(task: str) -> None:
    for seed in SEEDS:
        one = assignment(task, seed)
        right = one.answer.text if one.answer else None
        assert not one.solved(one.start)
        assert one.solved(one.goal, right)
        assert validated(one.start) == one.start


@pytest.mark.parametrize("task", ALL_TASKS)
def test_an_instruction_names_what_was_drawn(task: str) -> None:
    for seed in SEEDS:
        one = assignment(task, seed)
        named = [one.parameters[key] for key in ("name", "title", "time") if key in one.parameters]
        written = [
            one.parameters[key] for key in ("phone", "text", "body") if key in one.parameters
        ]
        if task not in ("reply-latest-message", "share-phone-number"):
            assert all(str(word) in one.instruction for word in [*named, *written])
        assert len(one.instruction) < 120


@pytest.mark.parametrize("task", ALL_TASKS)
def test_permitted_actions_are_the_phones_and_fit_the_task(task: str) -> None:
    actions = PHONE_TASKS[task].actions
    assert set(actions) <= {action.name for action in ANDROID_ACTIONS}
    assert ("answer" in actions) == (assignment(task, 0).answer is not None)
    assert ("type_text" in actions) == (PHONE_TASKS[task].actions == TYPING)


def _flip(section: str, key: str) -> Callable[[Any], None]:
    def flip(state: Any) -> None:
        state[section][key] = not state[section][key]

    return flip


def _flip_last(entries: Callable[[Any], list[Any]], key: str) -> Callable[[Any], None]:
    def flip(state: Any) -> None:
        entries(state)[-1][key] = not entries(state)[-1][key]

    return flip


def _other(entries: Callable[[Any], list[Any]], key: str, value: Any) -> Callable[[Any], None]:
    def change(state: Any) -> None:
        entries(state)[-1][key] = value

    return change


SPOILERS: dict[str, Callable[[Any], Any]] = {
    "airplane mode": _flip("settings", "airplane_mode"),
    "wifi": _flip("settings", "wifi"),
    "rotation": _flip("settings", "auto_rotate"),
    "brightness": lambda s: s["settings"].update(brightness=s["settings"]["brightness"] + 4),
    "alarm switched": _flip_last(lambda s: s["alarms"], "enabled"),
    "alarm moved": _other(lambda s: s["alarms"], "time", "23:59"),
    "alarm deleted": lambda s: s["alarms"].pop(),
    "alarm twice": lambda s: s["alarms"].append(dict(s["alarms"][-1])),
    "timer": lambda s: s["timer"].update(running=not s["timer"]["running"]),
    "favourite": _flip_last(lambda s: s["contacts"], "favourite"),
    "contact's number": _other(lambda s: s["contacts"], "phone", "1"),
    "contact's mail": _other(lambda s: s["contacts"], "email", "x@example.org"),
    "contact deleted": lambda s: s["contacts"].pop(),
    "message": lambda s: s["messages"][-1]["thread"].append(
        {"from": "me", "text": "x", "time": "10:00"}
    ),
    "conversation deleted": lambda s: s["messages"].pop(),
    "note pinned": _flip_last(lambda s: s["notes"], "pinned"),
    "note's text": _other(lambda s: s["notes"], "body", "x"),
    "cart": lambda s: s["shop"]["cart"].append({"product": 1, "quantity": 5}),
    "order": lambda s: s["shop"]["orders"].append({"id": 9, "items": [], "total_cents": 1}),
    "bookmark": _flip_last(lambda s: s["reader"]["articles"], "bookmarked"),
}


@pytest.mark.parametrize("spoiler", sorted(SPOILERS))
def test_whatever_else_is_changed_spoils_every_task(spoiler: str) -> None:
    for task in ALL_TASKS:
        one = assignment(task, 5)
        right = one.answer.text if one.answer else None
        spoiled = deepcopy(one.goal)
        SPOILERS[spoiler](spoiled)
        assert not one.solved(spoiled, right), task
        assert one.missing(spoiled), task


def test_ids_order_times_stock_and_history_do_not_matter() -> None:
    for task in ALL_TASKS:
        one = assignment(task, 3)
        other: Any = deepcopy(one.goal)
        for section in ("alarms", "contacts", "messages", "notes"):
            other[section].reverse()
            for entry in other[section]:
                entry["id"] += 100
        for conversation in other["messages"]:
            conversation["thread"][-1]["time"] = "23:58"
        other["shop"]["products"][0]["stock"] -= 1
        other["reader"]["history"].append(1)
        assert one.solved(other, one.answer.text if one.answer else None), task


def test_setting_the_alarm_beside_the_wanted_one_is_no_success() -> None:
    one = assignment("set-alarm", 0)
    hour, minute = one.parameters["time"].split(":")
    state = deepcopy(one.start)
    state["alarms"].append(
        {"id": 99, "time": f"{hour}:5{int(minute) % 9}", "label": "", "enabled": True}
    )
    assert one.missing(state) == ["alarms"]
    state["alarms"][-1]["time"] = one.parameters["time"]
    assert one.solved(state)
    state["alarms"][-1]["enabled"] = False
    assert not one.solved(state)


def test_the_brightness_may_be_off_by_three_percent_and_no_more() -> None:
    one = assignment("brightness", 0)
    level = one.parameters["value"]
    for off, fine in ((-4, False), (-3, True), (0, True), (3, True), (4, False)):
        state = deepcopy(one.goal)
        state["settings"]["brightness"] = level + off
        assert one.solved(state) is fine


def test_a_message_must_have_its_exact_words_and_the_right_receiver() -> None:
    one = assignment("send-message-to", 1)
    goal = next(c for c in one.goal["messages"] if c["name"] == one.parameters["name"])
    assert goal["thread"][-1] == {"from": "me", "text": one.parameters["text"], "time": ""}
    misspelt = deepcopy(one.goal)
    for conversation in misspelt["messages"]:
        if conversation["name"] == one.parameters["name"]:
            conversation["thread"][-1]["text"] += "!"
    assert one.missing(misspelt) == ["messages"]
    elsewhere = deepcopy(one.start)
    stranger = next(c for c in elsewhere["messages"] if c["name"] != one.parameters["name"])
    stranger["thread"].append({"from": "me", "text": one.parameters["text"], "time": "10:00"})
    assert not one.solved(elsewhere)


def test_a_question_needs_the_right_answer_over_an_untouched_phone() -> None:
    one = assignment("find-price", 2)
    assert one.answer is not None
    assert one.solved(one.start, one.answer.text)
    assert not one.solved(one.start, None)
    assert not one.solved(one.start, "")
    touched = deepcopy(one.start)
    touched["settings"]["wifi"] = not touched["settings"]["wifi"]
    assert not one.solved(touched, one.answer.text)


@pytest.mark.parametrize(
    ("right", "answer"),
    [
        (RightAnswer("$12.50", "price"), "12.5"),
        (RightAnswer("$12.50", "price"), "12,50 €"),
        (RightAnswer("$12.50", "price"), " USD 12.50 "),
        (RightAnswer("$1250.00", "price"), "$1,250"),
        (RightAnswer("3", "count"), "3."),
        (RightAnswer("3", "count"), "Three"),
        (RightAnswer("212-555-0173", "phone"), "(212) 555 0173"),
        (RightAnswer("Dinner at seven?"), '"dinner  at seven?"'),
        (RightAnswer("I left the keys with Paul."), "I left the keys with Paul"),
    ],
)
def test_answers_that_say_the_same_are_right(right: RightAnswer, answer: str) -> None:
    assert right.accepts(answer)


@pytest.mark.parametrize(
    ("right", "answer"),
    [
        (RightAnswer("$12.50", "price"), "12.05"),
        (RightAnswer("$12.50", "price"), "1250"),
        (RightAnswer("$12.50", "price"), "10 or 12.50"),
        (RightAnswer("$12.50", "price"), "-12.50"),
        (RightAnswer("3", "count"), "13"),
        (RightAnswer("3", "count"), "two or 3"),
        (RightAnswer("3", "count"), ""),
        (RightAnswer("212-555-0173", "phone"), "212-555-0174"),
        (RightAnswer("212-555-0173", "phone"), "212-555-0173 or 212-555-0174"),
        (RightAnswer("212-555-0173", "phone"), "it is 212-555-0173"),
        (RightAnswer("Ada Weber"), "Ada"),
        (RightAnswer("Ada Weber"), "Ada Weber and Paul Rossi"),
    ],
)
def test_other_answers_are_wrong(right: RightAnswer, answer: str) -> None:
    assert not right.accepts(answer)


def test_what_tasks_name_is_unique_on_every_phone() -> None:
    for seed in SEEDS:
        state = drawn_state(seed)
        columns = [
            [alarm["time"] for alarm in state["alarms"]],
            [contact["name"].split()[0] for contact in state["contacts"]],
            [contact["phone"] for contact in state["contacts"]],
            [conversation["phone"] for conversation in state["messages"]],
            [note["title"] for note in state["notes"]],
            [product["name"] for product in state["shop"]["products"]],
            [article["title"] for article in state["reader"]["articles"]],
        ]
        assert all(len(set(column)) == len(column) for column in columns)


def test_the_newest_conversation_ends_with_a_message_to_reply_to() -> None:
    for seed in SEEDS:
        assert drawn_state(seed)["messages"][0]["thread"][-1]["from"] == "them"
