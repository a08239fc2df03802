"""EndpointPolicy: a model behind an OpenAI-compatible server, through the official client."""

import base64
import math
import os
import random
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType
from typing import Any

from eyehand.agent.policies.base import COST
from eyehand.agent.policies.models.address import checked_url
from eyehand.agent.policies.models.answer_stream import (
    AnswerStream,
    EndpointLimits,
    TryAgain,
    bounded_client,
)
from eyehand.agent.policies.models.chat import Chat, ChatPolicy, ContextFull, Written, content
from eyehand.envs.png import encode_png
from eyehand.errors import EndpointFault, MissingExtra, UsageError
from eyehand.prompts.dialects.dialect import Dialect, Picture

DEFAULT_KEY_ENV = "OPENAI_API_KEY"
NO_KEY = "none"
"""What is sent where there is no key: local servers take any."""
MOST_AT_ONCE = 64
_CONTEXT = re.compile(
    r"(?i)context[ _]?(?:length|window|size)|maximum.{0,30}tokens|too long|exceeds"
)


class EndpointPolicy(ChatPolicy):
    """A served model. Conversations that wait are asked at the same time.

    Args:
        url: Where the server is, such as "http://localhost:8000/v1".
        served_model: The model's name there.
        dialect: How the model was taught to act.
        key_env: Name of the environment variable that holds the key.
        limits: How long and how often it is asked.
        price: US dollars a million tokens, read and written; None leaves it to the server to say
            what an answer costs.
        **sampling: `max_new_tokens`, `temperature` and `top_p`, see `ChatPolicy`.

    Raises:
        MissingExtra: the client is not installed.
        UsageError: the address or the key's variable cannot be used.
    """

    def __init__(
        self, url: str, served_model: str, dialect: Dialect,
        key_env: str | None = None, limits: EndpointLimits | None = None,
        price: Sequence[float] | None = None, **sampling: Any,
    ) -> None:  # fmt: skip
        super().__init__(dialect, **sampling)
        self.url, self.served_model = checked_url(url), served_model
        self.limits = limits or EndpointLimits()
        self.price = price
        self._key_env = key_env
        self._client: Any = None
        self._key = _key(key_env)
        self._openai = _require_openai()
        self._usage = self._says_stops = True

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what cannot travel; the key stays on the machine that has it."""
        return {**self.__dict__, "_client": None, "_key": "", "_openai": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._key, self._openai = _key(self._key_env), _require_openai()

    def describe(self) -> dict[str, Any]:
        """Return what the record keeps: never the key."""
        priced = {"price_usd_per_million": list(self.price)} if self.price else {}
        return {**super().describe(), "model": self.served_model, "url": self.url, **priced}

    def answers(self, chats: Sequence[Chat]) -> list[Written | ContextFull]:
        """Ask for all answers at the same time, so that the server's batching works."""
        if len(chats) == 1:
            return [self._answer(chats[0])]
        with ThreadPoolExecutor(min(len(chats), MOST_AT_ONCE), "endpoint") as threads:
            return list(threads.map(self._answer, chats))

    def _answer(self, chat: Chat) -> Written | ContextFull:
        """Ask until there is an answer, within the limits.

        Raises:
            EndpointFault: there was none after all tries.
            UsageError: the server refuses such requests.
        """
        last = ""
        for attempt in range(self.limits.tries):
            try:
                return self._ask(chat)
            except TryAgain as again:
                last = self._without_key(str(again))
                if attempt + 1 < self.limits.tries:
                    time.sleep(self._pause_s(attempt, again.after_s))
        raise EndpointFault(f"{self.url}: {last} ({self.limits.tries} tries)")

    def _pause_s(self, attempt: int, after_s: float | None) -> float:
        if after_s is not None:
            return min(after_s, self.limits.longest_wait_s)
        grown_s: float = 0.5 * 2**attempt * random.uniform(0.8, 1.2)
        return min(self.limits.longest_wait_s, grown_s)

    def _ask(self, chat: Chat) -> Written | ContextFull:
        openai, began_s = self._openai, time.perf_counter()
        try:
            stream = self._opened(chat)
            return self._priced(self._read(stream, began_s))
        except openai.APIStatusError as error:
            return self._refused(error)
        except openai.APITimeoutError:
            raise TryAgain(f"no answer within {self.limits.first_byte_s:g} s") from None
        except openai.APIConnectionError as error:
            raise TryAgain(f"cannot be reached: {_reason(error)}") from None
        except openai.APIError as error:
            raise TryAgain(f"the answer broke off: {_reason(error)}") from None
        except (OSError, ValueError, RuntimeError) as error:  # a broken stream, cut JSON
            raise TryAgain(f"the answer cannot be read: {_reason(error)}") from None
        except Exception as error:
            if not type(error).__module__.startswith(("httpx", "httpcore")):
                raise
            raise TryAgain(f"the answer broke off: {_reason(error)}") from None

    def _read(self, stream: Any, began_s: float) -> Written:
        """Read an answer to its end, or to a stop word.

        Raises:
            TryAgain: it broke off; the next try leaves the stop words out, which some servers
                cannot take and say so in the middle of their answer.
        """
        stops = self.dialect.codec.stop_words
        try:
            return AnswerStream(stream, self.limits.total_s, began_s, stops).written()
        except self._openai.APIError:
            self._says_stops = False
            raise

    def _priced(self, written: Written) -> Written:
        """Count what an answer costs, by the price that was given: dollars a million tokens."""
        if self.price is None:
            return written
        read, wrote = self.price
        counted = written.tokens
        cost = counted.get("prompt", 0) * read + counted.get("generated", 0) * wrote
        return replace(written, tokens={**counted, COST: math.ceil(cost)})

    def _opened(self, chat: Chat) -> Any:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if self._usage else {}
        if self._says_stops and self.dialect.codec.stop_words:
            options["stop"] = list(self.dialect.codec.stop_words)
        return self._connected().chat.completions.create(
            model=self.served_model,
            messages=[
                {"role": m.role, "content": content(m, lambda part: _picture(chat, part))}
                for m in chat.messages
            ],
            max_tokens=self.max_new_tokens, temperature=self.temperature, top_p=self.top_p,
            seed=chat.seed, stream=True, **options,
        )  # fmt: skip

    def _refused(self, error: Any) -> Written | ContextFull:
        """Sort what the server refused: try again, shorten, or say what is wrong."""
        status, said = error.status_code, self._without_key(_reason(error))
        if status in (408, 409, 425, 429) or status >= 500:
            raise TryAgain(f"HTTP {status}: {said}", _retry_after_s(error.response)) from None
        if status in (400, 413, 422) and _CONTEXT.search(said):
            return ContextFull(said)
        if status == 400 and "stream_options" in said and self._usage:
            self._usage = False
            raise TryAgain("the server knows no stream_options", 0.0) from None
        meaning = {
            401: f"the key is not accepted; set {self._key_env or DEFAULT_KEY_ENV}",
            403: "the key may not use this model",
            404: f"there is no model {self.served_model!r}, or no such address; "
            "see --served-model, and whether the address ends in /v1",
        }.get(status, "the server refuses the request")
        raise UsageError(f"{self.url}: HTTP {status}: {meaning}: {said}") from None

    def _connected(self) -> Any:
        if self._client is None:
            self._client = bounded_client(self._openai, self.url, self._key or NO_KEY, self.limits)
        return self._client

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _key(name: str | None) -> str:
    found = os.environ.get(name or DEFAULT_KEY_ENV, "")
    if name and not found:
        raise UsageError(f"the environment variable {name} is not set; it should hold the key")
    return found.strip()


def _require_openai() -> ModuleType:
    try:
        import openai
    except ImportError:
        raise MissingExtra(
            "a served model needs the client: pip install 'eyehand[endpoint]'"
        ) from None
    module: ModuleType = openai
    return module


def _picture(chat: Chat, part: Picture) -> dict[str, Any]:
    data = base64.b64encode(encode_png(chat.pictures[part.step])).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def _retry_after_s(response: Any) -> float | None:
    """Return the seconds of a `Retry-After` header; None where there is none."""
    text = response.headers.get("retry-after", "")
    return float(text) if re.fullmatch(r"\d{1,6}(?:\.\d{1,3})?", text) else None


def _reason(error: BaseException) -> str:
    """Return what an error says in one line, cut."""
    cause = error.__cause__ or error
    line = " ".join(str(cause).split()) or type(cause).__name__
    return line[:300]
