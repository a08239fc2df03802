"""UGround-V1 2B, 7B and 72B (Qwen2-VL): a description in, `(x, y)` in thousandths out.

Source: OSU-NLP-Group/UGround, README.md and grounding/uground_qwen2vl.py.
"""

from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.prompts.dialects.dialect import PictureBounds
from eyehand.prompts.dialects.pointing import Pointing, PointingCodec


class UGroundCodec(PointingCodec):
    """Thousandths."""

    name: ClassVar[str] = "uground"


class UGround(Pointing):
    """The question ends with `Answer:`."""

    name: ClassVar[str] = "uground"
    about: ClassVar[str] = "UGround-V1 2B, 7B and 72B (Qwen2-VL), which only point"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 56 * 56, 1344 * 1344)

    def __init__(self) -> None:
        self.codec = UGroundCodec()

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Ask for the place of what is described."""
        return (
            "Give the place of one element on the screen from its description.\n\n"
            "- The place is one point, as close to the middle of the element as can be, written "
            "(x, y).\n"
            "- The description may be long or short; where several elements fit, take the one "
            "that fits best.\n\n"
            f"Description: {task}\n\nAnswer:"
        )


DIALECT = UGround
