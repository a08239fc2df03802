"""Answers of sessions, written shortly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from eyehand.model.inference.decode import Generation, GenerationConfig, generate
from eyehand.model.inference.session import Session


def reply(session: Session, max_new_tokens: int = 512, **config: Any) -> Generation:
    """Return the answer of one session by itself."""
    return generate([session], GenerationConfig(max_new_tokens, **config))[0]


def replies(turns: Sequence[tuple[Session, GenerationConfig]]) -> list[Generation]:
    """Return the answers of sessions in shared passes, of one as if it might have company."""
    sessions, configs = [session for session, _ in turns], [config for _, config in turns]
    return generate(sessions, configs, batch_size=2)


@dataclass
class Permitting:
    """Permits what a function of the answer so far says."""

    rule: Callable[[Sequence[int]], Tensor | None]
    ids: list[int] = field(default_factory=list)
    complete: bool = False

    def matcher(self) -> "Permitting":
        """Follow another answer."""
        return Permitting(self.rule)

    def permitted(self) -> Tensor | None:
        """Ask the function."""
        return self.rule(self.ids)

    def accept(self, token: int) -> Sequence[int]:
        """Take any token."""
        self.ids.append(token)
        return ()


def only(mask: Tensor) -> Permitting:
    """Permit some tokens at all places."""
    return Permitting(lambda _: mask)
