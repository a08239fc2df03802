"""Whether a model fits a machine: an estimate before anything is loaded, and what would help.

What is counted is what is surely needed: weights that are not mapped from their file, the widest
values of one pass over a screen, and the keys and values of the first steps.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from eyehand.errors import NotEnoughMemory
from eyehand.model.inputs.image import smart_resize
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.memory import free_bytes, reading_bytes, token_bytes, vision_bytes
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.stored_weights import Stored, WeightTarget, asked_bytes, common_dtype
from eyehand.model.units import size_text

SCREEN_PX = (728, 1288)
"""Height and width of the screen that is reckoned with."""
WORDS = 150
"""Tokens of text that a step adds beside its screen."""
SMALL_PIXELS = 640 * 28 * 28
"""An area that is named where smaller pictures would help."""
SMALL_MODEL = 500_000_000
"""Parameters below which a model is float32 on every CPU: it is fast, and answers the same."""
_FASTER = 1.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Need:
    """Memory that a model takes, in bytes.

    Attributes:
        weights: The weights; those that stay mapped from their file need none.
        reading: The widest values of the passes that read one screen.
        step: Keys and values of one step of an episode.
        tokens: Of such a step.
    """

    weights: int
    reading: int
    step: int
    tokens: int

    @property
    def least(self) -> int:
        """What the first step needs."""
        return self.weights + self.reading + self.step

    @property
    def amounts(self) -> str:
        """Say it."""
        return (
            f"{size_text(self.least)} of memory are needed (weights {size_text(self.weights)}, "
            f"reading a screen {size_text(self.reading)}, a step's keys and values "
            f"{size_text(self.step)})"
        )

    def line(self, free: int) -> str:
        """Say it, beside what is free."""
        steps = max(0, free - self.weights - self.reading) // 2 // self.step
        return f"{self.amounts}, {size_text(free)} are free: a history of {steps} steps"


@dataclass(frozen=True)
class Fitting:
    """A model on a machine.

    Attributes:
        config: The model's sizes.
        stored: Its weights as they lie on disk.
        settings: How it sees pictures.
        target: Where it shall run, and what its weights become; `need` and `chosen_dtype` say in
            which dtype.
    """

    config: Qwen2VLConfig
    stored: Mapping[str, Stored]
    settings: ImageSettings
    target: WeightTarget

    def need(self, dtype: torch.dtype | None) -> Need:
        """Estimate what the model takes in a dtype; None is the stored one."""
        target = replace(self.target, dtype=dtype)
        weights = asked_bytes(self.stored, target)
        kept = self.kept_dtype(dtype)
        height, width = smart_resize(*SCREEN_PX, self.settings)
        patches = height * width // self.settings.patch_size**2
        tokens = patches // self.settings.merge_size**2 + WORDS
        reading = max(
            vision_bytes(self.config, patches, kept.itemsize),
            reading_bytes(self.config, tokens, kept.itemsize),
        )
        return Need(weights, reading, tokens * token_bytes(self.config, kept.itemsize), tokens)

    def kept_dtype(self, dtype: torch.dtype | None) -> torch.dtype:
        """Return the dtype that the network computes in where it is asked for in a dtype."""
        return dtype or common_dtype(self.stored) or next(iter(self.stored.values())).dtype

    def chosen_dtype(self) -> torch.dtype | None:
        """Return the dtype for a device where none was asked for; None is the stored one.

        On a CPU it is float32, unless bfloat16 alone fits, or the model is large and a product of
        its size is faster in bfloat16.
        """
        if self.target.device.type != "cpu":
            return None
        free, (wide, half) = free_bytes(self.target.device), (torch.float32, torch.bfloat16)
        if free is not None and self.need(wide).least > free >= self.need(half).least:
            return half
        large = sum(entry.count for entry in self.stored.values()) >= SMALL_MODEL
        return half if large and _half_is_faster(self.config) else wide

    def check(self, dtype: torch.dtype | None) -> None:
        """Say what a large model needs; refuse one that cannot fit.

        Raises:
            NotEnoughMemory: The line names the options that would make it fit.
        """
        free, need = free_bytes(self.target.device), self.need(dtype)
        if free is None or need.least < free // 4:
            return
        if need.least <= free:
            _log.info("%s", need.line(free))
            return
        ways = self.ways(dtype)
        fits = next((way for way, less, kind in ways if less.need(kind).least <= free), None)
        advice = "take a smaller model" if fits is None else f"it would fit with {fits}"
        raise NotEnoughMemory(f"too little memory to load the model: {need.line(free)}; {advice}")

    def ways(self, dtype: torch.dtype | None) -> "list[tuple[str, Fitting, torch.dtype | None]]":
        """Return the options that take less memory, with the model as they make it, and its dtype.

        Args:
            dtype: That it has without them.
        """
        int8, int4, half = self._quantized("int8"), self._quantized("int4"), torch.bfloat16
        smaller = replace(self, settings=_smaller(self.settings))
        pixels = f"--max-pixels {SMALL_PIXELS}"
        return [
            ("--dtype bfloat16", self, half),
            ("--quantize int8", int8, dtype),
            ("--dtype bfloat16 --quantize int8", int8, half),
            ("--quantize int4", int4, dtype),
            ("--dtype bfloat16 --quantize int4", int4, half),
            (pixels, smaller, dtype),
            (f"--dtype bfloat16 --quantize int4 {pixels}", smaller._quantized("int4"), half),
        ]

    def _quantized(self, quantize: str) -> "Fitting":
        return replace(self, target=replace(self.target, quantize=quantize))


def _smaller(settings: ImageSettings) -> ImageSettings:
    most = min(SMALL_PIXELS, settings.max_pixels)
    return replace(settings, max_pixels=most, min_pixels=min(settings.min_pixels, most))


def _half_is_faster(config: Qwen2VLConfig) -> bool:
    """Time what a step is made of: a product that reads a screen, and some that write a token."""
    wide = torch.randn(min(config.text.intermediate_size, 8192), config.text.hidden_size)
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        weight, found = wide.to(dtype).T, []
        for _ in range(3):
            began_s = time.perf_counter()
            for rows in (256, 1, 1, 1, 1, 1, 1):
                torch.ones(rows, len(weight), dtype=dtype) @ weight
            found.append(time.perf_counter() - began_s)
        seconds[dtype] = min(found)
    return seconds[torch.bfloat16] * _FASTER < seconds[torch.float32]
