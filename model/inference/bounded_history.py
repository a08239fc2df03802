"""What of a conversation goes when it grows beyond a bound: old pictures first, then old turns.

What stands before the first turn (`Session.begin_turn`) is pinned and stays, but for its pictures.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from eyehand.errors import UsageError
from eyehand.model.inference.session import Session
from eyehand.model.memory import free_bytes, token_bytes
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

_UNBOUNDED = 2**62
_SPARE = 8
"""Where room is made, an eighth is spare: moving a long history at every step would cost."""
_SPARE_POSITIONS = 4
"""A quarter of them: keys are rotated then, and half precision rounds them again each time."""


@dataclass(frozen=True)
class HistoryRule:
    """What stays of a conversation as it grows.

    Attributes:
        drops: Whether old pictures and turns go where there is no room.
        window: So many of the newest pictures stay; None is all that there is room for.
    """

    drops: bool = True
    window: int | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Returns what "full", "evict" or "window:N" means.

        Raises:
            UsageError: It is none of them.
        """
        kind, _, count = name.partition(":")
        if name in ("full", "evict"):
            return cls(drops=name == "evict")
        if kind == "window" and count.isdecimal() and 0 < int(count) <= 10_000:
            return cls(window=int(count))
        raise UsageError(f"history is full, evict or window:N with N of at least 1; got {name!r}")

    def __str__(self) -> str:
        if self.window is not None:
            return f"window:{self.window}"
        return "evict" if self.drops else "full"


def cache_tokens(
    network: Qwen2VLNetwork, cache_gb: float | None, free_tokens: int, conversations: int
) -> int:
    """Returns how many tokens' keys and values a conversation may hold.

    Args:
        network: The model that reads it.
        cache_gb: The bound that was asked for, in GB of 10**9 bytes.
        free_tokens: Without such a bound: what there is room for in all.
        conversations: How many then share it.
    """
    if cache_gb is None:
        return free_tokens // conversations
    return int(cache_gb * 10**9) // token_bytes(network.config, network.dtype.itemsize)


def free_tokens(network: Qwen2VLNetwork) -> int:
    """Returns how many tokens' keys and values fit into half of what is free now.

    Each device has to hold its layers' share of them.
    """
    held = Counter(network.layer_devices)
    a_layer = token_bytes(network.config, network.dtype.itemsize) // held.total()
    free = ((free_bytes(device), layers) for device, layers in held.items())
    found = (left // 2 // (a_layer * layers) for left, layers in free if left is not None)
    return min(found, default=_UNBOUNDED)


def make_room(session: Session, history: HistoryRule, max_tokens: int, max_positions: int) -> bool:
    """Drops what has to go before the pending part of a conversation is read.

    Args:
        session: The conversation; nothing of its pending part goes.
        history: What may go.
        max_tokens: Most tokens of the history, the pending ones among them.
        max_positions: Most positions of it.

    Returns:
        Whether it is within both bounds now.
    """
    if history.window is not None:
        read, pending = list(session.read_visuals), session.num_visuals - len(session.read_visuals)
        session.evict(*read[: max(0, len(read) + pending - history.window)])
    if history.drops and session.num_tokens > max_tokens:
        _drop_until(session, max_tokens, max_tokens - max_tokens // _SPARE)
    if history.drops and session.num_positions > max_positions:
        least = max_positions - max_positions // _SPARE_POSITIONS
        _drop_turns(session, lambda count: session.num_positions - session.gap(count) <= least)
        session.close_gap()
    return session.num_tokens <= max_tokens and session.num_positions <= max_positions


def _drop_until(session: Session, most: int, target: int) -> None:
    """Drops pictures until `target` tokens are left; where that is too little, turns as well."""
    excess, old = session.num_tokens - target, []
    for number, tokens in session.read_visuals.items():
        if excess > 0:
            old.append(number)
            excess -= tokens
    session.evict(*old)
    if session.num_tokens > most:
        left, turns = session.num_tokens, session.read_turns
        _drop_turns(session, lambda count: left - turns[count] + turns[0] <= target)


def _drop_turns(session: Session, suffices: Callable[[int], bool]) -> None:
    """Drops so many of the oldest turns as suffice, or all that have ended."""
    most = len(session.read_turns) - 1
    if most > 0:
        session.drop_turns(next((n for n in range(most) if suffices(n)), most))
