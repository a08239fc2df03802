"""Checkpoint folders: reading one without copying, writing one that transformers loads.

Weights stay memory-mapped: nothing is read before it is used, and nothing is held twice. Which
names and dtypes are read: `eyehand.model.stored_weights`.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.adapter import Adapter
from eyehand.model.folder import CONFIG_FILE, read_config, read_folder_packing
from eyehand.model.memory import check_room, memory_told
from eyehand.model.packed import Codes
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.int4 import Int4Linear
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.quantized import check_quantize, narrowed
from eyehand.model.qwen2vl.shapes import weight_shapes
from eyehand.model.stored_weights import (
    EMBEDDING,
    HEAD,
    INDEX_FILE,
    SINGLE_FILE,
    Stored,
    WeightTarget,
    asked_bytes,
    check_complete,
    check_tied_head,
    common_dtype,
    stored_weights,
    tensors,
    weight_files,
)

LOADING = "to load the weights"
MAX_SHARD_BYTES = 5 * 10**9

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_checkpoint(
    folder: Path | str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    quantize: str | None = None,
) -> Qwen2VLNetwork:
    """Load a Qwen2-VL folder.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``, or shards with their index.
        dtype: of the weights; None keeps the stored one (that of most, where they differ), which
            on the CPU also keeps them memory-mapped: the files must then not be overwritten in
            place while in use.
        device: where the weights go.
        quantize: "int8" or "int4" keeps the weights of the layers narrow, for inference alone.
            Weights that are stored in 4 bits keep them without it.

    Returns:
        The model in evaluation mode; its parameters require gradients.

    Raises:
        BadConfig: the configuration is missing or unusable.
        MissingWeight: weights, a shard or the whole file are not there.
        UnexpectedWeight: there are weights without a place.
        ShapeMismatch: weights whose shape differs from the configuration's.
        CheckpointError: a file is not a readable safetensors file of floating-point weights.
        NotEnoughMemory: the weights do not fit.
        UsageError: there is no such `quantize`.
    """
    check_quantize(quantize)
    folder = Path(folder)
    config = read_config(folder)
    files, where = weight_files(folder), torch.device(device)
    with memory_told(where, LOADING, sum(file.stat().st_size for file in files)):
        found = stored_weights(files, read_folder_packing(folder))
        stored = checked_weights(config, folder, found)
        return build_network(config, stored, WeightTarget(dtype, where, quantize))


def build_network(
    config: Qwen2VLConfig,
    stored: dict[str, Stored],
    target: WeightTarget,
    adapter: Adapter | None = None,
) -> Qwen2VLNetwork:
    """Build a model of weights that were compared with its configuration; see `load_checkpoint`.

    Args:
        config: The model's.
        stored: What `checked_weights` returned.
        target: What the weights become.
        adapter: Is merged into them.
    """
    with torch.device("meta"), _Unfilled():
        model = Qwen2VLNetwork(config)
    _fill(model, stored, replace(target, dtype=target.dtype or common_dtype(stored)), adapter)
    if target.placement is not None and len(target.placement.devices) > 1:
        model.split(target.placement)
    return model.eval()


class _Unfilled(TorchFunctionMode):
    """Draws no values for weights that hold none: that alone would load PyTorch's compiler."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def checked_weights(
    config: Qwen2VLConfig, folder: Path, stored: dict[str, Stored]
) -> dict[str, Stored]:
    """Return the weights of a model, after their headers were compared with its configuration.

    A configuration may ask for any size; what the files hold is what a model may be built of.

    Args:
        config: The model's.
        folder: The checkpoint's, for messages.
        stored: What there is, by published name.

    Raises:
        CheckpointError: a weight is missing, without a place, or has another shape.
    """
    head = stored.pop(HEAD, None) if config.text.tie_word_embeddings else None
    if head is not None and EMBEDDING not in stored:
        stored[EMBEDDING] = head  # the two are one, under either name
    needed = weight_shapes(config)
    check_complete(folder, needed, stored)
    if head is not None:
        check_tied_head(head, stored[EMBEDDING])
    return {name: entry for name, entry in stored.items() if name in needed}


def _fill(
    model: Qwen2VLNetwork, stored: dict[str, Stored], target: WeightTarget, adapter: Adapter | None
) -> None:
    """Give every parameter of an empty model its stored weight."""
    for device in dict.fromkeys(target.device_of(name) for name in stored):
        there = {name: one for name, one in stored.items() if target.device_of(name) == device}
        check_room(asked_bytes(there, target), device, LOADING)
    for name, value in tensors(stored, target):
        entry, owner = stored[name], name.removesuffix(".weight")
        if isinstance(value, Codes) and target.keeps_codes(name, entry):
            layer = Int4Linear(value.codes, value.steps(), None, value.order)
            _set(model, owner, layer.to(target.device_of(name)))
            continue
        plain = value.wide() if isinstance(value, Codes) else value
        if adapter is not None and name in adapter.changed:
            plain = adapter.merged(name, plain)
        kind = target.kind(name, entry)
        if kind is None:
            dtype = target.dtype or entry.dtype
            _assign(model, name, plain.to(target.device_of(name), dtype))
        else:
            _set(model, owner, narrowed(kind, plain).to(target.device_of(name)))


def _set(model: nn.Module, owner: str, layer: nn.Module) -> None:
    """Put a narrow layer in the place of a linear one, whose bias it keeps."""
    setattr(layer, "bias", getattr(model.get_submodule(owner), "bias", None))  # noqa: B010
    model.set_submodule(owner, layer)


def save_checkpoint(
    model: Qwen2VLNetwork,
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


def _assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, nn.Parameter(tensor))


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
