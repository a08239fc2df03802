"""A history within a bound: what goes first, and that what stays is exact."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from tests.model.replies import only, reply
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.bounded_history import HistoryRule, make_room
from eyehand.model.inference.session import Session
from eyehand.model.inference.shared_pass import SharedPass
from eyehand.model.inputs.image import concatenate, preprocess
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.attention import rotate
from eyehand.model.qwen2vl.language import rotations
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
TURN = "<|im_end|>\n<|im_start|>assistant\n"
PICTURE = 12
"""Tokens of a screen of 84 x 112 pixels; it takes 4 positions."""
PLENTY = 10**6


def picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (84, 112, 3), dtype=np.uint8)


@dataclass
class Whole:
    """Everything that a session was given, and when what of it went: the oracle's side."""

    session: Session
    only_text: Tensor
    ids: list[int] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)
    hidden: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    """Where each begins; picture n was drawn with seed n."""

    def show(self, words: str) -> None:
        session, before = self.session, self.session.num_tokens
        if not session.num_tokens:
            session.append_template(SYSTEM)
        session.append_image(picture(len(self.pictures)))
        session.append_text(words)
        session.append_template(TURN)
        session.begin_turn()
        self._grown(before)
        pads = [place for place, id_ in enumerate(self.ids) if id_ == self._pad]
        self.pictures.append(pads[PICTURE * len(self.pictures)])

    def room(self, history: HistoryRule, tokens: int = PLENTY, positions: int = PLENTY) -> bool:
        session = self.session
        since, turns = self.alive[session.cached_tokens], session.read_turns
        pictures, alive = set(session.read_visuals), self.alive
        fits = make_room(session, history, tokens, positions)
        dropped = len(turns) - len(session.read_turns)
        gone = {alive[n] for n in range(turns[0], turns[dropped])} if dropped else set()
        for number in pictures - set(session.read_visuals):
            gone |= set(range(self.pictures[number], self.pictures[number] + PICTURE))
        self.hidden += [(place, since) for place in gone & set(alive)]
        self.alive = [place for place in alive if place not in gone]
        assert [self.ids[place] for place in self.alive] == session.token_ids
        return fits

    @property
    def _pad(self) -> int:
        return self.session.network.config.image_token_id

    def answer(self) -> tuple[int, ...]:
        before = self.session.num_tokens
        answer = reply(self.session, 5, constraint=only(self.only_text))
        self._grown(before)
        return answer.token_ids

    @torch.inference_mode()
    def scores(self) -> Tensor:
        """The scores that the session would go on with."""
        return self.session.read_pending(self.session.encode_pending())

    @torch.no_grad()
    def expected(self) -> Tensor:
        """The same from one pass over all that ever was, under a mask that hides what went."""
        ids = torch.tensor([self.ids])
        mask = torch.ones(1, len(self.ids), len(self.ids), dtype=torch.bool).tril()
        for place, since in self.hidden:
            mask[:, since:, place] = False
        patches, grids = concatenate([preprocess(picture(n)) for n in range(len(self.pictures))])
        network = self.session.network
        logits: Tensor = network(ids, patches=patches, grid_thw=grids, attention_mask=mask)
        return logits[0, -1]

    def _grown(self, before: int) -> None:
        new = self.session.token_ids[before:]
        self.alive += range(len(self.ids), len(self.ids) + len(new))
        self.ids += new


@pytest.fixture
def whole(session: Session, only_text: Tensor) -> Whole:
    return Whole(session, only_text)


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5


@pytest.mark.parametrize("name", ["full", "evict", "window:1", "window:2"])
def test_scores_equal_one_pass_under_the_mask_of_what_went(whole: Whole, name: str) -> None:
    history = HistoryRule.named(name)
    for step in range(5):
        whole.show(f"step {step}")
        assert whole.room(history)
        whole.answer()
    whole.show("and now")
    whole.room(history)
    assert whole.session.num_visuals == min(6, history.window or 6)
    assert_close(whole.scores(), whole.expected())


def test_where_there_is_no_room_old_pictures_go_first(whole: Whole) -> None:
    for step in range(4):
        whole.show(f"step {step}")
        whole.answer()
    whole.show("and now")
    before = whole.session.num_tokens
    assert whole.room(HistoryRule(), tokens=before - 1)
    assert whole.session.num_visuals < 5
    assert 4 in set(range(5)) - set(whole.session.read_visuals)  # the new one stays
    assert (before - whole.session.num_tokens) % PICTURE == 0
    assert_close(whole.scores(), whole.expected())


