"""ChatML: a conversation as Qwen2-VL's token ids, with room for every picture.

The ids equal those of the published chat template, except that nothing a person or a web page
wrote can become a control token.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from PIL import Image

from eyehand.errors import UsageError
from eyehand.model.inputs.image import ImageInput, Picture, UInt8Array, preprocess
from eyehand.model.inputs.image_settings import PUBLISHED, ImageSettings
from eyehand.model.inputs.tokenizer import GROUNDING_TOKENS, Tokenizer
from eyehand.model.inputs.video import VideoInput, preprocess_video

Role = Literal["system", "user", "assistant"]
Visual = ImageInput | VideoInput
Part = str | Visual | Picture | UInt8Array
"""Text; a picture (array, Pillow image or preprocessed); a video (4D array or preprocessed)."""

DEFAULT_SYSTEM = "You are a helpful assistant."
"""The system line of a conversation that does not start with one."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        content: A string, or parts in the order in which the model reads them. Text is plain:
            control tokens in it stay characters. Only the assistant's text may hold the tokens
            of boxes and quadrangles.
    """

    role: Role
    content: str | Sequence[Part]

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            known = ", ".join(get_args(Role))
            raise UsageError(f"a message's role is one of {known}, got {self.role!r}")

    @property
    def parts(self) -> Sequence[Part]:
        """The content as a sequence."""
        return (self.content,) if isinstance(self.content, str) else self.content


@dataclass(frozen=True)
class Prompt:
    """What the network reads.

    Attributes:
        ids: Token ids, with one placeholder for every token of a picture or video.
        visuals: Pictures and videos in the order of their placeholders.
    """

    ids: list[int]
    visuals: list[Visual]


def encode_chat(
    messages: Sequence[Message],
    tokenizer: Tokenizer,
    *,
    add_generation_prompt: bool = True,
    add_vision_id: bool = False,
    settings: ImageSettings = PUBLISHED,
) -> Prompt:
    """Writes a conversation in ChatML.

    Args:
        messages: The turns; a default system line is put first when there is none.
        tokenizer: The model's tokenizer.
        add_generation_prompt: End with the start of an assistant's turn, for the model to
            continue. Leave it off for training data.
        add_vision_id: Number the pictures and videos ("Picture 1: ") so that text can refer to
            them.
        settings: How the model sees pictures.

    Returns:
        The token ids with the preprocessed pictures and videos.

    Raises:
        UsageError: A part is neither text nor a picture nor a video.
    """
    writer = _Writer(tokenizer, add_vision_id, settings)
    if messages and messages[0].role != "system":
        writer.message(Message("system", DEFAULT_SYSTEM))
    for message in messages:
        writer.message(message)
    if add_generation_prompt:
        writer.control("<|im_start|>")
        writer.text("assistant\n")
    return writer.finish()


@dataclass
class _Writer:
    tokenizer: Tokenizer
    add_vision_id: bool
    settings: ImageSettings
    ids: list[int] = field(default_factory=list)
    visuals: list[Visual] = field(default_factory=list)
    # Text between two control tokens is encoded in one piece: merges cross the joints between
    # parts ("user\n" and a leading line end), as they do when a rendered template is encoded.
    _run: str = ""
    _permitted: Collection[str] = ()

    def message(self, message: Message) -> None:
        self.control("<|im_start|>")
        self.text(f"{message.role}\n")
        self._permitted = GROUNDING_TOKENS if message.role == "assistant" else ()
        for part in message.parts:
            self.part(part)
        self.control("<|im_end|>")
        self._permitted = ()
        self.text("\n")

    def part(self, part: Part) -> None:
        if isinstance(part, str):
            self.text(part)
            return
        visual = self.read(part)
        kind, pad = _names(visual)
        self.visuals.append(visual)
        if self.add_vision_id:
            number = sum(_names(other)[0] == kind for other in self.visuals)
            self.text(f"{kind} {number}: ")
        self.control("<|vision_start|>")
        self.ids += [self.tokenizer.special_id(pad)] * visual.num_tokens
        self.control("<|vision_end|>")

    def read(self, part: Visual | Picture | UInt8Array) -> Visual:
        if isinstance(part, ImageInput | VideoInput):
            return part
        if isinstance(part, np.ndarray) and part.ndim == 4:
            return preprocess_video(part, self.settings)
        if isinstance(part, np.ndarray | Image.Image):
            return preprocess(part, self.settings)
        raise UsageError(f"a part is text, a picture or a video, got {type(part).__name__}")

    def text(self, text: str) -> None:
        self._run += text

    def control(self, token: str) -> None:
        self._flush()
        self.ids.append(self.tokenizer.special_id(token))

    def finish(self) -> Prompt:
        self._flush()
        return Prompt(self.ids, self.visuals)

    def _flush(self) -> None:
        if self._run:
            self.ids += self.tokenizer.encode_text(self._run, permitted=self._permitted)
            self._run = ""


def _names(visual: Visual) -> tuple[str, str]:
    """How a visual is numbered in text, and its placeholder."""
    if isinstance(visual, ImageInput):
        return "Picture", "<|image_pad|>"
    return "Video", "<|video_pad|>"
