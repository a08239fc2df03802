"""LoRA adapters as `peft` writes them: checked against a model's weights, merged while it loads."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from eyehand.errors import CheckpointError, ShapeMismatch, UnexpectedWeight
from eyehand.model.folder import ADAPTER_FILE, ADAPTER_WEIGHTS, check_adapter
from eyehand.model.shown import shown, shown_names, shown_text
from eyehand.model.stored_weights import (
    EMBEDDING,
    HEAD,
    Stored,
    published_name,
    read,
    stored_weights,
)

_PREFIX = "base_model.model."
_PART = re.compile(r"(.+)\.lora_([AB])\.weight")
_PLAIN = re.compile(r"[\w.]+")


@dataclass(frozen=True)
class _Product:
    down: Stored
    up: Stored
    scale: float


@dataclass(frozen=True)
class Adapter:
    """What an adapter's folder changes.

    Attributes:
        folder: Where it lies.
        base: The model that it was made for, as it says; empty where it does not.
    """

    folder: Path
    base: str
    _products: Mapping[str, _Product]
    _whole: Mapping[str, Stored]

    @property
    def changed(self) -> frozenset[str]:
        """The published names of the weights that it changes."""
        return frozenset(self._products) | frozenset(self._whole)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """Return a weight that it changes, in float32.

        Args:
            name: The weight's published name.
            weight: The model's, any float dtype.
        """
        wide = (read(self._whole[name]) if name in self._whole else weight).float()
        product = self._products.get(name)
        if product is None:
            return wide
        down, up = read(product.down).float(), read(product.up).float()
        return wide.addmm(up, down, alpha=product.scale)


def read_adapter(folder: Path | str, model: Mapping[str, Stored], tied: bool) -> Adapter:
    """Compare an adapter with the weights of a model.

    Args:
        folder: As `peft` wrote it, with `adapter_config.json` and `adapter_model.safetensors`.
        model: The weights, by published name.
        tied: Whether the model's head is its embedding.

    Raises:
        UsageError: there is no such folder.
        CheckpointError: it holds no adapter that can be merged into this model.
    """
    folder = Path(folder).expanduser()
    values = check_adapter(folder)
    stored = stored_weights([folder / ADAPTER_WEIGHTS])
    pairs: dict[str, dict[str, Stored]] = {}
    whole, strange = {}, []
    for entry in stored.values():
        path = entry.name.removeprefix(_PREFIX).replace(".base_layer.", ".")
        part = _PART.fullmatch(path)
        name = published_name(f"{part[1]}.weight" if part else path)
        if name not in model or (tied and name in (EMBEDDING, HEAD)):
            strange.append(entry.name)
        elif part:
            pairs.setdefault(name, {})[part[2]] = entry
        else:
            whole[name] = entry
    base = values.get("base_model_name_or_path")
    base = shown_text(base) if isinstance(base, str) else ""
    if strange or not stored:
        _refuse_strange(folder, strange, base)
    _check_shapes(folder, pairs, whole, model, base)
    scale = _scale_of(folder / ADAPTER_FILE, values)
    products = {
        name: _Product(pair["A"], pair["B"], scale(pair["A"])) for name, pair in pairs.items()
    }
    return Adapter(folder, base, products, whole)


def _refuse_strange(folder: Path, strange: list[str], base: str) -> None:
    if not strange:
        raise CheckpointError(f"{folder / ADAPTER_WEIGHTS} holds no weights")
    raise UnexpectedWeight(
        f"{folder / ADAPTER_WEIGHTS}: {len(strange)} weight(s) have no place in this model"
        f"{_of(base)}: {shown_names(strange)}"
    )


def _of(base: str) -> str:
    return f" (the adapter was made for {base})" if base else ""


def _check_shapes(
    folder: Path, pairs: Mapping[str, Mapping[str, Stored]], whole: Mapping[str, Stored],
    model: Mapping[str, Stored], base: str,
) -> None:  # fmt: skip
    wrong = [f"{entry.name} ({entry.shape} for {model[name].shape})"
             for name, entry in whole.items() if entry.shape != model[name].shape]  # fmt: skip
    for name, pair in pairs.items():
        shape = model[name].shape
        if len(pair) < 2:
            (only,) = pair.values()
            raise CheckpointError(f"{folder / ADAPTER_WEIGHTS}: {only.name} has no counterpart")
        down, up = pair["A"].shape, pair["B"].shape
        fits = len(down) == len(up) == 2 and down[0] == up[1] > 0
        if not fits or (up[0], down[1]) != shape:
            wrong.append(f"{name} ({up} by {down} for {shape})")
    if wrong:
        raise ShapeMismatch(
            f"{folder}: the adapter is for a model of other sizes{_of(base)}: {shown_names(wrong)}"
        )


def _scale_of(path: Path, values: Mapping[str, Any]) -> Callable[[Stored], float]:
    """Return what says the factor of a product, by the first of its two matrices."""
    alphas, ranks = (_patterns(path, values, f"{name}_pattern") for name in ("alpha", "rank"))

    def scale(down: Stored) -> float:
        module = down.name.removeprefix(_PREFIX).removesuffix(".lora_A.weight")
        rank, alpha = down.shape[0], _of_module(alphas, module, values.get("lora_alpha"))
        said = _of_module(ranks, module, values.get("r"))
        if said != rank:
            raise CheckpointError(
                f"{path}: {shown_text(module)} has rank {rank}, and r says {shown(said)}"
            )
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
            raise CheckpointError(f"{path}: lora_alpha: expected a number, got {shown(alpha)}")
        return float(alpha) / (math.sqrt(rank) if values.get("use_rslora") else rank)

    return scale


def _patterns(path: Path, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name) or {}
    if not isinstance(found, dict) or not all(_PLAIN.fullmatch(key) for key in found):
        raise CheckpointError(f"{path}: {name}: expected names of modules, got {shown(found)}")
    return found


def _of_module(patterns: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    ends = (key for key in patterns if f".{module}".endswith(f".{key}"))
    key = next(ends, None)
    return otherwise if key is None else patterns[key]