def test_then_old_turns_go_and_the_beginning_never(
    whole: Whole, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    for step in range(6):
        whole.show(f"step {step} " * 4)
        whole.answer()
    whole.show("and now")
    session = whole.session
    pinned = session.read_turns[0] - PICTURE
    words = session.num_tokens - 7 * PICTURE
    assert whole.room(HistoryRule(), tokens=words - 20)
    assert session.num_visuals == 1
    text = tokenizer.decode(session.token_ids)
    assert text.startswith(SYSTEM)
    assert "step 0 step 0" in text.partition(TURN)[0]
    assert "step 1 " not in text
    assert "step 5 " in text
    assert session.read_turns[0] == pinned
    assert_close(whole.scores(), whole.expected())


def test_full_drops_nothing_and_says_so(whole: Whole) -> None:
    whole.show("a")
    whole.answer()
    whole.show("b")
    before = whole.session.token_ids
    assert not whole.room(HistoryRule(drops=False), tokens=20)
    assert not whole.room(HistoryRule(drops=False), positions=20)
    assert whole.session.token_ids == before


@pytest.fixture
def unrotated(
    network: Qwen2VLNetwork, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[list[Tensor]], list[Tensor]]]:
    """Each layer's keys as they were before any position, and the positions, pass by pass."""
    keys: list[list[Tensor]] = [[] for _ in network.model.layers]
    positions: list[Tensor] = []
    hooks = [
        layer.self_attn.k_proj.register_forward_hook(  # type: ignore[union-attr]
            lambda _, __, out, held=held: held.append(out[0])
        )
        for layer, held in zip(network.model.layers, keys, strict=True)
    ]
    commit = SharedPass.commit

    def committed(self: SharedPass, slots: object, given: Tensor) -> None:
        positions.append(given[:, 0])
        commit(self, slots, given)  # type: ignore[arg-type]

    monkeypatch.setattr(SharedPass, "commit", committed)
    yield keys, positions
    for hook in hooks:
        hook.remove()


def test_keys_that_were_moved_back_are_those_of_their_new_positions(
    whole: Whole, unrotated: tuple[list[list[Tensor]], list[Tensor]]
) -> None:
    for step in range(6):
        whole.show(f"step {step} " * 4)
        whole.answer()
    session, config = whole.session, whole.session.network.config.text
    whole.show("and now")
    pinned, most = session.read_turns[0], session.num_positions - 1
    assert whole.room(HistoryRule(), positions=most)
    assert session.gap() == 0
    assert session.num_positions <= most - most // 4

    keys, positions = unrotated
    held = session.cached_tokens
    rows = whole.alive[:held]
    moved = torch.cat(positions, dim=1)[:, rows]
    moved[:, pinned:] -= moved[:, pinned:].min() - moved[:, :pinned].max() - 1
    cos, sin = rotations(moved[:, None], config, torch.float32)
    for layer, parts in enumerate(keys):
        raw = torch.cat(parts)[rows].view(held, config.num_key_value_heads, -1).transpose(0, 1)
        slot = session.cache
        assert_close(slot.bank.keys[layer][slot.row, :, :held], rotate(raw, cos[0], sin[0]))
    assert torch.equal(session.cache.positions[:held], moved.amax(0))


def test_an_endless_conversation_stays_within_both_bounds(whole: Whole) -> None:
    reserved = []
    for _ in range(60):
        whole.show("go on")
        assert whole.room(HistoryRule(), tokens=150, positions=120)
        whole.answer()
        assert whole.session.num_tokens <= 155
        assert whole.session.num_positions <= 125
        reserved.append(whole.session.cache.nbytes)
    assert len(set(reserved[20:])) == 1
    assert whole.session.token_ids[:3] == whole.ids[:3]


def test_memory_ends_at_the_bound_where_it_suffices(session: Session, only_text: Tensor) -> None:
    session.cache.bound = 50
    session.append_text("x" * 40)
    reply(session, 5, constraint=only(only_text))
    assert session.cache.capacity == 50
    session.append_text("y" * 20)
    reply(session, 1, constraint=only(only_text))
    assert session.cache.capacity == session.cached_tokens > 50


@pytest.mark.parametrize("name", ["", "none", "window", "window:0", "window:-1", "window:x"])
def test_unknown_histories_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"full, evict or window:N"):
        HistoryRule.named(name)


def test_turns_are_dropped_only_once_they_were_read(session: Session) -> None:
    session.append_template(SYSTEM)
    session.begin_turn()
    session.append_text("one")
    session.begin_turn()
    with pytest.raises(UsageError, match="not so many have ended"):
        session.drop_turns(1)
    session.read_pending()
    words = session.num_tokens - session.read_turns[0]
    session.drop_turns(1)
    assert session.cached_tokens == session.num_tokens == session.read_turns[0]
    session.append_text("two")
    assert session.gap() == words
    session.close_gap()
    assert session.num_positions == session.num_tokens
