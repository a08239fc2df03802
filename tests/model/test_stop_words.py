"""Answers end where they should, and the history holds what was said and no more."""

from collections.abc import Sequence

import pytest
import torch
from tests.model.replies import only, reply
from torch import Tensor

from eyehand.model.inference.constraint import Constraint, TokenRule
from eyehand.model.inference.session import Session
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

START = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
STOP = ("✿RESULT✿", "✿RETURN✿")
TURN = "<|im_end|>\n<|im_start|>assistant\n"


def forced(ids: Sequence[int], vocab_size: int) -> Constraint:
    """Makes the model write exactly these ids."""

    def permitted(answer: Sequence[int]) -> Tensor:
        mask = torch.zeros(vocab_size, dtype=torch.bool)
        mask[ids[len(answer)]] = True
        return mask

    return TokenRule(permitted)


@pytest.mark.parametrize(
    ("written", "expected", "word"),
    [
        ("Tap it.\n✿RESULT✿: and more", "Tap it.\n", "✿RESULT✿"),
        ("✿RETURN✿ at once", "", "✿RETURN✿"),
        ("✿RESULT ✿RES✿RETURN✿✿RESULT✿", "✿RESULT ✿RES", "✿RETURN✿"),
    ],
)
def test_stop_word_across_tokens_is_cut_from_text_and_history(
    session: Session,
    network: Qwen2VLNetwork,
    tokenizer: Tokenizer,
    only_text: Tensor,
    written: str,
    expected: str,
    word: str,
) -> None:
    session.append_template(START)
    before = session.token_ids
    pieces: list[str] = []
    answer = reply(
        session,
        stop=STOP,
        constraint=forced(tokenizer.encode_text(written), network.config.text.vocab_size),
        on_token=pieces.append,
    )
    assert (answer.text, answer.stop_reason, answer.stop_word) == (expected, "stop_word", word)
    assert "".join(pieces) == expected
    assert session.token_ids == [*before, *answer.token_ids]
    assert tokenizer.decode(answer.token_ids) == expected
    clean = Session(network, tokenizer)
    clean.append_template(session.token_ids)
    one, other = (reply(s, 6, constraint=only(only_text)) for s in (session, clean))
    assert one.token_ids == other.token_ids


def test_stop_word_that_begins_inside_a_token_keeps_the_text_before_it(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode_text("the button now")
    assert [tokenizer.decode([id_]) for id_ in ids] == ["the", " button", " now"]
    session.append_template(START)
    before = session.token_ids
    answer = reply(session, stop=["ton"], constraint=forced(ids, network.config.text.vocab_size))
    assert answer.text == "the but"
    assert answer.token_ids == (ids[0], *tokenizer.encode_text(" but"))
    assert session.token_ids == [*before, *answer.token_ids]
    assert session.cached_tokens == len(before) + 1


def test_half_a_stop_word_at_the_end_is_shown_and_kept(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode_text("so ✿RES")
    session.append_template(START)
    pieces: list[str] = []
    answer = reply(
        session,
        len(ids),
        stop=STOP,
        constraint=forced(ids, network.config.text.vocab_size),
        on_token=pieces.append,
    )
    assert (answer.text, answer.stop_reason) == ("so ✿RES", "length")
    assert answer.token_ids == tuple(ids)
    assert pieces[-1] == "✿RES"
    assert "".join(pieces) == "so ✿RES"


def test_end_token_is_not_part_of_the_answer_and_the_history_goes_on(
    session: Session, network: Qwen2VLNetwork, tokenizer: Tokenizer, only_text: Tensor
) -> None:
    ids = [*tokenizer.encode_text("yes"), tokenizer.special_id("<|im_end|>")]
    session.append_template(START)
    before = session.token_ids
    answer = reply(session, stop=STOP, constraint=forced(ids, network.config.text.vocab_size))
    assert (answer.text, answer.stop_reason, answer.stop_word) == ("yes", "eos", None)
    assert session.token_ids == [*before, *ids[:-1]]
    assert session.num_pending == 0
    clean = Session(network, tokenizer)
    clean.append_template(session.token_ids)
    one, other = (reply(s, 5, constraint=only(only_text)) for s in (session, clean))
    assert one.token_ids == other.token_ids
