"""Tokens that are written ahead: the same as those that are looked at one by one."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.inference import writing
from eyehand.model.inference.constraint import TokenRule
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import Generation, GenerationConfig
from eyehand.model.inference.sampling import Greedy, Sampling, Way
from eyehand.model.inference.session import Session
from eyehand.model.inference.slots import Bank
from eyehand.model.inference.writing import FixedStep, Row, Writer, bucket
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

WORDS = "click the button now and then "
ROOM = 160

Talk = Callable[..., Session]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def talk(
    request: pytest.FixtureRequest, config: Any, build_model: Any, tokenizer: Tokenizer
) -> Talk:
    """Make conversations of one network, each as long as its number says, with room for more."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    network = build_model(config).to(request.param)

    def make(number: int, room: int = ROOM) -> Session:
        session = Session(network, tokenizer, reserved_tokens=room)
        session.append_text(WORDS * (1 + number))
        return session

    return make


def unended(session: Session) -> TokenRule:
    """Permit all but what ends an answer, so that answers are as long as they may be."""
    permitted = torch.ones(session.network.config.text.vocab_size, dtype=torch.bool)
    permitted[[*session.network.config.eos_token_ids, *session.tokenizer.eos_ids]] = False
    return TokenRule(lambda _: permitted, lasts=True)


def state(session: Session) -> tuple[Any, ...]:
    return session.token_ids, session.cached_tokens, session.num_positions


def answered_alike(
    talk: Talk, numbers: Sequence[int], configs: Sequence[GenerationConfig], ahead: int = 5,
    room: int = ROOM,
) -> list[Generation]:  # fmt: skip
    """Answers written ahead, all at once; they and the histories are those of each alone."""
    together = [talk(number, room) for number in numbers]
    found = generate(together, configs, batch_size=len(numbers), ahead=ahead)
    for number, config, answer, session in zip(numbers, configs, found, together, strict=True):
        alone = talk(number, room)
        (expected,) = generate([alone], config, ahead=1)
        assert answer.token_ids == expected.token_ids
        assert (answer.text, answer.stop_reason) == (expected.text, expected.stop_reason)
        assert answer.forced_tokens == expected.forced_tokens
        assert state(session) == state(alone)
        session.append_text("and then")
        alone.append_text("and then")
        generate([session], replace(config, max_new_tokens=2), ahead=ahead)
        generate([alone], replace(config, max_new_tokens=2), ahead=1)
        assert state(session) == state(alone)
    return found


@torch.inference_mode()
def highest(session: Session, count: int) -> Tensor:
    """The highest score before each of the last tokens, from one pass over all of them."""
    network = session.network
    scores: Tensor = network(torch.tensor([session.token_ids]))[0, -count - 1 : -1].float()
    scores[:, [network.config.image_token_id, network.config.video_token_id]] = -torch.inf
    return scores.amax(-1).cpu()


def held(session: Session) -> list[Tensor]:
    """A copy of a conversation's keys and values."""
    bank, row = session.cache.bank, session.cache.row
    return [x[row, :, : session.cached_tokens].clone() for x in (*bank.keys, *bank.values)]


@torch.inference_mode()
def test_scores_are_those_of_a_whole_pass(talk: Talk) -> None:
    """Rows of mixed lengths, an idle one between them, and more keys than at the beginning."""
    sessions = [talk(number) for number in (0, 3, 1, 5)]
    for session in sessions:
        session.push(int(session.read_pending().argmax()))
    busy, idle = [sessions[n] for n in (0, 1, 3)], sessions[2]
    before = state(idle), held(idle)
    writer = Writer(idle.network, 4)
    extents = set()
    for _ in range(30):
        rows = [Row(s.cache, s.newest, 4, Greedy(), [0.0] * 4) for s in busy]
        for session, written in zip(busy, writer.write(rows), strict=True):
            session.push(*written.ids)
            session.computed(4)
            expected = highest(session, 4)
            assert float((torch.tensor(written.highest) - expected).abs().max()) < 1e-4
            extents.add(bucket(session.num_tokens))
    assert len(extents) > 1
    assert state(idle) == before[0]
    assert all(torch.equal(x, y) for x, y in zip(before[1], held(idle), strict=True))


