"""Prompts that are answered together get the answers that each gets alone."""

import re
from typing import Any

import numpy as np
import pytest

from eyehand.errors import UsageError
from eyehand.model.inference.batch import generate_batch
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inputs.chat import Message, Prompt, encode_chat
from eyehand.model.inputs.image import UInt8Array
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VL


def screen(seed: int, height: int = 84, width: int = 112) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def prompts_of(tokenizer: Tokenizer) -> list[Prompt]:
    frames = np.random.default_rng(6).integers(0, 256, (4, 280, 392, 3), dtype=np.uint8)
    contents: list[Any] = [
        "short",
        [screen(0), "what is this, in many words?"],
        [screen(1, 56, 140), "and", screen(0)],
        [frames, "x"],
    ]
    return [encode_chat([Message("user", content)], tokenizer) for content in contents]


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=0), Sampling(temperature=2.0, seed=4, top_p=0.99)]
)
def test_each_row_of_a_batch_is_answered_as_if_it_were_alone(
    network: Qwen2VL, tokenizer: Tokenizer, sampling: Sampling
) -> None:
    prompts = prompts_of(tokenizer)
    together = generate_batch(network, tokenizer, prompts, max_new_tokens=24, sampling=sampling)
    for prompt, answer in zip(prompts, together, strict=True):
        session = Session(network, tokenizer)
        session.append_prompt(prompt)
        alone = session.generate(24, sampling=sampling)
        assert answer.token_ids == alone.token_ids
        assert (answer.text, answer.stop_reason) == (alone.text, alone.stop_reason)


def test_rows_of_a_batch_end_one_by_one(network: Qwen2VL, tokenizer: Tokenizer) -> None:
    prompts = prompts_of(tokenizer)
    free = generate_batch(network, tokenizer, prompts, max_new_tokens=24)
    found = re.search("[ -~]{2}", free[1].text)
    assert found is not None
    word = found[0]
    stopped = generate_batch(network, tokenizer, prompts, max_new_tokens=24, stop=[word])
    assert stopped[1].stop_reason == "stop_word"
    for before, after in zip(free, stopped, strict=True):
        assert after.text == before.text.split(word)[0]


def test_empty_batch_or_prompt_is_refused(network: Qwen2VL, tokenizer: Tokenizer) -> None:
    for prompts in ([], [Prompt([], [])]):
        with pytest.raises(UsageError, match="at least one"):
            generate_batch(network, tokenizer, prompts)
