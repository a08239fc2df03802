"""From a name to a model that is ready to use.

A name is a folder in Hugging Face's layout or an id on the Hugging Face Hub, with a revision or
without: `OWNER/MODEL@REVISION`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import torch

from eyehand.errors import UsageError
from eyehand.model.adapter import read_adapter
from eyehand.model.device_map import named_devices, spread
from eyehand.model.fitting import Fitting
from eyehand.model.folder import read_config, read_folder_packing, resolve
from eyehand.model.inference.grounding import Box, ground
from eyehand.model.inference.session import RESERVED_TOKENS, Session
from eyehand.model.inference.visual_cache import VisualEncoder
from eyehand.model.inputs.image import Picture
from eyehand.model.inputs.image_settings import ImageSettings, limits, read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.memory import memory_told
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.quantized import check_quantize
from eyehand.model.stored_weights import WeightTarget, stored_weights, weight_files
from eyehand.model.weights import LOADING, build_network, checked_weights

DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}
"""What the network runs in, by the name that options have."""


def named_dtype(name: str | None) -> torch.dtype | None:
    """Returns the dtype of a name; None and "auto" leave it to the machine.

    Raises:
        UsageError: It is none of those that the network runs in.
    """
    if name is None:
        return None
    if name not in DTYPES:
        raise UsageError(f"dtype is one of {', '.join(DTYPES)}; got {name!r}")
    return DTYPES[name]


@dataclass
class Qwen2VL:
    """A model with everything that belongs to it.

    Attributes:
        network: In evaluation mode.
        tokenizer: Its tokenizer.
        settings: How it sees pictures.
        encoder: The vision tower's memory, shared by all sessions.

    Examples:
        Where a button is, as a share of the picture's width and height::

            from eyehand.model import Qwen2VL

            model = Qwen2VL.load("Qwen/Qwen2-VL-2B-Instruct")
            for box in model.ground("the search box", screenshot):
                print(box.label, box.center)
    """

    network: Qwen2VLNetwork
    tokenizer: Tokenizer
    settings: ImageSettings
    encoder: VisualEncoder = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = VisualEncoder(self.network)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        dtype: torch.dtype | None = None,
        device: str | torch.device | None = None,
        device_map: str | None = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        quantize: str | None = None,
        adapter: str | Path | None = None,
    ) -> Self:
        """Loads a model, its tokenizer and how it sees pictures.

        Args:
            model: A folder or a Hub id, see `resolve`.
            dtype: Of the weights. None: the stored one on a GPU. On a CPU float32, unless bfloat16
                alone fits, or the model is large and bfloat16 is faster there.
            device: None: the CUDA device when there is one, else the CPU.
            device_map: "auto" puts the layers on all GPUs by what is free there, and on the CPU
                what they have no room for; "0,1,cpu" names devices in order. None is one device.
            min_pixels: Smallest area at which the model sees a picture; None is the folder's.
            max_pixels: Largest area; None is the folder's.
            quantize: "int8" or "int4" keeps the weights of the layers narrow; None as `dtype` says,
                or in 4 bits where they are stored so (AWQ, GPTQ).
            adapter: A folder with a LoRA adapter for this model, which is merged into it.

        Raises:
            UsageError: There is no such model or device, or it cannot be downloaded.
            CheckpointError: The folder's contents cannot be used.
            NotEnoughMemory: The model does not fit; options that would help are named.
        """
        check_quantize(quantize)
        devices, folder = named_devices(device, device_map), resolve(model)
        where = devices[0]
        config, packing = read_config(folder), read_folder_packing(folder)
        settings = read_image_settings(folder, config.vision)
        area = limits(settings.min_pixels, settings.max_pixels, min_pixels, max_pixels)
        settings = replace(settings, min_pixels=area[0], max_pixels=area[1])
        files = weight_files(folder)
        size = sum(file.stat().st_size for file in files)
        merged = None
        with memory_told(where, LOADING, size):
            stored = checked_weights(config, folder, stored_weights(files, packing))
            if adapter is not None:
                merged = read_adapter(adapter, stored, config.text.tie_word_embeddings)
            changed = frozenset() if merged is None else merged.changed
            fitting = Fitting(
                config, stored, settings, WeightTarget(dtype, where, quantize, changed)
            )
        dtype = dtype or fitting.chosen_dtype()
        if len(devices) > 1:
            fitting = spread(fitting, dtype, devices)
        else:
            fitting.check(dtype)
        tokenizer = Tokenizer.from_folder(folder)
        tokenizer.check_fits(config)
        with memory_told(where, LOADING, size):
            network = build_network(config, stored, replace(fitting.target, dtype=dtype), merged)
        return cls(network, tokenizer, settings)

    def session(self, reserved_tokens: int = RESERVED_TOKENS) -> Session:
        """Starts an empty conversation.

        Args:
            reserved_tokens: Cache memory to start with; it grows when needed.
        """
        return Session(
            self.network, self.tokenizer, encoder=self.encoder, settings=self.settings,
            reserved_tokens=reserved_tokens,
        )  # fmt: skip

    def ground(self, description: str, image: Picture, *, max_new_tokens: int = 512) -> list[Box]:
        """Finds what a description names on a picture.

        The model is asked in Qwen2-VL's own notation, which the published checkpoints were
        trained on (arXiv 2409.12191, section 2.2). The embedded model was not.

        Args:
            description: What to find, such as "the search box"; control tokens in it stay plain
                characters.
            image: uint8 (H, W, 3 or 4) or a Pillow image.
            max_new_tokens: Most tokens the answer; a box takes about 25.

        Returns:
            Upright boxes in the model's order, edges as shares of the picture's width and height,
            0 to 1. Empty where the model names no place, or nothing that can be read as one.

        Raises:
            UsageError: The description is empty, the image is no picture, or both together do not
                fit into the model's context.
            CheckpointError: The model's scores are not numbers.
        """
        return ground(self.session(), description, image, max_new_tokens)
