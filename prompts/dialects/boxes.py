"""Qwen2-VL's own grounding: an object between its marks in, a box between box marks out.

Source: arXiv 2409.12191, section 2.2.
"""

from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.prompts.dialects.pointing import Pointing, PointingCodec


class BoxesCodec(PointingCodec):
    """Thousandths; the middle of the box counts."""

    name: ClassVar[str] = "boxes"


class Boxes(Pointing):
    """`Find` and the object between its marks."""

    name: ClassVar[str] = "boxes"
    about: ClassVar[str] = "plain Qwen2-VL as a grounder"
    answer_marks: ClassVar[tuple[str, ...]] = (
        "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    )  # fmt: skip

    def __init__(self) -> None:
        self.codec = BoxesCodec()

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Name the object between its marks."""
        return f"Find <|object_ref_start|>{task}<|object_ref_end|>"


DIALECT = Boxes
