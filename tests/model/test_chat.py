from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer

from eyehand.errors import UsageError
from eyehand.model.inputs.chat import Message, Part, encode_chat
from eyehand.model.inputs.image import preprocess
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import SPECIAL_TOKENS, Tokenizer, train_tokenizer

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
SCREEN = np.full((56, 84, 3), 200, dtype=np.uint8)  # 2 x 3 tokens
CLIP = np.zeros((4, 308, 336, 3), dtype=np.uint8)  # 2 x 11 x 12 tokens
IMAGE = "<|vision_start|>" + "<|image_pad|>" * 6 + "<|vision_end|>"
VIDEO = "<|vision_start|>" + "<|video_pad|>" * 264 + "<|vision_end|>"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["user\n\nassistant\nsystem\nYou are a helpful assistant."] * 9, 340)


CONVERSATIONS: list[tuple[list[Message], str]] = [
    (
        [Message("user", "Hello")],
        SYSTEM + "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Yes")],
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        [Message("user", [SCREEN, "What is this?"])],
        SYSTEM + f"<|im_start|>user\n{IMAGE}What is this?<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        [Message("user", ["Compare ", SCREEN, " with ", SCREEN, CLIP])],
        SYSTEM
        + f"<|im_start|>user\nCompare {IMAGE} with {IMAGE}{VIDEO}<|im_end|>\n"
        + "<|im_start|>assistant\n",
    ),
    (
        [Message("user", "\n\nleading line ends")],
        SYSTEM + "<|im_start|>user\n\n\nleading line ends<|im_end|>\n<|im_start|>assistant\n",
    ),
]


@pytest.mark.parametrize(("messages", "expected"), CONVERSATIONS)
def test_conversation_reads_as_published(
    tokenizer: Tokenizer, messages: list[Message], expected: str
) -> None:
    prompt = encode_chat(messages, tokenizer)
    assert tokenizer.decode(prompt.ids) == expected
    assert prompt.ids == tokenizer.encode_template(expected)


def as_dicts(messages: list[Message]) -> list[dict[str, Any]]:
    def part_of(part: Part) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        is_clip = isinstance(part, np.ndarray) and part.ndim == 4
        return {"type": "video" if is_clip else "image"}

    return [
        {
            "role": message.role,
            "content": message.content
            if isinstance(message.content, str)
            else [part_of(part) for part in message.content],
        }
        for message in messages
    ]


@pytest.mark.parametrize("add_vision_id", [False, True])
@pytest.mark.parametrize("add_generation_prompt", [False, True])
@pytest.mark.parametrize("messages", [messages for messages, _ in CONVERSATIONS])
def test_saved_template_rendered_by_transformers_gives_the_same_ids(
    tokenizer: Tokenizer,
    tmp_path: Path,
    messages: list[Message],
    add_generation_prompt: bool,
    add_vision_id: bool,
) -> None:
    tokenizer.save(tmp_path)
    options = {"add_generation_prompt": add_generation_prompt, "add_vision_id": add_vision_id}
    text = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        as_dicts(messages), tokenize=False, **options
    )
    text = text.replace("<|image_pad|>", "<|image_pad|>" * 6)
    text = text.replace("<|video_pad|>", "<|video_pad|>" * 264)
    ours = encode_chat(
        messages,
        tokenizer,
        add_generation_prompt=add_generation_prompt,
        add_vision_id=add_vision_id,
    )
    assert tokenizer.decode(ours.ids) == text
    assert ours.ids == AutoTokenizer.from_pretrained(tmp_path).encode(text)


def test_pictures_are_numbered_on_request(tokenizer: Tokenizer) -> None:
    prompt = encode_chat(
        [Message("user", [SCREEN, CLIP, SCREEN])],
        tokenizer,
        add_vision_id=True,
        add_generation_prompt=False,
    )
    expected = f"<|im_start|>user\nPicture 1: {IMAGE}Video 1: {VIDEO}Picture 2: {IMAGE}<|im_end|>\n"
    assert tokenizer.decode(prompt.ids) == SYSTEM + expected


@pytest.mark.parametrize("special", SPECIAL_TOKENS)
@pytest.mark.parametrize("role", ["user", "system"])
def test_page_text_cannot_start_a_turn_of_its_own(
    tokenizer: Tokenizer, role: Any, special: str
) -> None:
    def count(content: str) -> int:
        ids = encode_chat([Message("system", ""), Message(role, content)], tokenizer).ids
        return ids.count(tokenizer.special_id(special))

    assert count(f"x{special}x") == count("xx")


def test_assistant_may_write_boxes_but_no_turns(tokenizer: Tokenizer) -> None:
    box = "<|box_start|>(1,2),(3,4)<|box_end|>"
    ids = encode_chat([Message("assistant", box + "<|im_end|>")], tokenizer).ids
    assert ids.count(tokenizer.special_id("<|box_start|>")) == 1
    assert ids.count(tokenizer.special_id("<|im_end|>")) == 2  # the system's and its own


def test_pictures_come_in_the_order_of_their_placeholders(tokenizer: Tokenizer) -> None:
    wide, tall = SCREEN, Image.new("RGB", (28, 140))
    prompt = encode_chat([Message("user", [wide, "a", CLIP, "b", tall])], tokenizer)
    assert [visual.grid for visual in prompt.visuals] == [(1, 4, 6), (2, 22, 24), (1, 10, 2)]


def test_preprocessed_picture_is_taken_as_it_is(tokenizer: Tokenizer) -> None:
    ready = preprocess(SCREEN)
    prompt = encode_chat([Message("user", [ready])], tokenizer)
    assert prompt.visuals[0] is ready
    assert torch.equal(
        encode_chat([Message("user", [SCREEN])], tokenizer).visuals[0].patches, ready.patches
    )


def test_pixel_limits_reach_the_pictures(tokenizer: Tokenizer) -> None:
    big = np.zeros((560, 560, 3), dtype=np.uint8)
    prompt = encode_chat(
        [Message("user", [big])], tokenizer, settings=ImageSettings(max_pixels=100 * 28 * 28)
    )
    assert prompt.visuals[0].num_tokens == 100


def test_unknown_role_is_named() -> None:
    with pytest.raises(UsageError, match="one of system, user, assistant, got 'tool'"):
        Message("tool", "x")  # type: ignore[arg-type]


def test_part_of_another_type_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="got dict"):
        encode_chat([Message("user", [{"type": "image"}])], tokenizer)  # type: ignore[list-item]
