"""From the browser's PNG to patches, beside transformers' processors, in turns.

transformers' fastest way begins with a tensor; how the PNG becomes one is left to its user, who has
Pillow for it (torchvision's own decoder is compiled, and the registry's torchvision does not fit
PyTorch's CPU build).
"""

import base64
import io
import re
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from PIL import Image

from eyehand.envs.png import decode_png
from eyehand.envs.web.browser import Browser
from eyehand.model.inputs.image import UInt8Array, preprocess

PAGE = "<body style='background:linear-gradient(red,blue)'>" + 40 * (
    "<p>Some text that a model reads, with <a href=x>a link</a> and <button>a button</button>"
)
OURS, SLOW, FAST = "eyehand", "transformers, Pillow", "transformers, torchvision"
_MISSING_OPERATOR = re.compile(r"operator torchvision::(\w+) does not exist")

Work = Callable[[], object]


def bench_preprocess(
    screen: tuple[int, int], rounds: int, say: Callable[[str], object]
) -> dict[str, Any]:
    """Measure one size of screen and return the document that `--json` prints.

    Args:
        screen: Width and height in pixels.
        rounds: How often each side is measured.
        say: Is told what cannot be measured.
    """
    torch.set_num_threads(1)
    png = _screenshot(screen)
    pixels = decode_png(png)
    if not np.array_equal(pixels, _pillow(png)):
        raise RuntimeError("our decoder and Pillow's differ")
    has_torchvision = _bring_torchvision()  # before transformers, which imports it too
    processors = {SLOW: _processor("image_processing_pil_qwen2_vl", "Qwen2VLImageProcessorPil")}
    if has_torchvision:
        processors[FAST] = _processor("image_processing_qwen2_vl", "Qwen2VLImageProcessor")
    else:
        say(f"{FAST}: not measured, there is no torchvision")
    works = _works(png, pixels, processors)
    spent: dict[tuple[str, str], list[float]] = {name: [] for name in works}
    for number in range(-2, rounds):
        for name in list(works)[:: 1 if number % 2 else -1]:
            began_s = time.process_time()
            works[name]()
            if number >= 0:
                spent[name].append(time.process_time() - began_s)
    ours = preprocess(pixels).patches
    return {
        "screen": list(screen),
        "rounds": rounds,
        "rows": [_row(*name, times) for name, times in spent.items()],
        "largest_difference": {
            name: float((process(pixels) - ours).abs().max())
            for name, process in processors.items()
        },
    }


def _works(
    png: bytes, pixels: UInt8Array, processors: dict[str, Callable[[Any], torch.Tensor]]
) -> dict[tuple[str, str], Work]:
    """Return what is measured: from the PNG, and from what each side takes most readily."""
    works: dict[tuple[str, str], Work] = {
        (OURS, "PNG"): lambda: preprocess(decode_png(png)),
        (OURS, "array"): lambda: preprocess(pixels),
    }
    # A tensor as the fast processor has it: a plane for each colour.
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous()
    for name, process in processors.items():
        works[name, "PNG"] = lambda process=process: process(_pillow(png))  # type: ignore[misc]
        given = planes if name == FAST else pixels
        kind = "tensor" if name == FAST else "array"
        works[name, kind] = lambda process=process, given=given: process(given)  # type: ignore[misc]
    return works


def _processor(module: str, name: str) -> Callable[[Any], torch.Tensor]:
    processor = getattr(import_module(f"transformers.models.qwen2_vl.{module}"), name)()

    def process(picture: UInt8Array | torch.Tensor) -> torch.Tensor:
        if name == "Qwen2VLImageProcessor" and isinstance(picture, np.ndarray):
            picture = torch.from_numpy(picture.copy()).permute(2, 0, 1)
        layout = "channels_last" if isinstance(picture, np.ndarray) else "channels_first"
        given = processor(images=picture, input_data_format=layout, return_tensors="pt")
        patches: torch.Tensor = given["pixel_values"]
        return patches

    return process


def _bring_torchvision() -> bool:
    """Import torchvision, without its compiled operators where they do not fit this PyTorch.

    None of them is used here; it asks for their names as it is imported.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    while True:
        try:
            import_module("torchvision")
        except ImportError:
            return False
        except RuntimeError as error:
            if (missing := _MISSING_OPERATOR.search(str(error))) is None:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
        else:
            _KEPT.append(library)
            return True


_KEPT: list[Any] = []
"""What is declared is forgotten with its library."""


def _pillow(png: bytes) -> UInt8Array:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _screenshot(screen: tuple[int, int]) -> bytes:
    """Take a picture of a page as `web:` does."""
    browser = Browser.shared()
    png: bytes = browser.call(_taken, browser, screen)
    return png


async def _taken(browser: Browser, screen: tuple[int, int]) -> bytes:
    context = await browser.new_context(screen)
    try:
        page = await context.new_page()
        await page.set_content(PAGE)
        session = await context.new_cdp_session(page)
        options = {"format": "png", "optimizeForSpeed": True}
        return base64.b64decode((await session.send("Page.captureScreenshot", options))["data"])
    finally:
        await context.close()


def _row(side: str, takes: str, times_s: list[float]) -> dict[str, Any]:
    numbers = {"median": statistics.median(times_s), "low": min(times_s), "high": max(times_s)}
    return {"side": side, "from": takes, **{k: round(v, 5) for k, v in numbers.items()}}
