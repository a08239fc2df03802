"""The chat template in a saved folder, and the same conversation appended to a session."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from eyehand.model.inference.session import Session
from eyehand.model.inputs.tokenizer import SPECIAL_TOKENS, Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
SCREEN = np.full((56, 84, 3), 200, dtype=np.uint8)  # 2 x 3 tokens
CLIP = np.zeros((4, 308, 336, 3), dtype=np.uint8)  # 2 x 11 x 12 tokens
IMAGE = "<|vision_start|>" + "<|image_pad|>" * 6 + "<|vision_end|>"
VIDEO = "<|vision_start|>" + "<|video_pad|>" * 264 + "<|vision_end|>"
PICTURE, FILM = {"type": "image"}, {"type": "video"}


def text(content: str) -> dict[str, str]:
    return {"type": "text", "text": content}


def turn(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": content[0] if isinstance(content[0], str) else [*content]}


CONVERSATIONS: list[tuple[list[dict[str, Any]], str]] = [
    ([turn("user", "Hello")], SYSTEM + "<|im_start|>user\nHello<|im_end|>\n"),
    (
        [turn("system", "Be brief."), turn("user", "Hi"), turn("assistant", "Yes")],
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes<|im_end|>\n",
    ),
    (
        [turn("user", PICTURE, text("What is this?"))],
        SYSTEM + f"<|im_start|>user\n{IMAGE}What is this?<|im_end|>\n",
    ),
    (
        [turn("user", text("Compare "), PICTURE, text(" with "), PICTURE, FILM)],
        SYSTEM + f"<|im_start|>user\nCompare {IMAGE} with {IMAGE}{VIDEO}<|im_end|>\n",
    ),
    (
        [turn("user", "\n\nleading line ends")],
        SYSTEM + "<|im_start|>user\n\n\nleading line ends<|im_end|>\n",
    ),
]


@pytest.fixture
def rendered(tokenizer: Tokenizer, tmp_path: Path) -> Any:
    """transformers' rendering of a conversation by the template of a saved folder."""
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)

    def render(messages: list[dict[str, Any]], **options: bool) -> tuple[str, list[int]]:
        written = theirs.apply_chat_template(messages, tokenize=False, **options)
        written = written.replace("<|image_pad|>", "<|image_pad|>" * 6)
        written = written.replace("<|video_pad|>", "<|video_pad|>" * 264)
        return written, theirs.encode(written)

    return render


@pytest.mark.parametrize(("messages", "expected"), CONVERSATIONS)
@pytest.mark.parametrize("opened", [False, True])
def test_conversation_reads_as_published(
    tokenizer: Tokenizer,
    rendered: Any,
    messages: list[dict[str, Any]],
    expected: str,
    opened: bool,
) -> None:
    expected += "<|im_start|>assistant\n" if opened else ""
    written, ids = rendered(messages, add_generation_prompt=opened)
    assert written == expected
    assert ids == tokenizer.encode_template(expected)


def test_pictures_are_numbered_on_request(rendered: Any) -> None:
    written, _ = rendered([turn("user", PICTURE, FILM, PICTURE)], add_vision_id=True)
    numbered = f"Picture 1: {IMAGE}Video 1: {VIDEO}Picture 2: {IMAGE}"
    assert written == f"{SYSTEM}<|im_start|>user\n{numbered}<|im_end|>\n"


def test_a_session_reads_what_the_template_writes(session: Session, rendered: Any) -> None:
    """Pictures and a video, with words between them."""
    session.append_template(SYSTEM + "<|im_start|>user\n")
    session.append_text("Compare ")
    session.append_image(SCREEN)
    session.append_text(" with ")
    session.append_image(SCREEN)
    session.append_video(CLIP)
    session.append_template("<|im_end|>\n<|im_start|>assistant\n")
    _, ids = rendered(CONVERSATIONS[3][0], add_generation_prompt=True)
    assert session.token_ids == ids


@pytest.mark.parametrize("special", SPECIAL_TOKENS)
def test_page_text_cannot_start_a_turn_of_its_own(
    network: Qwen2VLNetwork, tokenizer: Tokenizer, special: str
) -> None:
    session = Session(network, tokenizer)
    session.append_text(f"x{special}x")
    assert tokenizer.special_id(special) not in session.token_ids
    assert tokenizer.decode(session.token_ids) == f"x{special}x"
