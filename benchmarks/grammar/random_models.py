"""Models whose scores are random, held to a grammar: whatever they write must be a call.

A model thinks a few random tokens, writes the dialect's opening keyword, and is random from there.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from gymnasium import spaces
from pydantic import BaseModel, Field
from torch import Tensor

from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.codecs import Codec, Parsed
from eyehand.actions.desktop import DESKTOP_ACTIONS
from eyehand.actions.gym import ActionMapping
from eyehand.actions.web import WEB_ACTIONS, GoTo, PressKeys, UploadFile
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model.inference.decoder import Decoder, Generation, GenerationConfig
from eyehand.model.inference.grammar import Grammar, Vocabulary
from eyehand.model.inference.sampling import Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig, TextConfig, VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.prompts.dialects import make_dialect

DIALECTS = ("keyword", "qwen", "tool_call")
_LONGEST_THOUGHT = 12
_CERTAIN = 1e9
Scores = Callable[[int], Tensor]
"""A model: from the number of tokens that it wrote to the scores of the next, (vocabulary,)."""

_SCALES = (0.5, 3.0, 9.0)


class Leg(BaseModel):
    """A part of a route."""

    metres: float = Field(gt=0, lt=100)
    turn: Literal["left", "right"] | None = None


class Drive(Action):
    """An action of a user, with fields of most kinds."""

    legs: list[Leg] = Field(min_length=1, max_length=3)
    label: str = Field(max_length=5)
    plate: str = Field(pattern=r"^[A-Z]{1,3}-[0-9]{1,4}$", examples=["AB-12"])
    gear: Literal[1, 2, 3] = 1
    load: tuple[int, bool] | None = Field(default=None, examples=[[3, True]])
    tags: dict[str, int] = Field(default_factory=dict, max_length=10**6)
    to: Point | None = None


def spaces_by_name() -> dict[str, ActionSpace]:
    """Return the action spaces that models are held to."""
    boxed = spaces.Dict(
        arm=spaces.Box(-1.0, 1.0, (4,)), speed=spaces.Box(0.0, float("inf")),
        tool=spaces.Discrete(3), keys=spaces.MultiBinary(2),
    )  # fmt: skip
    values = {"tool": ["claw", 'a "cup"', "none"]}
    return {
        "web": ActionSpace(WEB_ACTIONS), "phone": ActionSpace(ANDROID_ACTIONS),
        "desktop": ActionSpace(DESKTOP_ACTIONS),
        "gym, named": ActionMapping.from_space(
            spaces.Discrete(4), names=["go", "go_on", "go_back", "wait"]
        ).action_space,
        "gym, numbers": ActionMapping.from_space(boxed, values=values).action_space,
        "own": ActionSpace([Drive]), "narrowed": ActionSpace([GoTo, PressKeys, UploadFile]),
    }  # fmt: skip


@dataclass
class Tally:
    """What became of the answers.

    Attributes:
        outcomes: How often each thing happened.
        failures: The first answers that were not as they should be.
        tokens: Tokens of the calls and thoughts.
        forced: Those of them that were not chosen.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    tokens: int = 0
    forced: int = 0


class Room:
    """A tokenizer and a network that is only asked for its sizes.

    Args:
        tokenizer: Whatever models write with.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        ids, size = tokenizer.special_id, tokenizer.largest_id + 1 + 7
        self.network = Qwen2VLNetwork(
            Qwen2VLConfig(
                TextConfig(32, 1, 2, 1, 32, size, mrope_section=(2, 3, 3)),
                VisionConfig(1, 32, 2, 2, hidden_size=32),
                image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
                vision_start_token_id=ids("<|vision_start|>"),
                vision_end_token_id=ids("<|vision_end|>"), bos_token_id=tokenizer.pad_id,
                eos_token_ids=tokenizer.eos_ids, pad_token_id=tokenizer.pad_id,
            )
        ).eval()  # fmt: skip
        self.tokenizer, self.size = tokenizer, size
        self.vocabulary = Vocabulary(tokenizer, size)

    @cache  # noqa: B019
    def grammar(self, dialect: str, space: str) -> tuple[Grammar, Codec, ActionSpace]:
        """Return what holds a dialect's calls to a space."""
        codec, actions = make_dialect(dialect).codec, spaces_by_name()[space]
        call = codec.grammar(actions)
        if call is None:
            raise ValueError(f"{dialect} has no grammar")
        return Grammar(self.vocabulary, call.begins, call.rules, call.never), codec, actions