RULES = {
    "greedy": Greedy(),
    "drawn": Sampling(temperature=1.2, seed=3),
    "top_k": Sampling(temperature=1.5, top_k=7, seed=1),
    "top_p": Sampling(temperature=1.1, top_p=0.7, seed=2),
    "penalised": Greedy(1.3),
    "all": Sampling(0.9, top_k=40, top_p=0.9, repetition_penalty=1.2, seed=5),
}


@pytest.mark.parametrize("name", RULES)
def test_an_answer_is_the_same_ahead(talk: Talk, name: str) -> None:
    config = GenerationConfig(23, sampling=RULES[name], constraint=unended(talk(0)))
    (answer,) = answered_alike(talk, [1], [config])
    assert answer.stop_reason == "length"
    assert len(answer.token_ids) == 23


def test_answers_of_all_kinds_at_once(talk: Talk) -> None:
    """Mixed lengths, rules and ends: some end early, one holds every token to a rule."""
    free = unended(talk(0))
    (text,) = generate([talk(4)], GenerationConfig(20, constraint=free))
    configs = [
        GenerationConfig(count, sampling=rule, constraint=free)
        for count, rule in zip((4, 11, 1, 30, 17, 9), RULES.values(), strict=True)
    ]
    configs.append(GenerationConfig(20, stop=(text.text[8:11],), constraint=free))
    answers = answered_alike(talk, [3, 0, 5, 1, 2, 6, 4], configs)
    assert {answer.stop_reason for answer in answers} == {"length", "stop_word"}
    ids_of_all = torch.arange(talk(0).network.config.text.vocab_size)
    by_token = TokenRule(lambda ids: ids_of_all % 3 == len(ids) % 3)
    answered_alike(talk, [2, 0], [replace(configs[3], constraint=by_token), configs[1]])


def test_an_end_token_ends_it_within_what_was_written(talk: Talk) -> None:
    session = talk(2)
    (text,) = generate([session], GenerationConfig(12, constraint=unended(session)))
    end = next(id_ for id_ in text.token_ids if id_ != text.token_ids[0])
    session.network.config = replace(session.network.config, eos_token_ids=(end,))
    (answer,) = answered_alike(talk, [2], [GenerationConfig(12)])
    assert answer.stop_reason == "eos"
    assert answer.token_ids == text.token_ids[: text.token_ids.index(end)]


class Wayward:
    """Free until a token, then held token by token; refuses one, and makes others follow one."""

    def __init__(self, free: TokenRule, forcing: int, refused: int) -> None:
        self.free, self.forcing, self.refused = free, forcing, refused

    def matcher(self) -> "WaywardMatcher":
        return WaywardMatcher(self)


class WaywardMatcher:
    complete = False

    def __init__(self, rule: Wayward) -> None:
        self.rule, self.ids, self.lasts = rule, list[int](), True

    def permitted(self) -> Tensor | None:
        free = self.rule.free.permitted(())
        assert free is not None
        return free if self.lasts else free & (torch.arange(len(free)) % 2 == len(self.ids) % 2)

    def accept(self, token: int) -> Sequence[int] | None:
        if token == self.rule.refused:
            return None
        self.ids.append(token)
        if token == self.rule.forcing and self.lasts:
            self.lasts = False
            self.ids += [7, 8, 9]
            return [7, 8, 9]
        return ()


@pytest.mark.parametrize("sampling", [Greedy(), Sampling(temperature=1.3, seed=4)])
def test_a_rule_that_begins_refuses_and_forces(talk: Talk, sampling: Sampling) -> None:
    free = unended(talk(1))
    config = GenerationConfig(24, sampling=sampling, constraint=free)
    (text,) = generate([talk(1)], config)
    refused = text.token_ids[2]
    (text,) = generate([talk(1)], replace(config, constraint=Wayward(free, -1, refused)))
    assert refused not in text.token_ids
    rule = Wayward(free, text.token_ids[7], refused)
    answer, _ = answered_alike(talk, [1, 4], [replace(config, constraint=rule), config])
    assert answer.forced_tokens == 3


