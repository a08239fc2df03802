"""From a name to a model that is ready to use.

A name is a folder in Hugging Face's layout or an id on the Hugging Face Hub. Only weights in
safetensors and text files are downloaded: nothing that could run code.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)

from eyehand.errors import BadConfig, CheckpointError, UsageError
from eyehand.model.generation import check_tokenizer
from eyehand.model.image import MAX_PIXELS, MIN_PIXELS
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.session import Session
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.visual_cache import VisualEncoder
from eyehand.model.weights import load_checkpoint

DOWNLOADED = ("*.safetensors", "*.json", "*.txt", "*.jinja")
"""What is fetched of a repository."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REQUIRED = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.json"),
)
_PREPROCESSOR = "preprocessor_config.json"


@dataclass
class LoadedModel:
    """A model with everything that belongs to it.

    Attributes:
        model: The network, in evaluation mode.
        tokenizer: Its tokenizer.
        min_pixels: Smallest area of a picture that the checkpoint asks for.
        max_pixels: Largest area of a picture.
        encoder: The vision tower's memory, shared by all sessions.
    """

    model: Qwen2VL
    tokenizer: Tokenizer
    min_pixels: int = MIN_PIXELS
    max_pixels: int = MAX_PIXELS
    encoder: VisualEncoder = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = VisualEncoder(self.model)

    def session(self) -> Session:
        """Starts an empty conversation."""
        return Session(
            self.model,
            self.tokenizer,
            encoder=self.encoder,
            min_pixels=self.min_pixels,
            max_pixels=self.max_pixels,
        )


def load(
    model: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
) -> LoadedModel:
    """Loads a model, its tokenizer and its pixel limits.

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
    min_pixels, max_pixels = pixel_limits(folder)
    tokenizer = Tokenizer.from_folder(folder)
    network = load_checkpoint(folder, dtype=dtype, device=device)
    check_tokenizer(network.config, tokenizer)
    return LoadedModel(network, tokenizer, min_pixels, max_pixels)


def resolve(model: str | Path, *, cache_dir: Path | None = None) -> Path:
    """Finds a model's folder, downloading it when it is not there.

    Args:
        model: An existing folder, or a Hub id such as `Qwen/Qwen2-VL-2B-Instruct`. A folder
            comes first.
        cache_dir: Where downloads are kept; None: Hugging Face's usual place.

    Returns:
        A folder that holds a configuration, weights and a tokenizer.

    Raises:
        UsageError: Neither a folder nor an id, no such repository, or no network.
        CheckpointError: The folder lacks files; all are named.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if isinstance(model, Path) or not _HUB_ID.fullmatch(model):
            raise UsageError(
                f"there is no model folder {folder}; give an existing folder or a Hub id "
                "such as Qwen/Qwen2-VL-2B-Instruct"
            )
        folder = _download(model, cache_dir)
    missing = [
        " or ".join(names)
        for names in _REQUIRED
        if not any((folder / name).is_file() for name in names)
    ]
    if missing:
        raise CheckpointError(f"{folder} is no complete model: it lacks {', '.join(missing)}")
    return folder


def pixel_limits(folder: Path) -> tuple[int, int]:
    """Reads the smallest and largest area of a picture from `preprocessor_config.json`.

    Both spellings are read: `min_pixels` and `max_pixels`, and `size` with `shortest_edge` and
    `longest_edge`, which are areas too. Without the file the published defaults hold.

    Raises:
        BadConfig: The file is not what it should be.
    """
    path = folder / _PREPROCESSOR
    if not path.is_file():
        return MIN_PIXELS, MAX_PIXELS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(values, dict):
        raise BadConfig(f"{path}: expected a JSON object, got {type(values).__name__}")
    size = values.get("size")
    size = size if isinstance(size, dict) else {}
    least = _first_set(values.get("min_pixels"), size.get("shortest_edge"), MIN_PIXELS)
    most = _first_set(values.get("max_pixels"), size.get("longest_edge"), MAX_PIXELS)
    if not (isinstance(least, int) and isinstance(most, int) and 1 <= least <= most):
        raise BadConfig(f"{path}: expected 1 <= min_pixels <= max_pixels, got {least} and {most}")
    return least, most


def _first_set(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _download(hub_id: str, cache_dir: Path | None) -> Path:
    try:
        folder = huggingface_hub.snapshot_download(
            hub_id, allow_patterns=list(DOWNLOADED), cache_dir=cache_dir
        )
    except GatedRepoError as error:
        raise UsageError(
            f"{hub_id} asks for its terms to be accepted on the Hub, and for a login"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"there is neither a folder {hub_id} here nor such a repository on the Hub "
            "(or it is private and you are not logged in)"
        ) from error
    except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UsageError(
            f"{hub_id} is not downloaded yet and the Hub cannot be reached; connect to the "
            f"network, or give a folder ({_first_line(error)})"
        ) from error
    return Path(folder)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
