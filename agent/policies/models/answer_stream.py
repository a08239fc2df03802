"""An answer that comes in parts from a server: bounded in time and in size."""

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from eyehand.agent.policies.base import COST
from eyehand.agent.policies.models.chat import Written

LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
LONGEST_ANSWER = 200_000
"""Characters of an answer; what follows is not waited for."""
LARGEST_COST_USD = 1e6
"""A server that says more of one answer is not believed."""


@dataclass(frozen=True)
class EndpointLimits:
    """How long and how often a server is asked.

    Attributes:
        connect_s: Seconds to reach it.
        first_byte_s: Seconds until its answer begins, and between any two parts of it.
        total_s: Seconds of one try.
        tries: How often one answer is asked for.
        longest_wait_s: Most seconds between two tries, whatever `Retry-After` says.
    """

    connect_s: float = 10.0
    first_byte_s: float = 120.0
    total_s: float = 300.0
    tries: int = 4
    longest_wait_s: float = 60.0


class TryAgain(Exception):
    """A try failed in a way that another one may not."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class AnswerStream:
    """Reads a stream of parts until it ends, and closes it when its time is over.

    Args:
        stream: The parts.
        total_s: Seconds that it may take.
        began_s: When it was asked for, by `perf_counter`.
        stops: Words at which the answer ends, whether the server heeds them or not.
    """

    def __init__(
        self, stream: Any, total_s: float, began_s: float, stops: Sequence[str] = ()
    ) -> None:
        self._stream, self._began_s, self._total_s = stream, began_s, total_s
        self._stops = stops
        self._late = threading.Event()

    def written(self) -> Written:
        """Return the whole answer.

        Raises:
            TryAgain: there was none, or it took too long.
        """
        left_s = max(0.1, self._total_s - (time.perf_counter() - self._began_s))
        timer = threading.Timer(left_s, self._end)
        timer.daemon = True
        timer.start()
        text: list[str] = []
        length = 0
        tokens: dict[str, int] = {}
        first_s = 0.0
        try:
            for chunk in self._stream:
                first_s = first_s or time.perf_counter() - self._began_s
                text.append(_text(chunk))
                tokens = _usage(chunk) or tokens
                length += len(text[-1])
                if length > LONGEST_ANSWER:
                    break
                if self._is_over(text):
                    tokens = tokens or {"generated": len(text)}  # nobody says how many any more
                    break
        except Exception:
            if self._late.is_set():
                raise TryAgain(f"the answer took more than {self._total_s:g} s") from None
            raise
        finally:
            timer.cancel()
            self._stream.close()
        if self._late.is_set():
            raise TryAgain(f"the answer took more than {self._total_s:g} s")
        if not first_s:
            raise TryAgain("what came is no answer of a chat: is the address the server's /v1?")
        total_s = time.perf_counter() - self._began_s
        timings = {"first_token": first_s, "decode": total_s - first_s}
        return Written(self._cut("".join(text)).strip(), tokens, timings)

    def _is_over(self, parts: Sequence[str]) -> bool:
        """Return whether a word that ends the answer is complete with its last part."""
        reach = max(map(len, self._stops), default=0)
        tail = "".join(parts[-reach:])[-reach - len(parts[-1]) :] if reach else ""
        return any(word in tail for word in self._stops)

    def _cut(self, text: str) -> str:
        ends = [at for word in self._stops if (at := text.find(word)) >= 0]
        return text[: min(ends)] if ends else text

    def _end(self) -> None:
        self._late.set()
        self._stream.close()


def bounded_client(openai: ModuleType, url: str, key: str, limits: EndpointLimits) -> Any:
    """Return a client that follows no redirect and reads no more than an answer's bytes."""
    import httpx2

    class Bounded(httpx2.HTTPTransport):
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.stream = _BoundedStream(response.stream)
            return response

    class _BoundedStream(httpx2.SyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            read = 0
            for part in self._stream:
                read += len(part)
                if read > LARGEST_ANSWER_BYTES:
                    raise OSError(f"more than {LARGEST_ANSWER_BYTES:,} bytes")
                yield part

        def close(self) -> None:
            self._stream.close()

    timeout = httpx2.Timeout(limits.first_byte_s, connect=limits.connect_s)
    http = httpx2.Client(transport=Bounded(), timeout=timeout, follow_redirects=False)
    return openai.OpenAI(
        base_url=url, api_key=key, http_client=http, timeout=timeout, max_retries=0
    )  # fmt: skip


def _text(chunk: Any) -> str:
    choices = getattr(chunk, "choices", None) or []
    delta = getattr(choices[0], "delta", None) if choices else None
    content = getattr(delta, "content", None)
    return content if isinstance(content, str) else ""


def _usage(chunk: Any) -> dict[str, int]:
    usage = getattr(chunk, "usage", None)
    if usage is None:
        return {}
    details = getattr(usage, "prompt_tokens_details", None)
    counts = {
        "prompt": getattr(usage, "prompt_tokens", None),
        "generated": getattr(usage, "completion_tokens", None),
        "cached": getattr(details, "cached_tokens", None),
        COST: _microdollars(getattr(usage, "cost", None)),
    }
    return {name: n for name, n in counts.items() if isinstance(n, int) and n >= 0}


def _microdollars(cost: Any) -> int | None:
    """Return what a server says that an answer cost, in millionths; None where it does not."""
    number = isinstance(cost, int | float) and not isinstance(cost, bool)
    return math.ceil(cost * 1e6) if number and 0 <= cost < LARGEST_COST_USD else None
