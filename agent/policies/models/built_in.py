"""VlmPolicy: a Qwen2-VL network looks at the screens and writes the calls.

It answers one conversation by itself, or several together: then each of the network's passes
computes the next token of all of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eyehand.actions import ActionSpace
from eyehand.actions.codecs import make_codec
from eyehand.agent.policies.base import (
    Conversation,
    Decision,
    Policy,
    Request,
    TokenCallback,
    started_by,
)
from eyehand.agent.policies.models.built_in_conversation import (
    ContextLimits,
    VlmConversation,
    append_words,
)
from eyehand.agent.policies.models.call_grammar import CallGrammars, check_grammar
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT, read_habits
from eyehand.errors import UsageError
from eyehand.model.folder import read_sampling, resolve
from eyehand.model.hub import Qwen2VL, named_dtype
from eyehand.model.inference.bounded_history import HistoryRule, cache_tokens, free_tokens
from eyehand.model.inference.decode import generate
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import RESERVED_TOKENS, Session
from eyehand.prompts.conversation import Layout, Piece

DEFAULT_MAX_NEW_TOKENS = 512

MOST_OPENINGS = 4
"""So many system prompts are kept; tasks with the same actions share one."""


class VlmPolicy(Policy):
    """A Qwen2-VL checkpoint as a policy.

    Where a history has no room for an answer, old pictures go, then old turns (`history`). Where
    that may not be or is not enough, the conversation begins anew with the system prompt, the
    current screen and the task; the decision's `tokens["restarts"]` counts it. This happens at most
    once a step.

    Args:
        model: A checkpoint's folder or Hub id; None is the one that comes with the package.
        codec: Dialect of the calls, "keyword" or "tool_call".
        keyword_mark: Mark of the keyword dialect, "✿" or "*".
        language: Language of the prompts, "en" or "zh".
        max_new_tokens: Most tokens an answer.
        temperature: 0 takes the best token; above it, tokens are drawn. None, as for the three
            below, is what the folder's `generation_config.json` says, and 0 without one.
        top_p: Share of the probability that is drawn from, above 0 to 1.
        top_k: So many best tokens are drawn from; 0 is all.
        repetition_penalty: Above 1 makes tokens less likely that occurred.
        device: "cpu", "cuda", ...; None takes CUDA where there is some.
        device_map: "auto", or devices in order, see `Qwen2VL.load`.
        dtype: "float32" or "bfloat16"; None and "auto" see `Qwen2VL.load`.
        min_pixels: Smallest area at which the model sees a screen; None is the folder's.
        max_pixels: Largest area; None is the folder's.
        quantize: "int8" or "int4" keeps the layers' weights in 8 or 4 bits.
        adapter: A folder with a LoRA adapter for the model, which is merged into it.
        history: What stays of an episode: "evict", all that there is room for; "window:N", the N
            newest screens at most; "full", everything, until there is no room. None is what the
            checkpoint was trained to be shown, else "evict".
        cache_gb: Most memory for an episode's keys and values, in GB of 10**9 bytes; None is half
            of what is free when the first episode begins, divided by how many there are at once.
        grammar: "auto" holds a call to the action space from its first keyword on where that is
            possible, "on" refuses where it is not, "off" lets the model write what it likes.
        on_text: Receives each piece of text as it is generated, where one conversation is asked
            alone; several at once would mix their words.

    Attributes:
        batch: How many conversations are decided together at most; `set_batch_size` sets it. Above
            1 every decision is computed in such a way that it does not depend on how many others
            happened to be ready.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        UsageError: an option is not known.
    """

    name = "model"

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        codec: str = "keyword",
        keyword_mark: str = "✿",
        language: str = "en",
        max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        device: str | None = None,
        device_map: str | None = None,
        dtype: str | None = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        quantize: str | None = None,
        adapter: str | Path | None = None,
        history: str | None = None,
        cache_gb: float | None = None,
        grammar: str = "auto",
        on_text: TokenCallback | None = None,
    ) -> None:
        if max_new_tokens < 1:
            raise UsageError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        # What was asked for is checked before a model is fetched and read.
        self.history = HistoryRule.named(history or "evict")
        written, precision = make_codec(codec, keyword_mark), named_dtype(dtype)
        check_grammar(grammar, written)
        folder = resolve(EMBEDDED_CHECKPOINT if model is None else model)
        self.habits = read_habits(folder)
        self.newest_only = self.habits.newest_only and history is None
        self.layout = Layout(written, language, keyword_mark, self.habits.brief)
        asked = {"temperature": temperature, "top_p": top_p, "top_k": top_k,
                 "repetition_penalty": repetition_penalty}  # fmt: skip
        given = {name: value for name, value in asked.items() if value is not None}
        rule: dict[str, Any] = {**read_sampling(folder), **given}
        self.sampling = Sampling(**rule)
        self.on_text = on_text
        self.batch = 1
        self.label = "embedded" if model is None else str(model)
        self.checkpoint = Qwen2VL.load(
            folder, device=device, device_map=device_map, dtype=precision, min_pixels=min_pixels,
            max_pixels=max_pixels, quantize=quantize, adapter=adapter,
        )  # fmt: skip
        self._quantize, self._adapter = quantize, adapter
        self.grammars = CallGrammars(grammar, written, self.checkpoint)
        self.openings = Openings(self.checkpoint)
        self._cache_gb = cache_gb
        self._conversations: int | None = None
        self._has_begun = False
        self.limits = self._limits(max_new_tokens)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; nothing is computed before its first screen."""
        if not self._has_begun:  # what else was loaded since has its memory now
            self.limits = self._limits(self.limits.max_new_tokens)
            self._has_begun = True
        return VlmConversation(self, task, action_space, seed or 0)

    def set_batch_size(self, batch: int) -> None:
        """Set how many conversations are decided together at most.

        Raises:
            UsageError: it is below 1.
        """
        if batch < 1:
            raise UsageError(f"expected a batch of at least 1, got {batch}")
        self.batch = batch
        self.limits = self._limits(self.limits.max_new_tokens)

    def set_conversations(self, count: int) -> None:
        """Set how many conversations share the memory that is free; until then it is a batch.

        Raises:
            UsageError: it is below 1, or the share has no room for an answer.
        """
        if count < 1:
            raise UsageError(f"expected at least 1 conversation, got {count}")
        self._conversations = count
        self.limits = self._limits(self.limits.max_new_tokens)

    def decide_many(self, requests: Sequence[Request]) -> list[Decision]:
        """Decide for several conversations in one go.

        What is new in all of them is read in shared passes of the network, and the answers are
        written together, a pass a token (`eyehand.model.inference.decode`).

        Raises:
            UsageError: a conversation is another policy's, or occurs twice, or its context is
                full.
        """
        mine = [
            (started_by(self, conversation, VlmConversation), observation)
            for conversation, observation in requests
        ]
        if not mine:
            return []
        on_text = self.on_text if len(mine) == 1 else None
        prompts = [conversation.read(observation) for conversation, observation in mine]
        answers = generate(
            [conversation.session for conversation, _ in mine],
            [conversation.generation(on_text) for conversation, _ in mine],
            batch_size=self.batch,
        )
        return [
            conversation.conclude(prompt, answer)
            for (conversation, _), prompt, answer in zip(mine, prompts, answers, strict=True)
        ]

    def describe(self) -> dict[str, Any]:
        """Return the checkpoint, the dialect, the sampling and the history policy."""
        network = self.checkpoint.network
        return {
            "name": self.name,
            "model": self.label,
            "codec": self.layout.codec.name,
            "keyword_mark": self.layout.keyword_mark,
            "language": self.layout.language,
            "history": "newest screen" if self.newest_only else str(self.history),
            "cache_gb": self._cache_gb,
            "coordinates": self.layout.codec.unit,
            "grammar": "on" if self.grammars.is_on else "off",
            "prompt": "brief" if self.habits.brief else "full",
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "top_k": self.sampling.top_k,
            "repetition_penalty": self.sampling.repetition_penalty,
            "max_new_tokens": self.limits.max_new_tokens,
            "min_pixels": self.checkpoint.settings.min_pixels,
            "max_pixels": self.checkpoint.settings.max_pixels,
            "quantize": self._quantize,
            "adapter": None if self._adapter is None else str(self._adapter),
            "device": str(network.device),
            "device_map": network.placement and network.placement.told(),
            "dtype": str(network.dtype).removeprefix("torch."),
        }

    def _limits(self, max_new_tokens: int) -> ContextLimits:
        """Return the bounds of a history.

        Raises:
            UsageError: `cache_gb` has no room for an answer.
        """
        network, held = self.checkpoint.network, self._conversations or self.batch
        most = cache_tokens(network, self._cache_gb, free_tokens(network), held)
        if most <= max_new_tokens:
            shared = held > 1 and self._cache_gb is None
            raise UsageError(
                f"there is memory for {most} tokens of history"
                + (f" in each of {held} conversations" if shared else "")
                + f", and an answer may take {max_new_tokens}: raise --cache-gb, or lower "
                + ("--workers or " if shared else "") + "--max-new-tokens"
            )  # fmt: skip
        positions = network.config.text.max_position_embeddings
        return ContextLimits(max_new_tokens, positions, most)


class Openings:
    """The system prompts that were read last: their keys and values are copied, not computed.

    One is read by itself, also for the first episode, so that an answer does not depend on who came
    before.

    Args:
        checkpoint: The model that reads them.
    """

    def __init__(self, checkpoint: Qwen2VL) -> None:
        self._checkpoint = checkpoint
        self._read: OrderedDict[tuple[Piece, ...], Session] = OrderedDict()

    def fork(self, pieces: Sequence[Piece], max_tokens: int) -> Session:
        """Return a conversation that has read an opening.

        Args:
            pieces: The opening, words only.
            max_tokens: Tokens that the conversation's memory is bounded to.
        """
        opening = tuple(pieces)
        session = self._read.get(opening) or self._read_anew(opening)
        self._read[opening] = session
        self._read.move_to_end(opening)
        while len(self._read) > MOST_OPENINGS:
            self._read.popitem(last=False)
        begun = session.fork(min(RESERVED_TOKENS, max_tokens))
        begun.cache.bound = max_tokens
        return begun

    @torch.inference_mode()
    def _read_anew(self, opening: tuple[Piece, ...]) -> Session:
        session = self._checkpoint.session(reserved_tokens=256)
        for piece in opening:
            append_words(session, piece)
        session.read_pending()
        return session
