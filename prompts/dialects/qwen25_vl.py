"""Qwen2.5-VL: `computer_use` and `mobile_use`, places in pixels of the resized picture."""

from typing import ClassVar

from eyehand.actions.coordinates import Unit
from eyehand.prompts.dialects.dialect import PictureBounds
from eyehand.prompts.dialects.function_call import FunctionCallCodec, FunctionCallDialect


class Qwen25VlCodec(FunctionCallCodec):
    """Places are pixels of the picture that the tool declares."""

    name: ClassVar[str] = "qwen2.5-vl"
    unit: ClassVar[Unit] = "pixels"


class Qwen25Vl(FunctionCallDialect):
    """The tool declares the resized picture's size."""

    name: ClassVar[str] = "qwen2.5-vl"
    about: ClassVar[str] = "Qwen2.5-VL 3B, 7B, 32B and 72B"
    bounds: ClassVar[PictureBounds] = PictureBounds(28, 3136, 12845056)

    def __init__(self) -> None:
        self.codec = Qwen25VlCodec()


DIALECT = Qwen25Vl
