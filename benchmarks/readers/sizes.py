"""Sizes of pictures: qwen-vl-utils' `smart_resize` and ours."""

from random import Random

from benchmarks.readers.interpreter import Peer
from benchmarks.readers.verdicts import Compared
from eyehand.errors import UsageError
from eyehand.model.inputs.image import smart_resize
from eyehand.model.inputs.image_settings import ImageSettings

FACTORS = (28, 32)


def compare(peer: Peer, sizes: int, seed: int) -> Compared:
    """Have both choose a size for random pictures within random bounds.

    Args:
        peer: Has the package.
        sizes: How many.
        seed: Fixes them.
    """
    dice = Random(seed)
    requests = [draw(dice) for _ in range(sizes)]
    theirs = peer.ask([{"do": "size", **request} for request in requests])
    found = Compared(f"smart_resize: {sizes} sizes and bounds, beside qwen-vl-utils")
    for request, their in zip(requests, theirs, strict=True):
        size = None if "error" in their else tuple(their["size"])
        found.add(_kind(request), repr(request), _ours(**request), size)
    return found


def draw(dice: Random) -> dict[str, int]:
    """Draw a picture's size, evenly in its logarithm, and bounds of its area."""
    factor = dice.choice(FACTORS)
    least, most = sorted(round(factor**2 * 2 ** dice.uniform(0, 13.6)) for _ in range(2))
    return {
        "height": round(2 ** dice.uniform(3, 13)), "width": round(2 ** dice.uniform(3, 13)),
        "factor": factor, "min_pixels": least, "max_pixels": most,
    }  # fmt: skip


def _ours(
    height: int, width: int, factor: int, min_pixels: int, max_pixels: int
) -> tuple[int, int] | None:
    try:
        settings = ImageSettings(
            patch_size=factor // 2, min_pixels=min_pixels, max_pixels=max_pixels
        )
        return smart_resize(height, width, settings)
    except UsageError:
        return None


def _kind(request: dict[str, int]) -> str:
    longer = max(request["height"], request["width"])
    ratio = longer / min(request["height"], request["width"])
    if ratio > 200:
        return "a side more than 200 times the other"
    if 2 * min(request["height"], request["width"]) <= request["factor"]:
        return "a side of at most half a token"
    if request["max_pixels"] < ratio * request["factor"] ** 2:
        return "a largest area that leaves a side less than a token"
    return "any other"
