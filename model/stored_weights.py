"""The weights of a checkpoint's folder as they lie on disk, before any is read.

Two layouts of names are read. The published one is what this package's modules use::

    visual.*   model.embed_tokens.*   model.layers.*   model.norm.*   lm_head.*

The newer one, which some versions of transformers write, is renamed on the way in::

    model.visual.*   model.language_model.*   lm_head.*
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eyehand.errors import CheckpointError, MissingWeight, ShapeMismatch, UnexpectedWeight
from eyehand.model.json_object import read_object
from eyehand.model.packed import Codes, unpacked, usable
from eyehand.model.packing import PARTS, Packing
from eyehand.model.qwen2vl.placement import Placement
from eyehand.model.qwen2vl.quantized import is_of_a_layer, narrow_bytes, narrow_kind
from eyehand.model.shown import shown, shown_names, shown_text
from eyehand.model.units import size_text

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"

_DTYPES = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
}
_WHOLE = (".qweight", ".qzeros", ".g_idx")
"""Tensors of whole numbers, where weights are packed."""
_ROTARY_BUFFER = re.compile(r"\brotary(_pos)?_emb\.(original_)?inv_freq$")
_SHARD = re.compile(r"\w[\w.-]{0,200}\.safetensors", re.ASCII)
_MAX_HEADER_BYTES = 4 * 10**6
"""Of all files together; those of the 72B model have 0.1 MB."""
_HEAD_ROWS = 4096
"""Rows of a stored head that are compared at a time."""


@dataclass(frozen=True)
class Stored:
    """One weight on disk: its file, its name there, its shape and dtype.

    A packed one has `packing` and `parts`, the tensors that it is made of.
    """

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    packing: Packing | None = None
    parts: Mapping[str, "Stored"] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Numbers that it holds."""
        return math.prod(self.shape)

    @property
    def keeps_codes(self) -> bool:
        """Whether it is packed, and can be used in the 4 bits that it has."""
        return self.packing is not None and usable(self.packing, self.shape)


