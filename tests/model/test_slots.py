"""Memory of conversations: rows that stand side by side, are given on, and grow."""

import gc
import os
import sys
import weakref
from pathlib import Path

import pytest
import torch
from tests.model.replies import only, replies, reply
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.session import Session
from eyehand.model.inference.slots import Slot
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

ROOM = 48
"""Tokens that a slot has room for at first; no other test takes as many."""


@pytest.fixture
def sessions(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> list[Session]:
    return [Session(network, tokenizer, reserved_tokens=ROOM) for _ in range(5)]


def test_sessions_of_a_model_lie_side_by_side(sessions: list[Session]) -> None:
    assert {session.cache.bank for session in sessions} == {sessions[0].cache.bank}
    assert [session.cache.row for session in sessions] == list(range(5))


def test_a_slot_goes_to_the_next_conversation_when_one_ends(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, sessions: list[Session]
) -> None:
    bank = sessions[0].cache.bank
    rows = bank.batch
    for _ in range(30):
        for session in sessions:
            session.append_text("x")
        replies([(session, GenerationConfig(2)) for session in sessions])
        del sessions[0], session
        sessions.append(Session(network, tokenizer, reserved_tokens=ROOM))
        assert sessions[-1].cache.bank is bank
        assert sorted(session.cache.row for session in sessions) == list(range(5))
        assert sessions[-1].cached_tokens == 0
    assert bank.batch == rows < 10
    forgotten = weakref.ref(bank)
    del bank
    sessions.clear()
    gc.collect()
    assert forgotten() is None


def test_who_takes_a_slot_finds_nothing_of_the_last_conversation(sessions: list[Session]) -> None:
    sessions[1].append_text("x" * 30)
    reply(sessions[1], 4)
    bank, row = sessions[1].cache.bank, sessions[1].cache.row
    for held in (*bank.keys, *bank.values):
        held[row, :, :20] = torch.nan
    del sessions[1]
    taken = Slot(sessions[0].network, ROOM)
    assert (taken.bank, taken.row, taken.length, taken.next_position) == (bank, row, 0, 0)
    assert not any(held[row].count_nonzero() for held in (*bank.keys, *bank.values))


def test_one_that_outgrows_its_slot_moves_and_writes_on(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, sessions: list[Session], only_text: Tensor
) -> None:
    alone = [Session(network, tokenizer) for _ in sessions]
    config = GenerationConfig(40, constraint=only(only_text))
    for row, pair in enumerate(zip(sessions, alone, strict=True)):
        for session in pair:
            session.append_text("word " * (1 + row))
    answers = replies([(session, config) for session in sessions])
    for session, answer in zip(alone, answers, strict=True):
        assert answer.token_ids == reply(session, 40, constraint=only(only_text)).token_ids
    assert {session.cache.capacity for session in sessions} == {ROOM, 2 * ROOM}
    assert len({(session.cache.bank, session.cache.row) for session in sessions}) == 5


def test_a_session_may_begin_inside_inference_and_go_on_outside(
    network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    with torch.inference_mode():
        first = Session(network, tokenizer, reserved_tokens=ROOM + 1)
        others = [Session(network, tokenizer, reserved_tokens=ROOM + 1) for _ in range(3)]
    first.append_text("words")
    first.read_pending()
    first.rewind(2)
    assert (first.cached_tokens, len(others)) == (2, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")
def test_memory_is_taken_when_it_is_written_to(network: Qwen2VLNetwork) -> None:
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident_bytes()
    held = Slot(network, 2**21)
    assert held.nbytes > 10**9
    assert resident_bytes() - before < 10**8


def test_what_a_slot_cannot_do_is_refused(sessions: list[Session]) -> None:
    with pytest.raises(UsageError, match="cannot rewind row 3 to 1 tokens: it holds 0"):
        sessions[3].cache.rewind(1)
