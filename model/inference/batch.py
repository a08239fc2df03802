"""Several prompts answered at once, each as if it were alone.

Rows keep their own lengths in the cache, so nothing is padded on the left and no position is
shifted: a row's answer is the one it would get by itself.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.cache import KVCache
from eyehand.model.inference.generation import (
    STOP_WORDS,
    Generation,
    StopReason,
    TokenBuffer,
    check_tokenizer,
    end_ids,
    now_s,
    without_placeholders,
)
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling
from eyehand.model.inference.visual_cache import (
    Visual,
    VisualEncoder,
    join_embeds,
    placeholder_starts,
)
from eyehand.model.inputs.chat import Prompt
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.memory import memory_told
from eyehand.model.qwen2vl.model import Qwen2VL

GREEDY = Greedy()


@torch.inference_mode()
def generate_batch(
    model: Qwen2VL,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int = 512,
    stop: Sequence[str] = STOP_WORDS,
    sampling: Sampling = GREEDY,
    encoder: VisualEncoder | None = None,
) -> list[Generation]:
    """Answers prompts of any lengths together.

    Args:
        model: The network, in evaluation mode.
        tokenizer: Of the same checkpoint.
        prompts: At least one; none empty. `Prompt(ids, [])` for text alone.
        max_new_tokens: Most tokens to sample for each.
        stop: Words that end an answer.
        sampling: How tokens are chosen; every row draws from the same seed.
        encoder: Remembers pictures; a new one by default.

    Returns:
        One answer for each prompt, in their order. The timings are those of the whole batch.

    Raises:
        UsageError: A prompt is empty, longer than the context, or its pictures do not match.
        CheckpointError: The tokenizer belongs to another model.
    """
    check_tokenizer(model.config, tokenizer)
    encoder = encoder if encoder is not None else VisualEncoder(model)
    started = now_s(model.device)
    visuals = _read_visuals(model, prompts, encoder)
    with memory_told(model.device, "to answer"):
        encoder.encode(visuals)
        seen = now_s(model.device)
        cache = model.new_cache(len(prompts), max(len(p.ids) for p in prompts) + max_new_tokens)
        logits = _prefill(model, tokenizer.pad_id, prompts, visuals, cache)
        read = now_s(model.device)
        rows = [_Row(model, tokenizer, p, stop, sampling, max_new_tokens) for p in prompts]
        _decode(model, tokenizer.pad_id, rows, logits, cache)
    timings = {
        "vision_s": seen - started,
        "prefill_s": read - seen,
        "decode_s": now_s(model.device) - read,
    }
    return [row.finish(timings) for row in rows]


class _Row:
    """One prompt's answer."""

    def __init__(
        self,
        model: Qwen2VL,
        tokenizer: Tokenizer,
        prompt: Prompt,
        stop: Sequence[str],
        sampling: Sampling,
        max_new_tokens: int,
    ) -> None:
        self.reason: StopReason | None = None
        self._answer = TokenBuffer(tokenizer, stop)
        self._sampler = Sampler(sampling)
        self._ends = end_ids(model.config, tokenizer)
        self._max_new_tokens = max_new_tokens
        self._prompt = prompt.ids

    def choose(self, logits: Tensor, room: int) -> int:
        """Samples from scores (vocabulary,) unless the row has ended; returns the newest id."""
        limit = min(self._max_new_tokens, len(self._answer.ids) + room)
        if len(self._answer.ids) >= limit:
            self.reason = "length"
            return -1
        token = self._sampler.choose(logits, [*self._prompt, *self._answer.ids])
        if token in self._ends:
            self.reason = "eos"
        elif self._answer.push(token):
            self.reason = "stop_word"
        elif len(self._answer.ids) == limit:
            self.reason = "length"
        return token

    def finish(self, timings: dict[str, float]) -> Generation:
        kept, rest = self._answer.settle()
        ids = (*self._answer.ids[:kept], *rest)
        reason = self.reason or "length"
        return Generation(self._answer.text, ids, reason, self._answer.stop_word, **timings)


def _read_visuals(
    model: Qwen2VL, prompts: Sequence[Prompt], encoder: VisualEncoder
) -> list[Visual]:
    if not prompts or not all(prompt.ids for prompt in prompts):
        raise UsageError("a batch needs at least one prompt, and every prompt at least one token")
    visuals: list[Visual] = []
    for prompt in prompts:
        own = [encoder.read(visual) for visual in prompt.visuals]
        placeholder_starts(prompt.ids, own, model.config)
        visuals += own
    return visuals


def _prefill(
    model: Qwen2VL, pad_id: int, prompts: Sequence[Prompt], visuals: Sequence[Visual],
    cache: KVCache,
) -> Tensor:  # fmt: skip
    """Reads all prompts; returns each row's last scores (B, vocabulary)."""
    longest = max(len(prompt.ids) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad_id)
    valid = torch.zeros(ids.shape, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt.ids)] = torch.tensor(prompt.ids)
        valid[row, : len(prompt.ids)] = True
    logits: Tensor = model(
        ids,
        attention_mask=valid,
        grid_thw=_grids(visuals, is_video=False),
        video_grid_thw=_grids(visuals, is_video=True),
        image_embeds=join_embeds(visuals, is_video=False),
        video_embeds=join_embeds(visuals, is_video=True),
        cache=cache,
        last_only=True,
    )
    limit = model.config.text.max_position_embeddings
    if max(cache.next_positions) > limit:
        raise UsageError(
            f"a prompt needs {max(cache.next_positions)} positions, the model has {limit}"
        )
    return without_placeholders(logits[:, 0], model.config)


def _decode(
    model: Qwen2VL, pad_id: int, rows: Sequence[_Row], logits: Tensor, cache: KVCache
) -> None:
    limit = model.config.text.max_position_embeddings
    while True:
        ids = torch.full((len(rows), 1), pad_id)
        for index, row in enumerate(rows):
            if row.reason is None:
                ids[index] = row.choose(logits[index], limit - cache.next_positions[index] + 1)
        active = torch.tensor([[row.reason is None] for row in rows])
        if not active.any():
            return
        ids = ids.where(active, pad_id)
        scores = model(ids, attention_mask=active, cache=cache, last_only=True)
        logits = without_placeholders(scores[:, 0], model.config)


def _grids(visuals: Sequence[Visual], *, is_video: bool) -> Tensor | None:
    grids = [visual.grid for visual in visuals if visual.is_video == is_video]
    return torch.tensor(grids) if grids else None
