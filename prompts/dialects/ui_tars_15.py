"""UI-TARS-1.5-7B (Qwen2.5-VL): UI-TARS's turns and calls, places in pixels of the resized picture.

Source: bytedance/UI-TARS, its prompts and action parser for 1.5.
"""

from typing import ClassVar

from eyehand.prompts.dialects.dialect import PictureBounds
from eyehand.prompts.dialects.ui_tars import UiTars, UiTars15Codec


class UiTars15(UiTars):
    """As UI-TARS; its pictures may be larger."""

    name: ClassVar[str] = "ui-tars-1.5"
    about: ClassVar[str] = "UI-TARS-1.5-7B (Qwen2.5-VL)"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 100 * 28 * 28, 16384 * 28 * 28)

    def __init__(self) -> None:
        self.codec = UiTars15Codec()


DIALECT = UiTars15
