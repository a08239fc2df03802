"""The configuration of a Qwen2-VL model, read from and written to ``config.json``.

Two spellings are read: the flat one of the published checkpoints (the language model's fields at
the top level, the vision tower's under ``vision_config``) and the nested one that transformers 5
writes (``text_config`` beside ``vision_config``). The flat one is written; transformers reads both.
Field names and defaults are those of the published ``Qwen/Qwen2-VL-*-Instruct`` folders. Versions
4.45 to 4.51 of transformers left out of ``vision_config`` what is as in the architecture, which is
the same tower in all published sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeGuard

from eyehand.errors import BadConfig
from eyehand.model.shown import shown

VISION_ROPE_THETA = 1e4
"""Base of the vision tower's rotary frequencies, the same in all Qwen2-VL models."""


MOST_LAYERS = 512
"""Of either tower; the 72B model has 80."""
LARGEST_SIZE = 2**31 - 1
"""Of anything that is counted: what the weights' headers say decides below this."""

_LAYERS = ("depth", "num_hidden_layers")
_LARGEST_NUMBER = 1e30


def _require(condition: bool, field: str, problem: str) -> None:
    if not condition:
        raise BadConfig(f"{field}: {problem}")


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_positive(owner: str, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        is_count, got = _is_int(value) and value > 0, f"got {shown(value)}"
        _require(is_count, f"{owner}.{name}", f"expected a positive integer, {got}")
        most = MOST_LAYERS if name in _LAYERS else LARGEST_SIZE
        fits = _is_int(value) and value <= most
        _require(fits, f"{owner}.{name}", f"expected at most {most}, {got}")


def _require_number(field: str, value: object) -> None:
    is_number = (_is_int(value) or isinstance(value, float)) and 0 < value <= _LARGEST_NUMBER
    _require(is_number, field, f"expected a number above 0, got {shown(value)}")


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower: sizes in units of its own width, patches in pixels and frames.

    ``hidden_size`` is the language model's width, to which the merger projects.
    """

    depth: int = 32
    embed_dim: int = 1280
    num_heads: int = 16
    mlp_ratio: int = 4
    patch_size: int = 14
    temporal_patch_size: int = 2
    spatial_merge_size: int = 2
    in_channels: int = 3
    hidden_size: int = 0
    hidden_act: str = "quick_gelu"

    def __post_init__(self) -> None:
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "hidden_act"}
        _require_positive("vision_config", counts)
        _require(
            self.embed_dim % (4 * self.num_heads) == 0,
            "vision_config.embed_dim",
            f"{self.embed_dim} over {self.num_heads} heads must give a head size divisible by 4",
        )
        _require(
            self.hidden_act in ("quick_gelu", "gelu", "silu"),
            "vision_config.hidden_act",
            f"expected quick_gelu, gelu or silu, got {shown(self.hidden_act)}",
        )
        _require(
            self.in_channels == 3,
            "vision_config.in_channels",
            f"pictures have 3 channels, got {self.in_channels}",
        )

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.embed_dim // self.num_heads

    @property
    def patch_values(self) -> int:
        """Values in one flattened patch (1176 for 3 channels, 2 frames, 14 by 14 pixels)."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def merge_area(self) -> int:
        """Patches that become one token of the language model (4)."""
        return self.spatial_merge_size**2


@dataclass(frozen=True)
class TextConfig:
    """The language model. ``mrope_section`` splits half a head between time, height and width."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int
    rope_theta: float = 1e6
    mrope_section: tuple[int, int, int] = (16, 24, 24)
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 32768
    tie_word_embeddings: bool = False

    def __post_init__(self) -> None:
        counts = (
            "hidden_size num_hidden_layers num_attention_heads num_key_value_heads "
            "intermediate_size vocab_size max_position_embeddings"
        ).split()
        _require_positive("text_config", {name: getattr(self, name) for name in counts})
        heads, key_heads = self.num_attention_heads, self.num_key_value_heads
        _require(
            self.hidden_size % (2 * heads) == 0,
            "text_config.hidden_size",
            f"{self.hidden_size} over {heads} heads must give an even head size",
        )
        _require(
            heads % key_heads == 0,
            "text_config.num_key_value_heads",
            f"{key_heads} does not divide num_attention_heads {heads}",
        )
        self._check_rope()

    def _check_rope(self) -> None:
        section = self.mrope_section
        is_triple = len(section) == 3 and all(_is_int(n) and n >= 0 for n in section)
        _require(
            is_triple and 2 * sum(section) == self.head_dim,
            "text_config.mrope_section",
            f"expected three counts that sum to half a head ({self.head_dim // 2}), "
            f"got {shown(section)}",
        )
        for name in ("rope_theta", "rms_norm_eps"):
            _require_number(f"text_config.{name}", getattr(self, name))

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True)
class Qwen2VLConfig:
    """A whole model: language model, vision tower and the ids of the special tokens."""

    text: TextConfig
    vision: VisionConfig
    image_token_id: int = 151655
    video_token_id: int = 151656
    vision_start_token_id: int = 151652
    vision_end_token_id: int = 151653
    bos_token_id: int = 151643
    eos_token_ids: tuple[int, ...] = (151645, 151643)
    pad_token_id: int = 151643

    def __post_init__(self) -> None:
        _require(
            self.vision.hidden_size == self.text.hidden_size,
            "vision_config.hidden_size",
            f"{self.vision.hidden_size} differs from the language model's {self.text.hidden_size}",
        )
        for name in _TOKEN_FIELDS:
            self._check_token(name, getattr(self, name))
        _require(bool(self.eos_token_ids), "eos_token_id", "expected at least one id")
        for token in self.eos_token_ids:
            self._check_token("eos_token_id", token)
        vision_ids = [getattr(self, name) for name in _VISION_TOKEN_FIELDS]
        _require(
            len(set(vision_ids)) == len(vision_ids),
            "image_token_id",
            f"{', '.join(_VISION_TOKEN_FIELDS)} must differ, got {vision_ids}",
        )

    def _check_token(self, name: str, token: object) -> None:
        inside = _is_int(token) and 0 <= token < self.text.vocab_size
        limit = self.text.vocab_size - 1
        got = shown(token)
        _require(inside, name, f"expected an id from 0 to {limit} (vocab_size), got {got}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the contents of a ``config.json``, flat or nested.

        Raises:
            BadConfig: a field is missing, malformed, unsupported or contradicts another.
        """
        return cls(**_read_config(values))

    def to_dict(self) -> dict[str, Any]:
        """Return the flat form of the published checkpoints, which transformers reads."""
        text, vision, ends = self.text, self.vision, self.eos_token_ids
        return {
            "architectures": ["Qwen2VLForConditionalGeneration"],
            "model_type": "qwen2_vl",
            **{name: getattr(self, name) for name in _TOKEN_FIELDS},
            "eos_token_id": list(ends) if len(ends) > 1 else ends[0],
            **{name: getattr(text, name) for name in _TEXT_FIELDS},
            "hidden_act": "silu",
            "attention_dropout": 0.0,
            "use_sliding_window": False,
            "rope_scaling": {"type": "mrope", "mrope_section": list(text.mrope_section)},
            "vision_config": {f.name: getattr(vision, f.name) for f in fields(vision)},
        }

    @classmethod
    def qwen2vl_2b(cls) -> Self:
        """The 2B model's shapes."""
        text = TextConfig(1536, 28, 12, 2, 8960, 151936, tie_word_embeddings=True)
        return cls(text, VisionConfig(hidden_size=1536))

    @classmethod
    def qwen2vl_7b(cls) -> Self:
        """The 7B model's shapes."""
        return cls(TextConfig(3584, 28, 28, 4, 18944, 152064), VisionConfig(hidden_size=3584))

    @classmethod
    def qwen2vl_72b(cls) -> Self:
        """The 72B model's shapes."""
        return cls(TextConfig(8192, 80, 64, 8, 29568, 152064), VisionConfig(hidden_size=8192))


_VISION_TOKEN_FIELDS = tuple(
    f"{name}_token_id" for name in ("image", "video", "vision_start", "vision_end")
)
_TOKEN_FIELDS = (*_VISION_TOKEN_FIELDS, "bos_token_id", "pad_token_id")
_TEXT_FIELDS = tuple(f.name for f in fields(TextConfig) if f.name != "mrope_section")


def _read_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constructor arguments of Qwen2VLConfig."""
    model_type = values.get("model_type", "qwen2_vl")
    _require(
        model_type == "qwen2_vl", "model_type", f"expected 'qwen2_vl', got {shown(model_type)}"
    )
    text = _section(values, "text_config") if "text_config" in values else values
    read = _read_text(text, tied=values.get("tie_word_embeddings", False))
    vision = _read_vision(_section(values, "vision_config"), read.hidden_size)
    found: dict[str, Any] = {"text": read, "vision": vision}
    for name in _TOKEN_FIELDS:
        value = values.get(name, text.get(name))
        if value is not None:
            found[name] = value
    eos = values.get("eos_token_id", text.get("eos_token_id"))
    if eos is not None:
        found["eos_token_ids"] = tuple(eos) if isinstance(eos, (list, tuple)) else (eos,)
    if "bos_token_id" in found:
        # The published folders name no padding; it is <|endoftext|>, which they call bos.
        found.setdefault("pad_token_id", found["bos_token_id"])
    return found


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    _require(isinstance(section, Mapping), name, f"expected an object, got {shown(section)}")
    found: Mapping[str, Any] = values[name]
    return found


def _switch(tied: object) -> bool:
    is_switch = tied is None or isinstance(tied, bool)
    _require(is_switch, "tie_word_embeddings", f"expected true or false, got {shown(tied)}")
    return tied is True


def _read_text(text: Mapping[str, Any], tied: object) -> TextConfig:
    _require(not text.get("use_sliding_window"), "use_sliding_window", "not supported, set false")
    act = text.get("hidden_act", "silu")
    _require(act == "silu", "hidden_act", f"expected 'silu', got {shown(act)}")
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    _require(isinstance(rope, Mapping), "rope_scaling", f"expected an object, got {shown(rope)}")
    kind = rope.get("rope_type", rope.get("type", "default"))
    _require(kind in ("default", "mrope"), "rope_scaling", f"unsupported kind {shown(kind)}")
    known = {name: text[name] for name in _TEXT_FIELDS if name in text}
    if known.get("num_key_value_heads", 0) is None:
        known["num_key_value_heads"] = known.get("num_attention_heads")
    known["tie_word_embeddings"] = _switch(tied) or _switch(text.get("tie_word_embeddings"))
    known.setdefault("rope_theta", rope.get("rope_theta", 1e6))
    section = rope.get("mrope_section", (16, 24, 24))
    is_list = isinstance(section, (list, tuple))
    _require(is_list, "mrope_section", f"expected a list, got {shown(section)}")
    return TextConfig(
        **_with_required("text_config", known, TextConfig), mrope_section=tuple(section)
    )


def _read_vision(vision: Mapping[str, Any], text_width: int) -> VisionConfig:
    # The published folders say in_chans where transformers 5 says in_channels.
    spelled = {"in_channels": vision["in_chans"], **vision} if "in_chans" in vision else vision
    known = {f.name: spelled[f.name] for f in fields(VisionConfig) if f.name in spelled}
    for name in ("patch_size", "temporal_patch_size"):
        sides = known.get(name)
        if isinstance(sides, (list, tuple)) and sides and sides == sides[:1] * len(sides):
            known[name] = sides[0]  # one number for each side, all equal
    rope = vision.get("rope_parameters") or {}
    _require(isinstance(rope, Mapping), "vision_config.rope_parameters", "expected an object")
    theta = rope.get("rope_theta", VISION_ROPE_THETA)
    _require(
        theta == VISION_ROPE_THETA,
        "vision_config.rope_theta",
        f"expected {VISION_ROPE_THETA:g}, got {shown(theta)}",
    )
    return VisionConfig(**{"hidden_size": text_width, **known})


def _with_required(owner: str, known: dict[str, Any], kind: type) -> dict[str, Any]:
    required = kind.__match_args__  # type: ignore[attr-defined]
    absent = [name for name in required if name not in known and not hasattr(kind, name)]
    _require(not absent, owner, f"missing {', '.join(absent)}")
    return known
