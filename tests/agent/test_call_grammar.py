"""Calls that are held to their action space while a model writes them."""

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import pytest
import torch
from benchmarks.grammar.random_models import (
    DIALECTS,
    Room,
    Scores,
    answer,
    random_scores,
    rooms,
    spaces_by_name,
    tally,
)
from PIL import Image, ImageDraw
from torch import Tensor

from eyehand.actions import Action, ActionSpace, Coordinates
from eyehand.actions.web import Click, Scroll, TypeText
from eyehand.agent.cli.main import main
from eyehand.agent.policies.base import Decision, Request
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.choose import model_policy
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.errors import Unparsable, UsageError
from eyehand.model.inference.constraint import Matcher
from eyehand.model.inference.grammar import Grammar
from eyehand.prompts.dialects import make_dialect

SPACE = ActionSpace([Click, TypeText, Scroll])
ENOUGH = 20_000
CODECS = ("keyword", "tool_call")
"""A dialect of each codec."""


@pytest.fixture(scope="module")
def both() -> list[Room]:
    return rooms()


@pytest.mark.parametrize("space", list(spaces_by_name()))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_whatever_a_random_model_writes_is_a_permitted_call(
    both: list[Room], dialect: str, space: str
) -> None:
    for room in both:
        found = tally(room, dialect, space, range(5), ENOUGH)
        assert (found.outcomes, found.failures) == ({"a call": 5}, [])
        assert found.forced > found.tokens / 20


