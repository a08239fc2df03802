"""TransformersPolicy: any image-text-to-text model of transformers, in this process.

Its own `generate` writes the answers. Where torchvision is missing, which transformers' joint
processors ask for, the inputs are made of the image processor and the tokenizer.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eyehand.agent.policies.models.chat import (
    Chat,
    ChatPolicy,
    ContextFull,
    Written,
    content,
    in_one_turn,
)
from eyehand.errors import CheckpointError, MissingExtra
from eyehand.model.hub import named_dtype
from eyehand.model.inputs.image_settings import limits
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, PictureBounds

JOINT = "\ufdd0"
"""Stands between two texts of a rendered chat that are tokenised apart; no text may hold it."""


class TransformersPolicy(ChatPolicy):
    """A checkpoint that transformers knows. Chats are answered one after the other.

    Args:
        model: Its folder or Hub id.
        dialect: How the model was taught to act.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.
        dtype: "float32" or "bfloat16"; None is the checkpoint's own on a GPU, else float32.
        **sampling: `max_new_tokens`, `temperature` and `top_p`, see `ChatPolicy`.

    Raises:
        CheckpointError: transformers cannot load it.
        UsageError: there is no such dtype.
    """

    def __init__(
        self, model: str | Path, dialect: Dialect, device: str | None = None,
        dtype: str | None = None, **sampling: Any,
    ) -> None:  # fmt: skip
        super().__init__(dialect, **sampling)
        self.model = str(model)
        where = device or ("cuda" if torch.cuda.is_available() else "cpu")
        kind = named_dtype(dtype) or ("auto" if where != "cpu" else torch.float32)
        self._network, self._tokenizer, self._inputs, images = _load(self.model, where, kind)
        asked = (sampling.get("min_pixels"), sampling.get("max_pixels"))
        self.bounds = _narrowed(self.bounds, images, *asked)

    def describe(self) -> dict[str, Any]:
        """Return what the record keeps."""
        network = self._network
        return {
            **super().describe(), "model": self.model, "runs_in": "transformers",
            "device": str(network.device), "dtype": str(network.dtype).removeprefix("torch."),
        }  # fmt: skip

    def answers(self, chats: Sequence[Chat]) -> list[Written | ContextFull]:
        """Answer one chat after the other."""
        return [self._answer(chat) for chat in chats]

    def _answer(self, chat: Chat) -> Written | ContextFull:
        began_s = time.perf_counter()
        text = self._rendered(chat)
        pictures = [
            chat.pictures[part.step]
            for message in chat.messages for part in message.parts if isinstance(part, Picture)
        ]  # fmt: skip
        inputs = self._inputs(text, pictures).to(self._network.device)
        length = int(inputs["input_ids"].shape[1])
        room = _positions(self._network.config)
        if room is not None and length + self.max_new_tokens > room:
            return ContextFull(f"{length} tokens and an answer, where {room} fit")
        ready_s = time.perf_counter()
        ids = self._generated(inputs, chat.seed)[0, length:]
        words = self._tokenizer.decode(ids, skip_special_tokens=False)
        return Written(
            self._cut(words), {"prompt": length, "generated": len(ids)},
            {"encode": ready_s - began_s, "decode": time.perf_counter() - ready_s},
        )  # fmt: skip

    def _rendered(self, chat: Chat) -> str:
        """Return the chat as the checkpoint's own template writes it."""
        messages = in_one_turn(chat.messages)
        turns = [
            {"role": m.role, "content": content(_jointed(m), lambda part: {"type": "image"})}
            for m in messages
        ]
        is_open = messages[-1].role == "assistant"
        try:
            text: str = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=not is_open,
                continue_final_message=is_open,
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{self.model} cannot write a chat: {error}") from None
        return text.rstrip("\n") + chat.begins if chat.begins else text

    def _generated(self, inputs: Any, seed: int) -> torch.Tensor:
        stops = list(self.dialect.codec.stop_words)
        sampled = self.temperature > 0
        drawn = {"temperature": self.temperature, "top_p": self.top_p} if sampled else {}
        torch.manual_seed(seed)
        with torch.inference_mode():
            ids: torch.Tensor = self._network.generate(
                **inputs, max_new_tokens=self.max_new_tokens, do_sample=sampled, **drawn,
                **({"stop_strings": stops, "tokenizer": self._tokenizer} if stops else {}),
            )  # fmt: skip
        return ids

    def _cut(self, text: str) -> str:
        """Cut an answer at a stop word, and take the ending tokens off."""
        ends = [at for word in self.dialect.codec.stop_words if (at := text.find(word)) >= 0]
        text = text[: min(ends)] if ends else text
        for token in (self._tokenizer.eos_token, self._tokenizer.pad_token, "<|im_end|>"):
            text = text.removesuffix(token) if token else text
        return text.strip()


