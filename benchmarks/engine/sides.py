"""The sides of the benchmark: one conversation each, that is shown a screen and answers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import UsageError
from eyehand.model.folder import read_config
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.bounded_history import HistoryRule, make_room
from eyehand.model.inference.constraint import TokenRule
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.session import RESERVED_TOKENS, Session
from eyehand.model.inference.visual_cache import VisualEncoder
from eyehand.model.inputs.image import UInt8Array, preprocess
from eyehand.model.inputs.image_settings import ImageSettings, read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.mrope import position_ids

OPENING = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
TURN = "<|im_end|>\n<|im_start|>assistant\n"
NEXT = "<|im_end|>\n<|im_start|>user\n"
WORDS = "The page has changed. Title: a page with a button, a list and a field. Go on."
POSITIONS = 131_072
CPU = torch.device("cpu")


def shape(name: str) -> Qwen2VLConfig:
    """Return the sizes of "embedded", "136M", "2B" or "7B", with the embedded control tokens."""
    config = read_config(EMBEDDED_CHECKPOINT)
    text, vision = config.text, config.vision
    if name == "136M":
        text = replace(
            text, hidden_size=896, num_hidden_layers=14, num_attention_heads=14,
            num_key_value_heads=2, intermediate_size=2048, mrope_section=(8, 12, 12),
            rope_theta=1e6,
        )  # fmt: skip
        vision = replace(vision, depth=8, embed_dim=512, num_heads=8, hidden_size=896)
    if name in PUBLISHED:
        published = PUBLISHED[name]()
        text, vision = published.text, published.vision
    return replace(config, text=replace(text, max_position_embeddings=POSITIONS), vision=vision)


def with_word(names: Iterable[str], word: str | None) -> list[str]:
    """Return the names that hold a word; all where it is None.

    Raises:
        UsageError: none does.
    """
    chosen = [name for name in names if word is None or word in name]
    if not chosen:
        raise UsageError(f"--side: expected a word of {'; '.join(names)}, got {word!r}")
    return chosen


PUBLISHED = {"2B": Qwen2VLConfig.qwen2vl_2b, "7B": Qwen2VLConfig.qwen2vl_7b}


def model(name: str, device: torch.device = CPU, dtype: torch.dtype = torch.float32) -> Qwen2VL:
    """Return a model of a shape, with random weights that are the same in every run."""
    torch.manual_seed(0)
    with made_as(device, dtype):
        network = Qwen2VLNetwork(shape(name)).eval().requires_grad_(False)
    vision = network.config.vision
    settings = ImageSettings.of_model(vision)
    if name not in PUBLISHED:
        settings = read_image_settings(EMBEDDED_CHECKPOINT, vision)
    return Qwen2VL(network, Tokenizer.from_folder(EMBEDDED_CHECKPOINT), settings)


@contextmanager
def made_as(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Let modules that are made have their weights there at once: 7B do not fit twice."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


class Side(ABC):
    """A conversation.

    Attributes:
        name: What stands in the table.
    """

    name: str

    @abstractmethod
    def step(self, screen: UInt8Array, tokens: int) -> tuple[int, ...]:
        """Show a screen, and return an answer of so many tokens, greedy."""

    @property
    @abstractmethod
    def cache_bytes(self) -> int:
        """Memory of the keys and values that are held."""


def never(checkpoint: Qwen2VL) -> list[int]:
    """Return the ids that no side may write: those that end an answer, and placeholders."""
    config = checkpoint.network.config
    ends = {*config.eos_token_ids, *checkpoint.tokenizer.eos_ids}
    return sorted(ends | {config.image_token_id, config.video_token_id})


class Ours(Side):
    """eyehand under a history policy.

    Attributes:
        session: The conversation.
    """

    def __init__(
        self, checkpoint: Qwen2VL, history: str, max_tokens: int, reserved: int = RESERVED_TOKENS,
        encoder: VisualEncoder | None = None,
    ) -> None:  # fmt: skip
        self.name = f"eyehand, {history}"
        self._history, self._max_tokens = HistoryRule.named(history), max_tokens
        # Its own, mostly: no side sees what another encoded.
        encoder = encoder or VisualEncoder(checkpoint.network)
        self.session = Session(
            checkpoint.network, checkpoint.tokenizer, encoder=encoder,
            settings=checkpoint.settings,
            reserved_tokens=min(reserved, max_tokens),
        )  # fmt: skip
        self.session.cache.bound = max_tokens
        self._permitted = torch.ones(checkpoint.network.config.text.vocab_size, dtype=torch.bool)
        self._permitted[never(checkpoint)] = False

    def step(self, screen: UInt8Array, tokens: int) -> tuple[int, ...]:
        """Append, make room, generate."""
        self.show(screen, tokens)
        return generate([self.session], self.config(tokens))[0].token_ids

    def show(self, screen: UInt8Array, tokens: int) -> None:
        """Append a screen, and make room for it and an answer."""
        session = self.session
        session.append_template(NEXT if session.num_tokens else OPENING)
        session.append_image(screen)
        session.append_text(WORDS)
        session.append_template(TURN)
        session.begin_turn()
        make_room(session, self._history, self._max_tokens - tokens, POSITIONS - tokens)

    def config(self, tokens: int) -> GenerationConfig:
        """Return how an answer of so many tokens is written."""
        rule = TokenRule(lambda _: self._permitted, lasts=True)
        return GenerationConfig(tokens, constraint=rule)

    @property
    def num_tokens(self) -> int:
        """Length of the history."""
        return self.session.num_tokens

    @property
    def cache_bytes(self) -> int:
        """What is reserved."""
        return self.session.cache.nbytes


def shown(
    checkpoint: Qwen2VL, screen: UInt8Array, *, first: bool
) -> tuple[list[int], Tensor, Tensor]:
    """Return a step's new ids, and the screen's patches and grid."""
    encode = checkpoint.tokenizer
    seen = preprocess(screen, checkpoint.settings)
    picture = f"<|vision_start|>{'<|image_pad|>' * seen.num_tokens}<|vision_end|>"
    begin = OPENING if first else NEXT
    new = [*encode.encode_template(begin + picture), *encode.encode_text(WORDS)]
    return [*new, *encode.encode_template(TURN)], seen.patches, torch.tensor([seen.grid])


class Transformers(Side):
    """What both peers share: the network of transformers with the same weights, and the history."""

    def __init__(self, checkpoint: Qwen2VL, peer: Any = None) -> None:
        self._checkpoint = checkpoint
        self._peer = their_copy(checkpoint.network) if peer is None else peer
        self._ids: list[int] = []
        self._never = never(checkpoint)

    def _shown(self, screen: UInt8Array) -> tuple[list[int], Tensor, Tensor]:
        return shown(self._checkpoint, screen, first=not self._ids)


class FromScratch(Transformers):
    """`generate` over the whole history at every step, as it is commonly called."""

    name = "transformers, from scratch"
    cache_bytes = 0

    def __init__(self, checkpoint: Qwen2VL, peer: Any = None) -> None:
        super().__init__(checkpoint, peer)
        self._patches: list[Tensor] = []
        self._grids: list[Tensor] = []

    def take_in(self, screen: UInt8Array) -> None:
        """Append a step's words and its screen; only the new screen is preprocessed."""
        new, patches, grid = self._shown(screen)
        self._ids += new
        self._patches.append(patches)
        self._grids.append(grid)

    def pass_over(self, screen: UInt8Array, answer: tuple[int, ...]) -> None:
        """Append a step with the answer of another side, without computing it."""
        self.take_in(screen)
        self._ids += answer

    def step(self, screen: UInt8Array, tokens: int) -> tuple[int, ...]:
        """Read everything again."""
        self.take_in(screen)
        ids = torch.tensor([self._ids])
        image = self._checkpoint.network.config.image_token_id
        out = self._peer.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids),
            pixel_values=torch.cat(self._patches), image_grid_thw=torch.cat(self._grids),
            mm_token_type_ids=(ids == image).int(), max_new_tokens=tokens, min_new_tokens=tokens,
            do_sample=False, suppress_tokens=self._never,
        )  # fmt: skip
        answer = tuple(out[0, len(self._ids) :].tolist())
        self._ids += answer
        return answer