@dataclass(frozen=True)
class WeightTarget:
    """What weights shall become.

    Attributes:
        dtype: Of those that are not kept narrow; None keeps each as it is stored.
        device: Where they go.
        quantize: "int8" or "int4" keeps those of the layers narrow. Where it is None, weights that
            are stored in 4 bits keep them.
        changed: Names of those that an adapter changes.
        placement: Where each goes, where that is several devices; `device` is then its first.
    """

    dtype: torch.dtype | None
    device: torch.device
    quantize: str | None = None
    changed: frozenset[str] = frozenset()
    placement: Placement | None = None

    def device_of(self, name: str) -> torch.device:
        """Return where a weight goes."""
        return self.device if self.placement is None else self.placement.of(name)

    def kind(self, name: str, entry: Stored) -> str | None:
        """Return "int8" or "int4" for a weight that is kept narrow, else None."""
        quantize = self.quantize or ("int4" if entry.keeps_codes else None)
        return narrow_kind(name, entry.shape, quantize)

    def keeps_codes(self, name: str, entry: Stored) -> bool:
        """Return whether a weight is used in the very codes that it is stored in."""
        kept = entry.keeps_codes and self.quantize != "int8" and name not in self.changed
        return kept and is_of_a_layer(name, entry.shape)

    def maps(self, name: str, entry: Stored) -> bool:
        """Return whether a weight stays mapped from its file."""
        plain = entry.packing is None and self.kind(name, entry) is None
        as_stored = self.device_of(name).type == "cpu" and self.dtype in (None, entry.dtype)
        return plain and as_stored and name not in self.changed


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold weights; every one exists.

    Raises:
        MissingWeight: there are none, or a shard is missing.
        CheckpointError: the index is damaged, or names files elsewhere.
    """
    if (folder / SINGLE_FILE).is_file():
        return [folder / SINGLE_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise MissingWeight(f"{folder}: expected {SINGLE_FILE}, or shards with {INDEX_FILE}")
    weight_map = read_object(folder / INDEX_FILE, CheckpointError).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{folder / INDEX_FILE}: expected a weight_map of names to files")
    files = sorted({_shard(folder / INDEX_FILE, file) for file in weight_map.values()})
    absent = {name for name in files if not (folder / name).is_file()}
    if absent:
        lost = sorted(name for name, file in weight_map.items() if file in absent)
        raise MissingWeight(
            f"{folder}: missing shard(s) {shown_names(sorted(absent))}, which hold {len(lost)} "
            f"weight(s): {shown_names(lost)}"
        )
    return [folder / name for name in files]


def _shard(index: Path, file: object) -> str:
    """The name of a shard, which lies beside its index and nowhere else."""
    if isinstance(file, str) and _SHARD.fullmatch(file):
        return file
    raise CheckpointError(
        f"{index}: expected the name of a .safetensors file beside it, got {shown(file)}"
    )


def stored_weights(files: list[Path], packing: Packing | None = None) -> dict[str, Stored]:
    """Return everything that is stored, by published name.

    Rotary frequencies, which old versions stored beside the weights, are left out: they follow
    from the configuration.

    Args:
        files: The safetensors files.
        packing: How weights are packed; None: they are plain.

    Raises:
        CheckpointError: a file is not a readable safetensors file of floating-point weights.
    """
    _check_headers(files)
    found = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as handle:
                for name in handle.keys():
                    if _ROTARY_BUFFER.search(name):
                        continue
                    entry = handle.get_slice(name)
                    whole = packing is not None and name.endswith(_WHOLE)
                    dtype = _dtype(file, name, entry.get_dtype(), whole)
                    shape = tuple(entry.get_shape())
                    found[published_name(name)] = Stored(file, name, shape, dtype)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{file}: not a readable safetensors file ({shown_text(str(error))})"
            ) from error
    return found if packing is None else _with_packed(found, packing)


def _with_packed(found: dict[str, Stored], packing: Packing) -> dict[str, Stored]:
    """Put a weight in the place of the tensors that it is packed in."""
    owners = [name.removesuffix(".qweight") for name in found if name.endswith(".qweight")]
    for owner in owners:
        named = {part: found.pop(f"{owner}.{part}", None) for part in PARTS}
        parts = {part: entry for part, entry in named.items() if entry is not None}
        first = parts["qweight"]
        shape = packing.shape(owner, {part: entry.shape for part, entry in parts.items()})
        dtype = parts["scales"].dtype
        found[f"{owner}.weight"] = Stored(
            first.file, f"{owner}.weight", shape, dtype, packing, parts
        )
    return found


def _check_headers(files: list[Path]) -> None:
    """Look at the sizes of headers, which are read whole, before any is."""
    total = 0
    for file in files:
        try:
            with file.open("rb") as opened:
                total += int.from_bytes(opened.read(8), "little")
        except OSError as error:
            raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error
        if total > _MAX_HEADER_BYTES:
            raise CheckpointError(
                f"{file}: not a readable safetensors file (expected headers of at most "
                f"{size_text(_MAX_HEADER_BYTES)} in all, got {size_text(total)})"
            )


def published_name(name: str) -> str:
    """Return the published spelling of a weight's name in either layout."""
    if name.startswith("model.visual."):
        return name.removeprefix("model.")
    return name.replace("model.language_model.", "model.", 1)


def check_complete(
    folder: Path, needed: Mapping[str, tuple[int, ...]], stored: Mapping[str, Stored]
) -> None:
    """Raise one error that names every culprit; its class is that of the first kind found.

    Args:
        folder: The checkpoint's.
        needed: Shapes that the configuration asks for, by published name.
        stored: What there is.

    Raises:
        MissingWeight: a weight is not there.
        ShapeMismatch: a weight has another shape.
        UnexpectedWeight: there is a weight without a place.
    """
    missing = [name for name in needed if name not in stored]
    unexpected = [
        entry.name for name, entry in stored.items()
        if name not in needed and not _empty_bias(name, entry, stored)
    ]  # fmt: skip
    misshapen = [
        f"{name} (stored {stored[name].shape}, the configuration needs {shape})"
        for name, shape in needed.items()
        if name in stored and stored[name].shape != shape
    ]
    findings: list[tuple[type[CheckpointError], str, list[str]]] = [
        (MissingWeight, "missing", missing),
        (ShapeMismatch, "of another shape", misshapen),
        (UnexpectedWeight, "unexpected", unexpected),
    ]
    found = [finding for finding in findings if finding[2]]
    if found:
        parts = [f"{len(names)} {what}: {shown_names(names)}" for _, what, names in found]
        hint = _UNTIED_HINT if missing == [HEAD] else ""
        hint += _ADAPTER_HINT if any(".lora_" in name for name in unexpected) else ""
        raise found[0][0](f"{folder}: the weights do not fit config.json; {'; '.join(parts)}{hint}")