def _load(model: str, device: str, dtype: Any) -> tuple[Any, Any, Any, Any]:
    """Load the network, the tokenizer, what makes inputs of both, and what prepares pictures."""
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    try:
        network = AutoModelForImageTextToText.from_pretrained(
            model, dtype=dtype, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise CheckpointError(f"transformers cannot load {model}: {said}") from None
    made = _input_maker(model, network.config, tokenizer)
    return network.to(device).eval(), tokenizer, *made


def _narrowed(
    bounds: PictureBounds, images: Any, min_pixels: int | None, max_pixels: int | None
) -> PictureBounds:
    """Return the bounds of pictures that an image processor leaves as they are.

    Of one that does not resize as Qwen2-VL's does nothing is known: the dialect's hold.

    Args:
        bounds: The dialect's.
        images: The image processor; what was asked for becomes its own.
        min_pixels: The smallest area that was asked for.
        max_pixels: The largest.
    """
    patch, merge = getattr(images, "patch_size", None), getattr(images, "merge_size", None)
    size = getattr(images, "size", None) or {}
    least, most = size.get("shortest_edge"), size.get("longest_edge")
    if not (isinstance(patch, int) and isinstance(merge, int) and least and most):
        return bounds
    area = limits(least, most, min_pixels, max_pixels)
    images.size = {"shortest_edge": area[0], "longest_edge": area[1]}
    return bounds.within(patch * merge, *area)


def _input_maker(model: str, config: Any, tokenizer: Any) -> tuple[Any, Any]:
    """Return the joint processor, or what does its work where torchvision is missing.

    The second is what prepares its pictures.
    """
    from transformers import AutoImageProcessor, AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(model)
    except (ImportError, ValueError, OSError, KeyError) as error:
        lacking = " ".join(str(error).split())[:200]
    else:
        return lambda text, pictures: processor(
            text=[text.replace(JOINT, "")], images=list(pictures) or None, return_tensors="pt"
        ), getattr(processor, "image_processor", None)
    merge = getattr(getattr(config, "vision_config", None), "spatial_merge_size", None)
    if merge is None or getattr(config, "image_token_id", None) is None:
        raise MissingExtra(f"{config.model_type} needs its joint processor: {lacking}")
    images = AutoImageProcessor.from_pretrained(model, backend="pil")
    mark = tokenizer.convert_ids_to_tokens(config.image_token_id)

    def made(text: str, pictures: Sequence[Any]) -> Any:
        from transformers import BatchFeature

        seen = images(images=list(pictures), return_tensors="pt") if pictures else {}
        counts = [int(grid.prod()) // merge**2 for grid in seen.get("image_grid_thw", ())]
        parts = text.split(mark)
        if len(parts) != len(counts) + 1:
            raise CheckpointError(
                f"the template of {model} has no place for {len(counts)} pictures"
            )
        filled = parts[0] + "".join(
            mark * count + part for count, part in zip(counts, parts[1:], strict=True)
        )
        first, *others = filled.split(JOINT)
        read = tokenizer(first)["input_ids"]
        for part in others:
            read += tokenizer(part, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([read])
        return BatchFeature({
            "input_ids": ids, "attention_mask": torch.ones_like(ids), **seen,
            "mm_token_type_ids": (ids == config.image_token_id).long(),
        })  # fmt: skip

    return made, images


def _jointed(message: Message) -> Message:
    """Return a turn with a joint behind each text that another one follows.

    What a model wrote keeps its own tokens then, whatever stands before it.
    """
    texts = [part.replace(JOINT, "") if isinstance(part, str) else part for part in message.parts]
    joined = [
        f"{part}{JOINT}" if isinstance(part, str) and isinstance(after, str) else part
        for part, after in zip(texts, [*texts[1:], None], strict=True)
    ]
    return replace(message, parts=tuple(joined))


def _positions(config: Any) -> int | None:
    text = getattr(config, "text_config", config)
    most = getattr(text, "max_position_embeddings", None)
    return most if isinstance(most, int) else None
