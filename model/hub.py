"""From a name to a model that is ready to use.

A name is a folder in Hugging Face's layout or an id on the Hugging Face Hub. Only weights in
safetensors and text files are downloaded: nothing that could run code.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import torch
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.generation import check_tokenizer
from eyehand.model.image_settings import ImageSettings, read_image_settings
from eyehand.model.qwen2vl import Qwen2VL
from eyehand.model.session import Session
from eyehand.model.tokenizer import Tokenizer
from eyehand.model.visual_cache import VisualEncoder
from eyehand.model.weights import load_checkpoint, read_config

DOWNLOADED = ("*.safetensors", "*.json", "*.txt", "*.jinja")
"""What is fetched of a repository."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REQUIRED = (
    ("config.json",),
    ("model.safetensors", "model.safetensors.index.json"),
    ("tokenizer.json", "vocab.json"),
)


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