def test_what_a_grammar_remembers_is_bounded(
    both: list[Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Grammar] = []
    anew = Grammar.begun_anew

    def noted(grammar: Grammar) -> object:
        made.append(grammar)
        return anew(grammar)

    monkeypatch.setattr(Grammar, "begun_anew", noted)
    room = Room(both[0].tokenizer)
    monkeypatch.setattr(
        "benchmarks.grammar.random_models.Grammar", partial(Grammar, most_states=2000)
    )
    found = tally(room, "keyword", "narrowed", range(8), ENOUGH)
    assert (found.outcomes, found.failures) == ({"a call": 8}, [])
    assert made


@pytest.mark.parametrize("dialect", CODECS)
def test_an_answer_that_is_too_long_is_never_acted_on(both: list[Room], dialect: str) -> None:
    for limit in range(14, 45, 3):
        found = tally(both[0], dialect, "gym, named", [limit, limit + 1], limit)
        assert set(found.outcomes) <= {"a call", "cut"}
        assert not found.failures
    assert tally(both[0], dialect, "gym, named", range(6), 16).outcomes["cut"]


@pytest.mark.parametrize("space", list(spaces_by_name()))
@pytest.mark.parametrize("dialect", CODECS)
def test_a_call_as_it_is_trained_is_permitted(both: list[Room], dialect: str, space: str) -> None:
    for room in both:
        grammar, codec, actions = room.grammar(dialect, space)
        actions.seed(5)
        for _ in range(8):
            written = codec.write(actions.sample(), thought="I see it; so:")
            if "e-0" in written:
                continue  # a number too small to be written without an exponent
            waiting, matcher = _Waiting(), grammar.matcher()
            for id_ in room.tokenizer.encode_text(written):
                assert waiting.takes(matcher, id_), (written, room.tokenizer.token_bytes(id_))
            assert matcher.complete
            assert not waiting.ids


class _Waiting:
    """The forced tokens that a text has yet to come to."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def takes(self, matcher: Matcher, id_: int) -> bool:
        """Return whether the text's next token may come."""
        if self.ids:
            return self.ids.pop(0) == id_
        permitted = matcher.permitted()
        if permitted is not None and not permitted[id_]:
            return False
        forced = matcher.accept(id_)
        self.ids = list(forced or ())
        return forced is not None


@pytest.mark.parametrize(
    "opening",
    ["✿FUNCTION✿", "*FUNCTION*", "**FUNCTION**", "✿ FUNCTION ✿", "FUNCTION✿:", "*FUNCTION:"],
)
def test_a_call_is_held_however_its_keyword_is_marked(both: list[Room], opening: str) -> None:
    for room in both:
        for seed in range(4):
            scores = random_scores(room, seed, opening)
            parsed, given = answer(room, "keyword", "phone", scores, seed, ENOUGH)
            assert parsed.action is not None, given.text


@pytest.mark.parametrize("dialect", CODECS)
def test_no_mark_and_no_control_token_comes_into_a_text(both: list[Room], dialect: str) -> None:
    marks = ("✿RESULT✿", "*FUNCTION*: back", "</tool_call>", "<tool_response>", "<|im_end|>")
    for room in both:
        grammar, codec, _ = room.grammar(dialect, "web")
        head = codec.write(TypeText(text="a")).removesuffix("\n</tool_call>").rstrip('"}')
        for mark in marks:
            for encode in (room.tokenizer.encode_text, room.tokenizer.encode_template):
                scores = _insisting(room, encode(head + mark))
                parsed, given = answer(room, dialect, "web", scores, 0, ENOUGH)
                assert isinstance(parsed.action, TypeText), given.text
                text = given.text.split('"text": ', 1)[1].removesuffix("\n</tool_call>")
                assert not grammar.never.search(text)
                assert not parsed.not_performed


def _insisting(room: Room, ids: Sequence[int]) -> Scores:
    """Return a model that wants these tokens at these places."""
    generator = torch.Generator().manual_seed(1)

    def scores(place: int) -> Tensor:
        drawn = torch.randn(room.size, generator=generator)
        if place < len(ids):
            drawn[ids[place]] = 100.0
        return drawn

    return scores


def _screen(seed: int) -> Observation:
    """Return a page of MiniWoB's size with a button."""
    page = Image.new("RGB", (160, 210), "white")
    left, top = 10 + 20 * seed, 70 + 15 * seed
    draw = ImageDraw.Draw(page)
    draw.rectangle((left, top, left + 40, top + 20), fill=(239, 239, 239), outline=(118, 118, 118))
    draw.text((left + 13, top + 4), "OK", fill="black")
    return Observation(np.asarray(page), ScreenGeometry("page", 160, 210, 160, 210))


@pytest.fixture(scope="module")
def policies() -> dict[str, VlmPolicy]:
    return {name: VlmPolicy(grammar=name) for name in ("on", "off")}


def test_the_embedded_models_calls_stay_and_cost_fewer_passes(
    policies: dict[str, VlmPolicy],
) -> None:
    passes = {"on": 0, "off": 0}
    decided: dict[str, list[Decision]] = {"on": [], "off": []}
    for name, policy in policies.items():
        hook = policy.checkpoint.network.register_forward_hook(
            lambda *_, name=name: passes.__setitem__(name, passes[name] + 1)
        )
        for seed in range(3, 6):  # noise on which a call is whole without a grammar too
            conversation = policy.start("Click the button OK", SPACE, seed)
            decided[name].append(conversation.decide(_screen(seed)))
        hook.remove()
    for held, free in zip(decided["on"], decided["off"], strict=True):
        assert held.action == free.action is not None
        assert held.raw_text == free.raw_text
        assert held.tokens["forced"] > 0 == free.tokens["forced"]
    assert passes["on"] < passes["off"] / 2


def test_conversations_decided_together_write_the_same(policies: dict[str, VlmPolicy]) -> None:
    policy = policies["on"]
    tasks = ("Click the button OK", 'Enter "x" into the field', "Go back")

    def asked() -> list[Request]:
        return [(policy.start(task, SPACE, n), _screen(n)) for n, task in enumerate(tasks)]

    alone = [policy.decide_many([request])[0] for request in asked()]
    policy.set_batch_size(3)
    together = policy.decide_many(asked())
    policy.set_batch_size(1)
    assert [d.raw_text for d in together] == [d.raw_text for d in alone]
    assert [d.action for d in together] == [d.action for d in alone]
    assert all(d.tokens["forced"] > 0 for d in together)


def test_a_call_that_is_cut_off_is_told_to_the_model(policies: dict[str, VlmPolicy]) -> None:
    whole = policies["on"].start("Go back", SPACE, 0).decide(_screen(1))
    policy = VlmPolicy(max_new_tokens=whole.tokens["generated"] - 1)
    cut = policy.start("Go back", SPACE, 0).decide(_screen(1))
    assert whole.action is not None
    assert cut.action is None
    assert isinstance(cut.error, Unparsable)
    assert policy.describe()["grammar"] == "on"
    assert policies["off"].describe()["grammar"] == "off"


ODD = ('a"b', "w\\ /\n\t%json {}", "é✿ARGS✿", "smile 😀")


class Odd(Action):
    """Say something odd."""

    name = 'say "x" | /.*/'
    word: Literal[ODD]  # type: ignore[valid-type]


def test_an_action_of_any_name_and_values_is_only_text(both: list[Room]) -> None:
    codec = make_dialect("tool_call").codec
    call = codec.grammar(ActionSpace([Odd]))
    assert call is not None
    grammar = Grammar(both[0].vocabulary, call.begins, call.rules, call.never)
    for word in ODD:
        waiting, matcher = _Waiting(), grammar.matcher()
        written = codec.write(Odd(word=word))
        assert all(waiting.takes(matcher, id_) for id_ in both[0].tokenizer.encode_text(written))
        assert matcher.complete


def test_models_say_whether_their_calls_have_a_grammar(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["dialects"]
    assert {one["name"] for one in listed if one["grammar"]} == {"keyword", "qwen", "tool_call"}
    assert main(["models", "ui-tars"]) == 0
    assert "a call: has no grammar" in capsys.readouterr().out


def test_a_grammar_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="dialect ui-tars has no grammar"):
        model_policy(dialect="ui-tars", grammar="on")
    with pytest.raises(UsageError, match="--grammar belongs to the built-in model"):
        model_policy("http://localhost:1/v1", served_model="m", dialect="qwen", grammar="on")
    with pytest.raises(UsageError, match="expected one of auto, on, off"):
        VlmPolicy(grammar="yes")
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(UsageError, match="pip install llguidance"):
        VlmPolicy(grammar="on")
    without = VlmPolicy()
    assert without.describe()["grammar"] == "off"
    assert without.start("Go back", SPACE, 0).decide(_screen(1)).tokens["forced"] == 0


class Signed(Action):
    """Takes numbers of both signs, and marks."""

    amount: float
    mark: Literal["+", "3", "-", "=", "(", "left"]
    text: str


CALLS = [
    Signed(amount=amount, mark=mark, text=text)
    for amount, mark, text in (
        (-1.5, "+", "plain"), (2.0, "3", "(brackets)"), (-0.1, "=", ""), (7.25, "(", "-x"),
        (3.0, "left", " a space"), (-4.0, "-", "1"), (0.5, "+", "é"),
    )
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("dialect", CODECS)
def test_a_call_is_held_to_the_tokens_in_which_it_is_learned(
    both: list[Room], dialect: str, call: Action
) -> None:
    codec = make_dialect(dialect).codec
    rules = codec.grammar(ActionSpace([Signed]))
    assert rules is not None
    written = codec.write(call, Coordinates())
    for room in both:
        grammar = Grammar(room.vocabulary, rules.begins, rules.rules, rules.never)
        waiting, matcher = _Waiting(), grammar.matcher()
        for id_ in room.tokenizer.encode_text(written):
            assert waiting.takes(matcher, id_), (written, room.tokenizer.token_bytes(id_))
        assert matcher.complete
