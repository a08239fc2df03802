"""A checkpoint's folder: found by its name, and looked at before torch or a weight is loaded."""

import shutil
from pathlib import Path
from typing import Any

from eyehand.errors import BadConfig, CheckpointError, UsageError
from eyehand.model.inputs.image_settings import read_image_settings
from eyehand.model.json_object import read_object
from eyehand.model.packing import Packing, read_packing
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.shown import shown, shown_text

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
_OF_WEIGHTS = (CONFIG_FILE, "model.safetensors.index.json", "model_card.json", "recipe.json")
"""Files that belong to the weights as they are."""
_SAMPLED = ("temperature", "top_k", "top_p", "repetition_penalty")
ADAPTER_FILE = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_REQUIRED = (
    (CONFIG_FILE,),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.json"),
)

_UNSUPPORTED = (
    "use_dora", "lora_bias", "fan_in_fan_out", "layer_replication", "trainable_token_indices",
    "alora_invocation_tokens", "target_parameters", "use_qalora", "use_bdlora", "arrow_config",
    "kasa_config", "monteclora_config", "velora_config",
)  # fmt: skip
"""Fields that, where they say something, make an adapter more than a product that is added."""
_CHANGES_BASE = ("pissa", "olora", "loftq", "corda", "lora_ga")
"""Ways to begin after which the model itself was changed."""


def resolve(model: str | Path, *, cache_dir: Path | None = None) -> Path:
    """Finds a model's folder, downloading it when it is not there.

    Args:
        model: An existing folder, or a Hub id such as `Qwen/Qwen2-VL-2B-Instruct`, to which
            `@REVISION` may be added. A folder comes first.
        cache_dir: Where downloads are kept; None: Hugging Face's usual place.

    Returns:
        A folder that holds a configuration, weights and a tokenizer.

    Raises:
        UsageError: Neither a folder nor an id, no such repository, no network, or no room.
        CheckpointError: The folder lacks files (all are named), or holds an adapter.
        BadConfig: The model on the Hub is of another kind; nothing else was fetched then.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        from eyehand.model.download import download

        folder = download(*_hub_name(model), cache_dir, _check_kind, _missing)
    lacks = _missing({path.name for path in folder.iterdir() if path.is_file()})
    if lacks:
        _refuse_adapter(folder)
        raise CheckpointError(f"{folder} is no complete model: it lacks {', '.join(lacks)}")
    return folder


def check_model(model: str | Path) -> None:
    """Looks at a model's name, and at its folder where it has one, without loading anything.

    A model on the Hub is not looked up.

    Raises:
        UsageError: It is neither a folder nor the name of a Hub model.
        CheckpointError: What a folder lacks, or says of itself, makes it unusable.
    """
    if Path(model).expanduser().is_dir():
        folder = resolve(model)
        read_image_settings(folder, read_config(folder).vision)
        read_folder_packing(folder)
    else:
        _hub_name(model)


def _hub_name(model: str | Path) -> tuple[str, str | None]:
    from eyehand.model.download import parse_hub_name

    named = None if isinstance(model, Path) else parse_hub_name(model)
    if named is None:
        raise UsageError(
            f"there is no model folder {Path(model).expanduser()}; give an existing folder or a "
            "Hub id such as Qwen/Qwen2-VL-2B-Instruct"
        )
    return named


def _missing(names: set[str]) -> list[str]:
    """What a model needs beside files of these names."""
    return [" or ".join(either) for either in _REQUIRED if names.isdisjoint(either)]


def _check_kind(folder: Path) -> None:
    """Looks at the configuration alone.

    Raises:
        BadConfig: It is no Qwen2-VL's.
        CheckpointError: There is none, because this is an adapter.
    """
    if not (folder / CONFIG_FILE).is_file():
        _refuse_adapter(folder)
    read_config(folder)
    read_folder_packing(folder)


def _refuse_adapter(folder: Path) -> None:
    path = folder / ADAPTER_FILE
    if path.is_file():
        base = read_object(path, CheckpointError).get("base_model_name_or_path")
        of_base = f" of {shown_text(base)}" if isinstance(base, str) and base else ""
        raise CheckpointError(
            f"{folder} holds an adapter (LoRA){of_base}, not a model: give it as --adapter, and "
            "its model as --model"
        )


def check_adapter(folder: Path | str) -> dict[str, Any]:
    """Look at an adapter's folder without reading its weights; return its configuration.

    Raises:
        UsageError: there is no such folder.
        CheckpointError: it holds no adapter, or one of a kind that is not supported.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise UsageError(f"there is no adapter folder {folder}")
    for name in (ADAPTER_FILE, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} holds no adapter (LoRA): it lacks {name}")
    values, path = read_object(folder / ADAPTER_FILE, CheckpointError), folder / ADAPTER_FILE
    kind = values.get("peft_type")
    if kind != "LORA":
        raise CheckpointError(f"{path}: expected the peft_type 'LORA', got {shown(kind)}")
    given = [name for name in _UNSUPPORTED if values.get(name)]
    begun = values.get("init_lora_weights")
    if isinstance(begun, str) and begun.lower().startswith(_CHANGES_BASE):
        given.append("init_lora_weights")
    if given:
        raise CheckpointError(
            f"{path}: {given[0]} is {shown(values[given[0]])}, which is not supported: merge the "
            "adapter with peft (merge_and_unload) and give the folder that this makes as --model"
        )
    return values


def read_sampling(folder: Path) -> dict[str, float]:
    """Return how a folder's ``generation_config.json`` samples: the fields of `Sampling` it has.

    Without ``do_sample`` the best token is taken, whatever else is said.

    Raises:
        BadConfig: the file is not JSON, or a field is no number.
    """
    path, found = folder / GENERATION_FILE, {"temperature": 0.0}
    values = read_object(path) if path.is_file() else {}
    for name in _SAMPLED if values.get("do_sample") else ("repetition_penalty",):
        value = values.get(name, 1.0 if name == "temperature" else None)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadConfig(f"{path}: {name}: expected a number, got {shown(value)}")
        found[name] = value
    return found


def read_config(folder: Path) -> Qwen2VLConfig:
    """Read ``config.json``, and the end-of-text ids of ``generation_config.json`` if it is there.

    Raises:
        BadConfig: a file is missing, is not JSON, or does not describe a Qwen2-VL.
    """
    values = read_object(folder / CONFIG_FILE)
    generation = folder / GENERATION_FILE
    if generation.is_file():
        # The published config.json names one end-of-text id, the generation file both.
        found = read_object(generation).get("eos_token_id")
        values |= {} if found is None else {"eos_token_id": found}
    try:
        return Qwen2VLConfig.from_dict(values)
    except BadConfig as error:
        raise BadConfig(f"{folder / CONFIG_FILE}: {error}") from error


def read_folder_packing(folder: Path) -> Packing | None:
    """Return how a folder's weights are packed, from its ``config.json``; None: they are plain.

    Raises:
        BadConfig: they are quantised in a way that is not read.
    """
    values = read_object(folder / CONFIG_FILE)
    try:
        return read_packing(values)
    except BadConfig as error:
        raise BadConfig(f"{folder / CONFIG_FILE}: {error}") from error


def copy_beside(base: Path, out: Path) -> None:
    """Copy what lies beside the weights of a folder, such as its tokenizer, for other weights.

    Args:
        base: A checkpoint's folder.
        out: The other's; made when it is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file in base.iterdir():
        if file.suffix in (".json", ".jinja", ".txt") and file.name not in _OF_WEIGHTS:
            shutil.copyfile(file, out / file.name)