def rooms() -> list[Room]:
    """Return a room with words and letters, and one with pairs of bytes as Qwen2's."""
    texts = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    calls = [
        make_dialect(dialect).codec.write(ActionSpace(WEB_ACTIONS, seed=seed).sample())
        for dialect in DIALECTS for seed in range(200)
    ]  # fmt: skip
    pairs = train_tokenizer([*texts, *calls], 2000)
    return [Room(Tokenizer.from_folder(EMBEDDED_CHECKPOINT)), Room(pairs)]


def opening_of(codec: Codec) -> str:
    """Return what a call begins with."""
    return "✿FUNCTION✿" if codec.name == "keyword" else "<tool_call>"


def answer(
    room: Room, dialect: str, space: str, scores: Scores, seed: int, most_tokens: int
) -> tuple[Parsed, Generation]:
    """Let one model answer.

    Args:
        room: The tokenizer.
        dialect: How calls are written.
        space: Name of the action space.
        scores: The model.
        seed: Fixes what is drawn; an odd one draws, an even one takes the best token.
        most_tokens: Most tokens an answer.

    Returns:
        What the policy makes of the answer, and the answer.
    """
    grammar, codec, actions = room.grammar(dialect, space)
    session = Session(room.network, room.tokenizer, reserved_tokens=1)
    session.append_template("<|im_start|>assistant\n")
    drawn = Sampling(temperature=float(seed % 2), seed=seed)
    config = GenerationConfig(most_tokens, codec.stop_words, drawn, grammar)
    decoder = Decoder(session, config)
    with torch.inference_mode():
        begun = session.num_tokens
        while decoder.choose(scores(session.num_tokens - begun)):
            pass
        given = decoder.finish()
    parsed = codec.parse(given.text, actions)
    if given.stop_reason == "length":
        parsed = parsed.cut_off(len(given.token_ids))
    return parsed, given


def random_scores(room: Room, seed: int, opening: str) -> Scores:
    """Return a model that is random, but for what a call begins with."""
    generator = torch.Generator().manual_seed(seed)
    scale, thought = _SCALES[seed // 2 % len(_SCALES)], seed % _LONGEST_THOUGHT
    ends = torch.tensor([*room.tokenizer.eos_ids])
    keyword = room.tokenizer.encode_text(f"\n{opening}")

    def scores(place: int) -> Tensor:
        drawn = torch.randn(room.size, generator=generator) * scale
        if place < thought:
            drawn[ends] = -_CERTAIN
        elif place < thought + len(keyword):
            drawn[keyword[place - thought]] = _CERTAIN
        return drawn

    return scores


def tally(room: Room, dialect: str, space: str, seeds: Sequence[int], most_tokens: int) -> Tally:
    """Let random models answer, and look at each answer.

    Args:
        room: The tokenizer.
        dialect: How calls are written.
        space: Name of the action space.
        seeds: One a model.
        most_tokens: Most tokens an answer.
    """
    found = Tally()
    for seed in seeds:
        _, codec, actions = room.grammar(dialect, space)
        scores = random_scores(room, seed, opening_of(codec))
        parsed, given = answer(room, dialect, space, scores, seed, most_tokens)
        found.tokens += len(given.token_ids)
        found.forced += given.forced_tokens
        if parsed.action is not None:
            what = "a call" if actions.contains(parsed.action) else "outside the space"
        else:
            what = "cut" if given.stop_reason == "length" else "no call"
        found.outcomes[what] += 1
        if what in ("outside the space", "no call") and len(found.failures) < 5:
            found.failures.append(
                f"{dialect}, {space}, seed {seed}: {parsed.error}: {given.text!r}"
            )
    return found