def test_the_context_s_end_and_the_memory_s_bound(talk: Talk) -> None:
    """Nothing is stored behind the bound, though tokens are written ahead."""
    session = talk(1)
    network = session.network
    most = session.num_tokens + 13
    text = replace(network.config.text, max_position_embeddings=most)
    network.config = replace(network.config, text=text)
    bound = session.num_tokens + 13
    config = GenerationConfig(40, constraint=unended(session))
    for ahead in (1, 5):
        session = talk(1, room=session.num_tokens if ahead == 1 else bound - 20)
        session.cache.bound = bound
        (answer,) = generate([session], config, ahead=ahead)
        assert answer.stop_reason == "length"
        assert len(answer.token_ids) == 14
        assert session.cache.capacity == bound


def test_a_step_is_made_once_and_not_for_every_answer(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    begin = FixedStep.__init__

    def counted(self: FixedStep, *args: Any) -> None:
        made.append(args)
        begin(self, *args)

    monkeypatch.setattr(writing.FixedStep, "__init__", counted)
    session = talk(0)
    config = GenerationConfig(9, constraint=unended(session))
    for _ in range(4):
        generate([session], config, ahead=3)
        session.append_text("go on ")
    assert len(made) == 1
    bank = session.cache.bank
    del session
    gc.collect()
    assert isinstance(bank, Bank)
    other = talk(0)
    assert other.cache.bank is bank
    generate([other], config, ahead=3)
    assert len(made) == 1
    bank.resize(bank.batch, 2 * bank.capacity)
    generate([other], config, ahead=3)
    assert len(made) == 2


def test_scores_that_are_no_numbers_and_wrong_counts_are_refused(talk: Talk) -> None:
    session = talk(0)
    with pytest.raises(UsageError, match="ahead must be at least 1, got 0"):
        generate([session], GenerationConfig(9), ahead=0)
    config = GenerationConfig(9, constraint=unended(session))
    generate([session], config, ahead=3)
    session.append_text("x")
    before = state(session)
    calls = []

    def breaks(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:  # the prompt, a token, and then weights that are broken
            with torch.no_grad():
                session.network.model.norm.weight.fill_(torch.nan)

    with session.network.model.register_forward_pre_hook(breaks):
        if session.network.device.type == "cuda":
            for _ in range(3):
                breaks()
        with pytest.raises(CheckpointError, match="are not numbers"):
            generate([session], config, ahead=3)
    assert state(session)[0] == before[0]


@pytest.mark.parametrize("name", ["greedy", "all"])
@torch.no_grad()
def test_a_step_asks_the_device_nothing(config: Qwen2VLConfig, name: str) -> None:
    """Tensors without contents: what depends on them would fail, and be recorded only once."""
    way = Way.of([RULES[name], Greedy()], config.text.vocab_size)
    with FakeTensorMode():
        network = Qwen2VLNetwork(config).eval().requires_grad_(False)
        bank = Bank(network, ROOM)
        bank.resize(2, ROOM)
        step = FixedStep(network, bank, range(2), 128, way, 4, [])
        step._once()
        with pytest.raises(DataDependentOutputException):
            bool(step._number)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@torch.inference_mode()
def test_a_replayed_step_is_the_step_that_was_recorded(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network.to("cuda")
    answers = []
    for recorded in (True, False):
        if not recorded:
            monkeypatch.setattr(FixedStep, "_record", lambda self: None)
        session = Session(network, tokenizer, reserved_tokens=ROOM + recorded)
        session.append_text(WORDS)
        config = GenerationConfig(40, sampling=RULES["all"], constraint=unended(session))
        answers += generate([session], config, ahead=8)
        (step,) = session.cache.bank.recorded.values()
        assert (step._graph is not None) == recorded
    assert answers[0].token_ids == answers[1].token_ids
