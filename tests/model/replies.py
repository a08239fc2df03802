"""Answers of sessions, written shortly."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from eyehand.model.inference.constraint import TokenRule
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import Generation, GenerationConfig
from eyehand.model.inference.session import Session


def reply(session: Session, max_new_tokens: int = 512, **config: Any) -> Generation:
    """Return the answer of one session by itself."""
    return generate([session], GenerationConfig(max_new_tokens, **config))[0]


def replies(turns: Sequence[tuple[Session, GenerationConfig]]) -> list[Generation]:
    """Return the answers of sessions in shared passes, of one as if it might have company."""
    sessions, configs = [session for session, _ in turns], [config for _, config in turns]
    return generate(sessions, configs, batch_size=2)


def only(mask: Tensor) -> TokenRule:
    """Permit some tokens at all places."""
    return TokenRule(lambda _: mask)
