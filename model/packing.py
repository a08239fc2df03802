"""How AutoAWQ, AutoGPTQ and GPTQModel packed a folder's weights, as its config.json says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eyehand.errors import BadConfig, ShapeMismatch
from eyehand.model.shown import shown

SECTIONS = ("quantization_config", "compression_config")
"""Fields of a config.json that say that weights were quantised."""
PARTS = ("qweight", "qzeros", "scales", "g_idx")
_BITS = {"awq": (4,), "gptq": (4, 8)}


@dataclass(frozen=True)
class Packing:
    """How a folder's weights are packed.

    Attributes:
        method: "awq" or "gptq".
        bits: Of a code, 4 or 8.
        group: Inputs that share a scale; None is all of them.
        one_less: Whether zeros are stored less one.
    """

    method: str
    bits: int
    group: int | None
    one_less: bool = False

    def shape(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int]:
        """Return the shape (out, in) of the weight that tensors of these shapes make.

        Raises:
            ShapeMismatch: they do not fit together.
        """
        there = {part: shapes.get(part) for part in PARTS if part in shapes}
        words, share = shapes["qweight"], 32 // self.bits
        if len(words) == 2 and min(words) > 0:
            down, across = words
            out, width = (across * share, down) if self.method == "awq" else (across, down * share)
            group = self.group or width
            groups = width // group
            expected = {
                "qweight": words, "qzeros": (groups, out // share), "scales": (groups, out),
            } | ({"g_idx": (width,)} if "g_idx" in shapes else {})  # fmt: skip
            if there == expected and groups * group == width:
                return out, width
        raise ShapeMismatch(
            f"{name}: packed tensors of shapes {shown(there)} are no weight of {self.bits} bits in "
            f"groups of {self.group or 'a row'} ({self.method})"
        )


def read_packing(values: Mapping[str, Any]) -> Packing | None:
    """Return how the weights of a `config.json` are packed; None where they are plain.

    Raises:
        BadConfig: they are quantised in a way that is not read.
    """
    section = next((name for name in SECTIONS if values.get(name)), None)
    if section is None:
        return None
    found = values[section]
    method = found.get("quant_method") if isinstance(found, Mapping) else None
    if method not in _BITS:
        raise BadConfig(
            f"{section}: weights quantised by {shown(method)} are not read; expected awq or gptq, "
            "or take the plain model, which --quantize int4 makes as small"
        )
    bits, group = found.get("bits", found.get("w_bit")), found.get("group_size")
    group = found.get("q_group_size") if group is None else group
    layout = found.get("version") if method == "awq" else found.get("checkpoint_format")
    layout = layout.lower() if isinstance(layout, str) else layout
    _require(section, "bits", bits in _BITS[method] and type(bits) is int, bits, _BITS[method])
    whole = type(group) is int and (group == -1 or group > 0)
    _require(section, "group_size", whole, group, "a positive number or -1")
    if method == "awq":
        _require(section, "version", layout in (None, "gemm"), layout, "gemm")
        _require(section, "zero_point", found.get("zero_point") is not False, False, True)
    else:
        known = (None, "gptq", "gptq_v2")
        _require(section, "checkpoint_format", layout in known, layout, "gptq or gptq_v2")
        own = [rule for rule in found.get("dynamic") or () if not str(rule).startswith("-:")]
        _require(section, "dynamic", not own, own, "no layer with bits of its own")
    one_less = method == "gptq" and layout != "gptq_v2"
    return Packing(method, bits, None if group == -1 else group, one_less)


def _require(section: str, name: str, holds: bool, got: object, expected: object) -> None:
    if not holds:
        raise BadConfig(f"{section}.{name}: expected {expected}, got {shown(got)}")
