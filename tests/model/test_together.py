"""Sessions that are answered together: each as if it were alone, whoever stands beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.model.replies import only, replies, reply
from torch import Tensor

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.reading import read
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inference.shared_pass import KEY_STEP
from eyehand.model.inference.visual_cache import VisualEncoder

WORDS = "open the second tab, then answer the question and press the green button below it. "
FREE = GenerationConfig(16)
DRAWN = GenerationConfig(16, sampling=Sampling(temperature=1.2))


@pytest.fixture(scope="module")
def loaded() -> Qwen2VL:
    return Qwen2VL.load(EMBEDDED_CHECKPOINT, device="cpu")


def conversation(loaded: Qwen2VL, number: int, words: int | None = None) -> Session:
    """A history of its own length; every second one has a picture."""
    session = loaded.session()
    session.append_template("<|im_start|>user\n")
    if number % 2:
        pixels = np.random.default_rng(number).integers(0, 256, (112, 84, 3), dtype=np.uint8)
        session.append_image(pixels)
    session.append_text(f"{number}: " + WORDS * (words if words is not None else 1 + number))
    session.append_template("<|im_end|>\n<|im_start|>assistant\n")
    return session


def computed(session: Session) -> Session:
    """The same conversation, its whole prompt read by the network."""
    with torch.inference_mode():
        session.read_pending(session.encode_pending())
    return session


def drawn(seed: int) -> GenerationConfig:
    return replace(DRAWN, sampling=replace(DRAWN.sampling, seed=seed))


@pytest.mark.parametrize("count", [2, 8])
@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_each_session_writes_what_it_would_write_alone(
    loaded: Qwen2VL, count: int, temperature: float
) -> None:
    shared = [conversation(loaded, number) for number in range(count)]
    alone = [conversation(loaded, number) for number in range(count)]
    assert len({session.num_tokens for session in alone}) == count
    for turn in range(2):
        rules = [
            replace(FREE, sampling=Sampling(temperature=temperature, seed=10 * turn + number))
            for number in range(count)
        ]
        answers = generate(shared, rules)
        for session, rule, answer, twin in zip(alone, rules, answers, shared, strict=True):
            expected = reply(session, 16, sampling=rule.sampling)
            assert (answer.token_ids, answer.text, answer.stop_reason) == (
                expected.token_ids, expected.text, expected.stop_reason,
            )  # fmt: skip
            assert twin.token_ids == session.token_ids
            assert twin.cached_tokens == session.cached_tokens
        for session in (*shared, *alone):
            session.append_text("\nand go on: ")
    if temperature:
        assert len({answer.token_ids for answer in answers}) > 1


def together(sessions: Sequence[Session]) -> list[Tensor]:
    """Scores after what is new in each, read in shared passes."""
    pending = [session.pending(session.encode_pending()) for session in sessions]
    return read(sessions[0].network, pending, alone=False)


def evicted(session: Session) -> Session:
    """The conversation without its picture, where it has one."""
    session.evict(*session.read_visuals)
    return session


def rewound(session: Session) -> Session:
    session.rewind(session.num_tokens - 5)
    return session


CHANGES: list[Callable[[Session], Session]] = [
    lambda session: session, evicted, rewound, Session.fork,
    lambda session: rewound(evicted(session).fork(reserved_tokens=300)),
]  # fmt: skip


@pytest.mark.parametrize("count", [2, 8])
@torch.inference_mode()
def test_scores_agree_with_those_of_a_single_row(loaded: Qwen2VL, count: int) -> None:
    """Slots of all lengths, also cut, thinned and copied, and while some rows have ended."""
    shared, alone = (
        [CHANGES[n % len(CHANGES)](computed(conversation(loaded, n))) for n in range(count)]
        for _ in range(2)
    )
    tokens = loaded.tokenizer.encode_text(WORDS)
    for step in range(6):
        # Some answer, some are shown more, some have ended or wait; one goes back.
        going = [n for n in range(count) if step < 3 or n % 3 != step % 3]
        for n in going:
            for session in (shared[n], alone[n]):
                session.push(*tokens[step + n : step + n + (9 if n % 4 == step else 1)])
        for n, scores in zip(going, together([shared[n] for n in going]), strict=True):
            _assert_close(scores, alone[n].read_pending())
        for session in (shared[step % count], alone[step % count]):
            session.rewind(session.num_tokens - 1)
    for mine, other in zip(shared, alone, strict=True):
        assert mine.token_ids == other.token_ids
        assert mine.cached_tokens == other.cached_tokens
        assert mine.num_positions == other.num_positions


def _assert_close(scores: Tensor, expected: Tensor) -> None:
    finite = expected.isfinite()
    assert torch.equal(finite, scores.isfinite())
    largest = float(expected[finite].abs().max())
    assert float((scores - expected)[finite].abs().max()) <= 1e-5 * largest


# Companions shorter and longer than the row that is looked at, so that the number of keys that
# attention reads and of tokens in a pass differ, in places before and after it.
COMPANIONS: list[tuple[Sequence[int], int]] = [
    ([], 0), ([0], 1), ([2, 3, 12], 0), ([1, 0, 2, 0, 4], 3), ([0] * 17, 9),
]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
@torch.inference_mode()
def test_a_row_has_the_same_bits_whoever_stands_beside_it(loaded: Qwen2VL, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = [_row_scores(loaded, *case) for case in COMPANIONS]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(scores, found[0]) for scores in found)


def _row_scores(loaded: Qwen2VL, companions: Sequence[int], place: int) -> Tensor:
    """Scores of a prompt with a picture and its next six tokens, among companions of so many words.

    Each reads a picture that nobody saw before; then some write and others are shown more or wait.
    """
    sessions = [conversation(loaded, 5 + 2 * n, words) for n, words in enumerate(companions)]
    sessions.insert(place, conversation(loaded, 3))
    for session in sessions:
        session.encoder = VisualEncoder(loaded.network)
    tokens = loaded.tokenizer.encode_text(WORDS)
    scores = [together(sessions)[place]]
    for step in range(4):
        news = [
            tokens[step + row * 3 :][: 1 + 2 * ((row + step) % 3)] for row in range(len(sessions))
        ]
        news[place] = tokens[step:][: 3 if step == 2 else 1]
        going = [row for row in range(len(sessions)) if row == place or (row + step) % 4]
        for row in going:
            sessions[row].push(*news[row])
        scores.append(together([sessions[row] for row in going])[going.index(place)])
    return torch.stack(scores)


def test_what_a_session_draws_does_not_depend_on_its_companions(loaded: Qwen2VL) -> None:
    answers = []
    for companions in ([], [1], [2, 4, 5, 6]):
        turns = [(conversation(loaded, number), drawn(number)) for number in companions]
        turns.append((conversation(loaded, 3), drawn(7)))
        answers.append(replies(turns)[-1].token_ids)
    assert answers[0] == answers[1] == answers[2]
    other = replies([(conversation(loaded, 3), drawn(8))])[0].token_ids
    assert other != answers[0]


def test_each_row_has_its_own_stop_words_length_and_listener(loaded: Qwen2VL) -> None:
    free = reply(conversation(loaded, 2), 16, sampling=drawn(5).sampling)
    word = free.text[3:6]
    pieces: list[list[str]] = [[], []]
    turns = [
        (conversation(loaded, 2), replace(drawn(5), stop=(word,), on_token=pieces[0].append)),
        (conversation(loaded, 2), replace(drawn(5), on_token=pieces[1].append)),
        (conversation(loaded, 2), replace(drawn(5), max_new_tokens=3)),
        (conversation(loaded, 2), replace(drawn(5), max_new_tokens=1)),
    ]
    stopped, whole, short, single = replies(turns)
    assert (stopped.stop_reason, stopped.stop_word) == ("stop_word", word)
    assert stopped.text == free.text[: free.text.index(word)]
    assert whole.token_ids == free.token_ids
    assert (short.token_ids, short.stop_reason) == (free.token_ids[:3], "length")
    assert single.token_ids == free.token_ids[:1]
    assert "".join(pieces[0]) == stopped.text
    assert "".join(pieces[1]) == whole.text
    for session, _ in turns:
        session.append_text(" more")
        assert reply(session, 2).token_ids


def test_answers_outgrow_the_memory_they_began_with(loaded: Qwen2VL) -> None:
    permitted = torch.ones(loaded.network.config.text.vocab_size, dtype=torch.bool)
    permitted[list(loaded.network.config.eos_token_ids)] = False
    rules = replace(DRAWN, max_new_tokens=2 * KEY_STEP, constraint=only(permitted))
    turns = [(conversation(loaded, number), rules) for number in (0, 3)]
    answers = replies(turns)
    for (session, _), answer, number in zip(turns, answers, (0, 3), strict=True):
        alone = conversation(loaded, number)
        expected = reply(alone, 2 * KEY_STEP, sampling=DRAWN.sampling, constraint=only(permitted))
        assert len(answer.token_ids) == 2 * KEY_STEP
        assert answer.token_ids == expected.token_ids
        assert session.cached_tokens == alone.cached_tokens


def test_a_dropped_picture_stays_dropped(loaded: Qwen2VL) -> None:
    pair = [conversation(loaded, 3), conversation(loaded, 3)]
    for session in pair:
        reply(session, 4)
        session.evict(0)
        session.append_text(" and then ")
    beside = conversation(loaded, 6)
    beside_it = replies([(beside, FREE), (pair[0], FREE)])[1]
    assert beside_it.token_ids == reply(pair[1], 16).token_ids
    assert pair[0].cached_tokens == pair[1].cached_tokens < pair[0].num_tokens


def test_a_failure_leaves_every_history_as_it_was(loaded: Qwen2VL) -> None:
    def fails(text: str) -> None:
        raise ConnectionError(text)

    sessions = [conversation(loaded, number) for number in (1, 2)]
    before = [session.token_ids for session in sessions]
    turns = [(sessions[0], FREE), (sessions[1], replace(FREE, on_token=fails))]
    with pytest.raises(ConnectionError):
        replies(turns)
    assert [session.token_ids for session in sessions] == before
    again = replies([(session, FREE) for session in sessions])
    alone = [reply(conversation(loaded, number), 16) for number in (1, 2)]
    assert [answer.token_ids for answer in again] == [answer.token_ids for answer in alone]


def test_what_cannot_be_answered_together_is_refused(loaded: Qwen2VL) -> None:
    session = conversation(loaded, 0)
    with pytest.raises(UsageError, match="at least one session"):
        replies([])
    with pytest.raises(UsageError, match="given twice"):
        replies([(session, FREE), (session, FREE)])
    with pytest.raises(UsageError, match="nothing to continue"):
        replies([(session, FREE), (loaded.session(), FREE)])
    stranger = conversation(Qwen2VL.load(EMBEDDED_CHECKPOINT, device="cpu"), 0)
    with pytest.raises(UsageError, match="share one model"):
        replies([(session, FREE), (stranger, FREE)])
    with pytest.raises(UsageError, match="at least 1"):
        GenerationConfig(0)
