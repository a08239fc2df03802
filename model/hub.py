"""From a name to a model that is ready to use.

A name is a folder in Hugging Face's layout or an id on the Hugging Face Hub, with a revision or
without: `OWNER/MODEL@REVISION`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from eyehand.model.folder import read_config, resolve
from eyehand.model.inference.generation import check_tokenizer
from eyehand.model.inference.session import Session
from eyehand.model.inference.visual_cache import VisualEncoder
from eyehand.model.inputs.image_settings import ImageSettings, read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VL
from eyehand.model.weights import load_checkpoint


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
    config = read_config(folder)
    settings = read_image_settings(folder, config.vision)
    tokenizer = Tokenizer.from_folder(folder)
    check_tokenizer(config, tokenizer)
    network = load_checkpoint(folder, dtype=dtype, device=device)
    return LoadedModel(network, tokenizer, settings)
