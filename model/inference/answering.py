"""One session's answer while it is sampled: what is chosen next, what ends it, what it took.

Whoever drives it runs the network: `Session.generate` for one session, `together.py` for
several. Both therefore choose, stop and cut in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eyehand.errors import UsageError
from eyehand.model.inference.generation import (
    STOP_WORDS,
    Generation,
    StopReason,
    TokenBuffer,
    end_ids,
    now_s,
)
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling

if TYPE_CHECKING:
    from eyehand.model.inference.session import Session

Constraint = Callable[[Sequence[int]], Tensor | None]
"""From the ids of the answer so far to the permitted next ids, bool (vocabulary,); None: all."""

GREEDY = Greedy()


@dataclass(frozen=True)
class GenerationConfig:
    """How an answer is sampled.

    Attributes:
        max_new_tokens: Most tokens to sample, at least 1.
        stop: Words that end the answer.
        sampling: How tokens are chosen; its seed starts this answer's own generator.
        constraint: Restricts the choice, for example to a grammar.
        on_token: Receives the text piece by piece as it becomes certain.
    """

    max_new_tokens: int = 512
    stop: Sequence[str] = STOP_WORDS
    sampling: Sampling = GREEDY
    constraint: Constraint | None = None
    on_token: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UsageError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}")


class Decoder:
    """An answer that grows a session's history token by token.

    `read` once, then `choose` with the newest scores until it returns False, then `finish`; or
    `abandon` at any time.

    Args:
        session: Whose history is continued.
        rules: How.
    """

    def __init__(self, session: "Session", rules: GenerationConfig) -> None:
        self._session = session
        self._rules = rules
        self._before = session.num_tokens
        self._answer = TokenBuffer(session.tokenizer, rules.stop, rules.on_token)
        self._sampler = Sampler(rules.sampling)
        self._ends = end_ids(session.model.config, session.tokenizer)
        self._limit = rules.max_new_tokens
        self._reason: StopReason = "length"
        self._vision_s = self._prefill_s = self._began_s = self._ended_s = 0.0

    def read(self) -> Tensor:
        """Run the network over what the history holds and has not been computed yet.

        Returns:
            The scores of the first token, (vocabulary,).

        Raises:
            UsageError: There is nothing to continue, or the context is full.
        """
        began_s = self._now_s()
        visuals = self._session.encode_pending()
        seen_s = self._now_s()
        logits = self._session.read_pending(visuals)
        self._limit = min(self._limit, self._session.room)
        self._vision_s = seen_s - began_s
        self.decoding_begins()
        self._prefill_s = self._began_s - seen_s
        return logits

    def decoding_begins(self) -> None:
        """Start the clock of `Generation.decode_s` (again)."""
        self._began_s = self._ended_s = self._now_s()

    def choose(self, logits: Tensor) -> bool:
        """Choose the next token and append it to the history, unless it ends the answer.

        Args:
            logits: Scores (vocabulary,) that follow the whole history.

        Returns:
            Whether the answer goes on: the token then waits to be computed.
        """
        more = self._choose(logits)
        self._ended_s = self._now_s()
        return more

    def finish(self) -> Generation:
        """Settle text and history: what ended the answer is not part of either."""
        began_s = self._now_s()
        kept, rest = self._answer.settle()
        self._session.cut(self._before + kept)
        self._session.push(*rest)
        return Generation(
            self._answer.text,
            (*self._answer.ids[:kept], *rest),
            self._reason,
            self._answer.stop_word,
            vision_s=self._vision_s,
            prefill_s=self._prefill_s,
            decode_s=self._ended_s - self._began_s + self._now_s() - began_s,
        )

    def abandon(self) -> None:
        """Make the history what it was before."""
        self._session.cut(self._before)

    def _choose(self, logits: Tensor) -> bool:
        permitted = self._rules.constraint and self._rules.constraint(self._answer.ids)
        if permitted is not None:
            logits = logits.masked_fill(~permitted.to(logits.device), -torch.inf)
        token = self._sampler.choose(logits, self._session.token_ids)
        if token in self._ends:
            self._reason = "eos"
            return False
        self._session.push(token)
        if self._answer.push(token):
            self._reason = "stop_word"
            return False
        return len(self._answer.ids) < self._limit

    def _now_s(self) -> float:
        return now_s(self._session.model.device)
