"""From a name to a model that is ready to use.

A name is a folder in Hugging Face's layout or an id on the Hugging Face Hub, with a revision or
without: `OWNER/MODEL@REVISION`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.download import download, parse_hub_name
from eyehand.model.generation import check_tokenizer
from eyehand.model.image_settings import ImageSettings, read_image_settings
from eyehand.model.json_object import read_object
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.session import Session
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.visual_cache import VisualEncoder
from eyehand.model.weights import CONFIG_FILE, load_checkpoint, read_config

_REQUIRED = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.json"),
)
_ADAPTER_FILE = "adapter_config.json"


@dataclass
class LoadedModel:
    """A model with everything that belongs to it.

    Attributes:
        model: The network, in evaluation mode.
        tokenizer: Its tokenizer.
        settings: How it sees pictures.
        encoder: The vision tower's memory, shared by all sessions.
    """

    model: Qwen2VL
    tokenizer: Tokenizer
    settings: ImageSettings
    encoder: VisualEncoder = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = VisualEncoder(self.model)

    def session(self) -> Session:
        """Starts an empty conversation."""
        return Session(self.model, self.tokenizer, encoder=self.encoder, settings=self.settings)


def load(
    model: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
) -> LoadedModel:
    """Loads a model, its tokenizer and how it sees pictures.

    Args:
        model: A folder or a Hub id, see `resolve`.
        dtype: Of the weights. None: float32 on the CPU, where it is the fast one, and the
            stored one elsewhere.
        device: None: the CUDA device when there is one, else the CPU.

    Raises:
        UsageError: There is no such model, or it cannot be downloaded.
        CheckpointError: The folder's contents cannot be used.
    """
    folder = resolve(model)
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype is None and torch.device(device).type == "cpu":
        dtype = torch.float32
    settings = read_image_settings(folder, read_config(folder).vision)
    tokenizer = Tokenizer.from_folder(folder)
    network = load_checkpoint(folder, dtype=dtype, device=device)
    check_tokenizer(network.config, tokenizer)
    return LoadedModel(network, tokenizer, settings)


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
        named = None if isinstance(model, Path) else parse_hub_name(model)
        if named is None:
            raise UsageError(
                f"there is no model folder {folder}; give an existing folder or a Hub id "
                "such as Qwen/Qwen2-VL-2B-Instruct"
            )
        folder = download(*named, cache_dir, _check_kind, _missing)
    lacks = _missing({path.name for path in folder.iterdir() if path.is_file()})
    if lacks:
        _refuse_adapter(folder)
        raise CheckpointError(f"{folder} is no complete model: it lacks {', '.join(lacks)}")
    return folder


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
