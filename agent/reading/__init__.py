"""Reads what stands on a web page and where, from its structure: what training screens show."""

from functools import cache
from importlib.resources import files
from typing import Any

from eyehand.model.training.characters import Character
from eyehand.model.training.pages import Word


@cache
def reading_script() -> str:
    """Return the script that defines `eyehandCharacters` and `eyehandControls` in a page."""
    return files("eyehand.agent.reading").joinpath("reading.js").read_text(encoding="utf-8")


def as_words(found: list[Any], across: float = 1.0, down: float = 1.0) -> list[Word]:
    """Return what `eyehandCharacters` found as words.

    Args:
        found: Its answer.
        across: Pixels of the screen in a CSS pixel, from left to right.
        down: The same from top to bottom.
    """
    return [
        Word(
            text,
            [Character(c, x * across, y * down) for c, x, y in letters],
            (box[0] * across, box[1] * down, box[2] * across, box[3] * down),
            round((box[3] - box[1]) * down),
        )
        for text, letters, box, *_ in found
    ]
