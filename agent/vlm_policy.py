"""VlmPolicy: a Qwen2-VL network looks at the screens and writes the calls.

One `Session` a conversation. The history is append-only at the level of tokens, and every screen
stays in it (the `full` policy): nothing that was read or written once is tokenised or computed
again.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from eyehand.actions import ActionSpace, Coordinates
from eyehand.actions.codecs import make_codec
from eyehand.agent.layout import Layout, Piece, Plain, Screen, observation_words
from eyehand.agent.policy import Conversation, Decision, Policy, TokenCallback
from eyehand.agent.suites import EMBEDDED_CHECKPOINT
from eyehand.envs.env import Observation, Pixels
from eyehand.errors import UsageError
from eyehand.model.hub import LoadedModel, load
from eyehand.model.image import FACTOR, smart_resize
from eyehand.model.sampling import Sampling

DEFAULT_MAX_NEW_TOKENS = 512

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Seeds of two episodes' answers stay apart for as many steps.
_SEED_STRIDE = 10_000


@dataclass(frozen=True)
class Limits:
    """How a conversation's context is bounded.

    Attributes:
        max_new_tokens: Most tokens an answer.
        max_positions: Positions that the network has.
    """

    max_new_tokens: int
    max_positions: int

    @property
    def fullest(self) -> int:
        """Most positions that a history may take before an answer: it leaves room for one."""
        return self.max_positions - min(self.max_new_tokens, self.max_positions // 4)


class VlmPolicy(Policy):
    """A Qwen2-VL checkpoint as a policy.

    When a history would leave no room for an answer, the conversation begins anew with the system
    prompt, the current screen and the task; the decision's `tokens["restarts"]` counts it. This
    happens at most once a step, and earlier screens are then forgotten.

    Args:
        model: A checkpoint's folder or Hub id; None is the one that comes with the package.
        codec: Dialect of the calls, "keyword" or "tool_call".
        keyword_mark: Mark of the keyword dialect, "✿" or "*".
        language: Language of the prompts, "en" or "zh".
        max_new_tokens: Most tokens an answer.
        temperature: 0 takes the best token; above it, tokens are drawn.
        top_p: Share of the probability that is drawn from, above 0 to 1.
        device: "cpu", "cuda", ...; None takes CUDA where there is some.
        dtype: "float32" or "bfloat16"; None is float32 on the CPU, else the stored one.
        on_text: Receives each piece of text as it is generated.

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
        temperature: float = 0.0,
        top_p: float = 1.0,
        device: str | None = None,
        dtype: str | None = None,
        on_text: TokenCallback | None = None,
    ) -> None:
        if max_new_tokens < 1:
            raise UsageError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        self.layout = Layout(make_codec(codec, keyword_mark), language, keyword_mark)
        self.sampling = Sampling(temperature=temperature, top_p=top_p)
        self.on_text = on_text
        self.label = "embedded" if model is None else str(model)
        self.checkpoint: LoadedModel = load(
            EMBEDDED_CHECKPOINT if model is None else model, device=device, dtype=_dtype(dtype)
        )
        positions = self.checkpoint.model.config.text.max_position_embeddings
        self.limits = Limits(max_new_tokens, positions)

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Begin an episode; nothing is computed before its first screen."""
        return _VlmConversation(self, task, action_space, seed or 0)

    def screen_cost(self, pixels: Pixels) -> tuple[int, int]:
        """Return the placeholder tokens and the positions that a screen takes (M-RoPE)."""
        height, width = smart_resize(
            pixels.shape[0],
            pixels.shape[1],
            min_pixels=self.checkpoint.min_pixels,
            max_pixels=self.checkpoint.max_pixels,
        )
        rows, columns = height // FACTOR, width // FACTOR
        return rows * columns, max(rows, columns)

    def describe(self) -> dict[str, Any]:
        """Return the checkpoint, the dialect, the sampling and the history policy."""
        model = self.checkpoint.model
        return {
            "name": self.name,
            "model": self.label,
            "codec": self.layout.codec.name,
            "keyword_mark": self.layout.keyword_mark,
            "language": self.layout.language,
            "coordinates": "thousandths",
            "history": "full",
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_new_tokens": self.limits.max_new_tokens,
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
        }


class _VlmConversation(Conversation):
    def __init__(self, policy: VlmPolicy, task: str, action_space: ActionSpace, seed: int) -> None:
        self._policy = policy
        self._task = task
        self._space = action_space
        self._seed = seed
        self._step = 0
        self._restarts = 0
        self._begin()

    def decide(self, observation: Observation) -> Decision:
        """Append the screen, let the model write, read the call."""
        began_s = time.perf_counter()
        image_tokens = self._observe(observation)
        prompt_tokens = self._session.num_pending
        appended_s = time.perf_counter()
        answer = self._session.generate(
            self._policy.limits.max_new_tokens,
            stop=self._stop_words(),
            sampling=self._sampling(),
            on_token=self._policy.on_text,
        )
        self._positions += len(answer.token_ids)
        self._step += 1
        generated_s = time.perf_counter()
        coordinates = Coordinates(screen=observation.geometry.screen)
        parsed = self._policy.layout.codec.parse(answer.text, self._space, coordinates)
        return Decision(
            thought=parsed.thought,
            action=parsed.action,
            error=parsed.error,
            raw_text=answer.text,
            not_performed=parsed.not_performed,
            timings_s={
                "preprocess": appended_s - began_s,
                "vision": answer.vision_s,
                "prefill": answer.prefill_s,
                "decode": answer.decode_s,
                "parse": time.perf_counter() - generated_s,
            },
            tokens={
                "prompt": prompt_tokens,
                "image": image_tokens,
                "generated": len(answer.token_ids),
                "history": len(self._session.token_ids),
                "restarts": self._restarts,
            },
        )

    def _observe(self, observation: Observation) -> int:
        """Append the observation, in a new session where the old one has no room for it."""
        words = observation_words(observation.text, observation.feedback)
        if self._step:
            image_tokens = self._append(self._policy.layout.following(words), observation.pixels)
            if self._positions <= self._policy.limits.fullest:
                return image_tokens
            self._restarts += 1
            self._begin()
        layout = self._policy.layout
        pieces = [*layout.opening(self._space), *layout.task(self._task, words)]
        return self._append(pieces, observation.pixels)

    def _append(self, pieces: list[Piece], pixels: Pixels) -> int:
        """Append the pieces; returns the screen's tokens and counts the positions."""
        session = self._session
        before = session.num_pending
        for piece in pieces:
            if isinstance(piece, Screen):
                session.append_image(pixels)
            elif isinstance(piece, Plain):
                # Words of a page or a person: control tokens in them stay plain characters.
                session.append_text(piece.text)
            else:
                session.append_template(piece.text)
        image_tokens, image_positions = self._policy.screen_cost(pixels)
        self._positions += session.num_pending - before - image_tokens + image_positions
        return image_tokens

    def _begin(self) -> None:
        self._session = self._policy.checkpoint.session()
        self._positions = 0

    def _stop_words(self) -> tuple[str, ...]:
        """The codec's stop words, also with the line end that the following template brings."""
        words = self._policy.layout.codec.stop_words
        return (*words, *(f"\n{word}" for word in words))

    def _sampling(self) -> Sampling:
        """Draw differently at each step: one generator serves one answer."""
        rule = self._policy.sampling
        return replace(rule, seed=self._seed * _SEED_STRIDE + self._step)


def _dtype(name: str | None) -> torch.dtype | None:
    """Return the dtype called `name`.

    Raises:
        UsageError: it is none of those that the network runs in.
    """
    if name is not None and name not in _DTYPES:
        raise UsageError(f"dtype is one of {', '.join(_DTYPES)}; got {name!r}")
    return None if name is None else _DTYPES[name]
