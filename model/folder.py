"""A checkpoint's folder: found by its name, and looked at before torch or a weight is loaded."""

from pathlib import Path

from eyehand.errors import BadConfig, CheckpointError, UsageError
from eyehand.model.inputs.image_settings import read_image_settings
from eyehand.model.json_object import read_object
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.shown import shown

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
_SAMPLED = ("temperature", "top_k", "top_p", "repetition_penalty")
_ADAPTER_FILE = "adapter_config.json"
_REQUIRED = (
    (CONFIG_FILE,),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.json"),
)


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


def _refuse_adapter(folder: Path) -> None:
    path = folder / _ADAPTER_FILE
    if path.is_file():
        base = read_object(path, CheckpointError).get("base_model_name_or_path")
        of_base = f" of {base}" if isinstance(base, str) and base else ""
        raise CheckpointError(
            f"{folder} holds an adapter (LoRA){of_base}, not a model: merge it into its model "
            "(peft: merge_and_unload, then save_pretrained) and give the folder that this makes"
        )


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
