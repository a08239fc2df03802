"""Checkpoint folders: reading one without copying, writing one that transformers loads.

Two layouts of weight names are read. The published one is what this package's modules use::

    visual.*   model.embed_tokens.*   model.layers.*   model.norm.*   lm_head.*

The newer one, which some versions of transformers write, is renamed on the way in::

    model.visual.*   model.language_model.*   lm_head.*

Weights stay memory-mapped: nothing is read before it is used, and nothing is held twice.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from eyehand.errors import (
    BadConfig,
    CheckpointError,
    MissingWeight,
    ShapeMismatch,
    UnexpectedWeight,
    UsageError,
)
from eyehand.model.config import Qwen2VLConfig
from eyehand.model.memory import check_room, memory_told
from eyehand.model.qwen2vl import Qwen2VL

CONFIG_FILE = "config.json"
SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
HEAD = "lm_head.weight"
LOADING = "to load the weights"
MAX_SHARD_BYTES = 5 * 10**9

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_STORED_DTYPES = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F64": torch.float64,
}


@dataclass(frozen=True)
class _Stored:
    """One weight on disk: its file, its name there, its shape and dtype."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype


def load_checkpoint(
    folder: Path | str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Qwen2VL:
    """Load a Qwen2-VL folder.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``, or shards with their index.
        dtype: of the weights; None keeps the stored one, which on the CPU also keeps them
            memory-mapped: the files must then not be overwritten in place while in use.
        device: where the weights go.

    Returns:
        The model in evaluation mode; its parameters require gradients.

    Raises:
        BadConfig: the configuration is missing or unusable.
        MissingWeight: weights, a shard or the whole file are not there.
        UnexpectedWeight: there are weights without a place.
        ShapeMismatch: weights whose shape differs from the configuration's.
        CheckpointError: a file is not a readable safetensors file of floating-point weights.
        NotEnoughMemory: the weights do not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    with torch.device("meta"):
        model = Qwen2VL(config)
    files, target = _weight_files(folder), torch.device(device)
    with memory_told(target, LOADING, sum(file.stat().st_size for file in files)):
        _fill(model, folder, _stored_weights(files), dtype, target)
    return model.eval()


def _fill(
    model: Qwen2VL,
    folder: Path,
    stored: dict[str, _Stored],
    dtype: torch.dtype | None,
    device: torch.device,
) -> None:
    """Give every parameter of an empty model its stored weight."""
    needed = {name: tuple(p.shape) for name, p in model.named_parameters()}
    tied_head = stored.pop(HEAD, None) if model.config.text.tie_word_embeddings else None
    _compare(folder, needed, stored)
    check_room(_asked_bytes(stored, dtype, device), device, LOADING)
    for name, tensor in _tensors(stored, dtype, device):
        _assign(model, name, tensor)
    if tied_head is not None:
        _check_tied_head(tied_head, model.model.embed_tokens.weight)


def save_checkpoint(
    model: Qwen2VL,
    folder: Path | str,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write ``config.json`` and the weights, in the published layout of names.

    Files are written beside their final names and then renamed, so an interrupted write leaves
    no half file, and a model may be saved over the folder that it is mapped from.

    Args:
        model: the model to write.
        folder: created if needed; other files in it stay.
        dtype: of the stored weights; None keeps the model's.
        max_shard_bytes: above this the weights are split into shards with an index.

    Raises:
        CheckpointError: the folder cannot be written, for example because the disk is full.
    """
    folder = Path(folder)
    stored_dtype = dtype or model.dtype
    names = {kind: name for name, kind in _DTYPES.items()}
    if stored_dtype not in names:
        raise UsageError(f"dtype: expected one of {', '.join(_DTYPES)}, got {stored_dtype}")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    shards = _split(weights, stored_dtype.itemsize, max_shard_bytes)
    files = _shard_names(len(shards))
    for file, shard in zip(files, shards, strict=True):
        _write_weights(folder / file, {n: weights[n].to("cpu", stored_dtype) for n in shard})
    values = model.config.to_dict() | {"torch_dtype": names[stored_dtype]}
    _write_json(folder / CONFIG_FILE, values)
    _write_index(folder, dict(zip(files, shards, strict=True)), weights, stored_dtype)


def read_config(folder: Path) -> Qwen2VLConfig:
    """Read ``config.json``, and the end-of-text ids of ``generation_config.json`` if it is there.

    Raises:
        BadConfig: a file is missing, is not JSON, or does not describe a Qwen2-VL.
    """
    values = _read_json(folder / CONFIG_FILE, BadConfig)
    generation = folder / "generation_config.json"
    if generation.is_file():
        # The published config.json names one end-of-text id, the generation file both.
        found = _read_json(generation, BadConfig).get("eos_token_id")
        values |= {} if found is None else {"eos_token_id": found}
    try:
        return Qwen2VLConfig.from_dict(values)
    except BadConfig as error:
        raise BadConfig(f"{folder / CONFIG_FILE}: {error}") from error


def published_name(name: str) -> str:
    """Return the published spelling of a weight's name in either layout."""
    if name.startswith("model.visual."):
        return name.removeprefix("model.")
    return name.replace("model.language_model.", "model.", 1)


def _read_json(path: Path, kind: type[CheckpointError]) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise kind(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise kind(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values


def _weight_files(folder: Path) -> list[Path]:
    """The files that hold weights; every one exists."""
    if (folder / SINGLE_FILE).is_file():
        return [folder / SINGLE_FILE]
    if not (folder / INDEX_FILE).is_file():
        raise MissingWeight(f"{folder}: expected {SINGLE_FILE}, or shards with {INDEX_FILE}")
    weight_map = _read_json(folder / INDEX_FILE, CheckpointError).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{folder / INDEX_FILE}: expected a weight_map of names to files")
    files = sorted({Path(str(name)).name for name in weight_map.values()})
    absent = [name for name in files if not (folder / name).is_file()]
    if absent:
        lost = sorted(name for name, file in weight_map.items() if file in absent)
        raise MissingWeight(
            f"{folder}: missing shard(s) {', '.join(absent)}, which hold {len(lost)} weight(s): "
            f"{', '.join(lost)}"
        )
    return [folder / name for name in files]


def _stored_weights(files: list[Path]) -> dict[str, _Stored]:
    """Everything that is stored, by published name."""
    found = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as handle:
                for name in handle.keys():
                    entry = handle.get_slice(name)
                    shape, dtype = tuple(entry.get_shape()), _dtype(file, name, entry.get_dtype())
                    found[published_name(name)] = _Stored(file, name, shape, dtype)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file}: not a readable safetensors file ({error})") from error
    return found


def _dtype(file: Path, name: str, dtype: str) -> torch.dtype:
    if dtype not in _STORED_DTYPES:
        raise CheckpointError(
            f"{file}: {name} is stored as {dtype}; expected one of {', '.join(_STORED_DTYPES)} "
            "(quantised checkpoints are not supported)"
        )
    return _STORED_DTYPES[dtype]


def _asked_bytes(
    stored: Mapping[str, _Stored], dtype: torch.dtype | None, device: torch.device
) -> int:
    """Memory that loading asks for; weights that stay mapped from their file need none."""
    return sum(
        math.prod(entry.shape) * (dtype or entry.dtype).itemsize
        for entry in stored.values()
        if device.type != "cpu" or dtype not in (None, entry.dtype)
    )


def _compare(
    folder: Path, needed: Mapping[str, tuple[int, ...]], stored: Mapping[str, _Stored]
) -> None:
    """Raise one error that names every culprit; its class is that of the first kind found."""
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
        parts = [f"{len(names)} {what}: {', '.join(names)}" for _, what, names in found]
        raise found[0][0](f"{folder}: the weights do not fit config.json; {'; '.join(parts)}")


def _tensors(
    stored: Mapping[str, _Stored], dtype: torch.dtype | None, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight.

    A converted weight is read through a mapping of its own, which is released with the original,
    so that the stored and the converted weights never accumulate side by side.
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


def _assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, nn.Parameter(tensor))


def _check_tied_head(head: _Stored, embedding: Tensor) -> None:
    """A tied folder may store its head as well, if it is the embedding."""
    with safe_open(head.file, framework="pt") as handle:
        same = head.shape == tuple(embedding.shape) and torch.equal(
            handle.get_tensor(head.name).to(embedding), embedding
        )
    if not same:
        raise UnexpectedWeight(
            f"{head.file}: config.json ties the head to the embedding (tie_word_embeddings), "
            f"but {head.name} is stored and differs from it"
        )


def _split(weights: Mapping[str, Tensor], itemsize: int, limit: int) -> list[list[str]]:
    """Names of the weights of each shard, in order, each shard within ``limit`` bytes if it can."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, weight in weights.items():
        nbytes = weight.numel() * itemsize
        if shards[-1] and size + nbytes > limit:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += nbytes
    return shards


def _shard_names(count: int) -> list[str]:
    if count == 1:
        return [SINGLE_FILE]
    return [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]


def _write_index(
    folder: Path,
    shards: Mapping[str, list[str]],
    weights: Mapping[str, Tensor],
    dtype: torch.dtype,
) -> None:
    """Write the index of several shards; remove what would be read in place of the new files."""
    if len(shards) == 1:
        (folder / INDEX_FILE).unlink(missing_ok=True)
        return
    total = sum(weight.numel() for weight in weights.values()) * dtype.itemsize
    weight_map = {name: file for file, names in shards.items() for name in names}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    _write_json(folder / INDEX_FILE, index)
    (folder / SINGLE_FILE).unlink(missing_ok=True)


def _write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    ready = {name: weight.contiguous() for name, weight in weights.items()}
    _write(path, lambda partial: save_file(ready, partial, {"format": "pt"}))


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=2, sort_keys=True) + "\n"
    _write(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside ``path``, then rename over it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: could not be written ({error})") from error
    finally:
        partial.unlink(missing_ok=True)
