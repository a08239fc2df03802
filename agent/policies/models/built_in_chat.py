"""BuiltInChatPolicy: the built-in Qwen2-VL in the dialects of its fine-tuned models.

A chat becomes ChatML. As long as it only grows, the history that was computed stays; where a
screen leaves the window, it is computed anew, and the vision tower's memory keeps its screens.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyehand.actions.codecs.marks import without_control_tokens
from eyehand.agent.policies.models.call_grammar import CallGrammars, check_grammar
from eyehand.agent.policies.models.chat import Chat, ChatPolicy, ContextFull, Written
from eyehand.model.hub import Qwen2VL, named_dtype
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.prompts.conversation import Piece, Plain, ScreenSlot, Template
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture

_MARK = re.compile(r"<\|[a-z_]{1,40}\|>")


@dataclass
class History:
    """What a conversation's session holds already.

    Attributes:
        session: The tokens, and what was computed of them.
        messages: The messages that they are.
        answer: The answer that was written last, as a chat tells it; its tokens are there too.
    """

    session: Session
    messages: list[Message] = field(default_factory=list)
    answer: str = ""


class BuiltInChatPolicy(ChatPolicy):
    """A Qwen2-VL folder in a published dialect.

    Args:
        folder: The checkpoint's.
        dialect: How the model was taught to act.
        label: What the record calls it.
        device: "cpu", "cuda", ...; None takes CUDA where there is some.
        device_map: "auto", or devices in order, see `Qwen2VL.load`.
        dtype: "float32" or "bfloat16"; None and "auto" see `Qwen2VL.load`.
        quantize: "int8" or "int4" keeps the layers' weights in 8 or 4 bits.
        adapter: A folder with a LoRA adapter for the model, which is merged into it.
        grammar: "auto", "on" or "off", see `VlmPolicy`.
        **sampling: `max_new_tokens`, `temperature` and `top_p`, see `ChatPolicy`.

    Raises:
        CheckpointError: the folder cannot be used.
        UsageError: an option is not known.
    """

    def __init__(
        self, folder: Path, dialect: Dialect, label: str, device: str | None = None,
        device_map: str | None = None, dtype: str | None = None, quantize: str | None = None,
        adapter: str | Path | None = None, grammar: str = "auto", **sampling: Any,
    ) -> None:  # fmt: skip
        super().__init__(dialect, **sampling)
        check_grammar(grammar, dialect.codec)
        self.label, self._quantize, self._adapter = label, quantize, adapter
        area = {name: sampling.get(name) for name in ("min_pixels", "max_pixels")}
        self.checkpoint = Qwen2VL.load(
            folder, device=device, device_map=device_map, dtype=named_dtype(dtype),
            quantize=quantize, adapter=adapter, **area,
        )  # fmt: skip
        seen = self.checkpoint.settings
        self.bounds = self.bounds.within(seen.factor, seen.min_pixels, seen.max_pixels)
        self.grammars = CallGrammars(grammar, dialect.codec, self.checkpoint)

    def describe(self) -> dict[str, Any]:
        """Return what the record keeps."""
        network = self.checkpoint.network
        return {
            **super().describe(), "model": self.label, "device": str(network.device),
            "device_map": network.placement and network.placement.told(),
            "quantize": self._quantize,
            "adapter": None if self._adapter is None else str(self._adapter),
            "grammar": "on" if self.grammars.is_on else "off",
            "dtype": str(network.dtype).removeprefix("torch."),
        }  # fmt: skip

    def answers(self, chats: Sequence[Chat]) -> list[Written | ContextFull]:
        """Answer one chat after the other."""
        return [self._answer(chat) for chat in chats]

    def _answer(self, chat: Chat) -> Written | ContextFull:
        began_s = time.perf_counter()
        history = self._history(chat)
        session = history.session
        prompt = session.num_pending
        if session.room < self.max_new_tokens:
            chat.memory.clear()
            return ContextFull(f"{session.num_tokens} tokens, and no room for an answer")
        ready_s = time.perf_counter()
        config = GenerationConfig(
            self.max_new_tokens, self._stop_words(),
            Sampling(temperature=self.temperature, top_p=self.top_p, seed=chat.seed),
            self.grammars.of(chat.space),
        )  # fmt: skip
        (answer,) = generate([session], config)
        told = without_control_tokens(answer.text, self.dialect.answer_marks)
        history.messages, history.answer = list(chat.messages), told
        tokens = {"prompt": prompt, "generated": len(answer.token_ids),
                  "forced": answer.forced_tokens, "history": session.num_tokens}  # fmt: skip
        timings = {
            "encode": ready_s - began_s, "vision": answer.vision_s, "prefill": answer.prefill_s,
            "decode": answer.decode_s,
        }  # fmt: skip
        is_cut = self.grammars.is_on and answer.stop_reason == "length"
        return Written(answer.text, tokens, timings, is_cut)

    def _stop_words(self) -> tuple[str, ...]:
        """The codec's stop words, also with the line end that comes before a result."""
        words = self.dialect.codec.stop_words
        return (*words, *(f"\n{word}" for word in words))

    def _history(self, chat: Chat) -> History:
        """Return a session that holds the chat: the one before, grown, or a new one."""
        kept = chat.memory.get("history")
        if isinstance(kept, History) and self._grows(kept, chat):
            history, begun = kept, len(kept.messages) + 1
        else:
            history, begun = History(self.checkpoint.session()), 0
        pieces = [piece for place in range(begun, len(chat.messages))
                  for piece in self._message(chat, place)]  # fmt: skip
        self._append(history.session, [*pieces, *self._opened(chat, len(chat.messages))], chat)
        chat.memory["history"] = history
        return history

    def _opened(self, chat: Chat, place: int) -> list[Piece]:
        """Return what ends the turn before a place, and opens the model's own there."""
        if place and chat.messages[place - 1].continues:
            return []
        begins = chat.begins if place == len(chat.messages) else ""
        ends = [Template("<|im_end|>\n")] if place else []
        return [*ends, Template(f"<|im_start|>assistant{begins or chr(10)}")]

    def _grows(self, kept: History, chat: Chat) -> bool:
        """Return whether a chat begins with what was said, and with the answer as it was given."""
        count = len(kept.messages)
        if len(chat.messages) <= count or chat.messages[:count] != kept.messages:
            return False
        return chat.messages[count] == Message("assistant", (kept.answer,))

    def _message(self, chat: Chat, place: int) -> list[Piece]:
        """Return a message and what parts it from the one before; its own end comes later."""
        message = chat.messages[place]
        pieces: list[Piece]
        if message.continues:
            pieces = [Template("\n")]
        elif message.role == "assistant":
            pieces = self._opened(chat, place)
        else:
            ends = "<|im_end|>\n" if place else ""
            pieces = [Template(f"{ends}<|im_start|>{message.role}\n")]
        for part in message.parts:
            if isinstance(part, Picture):
                pieces.append(ScreenSlot(part.step))
            else:
                pieces += self._text(part)
        return pieces

    def _text(self, text: str) -> list[Piece]:
        """Return a text whose marks of the dialect are tokens; all others stay characters."""
        pieces: list[Piece] = []
        at = 0
        for mark in _MARK.finditer(text):
            if mark[0] in self.dialect.answer_marks:
                pieces += [Plain(text[at : mark.start()]), Template(mark[0])]
                at = mark.end()
        return [*pieces, Plain(text[at:])]

    def _append(self, session: Session, pieces: Sequence[Piece], chat: Chat) -> None:
        for piece in pieces:
            if isinstance(piece, ScreenSlot):
                session.append_image(chat.pictures[piece.step])
            elif isinstance(piece, Plain):
                if piece.text:
                    session.append_text(piece.text)
            else:
                session.append_template(piece.text)
