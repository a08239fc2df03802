"""The page of a check: the screens with their targets, and where the model clicked."""

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from eyehand.agent.model_check.measure import Asked, ModelCheck
from eyehand.agent.report.pages import EPISODE_STYLES, templates, write_page
from eyehand.agent.trajectory.run_folder import RunFolder
from eyehand.envs.env import Pixels
from eyehand.envs.png import encode_png

HIT, MISSED = "#138a36", "#c62828"
_CROSS_PX = 12


@dataclass(frozen=True)
class DrawnAnswers:
    """A screen with what was asked on it.

    Attributes:
        picture: As a data address.
        asked: The questions.
    """

    picture: str
    asked: list[Asked]


def write_check(check: ModelCheck, out: Path) -> Path:
    """Write the page.

    Args:
        check: What came of the check.
        out: Its file.

    Raises:
        RecordingFailed: the disk does not take it.
    """
    low, high = check.hits.interval
    screens = []
    for number, screen in enumerate(check.screens):
        asked = [a for a in check.asked if a.screen == number]
        screens.append(DrawnAnswers(_data(drawn(screen.pixels, asked)), asked))
    dialect = check.policy.get("dialect") or check.policy.get("codec")
    named = check.policy.get("model") or check.policy.get("name", "policy")
    page = templates().get_template("model_check.html.j2").render(
        check=check, screens=screens, figures=check.to_json(), low=low, high=high,
        name=f"{named} ({dialect})" if dialect else str(named),
        styles=EPISODE_STYLES,
    )  # fmt: skip
    return write_page(RunFolder(out.parent), out.name, page)


def drawn(pixels: Pixels, asked: list[Asked]) -> Image.Image:
    """Return a screen with the targets framed and the clicks as crosses.

    Args:
        pixels: RGB uint8 (H, W, 3).
        asked: What was asked on it.
    """
    image = Image.fromarray(pixels).copy()
    pen = ImageDraw.Draw(image)
    for question in asked:
        color = HIT if question.is_hit else MISSED
        left, top, right, bottom = question.target.box
        pen.rectangle((left - 4, top - 4, right + 4, bottom + 4), outline=color, width=3)
        if question.point_px is not None:
            x, y = question.point_px
            pen.line((*question.point_px, *question.target.centre), fill=color, width=1)
            pen.line((x - _CROSS_PX, y, x + _CROSS_PX, y), fill=color, width=3)
            pen.line((x, y - _CROSS_PX, x, y + _CROSS_PX), fill=color, width=3)
    return image


def _data(image: Image.Image) -> str:
    png = encode_png(np.asarray(image))
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