def _empty_bias(name: str, entry: Stored, stored: Mapping[str, Stored]) -> bool:
    """A bias of zeros beside a packed weight: some versions of AutoGPTQ gave one to every layer."""
    weight = stored.get(name.removesuffix(".bias") + ".weight")
    if not name.endswith(".bias") or weight is None or weight.packing is None:
        return False
    return entry.shape == weight.shape[:1] and not any(rows.any() for rows in _rows(entry))


_UNTIED_HINT = (
    "; where the head is the embedding, as in the 2B model, config.json says so: "
    '"tie_word_embeddings": true'
)
_ADAPTER_HINT = "; names with lora_ belong to an adapter (LoRA): give its folder as --adapter"


def common_dtype(stored: Mapping[str, Stored]) -> torch.dtype | None:
    """Return the dtype of most numbers where weights are stored in several; else None.

    A network computes in one: rounding differs between parts otherwise, or nothing fits.
    """
    counts: Counter[torch.dtype] = Counter()
    for entry in stored.values():
        counts[entry.dtype] += entry.count
    return counts.most_common(1)[0][0] if len(counts) > 1 else None


def asked_bytes(stored: Mapping[str, Stored], target: WeightTarget) -> int:
    """Return the memory that loading asks for; weights that stay mapped from their file need none.

    Args:
        stored: The weights.
        target: What they shall become.
    """
    total = 0
    for name, entry in stored.items():
        kind = target.kind(name, entry)
        if target.keeps_codes(name, entry):
            total += entry.count // 2 + 8 * entry.parts["scales"].count
        elif kind is not None:
            total += narrow_bytes(kind, entry.shape)
        elif not target.maps(name, entry):
            total += entry.count * (target.dtype or entry.dtype).itemsize
    return total


def tensors(
    stored: Mapping[str, Stored], target: WeightTarget
) -> Iterator[tuple[str, Tensor | Codes]]:
    """Yield every weight as it is stored; packed ones unpacked.

    One that shall become something else is read through a mapping of its own, which is released
    with it, so that the stored and the converted weights never accumulate side by side.
    """
    shared: dict[Path, Any] = {}
    for name, entry in stored.items():
        if entry.packing is not None:
            parts = {part: read(one) for part, one in entry.parts.items()}
            yield name, unpacked(name.removesuffix(".weight"), entry.packing, parts)
            del parts
        elif target.maps(name, entry):
            if entry.file not in shared:
                shared[entry.file] = safe_open(entry.file, framework="pt")
            yield name, shared[entry.file].get_tensor(entry.name)
        else:
            yield name, read(entry)


def read(entry: Stored) -> Tensor:
    """Return one tensor, mapped from its file on its own."""
    with safe_open(entry.file, framework="pt") as handle:
        tensor: Tensor = handle.get_tensor(entry.name)
    return tensor


def check_tied_head(head: Stored, embedding: Stored) -> None:
    """Permit that a tied folder stores its head as well, if it is the embedding.

    Where the two are stored in different dtypes they are the same up to the coarser one's rounding.

    Raises:
        UnexpectedWeight: it is something else.
    """
    exact = head.dtype == embedding.dtype
    if head.shape == embedding.shape and all(
        torch.equal(one, other) if exact else _same_but_rounded(one, other)
        for one, other in zip(_rows(head), _rows(embedding), strict=True)
    ):
        return
    raise UnexpectedWeight(
        f"{head.file}: config.json ties the head to the embedding (tie_word_embeddings), "
        f"but {shown_text(head.name)} is stored and differs from it"
    )


def _rows(entry: Stored) -> Iterator[Tensor]:
    with safe_open(entry.file, framework="pt") as handle:
        lazily = handle.get_slice(entry.name)
        for start in range(0, entry.shape[0], _HEAD_ROWS):
            yield lazily[start : start + _HEAD_ROWS]


def _same_but_rounded(one: Tensor, other: Tensor) -> bool:
    """Compare within the rounding of bfloat16, and of float16 near zero."""
    return torch.allclose(one.float(), other.float(), rtol=2**-7, atol=2**-24)


def _dtype(file: Path, name: str, dtype: str, whole: bool) -> torch.dtype:
    known = {"I32": torch.int32} if whole else _DTYPES
    if dtype not in known:
        hint = "" if whole else " (config.json says nothing of quantised weights)"
        raise CheckpointError(
            f"{file}: {shown_text(name)} is stored as {dtype}; expected {' or '.join(known)}{hint}"
        )
    return known[dtype]
