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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eyehand.errors import CheckpointError, MissingWeight, ShapeMismatch, UnexpectedWeight
from eyehand.model.json_object import read_object
from eyehand.model.qwen2vl.quantized import is_quantized
from eyehand.model.shown import shown, shown_names, shown_text
from eyehand.model.units import size_text

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
HEAD = "lm_head.weight"

_DTYPES = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
}
_ROTARY_BUFFER = re.compile(r"\brotary(_pos)?_emb\.(original_)?inv_freq$")
_SHARD = re.compile(r"\w[\w.-]{0,200}\.safetensors", re.ASCII)
_MAX_HEADER_BYTES = 4 * 10**6
"""Of all files together; those of the 72B model have 0.1 MB."""
_HEAD_ROWS = 4096
"""Rows of a stored head that are compared at a time."""


@dataclass(frozen=True)
class Stored:
    """One weight on disk: its file, its name there, its shape and dtype."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def count(self) -> int:
        """Numbers that it holds."""
        return math.prod(self.shape)


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


def stored_weights(files: list[Path]) -> dict[str, Stored]:
    """Return everything that is stored, by published name.

    Rotary frequencies, which old versions stored beside the weights, are left out: they follow
    from the configuration.

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
                    shape, dtype = tuple(entry.get_shape()), _dtype(file, name, entry.get_dtype())
                    found[published_name(name)] = Stored(file, name, shape, dtype)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{file}: not a readable safetensors file ({shown_text(str(error))})"
            ) from error
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
    unexpected = [entry.name for name, entry in stored.items() if name not in needed]
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


_UNTIED_HINT = (
    "; where the head is the embedding, as in the 2B model, config.json says so: "
    '"tie_word_embeddings": true'
)
_ADAPTER_HINT = (
    "; names with lora_ belong to an adapter (LoRA), which has to be merged into the model first"
)


def common_dtype(stored: Mapping[str, Stored]) -> torch.dtype | None:
    """Return the dtype of most numbers where weights are stored in several; else None.

    A network computes in one: rounding differs between parts otherwise, or nothing fits.
    """
    counts: Counter[torch.dtype] = Counter()
    for entry in stored.values():
        counts[entry.dtype] += entry.count
    return counts.most_common(1)[0][0] if len(counts) > 1 else None


def asked_bytes(
    stored: Mapping[str, Stored], dtype: torch.dtype | None, device: torch.device,
    int8: bool = False,
) -> int:  # fmt: skip
    """Return the memory that loading asks for; weights that stay mapped from their file need none.

    Args:
        stored: The weights.
        dtype: That they shall have; None keeps each as it is.
        device: Where they go.
        int8: Whether those of the layers are kept as int8.
    """
    total = 0
    for name, entry in stored.items():
        if int8 and is_quantized(name, entry.shape):
            total += entry.count
        elif device.type != "cpu" or dtype not in (None, entry.dtype):
            total += entry.count * (dtype or entry.dtype).itemsize
    return total


def tensors(
    stored: Mapping[str, Stored], dtype: torch.dtype | None, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight.

    A converted weight is read through a mapping of its own, which is released with the original,
    so that the stored and the converted weights never accumulate side by side.

    Args:
        stored: The weights.
        dtype: That they shall have; None keeps each as it is.
        device: Where they go.
    """
    shared: dict[Path, Any] = {}
    for name, entry in stored.items():
        if entry.file not in shared:
            shared[entry.file] = safe_open(entry.file, framework="pt")
        tensor = shared[entry.file].get_tensor(entry.name)
        if dtype in (None, tensor.dtype) and device.type == "cpu":
            yield name, tensor
            continue
        del shared[entry.file]
        yield name, tensor.to(device, dtype or tensor.dtype)


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


def _dtype(file: Path, name: str, dtype: str) -> torch.dtype:
    if dtype not in _DTYPES:
        raise CheckpointError(
            f"{file}: {shown_text(name)} is stored as {dtype}; expected one of "
            f"{', '.join(_DTYPES)} (quantised checkpoints are not supported)"
        )
    return _DTYPES[dtype]
