"""The embedded model's recipe: its sizes, its tokenizer, its view of a screen."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import (
    END_OF_TURN,
    Tokenizer,
    count_words,
    word_tokenizer,
)
from eyehand.model.qwen2vl.config import Qwen2VLConfig, TextConfig, VisionConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.documents import Document, read_shard, shards
from eyehand.model.training.tower import initialise_tower

MOST_WORDS = 500
"""So many frequent words of prompts and instructions are tokens; all others are spelled."""
POSITION_BIAS = 0.7
EARLIER = "\nEarlier: "
USUAL_SHARE = 0.1
"""Share of a source's documents below which a word is one of those that change, such as a name."""
QUOTED = re.compile(r'"[^"\n]*"')
_CONTROL = re.compile(r"<\|\w+\|>")

WHITE_MEAN = (1.0, 1.0, 1.0)
WHITE_STD = (0.35, 0.35, 0.35)
"""Mean and standard deviation of the channels, 0 to 1: paper is zero, ink is what is seen."""

SETTINGS = ImageSettings(
    patch_size=7, min_pixels=14 * 14, max_pixels=4 * 224 * 280, mean=WHITE_MEAN, std=WHITE_STD
)
"""A MiniWoB screen (224 x 280) is seen as it is, in 320 tokens; a phone's is scaled to 1,280."""


def embedded_config(tokenizer: Tokenizer) -> Qwen2VLConfig:
    """Return the embedded model's configuration: 12 million parameters.

    M-RoPE gives its sections to time, height and width from the highest frequency down. With the
    published base of a million the width of a small screen would turn by less than a hundredth of
    a radian; a base of 20 and few frequencies for time let every column differ.
    """
    width = 320
    ids = tokenizer.special_ids
    return Qwen2VLConfig(
        text=TextConfig(
            hidden_size=width,
            num_hidden_layers=6,
            num_attention_heads=5,
            num_key_value_heads=5,
            intermediate_size=960,
            vocab_size=tokenizer.vocab_size,
            rope_theta=20.0,
            mrope_section=(4, 14, 14),
            max_position_embeddings=4096,
            tie_word_embeddings=True,
        ),
        vision=tower_config(),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_ids=(ids["<|im_end|>"], ids["<|endoftext|>"]),
        pad_token_id=ids["<|endoftext|>"],
    )


def tower_config() -> VisionConfig:
    """Return the sizes of the tower that learns to read: 3.6 million parameters.

    A patch is about one letter wide. `silu` is one operation of the CPU where `quick_gelu`, the
    published activation, is three.
    """
    return VisionConfig(
        depth=6, embed_dim=192, num_heads=3, mlp_ratio=4, hidden_size=320, patch_size=7,
        hidden_act="silu",
    )  # fmt: skip


def new_model(config: Qwen2VLConfig, seed: int) -> Qwen2VLNetwork:
    """Return a network with random weights whose attention heeds position from the start.

    The biases of queries and keys are drawn, not zero: their product turns with the distance
    between two tokens and with nothing else, so that every head begins with a preference for some
    distances. The effect was not measured by itself.

    Args:
        config: The sizes.
        seed: Fixes the weights.
    """
    torch.manual_seed(seed)
    model = Qwen2VLNetwork(config)
    initialise_tower(model.visual, seed)
    _initialise_language(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_proj.bias", "k_proj.bias")):
                parameter.normal_(std=POSITION_BIAS)
            elif name.endswith("attn.qkv.bias"):
                queries_and_keys = 2 * parameter.shape[0] // 3
                parameter[:queries_and_keys].normal_(std=POSITION_BIAS)
    return model


def _initialise_language(model: Qwen2VLNetwork) -> None:
    """Draw the decoder's matrices with the width of what they read, residual branches smaller."""
    branches = (2 * model.config.text.num_hidden_layers) ** 0.5
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if parameter.ndim < 2 or "embed_tokens" in name:
                continue
            deviation = parameter.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                deviation /= branches
            parameter.normal_(std=deviation)


def usual_words(documents: Iterable[Document]) -> Counter[str]:
    """Return the words with which documents ask, and how many documents have them.

    A word counts where a tenth of a source's documents have it, so that names, dates and other
    things that change from one instruction to the next do not.
    """
    documents_of: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {}
    for document in documents:
        documents_of[document.source] += 1
        words = count_words(_asked(document))
        counts.setdefault(document.source, Counter()).update(words.keys())
    usual: Counter[str] = Counter()
    for source, found in counts.items():
        least = USUAL_SHARE * documents_of[source]
        usual.update({word: count for word, count in found.items() if count >= least})
    return usual


def _asked(document: Document) -> Iterator[str]:
    """Yield what a document asks, and its calls, without what is copied from somewhere.

    Quoted words, answers in words and earlier calls are of one screen or one instruction.
    """
    for parts in (document.trunk, *document.branches):
        in_words = bool(parts) and parts[-1].text == END_OF_TURN
        for part in parts:
            if not (part.learned and in_words and part.kind == "plain"):
                told = _CONTROL.sub("", part.text.partition(EARLIER)[0])
                yield QUOTED.sub('""', told)


def make_tokenizer(folder: Path | None, further_texts: Iterable[str] = ()) -> Tokenizer:
    """Make the tokenizer from the texts of a folder's shards and further texts.

    A token is a word with which instructions are put together. What changes from one to the next
    is spelled, so that its letters can be copied, and matched with those on a screen.

    Args:
        folder: The shards; None for the further texts alone.
        further_texts: Texts that are counted twice, so that none of their words is too rare.
    """
    counts = count_words(further_texts)
    counts.update(counts)
    packed = shards(folder) if folder else []
    counts.update(usual_words(itertools.chain.from_iterable(map(read_shard, packed))))
    return word_tokenizer(counts, MOST_WORDS)
