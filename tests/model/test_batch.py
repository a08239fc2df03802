"""Prompts that are answered together get the answers that each gets alone."""

import re
from typing import Any

import numpy as np
import pytest
from tests.model.replies import reply

from eyehand.errors import UsageError
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import Generation, GenerationConfig
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inputs.image import UInt8Array
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork


def screen(seed: int, height: int = 84, width: int = 112) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def sessions_of(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> list[Session]:
    frames = np.random.default_rng(6).integers(0, 256, (4, 280, 392, 3), dtype=np.uint8)
    contents: list[Any] = [
        ["short"],
        [screen(0), "what is this, in many words?"],
        [screen(1, 56, 140), "and", screen(0)],
        [frames, "x"],
    ]
    sessions = []
    for parts in contents:
        session = Session(network, tokenizer)
        session.append_template("<|im_start|>user\n")
        for part in parts:
            if isinstance(part, str):
                session.append_text(part)
            else:
                (session.append_video if part.ndim == 4 else session.append_image)(part)
        session.append_template("<|im_end|>\n<|im_start|>assistant\n")
        sessions.append(session)
    return sessions


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=0), Sampling(temperature=2.0, seed=4, top_p=0.99)]
)
def test_each_row_of_a_batch_is_answered_as_if_it_were_alone(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, sampling: Sampling
) -> None:
    config = GenerationConfig(24, sampling=sampling)
    together = generate(sessions_of(network, tokenizer), config)
    for session, answer in zip(sessions_of(network, tokenizer), together, strict=True):
        alone = reply(session, 24, sampling=sampling)
        assert answer.token_ids == alone.token_ids
        assert (answer.text, answer.stop_reason) == (alone.text, alone.stop_reason)


def test_rows_of_a_batch_end_one_by_one(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> None:
    def answers(*stop: str) -> list[Generation]:
        return generate(sessions_of(network, tokenizer), GenerationConfig(24, stop))

    free = answers()
    found = re.search("[ -~]{2}", free[1].text)
    assert found is not None
    word = found[0]
    stopped = answers(word)
    assert stopped[1].stop_reason == "stop_word"
    for before, after in zip(free, stopped, strict=True):
        assert after.text == before.text.split(word)[0]


def test_empty_batch_or_prompt_is_refused(network: Qwen2VLNetwork, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="at least one"):
        generate([], GenerationConfig())
    with pytest.raises(UsageError, match="nothing to continue"):
        generate([Session(network, tokenizer)], GenerationConfig())
    pair = sessions_of(network, tokenizer)[:2]
    with pytest.raises(UsageError, match="expected one config for all or 2, one each, got 3"):
        generate(pair, [GenerationConfig()] * 3)
    with pytest.raises(UsageError, match="batch_size must be at least 1, got 0"):
        generate(pair, GenerationConfig(), batch_size=0)
    with pytest.raises(UsageError, match="a sequence of words, got the text 'ab'"):
        GenerationConfig(stop="ab")
