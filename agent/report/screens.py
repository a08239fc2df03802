"""A step's screen for the page: the picture, what was touched on it, and what came before it."""

import base64
import io
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

from eyehand.agent.trajectory.reader import Trajectory
from eyehand.agent.trajectory.records import ActionRecord, ScreenRecord
from eyehand.envs.env import Pixels
from eyehand.envs.png import encode_png
from eyehand.errors import UsageError

PNG_LIMIT_BYTES = 120_000
"""A screen whose PNG is larger is embedded as WebP where that is smaller."""

WEBP_QUALITY = 88
WEBP_LARGEST_PX = 16_383
"""The longest side of a WebP picture."""

MOST_SHOWN_PIXELS = 4096 * 2160
"""A larger screen than one of 4K is embedded reduced."""

_BAND_ROWS = 64

MOST_PIXELS = 2_000_000_000
MOST_CHARACTERS = 512 * 1024 * 1024
"""Of all pictures of a page together; those behind them are named as left out."""

SMALLEST_SHOWN_PX = 480
"""Pictures narrower than this are shown enlarged."""

FRAME_WIDTH_PX = 160
"""Earlier frames of a video are embedded at most this wide."""


@dataclass(frozen=True)
class TouchMark:
    """A place on the picture, in its pixels: a ring, or an arrow where a drag ends elsewhere."""

    kind: Literal["ring", "arrow"]
    x: float
    y: float
    end_x: float = 0.0
    end_y: float = 0.0


@dataclass(frozen=True)
class ShownScreen:
    """A picture on the page.

    Attributes:
        uri: Data URI; empty where the file is missing, `missing` then says why.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        shown_px: Largest width at which it is shown.
        marks: What was touched.
        missing: Why there is no picture.
        earlier: The video's frames before this picture, small, as data URIs, the oldest first; ""
            for one whose file is missing.
    """

    uri: str
    width: int
    height: int
    shown_px: int
    marks: list[TouchMark] = field(default_factory=list)
    missing: str = ""
    earlier: list[str] = field(default_factory=list)

    @property
    def radius(self) -> float:
        """Radius of a ring, in pixels of the picture: about a finger on the page."""
        return 14.0 * self.width / min(self.shown_px, 900)


class Film:
    """The pictures of an episode. Screens and videos share them: each is read once.

    Args:
        trajectory: Whose files are read.
    """

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._uris: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._pixels = 0
        self._characters = 0

    def picture(self, screen: ScreenRecord) -> str:
        """Return a screen's picture as a data URI.

        Raises:
            UsageError: the file is missing or is no picture, or the page is full.
        """
        if screen.file is None:
            raise UsageError("this episode was run without keeping its screens")
        if screen.file not in self._whole:
            self._whole[screen.file] = data_uri(self._read(screen.file))
        self._characters += len(self._whole[screen.file])
        if self._characters > MOST_CHARACTERS:
            raise UsageError("this page holds as many pictures as a page can")
        return self._whole[screen.file]

    def before(self, screen: ScreenRecord) -> list[str]:
        """Return the frames before a screen, as `ShownScreen.earlier`; none for a still picture."""
        return [self._uri(file) for file in (screen.video or [])[:-1]]

    def _uri(self, file: str) -> str:
        if file not in self._uris:
            try:
                self._uris[file] = small_uri(self._read(file))
            except UsageError:
                self._uris[file] = ""
        self._characters += len(self._uris[file])
        return self._uris[file] if self._characters <= MOST_CHARACTERS else ""

    def _read(self, file: str) -> Pixels:
        if self._pixels > MOST_PIXELS:
            raise UsageError("this page holds as many pictures as a page can")
        pixels = self._trajectory.picture(file)
        self._pixels += pixels.size // 3
        return pixels


def show(
    trajectory: Trajectory,
    screen: ScreenRecord,
    action: ActionRecord | None,
    film: Film | None = None,
) -> ShownScreen:
    """Return a screen with the places that the action names, and the frames before it."""
    enlarge = max(1, -(-SMALLEST_SHOWN_PX // screen.width_px))
    film = film or Film(trajectory)
    uri, missing = "", ""
    try:
        uri = film.picture(screen)
    except UsageError as error:
        missing = str(error)
    marks = marks_of(action, screen) if action else []
    width = screen.width_px
    earlier = film.before(screen)
    return ShownScreen(uri, width, screen.height_px, width * enlarge, marks, missing, earlier)


def data_uri(pixels: Pixels) -> str:
    """Return RGB uint8 (H, W, 3) as PNG, or as WebP where that is smaller and the PNG is large."""
    pixels = reduced(pixels)
    kind, data = "png", encode_png(pixels)
    if len(data) > PNG_LIMIT_BYTES and max(pixels.shape[:2]) <= WEBP_LARGEST_PX:
        webp = _webp(Image.fromarray(pixels), quality=WEBP_QUALITY)
        kind, data = min(("png", data), ("webp", webp), key=lambda pair: len(pair[1]))
    return _embedded(kind, data)


def reduced(pixels: Pixels) -> Pixels:
    """Return a picture with at most `MOST_SHOWN_PIXELS`, its sides divided by a whole number."""
    height, width = pixels.shape[:2]
    if height * width <= MOST_SHOWN_PIXELS:
        return pixels
    factor = math.ceil(math.sqrt(height * width / MOST_SHOWN_PIXELS))
    bands = range(0, height, factor * _BAND_ROWS)
    small = [Image.fromarray(pixels[top : top + bands.step]).reduce(factor) for top in bands]
    return np.concatenate([np.asarray(band, dtype=np.uint8) for band in small])


def small_uri(pixels: Pixels) -> str:
    """Return RGB uint8 (H, W, 3) as a small WebP picture, without loss where that is shorter."""
    image = Image.fromarray(pixels)
    image.thumbnail((FRAME_WIDTH_PX, min(image.height, WEBP_LARGEST_PX)))
    ways = (_webp(image, lossless=True), _webp(image, quality=WEBP_QUALITY))
    return _embedded("webp", min(ways, key=len))


def _webp(image: Image.Image, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=2, **how)
    return buffer.getvalue()


def _embedded(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def marks_of(action: ActionRecord, screen: ScreenRecord) -> list[TouchMark]:
    """Return a ring for every point of an action; `start` and `end` make one arrow."""
    places = {
        name: (value["x"] * screen.width_px, value["y"] * screen.height_px)
        for name, value in action.arguments.items()
        if _is_point(value)
    }
    marks = []
    if "start" in places and "end" in places:
        marks.append(TouchMark("arrow", *places.pop("start"), *places.pop("end")))
    return marks + [TouchMark("ring", x, y) for x, y in places.values()]


def _is_point(value: Any) -> bool:
    if not isinstance(value, dict) or not {"x", "y"} <= set(value) <= {"x", "y", "screen"}:
        return False
    numbers = (value["x"], value["y"])
    return all(isinstance(n, int | float) and abs(n) < MOST_PIXELS for n in numbers)
