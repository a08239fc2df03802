"""One episode's conversation with a Qwen2-VL network.

One `Session` a conversation. Nothing that was read or written once is tokenised or computed
again. What of it goes when it grows is the policy's `history`; the system prompt is read once for
all episodes (`Openings`).
"""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eyehand.actions import Action, ActionSpace, Coordinates
from eyehand.agent.policies.base import Conversation, Decision, TokenCallback
from eyehand.envs.env import Observation
from eyehand.errors import UsageError
from eyehand.model.inference.bounded_history import make_room
from eyehand.model.inference.decoder import Generation, GenerationConfig
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.prompts.conversation import (
    MOST_EARLIER,
    Piece,
    Plain,
    ScreenSlot,
    Template,
    observation_words,
)

if TYPE_CHECKING:
    from eyehand.agent.policies.models.built_in import VlmPolicy
from collections.abc import Sequence

from eyehand.model.inputs.tokenizer import Tokenizer

# Seeds of two episodes' answers stay apart for as many steps.
_SEED_STRIDE = 10_000


@dataclass(frozen=True)
class ContextLimits:
    """How a conversation's context is bounded.

    Attributes:
        max_new_tokens: Most tokens an answer.
        max_positions: Positions that the network has.
        max_tokens: Tokens whose keys and values there is memory for.
    """

    max_new_tokens: int
    max_positions: int
    max_tokens: int = 2**62

    @property
    def fullest(self) -> int:
        """Most positions that a history may take before an answer: it leaves room for one."""
        return self.max_positions - min(self.max_new_tokens, self.max_positions // 4)

    @property
    def fullest_tokens(self) -> int:
        """Most tokens that a history may hold before an answer."""
        return self.max_tokens - self.max_new_tokens


@dataclass(frozen=True)
class StepInput:
    """What a step adds to the history before the model writes.

    Attributes:
        observation: What is to be decided on.
        tokens: Tokens that are new to the network.
        image_tokens: Those of them that are the screen's, picture or video.
        preprocess_s: Seconds that appending took.
        left_out: Characters of the texts that were cut, because the context has no room for them.
    """

    observation: Observation
    tokens: int
    image_tokens: int
    preprocess_s: float
    left_out: int = 0


class VlmConversation(Conversation):
    """An episode's history.

    A decision is `read`, an answer, and `conclude`; `VlmPolicy.decide_many` gets the answers of
    one or several conversations.

    Args:
        policy: Whose network, layout and limits are used.
        task: What to do.
        action_space: The actions that the episode permits.
        seed: Fixes what is drawn, where tokens are drawn.
    """

    def __init__(
        self, policy: "VlmPolicy", task: str, action_space: ActionSpace, seed: int
    ) -> None:
        self.policy = policy
        self._task = task
        self._space = action_space
        self._seed = seed
        self._step = 0
        self._restarts = 0
        self._earlier: list[Action] = []
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The history; another one after a restart."""
        if self._session is None:
            words = self.policy.layout.opening(self._space)[:-1]  # all but the screen
            bound = self.policy.limits.max_tokens
            self._session = self.policy.openings.fork(words, bound)
        return self._session

    def decide(self, observation: Observation) -> Decision:
        """Append the screen, let the model write, read the call."""
        return self.policy.decide_many([(self, observation)])[0]

    def read(self, observation: Observation) -> StepInput:
        """Append the observation; the network has not seen it yet."""
        began_s = time.perf_counter()
        image_tokens, left_out = self._observe(observation)
        tokens = self.session.num_pending
        return StepInput(observation, tokens, image_tokens, time.perf_counter() - began_s, left_out)

    def generation(self, on_text: TokenCallback | None) -> GenerationConfig:
        """Return how this step's answer is sampled."""
        return GenerationConfig(
            self.policy.limits.max_new_tokens,
            self._stop_words(),
            self._sampling(),
            self.policy.grammars.of(self._space),
            on_text,
        )

    def conclude(self, prompt: StepInput, answer: Generation) -> Decision:
        """Read the call that the model wrote, and count the step."""
        began_s = time.perf_counter()
        self._step += 1
        coordinates = Coordinates(screen=prompt.observation.geometry.screen)
        parsed = self.policy.layout.codec.parse(answer.text, self._space, coordinates)
        if self.policy.grammars.is_on and answer.stop_reason == "length":
            parsed = parsed.cut_off(len(answer.token_ids))
        if parsed.action is not None:
            self._earlier = [*self._earlier, parsed.action][-MOST_EARLIER:]
        return Decision(
            thought=parsed.thought,
            action=parsed.action,
            error=parsed.error,
            raw_text=answer.text,
            not_performed=parsed.not_performed,
            timings_s={
                "preprocess": prompt.preprocess_s,
                "vision": answer.vision_s,
                "prefill": answer.prefill_s,
                "decode": answer.decode_s,
                "parse": time.perf_counter() - began_s,
            },
            tokens={
                "prompt": prompt.tokens,
                "image": prompt.image_tokens,
                "generated": len(answer.token_ids),
                "forced": answer.forced_tokens,
                "history": self.session.num_tokens,
                "screens": self.session.num_visuals,
                "restarts": self._restarts,
                **({"cut_characters": prompt.left_out} if prompt.left_out else {}),
            },
        )

    def _observe(self, observation: Observation) -> tuple[int, int]:
        """Append the observation, in a new session where the old one has no room for it.

        Returns:
            The screen's tokens, and how many characters of the texts were left out.
        """
        limits, layout = self.policy.limits, self.policy.layout
        words = observation_words(observation.text, observation.feedback)
        newest_only = self.policy.newest_only
        if self._step and not newest_only and len(words) <= limits.max_positions * LONGEST_TOKEN:
            image_tokens = self._append(layout.following(words), observation)
            if self._has_room():
                return image_tokens, 0
        if self._step:
            self._restarts += not newest_only
            self._session = None
        longest = max(len(words), len(self._task))
        if longest <= limits.max_positions * LONGEST_TOKEN:
            image_tokens = self._open(self._task, words, observation)
            if self._has_room():
                return image_tokens, 0
            self._session = None
        return self._open_cut(words, observation)

    def _has_room(self) -> bool:
        """Make room for what was appended and an answer; return whether there is."""
        policy, limits = self.policy, self.policy.limits
        return make_room(self.session, policy.history, limits.fullest_tokens, limits.fullest)

    def _open(self, task: str, words: str, observation: Observation) -> int:
        """Append the screen and the task to the system prompt; returns the screen's tokens."""
        layout = self.policy.layout
        earlier = self._earlier if self.policy.newest_only else ()
        pieces = [ScreenSlot(), *layout.task(task, words, earlier)]
        return self._append(pieces, observation)

    def _open_cut(self, words: str, observation: Observation) -> tuple[int, int]:
        """Begin with what of the task and the words there is room for."""
        self._open("", "", observation)
        limits, session = self.policy.limits, self.session
        room = limits.fullest - session.num_positions
        if session.num_tokens > limits.fullest_tokens:
            raise UsageError(
                f"the history has room for {limits.max_tokens} tokens, where a screen alone needs "
                f"{session.num_tokens} and an answer {limits.max_new_tokens}: "
                "raise --cache-gb, or lower --max-pixels or --max-new-tokens"
            )
        room = max(0, min(room, limits.fullest_tokens - session.num_tokens))
        self._session = None
        task, said = fit([self._task, words], self.session.tokenizer, room)
        image_tokens = self._open(task.text, said.text, observation)
        return image_tokens, task.characters + said.characters

    def _append(self, pieces: list[Piece], observation: Observation) -> int:
        """Append the pieces, with one screen, before an answer; returns the screen's tokens."""
        image_tokens = 0
        for piece in pieces:
            if isinstance(piece, ScreenSlot):
                image_tokens, _ = self.session.cost_of(self._append_screen(observation))
            else:
                append_words(self.session, piece)
        self.session.begin_turn()
        return image_tokens

    def _append_screen(self, observation: Observation) -> int:
        """Append the screen as what it is: a video, where the observation has one, or a picture."""
        if observation.video is not None:
            return self.session.append_video(observation.video)
        return self.session.append_image(observation.pixels)

    def _stop_words(self) -> tuple[str, ...]:
        """The codec's stop words, also with the line end that the following template brings."""
        words = self.policy.layout.codec.stop_words
        return (*words, *(f"\n{word}" for word in words))

    def _sampling(self) -> Sampling:
        """Draw differently at each step: one generator serves one answer."""
        rule = self.policy.sampling
        return replace(rule, seed=self._seed * _SEED_STRIDE + self._step)


def append_words(session: Session, piece: Piece) -> None:
    """Append a piece of text; control tokens are live in the program's own words only."""
    if isinstance(piece, Plain):
        session.append_text(piece.text)
    elif isinstance(piece, Template):
        session.append_template(piece.text)


LONGEST_TOKEN = 32
"""Characters of a text are looked at up to so many a token: no more than these could be kept."""
_FOR_THE_NOTE = 64
"""Tokens kept free for the note, and for what the joint with other texts may cost."""


@dataclass(frozen=True)
class Cut:
    """A text as the model reads it.

    Attributes:
        text: The text, or its beginning with a note.
        characters: How many characters were left out.
    """

    text: str
    characters: int = 0


def fit(texts: Sequence[str], tokenizer: Tokenizer, most_tokens: int) -> list[Cut]:
    """Cut the longest of several texts until together they take no more than so many tokens.

    Args:
        texts: From outside, of any length.
        tokenizer: Of the model that reads them.
        most_tokens: For all of them; at least 0.

    Returns:
        The texts in their order.
    """
    read = [tokenizer.encode_text(text[: most_tokens * LONGEST_TOKEN]) for text in texts]
    whole = [len(text) <= most_tokens * LONGEST_TOKEN for text in texts]
    share = _share([len(ids) for ids in read], most_tokens)
    return [
        Cut(text) if complete and len(ids) <= share else _beginning(text, ids, share, tokenizer)
        for text, ids, complete in zip(texts, read, whole, strict=True)
    ]


def _share(lengths: Sequence[int], most: int) -> int:
    """Return the bound for each text at which all together take at most `most`."""
    left = most
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return share
        left -= length
    return most


def _beginning(text: str, ids: Sequence[int], share: int, tokenizer: Tokenizer) -> Cut:
    kept = tokenizer.decode(ids[: max(0, share - _FOR_THE_NOTE)]).rstrip("�")
    left_out = len(text) - len(kept)
    note = f"[cut: {left_out} of {len(text)} characters are left out]"
    return Cut(f"{kept}\n{note}" if kept else note, left_out)