class KeptCache(Transformers):
    """`forward` with its own cache kept and explicit positions: transformers at its best."""

    name = "transformers, cache kept"

    def __init__(self, checkpoint: Qwen2VL) -> None:
        from transformers import DynamicCache

        super().__init__(checkpoint)
        self._cache: Any = DynamicCache()
        self._next = 0

    @property
    def cache_bytes(self) -> int:
        """What is held."""
        return sum(x.nbytes for layer in self._cache.layers for x in (layer.keys, layer.values))

    def step(self, screen: UInt8Array, tokens: int) -> tuple[int, ...]:
        """Read what is new with the last token, which has no keys yet; then a token a pass."""
        new, patches, grid = self._shown(screen)
        pending = [*self._ids[-1:], *new]
        self._ids += new
        shown = {"pixel_values": patches, "image_grid_thw": grid}
        answer: list[int] = []
        while len(answer) < tokens:
            answer.append(self._pass(pending, grid.tolist() if shown else [], shown))
            pending, shown = answer[-1:], {}
        self._ids += answer
        return tuple(answer)

    def _pass(self, ids: Sequence[int], grids: list[Any], shown: dict[str, Tensor]) -> int:
        config, given = self._checkpoint.network.config, torch.tensor([list(ids)])
        positions, self._next = position_ids(given[0], grids, config, self._next)
        scores = self._peer(
            input_ids=given, position_ids=positions[:, None], past_key_values=self._cache,
            use_cache=True, logits_to_keep=1,
            mm_token_type_ids=(given == config.image_token_id).int(), **shown,
        ).logits[0, -1]  # fmt: skip
        scores[self._never] = -torch.inf
        return int(scores.argmax())


def their_copy(network: Qwen2VLNetwork) -> Any:
    """Return transformers' network with the same weights, where the other one lies."""
    from transformers import Qwen2VLConfig as Config
    from transformers import Qwen2VLForConditionalGeneration

    with made_as(network.device, network.dtype):
        peer = Qwen2VLForConditionalGeneration(Config(**network.config.to_dict())).eval()
    renamed = {_their_name(n): p.detach() for n, p in network.named_parameters()}
    peer.load_state_dict(renamed, strict=False)
    peer.tie_weights()
    return peer


def _their_name(name: str) -> str:
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1)
