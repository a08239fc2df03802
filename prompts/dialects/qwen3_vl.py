"""Qwen3-VL: as Qwen2.5-VL, with places in thousandths, and a thought before the call."""

from typing import ClassVar

from eyehand.prompts.dialects.dialect import PictureBounds
from eyehand.prompts.dialects.function_call import FunctionCallCodec, FunctionCallDialect


class Qwen3VlCodec(FunctionCallCodec):
    """Places are thousandths of the screen."""

    name: ClassVar[str] = "qwen3-vl"

    def with_thought(self, call: str, thought: str) -> str:
        """Write the thought with its label."""
        plain = super().with_thought("", thought).strip()
        return f"Thought: {' '.join(plain.split())}\n{call}" if plain else call


class Qwen3Vl(FunctionCallDialect):
    """The tool declares 1000 x 1000."""

    name: ClassVar[str] = "qwen3-vl"
    about: ClassVar[str] = "Qwen3-VL and Qwen3.5, dense and mixtures of experts"
    bounds: ClassVar[PictureBounds] = PictureBounds(32, 4 * 32 * 32, 16384 * 32 * 32)
    thinks: ClassVar[str] = (
        "Write in this order: Thought: one sentence on what to do next and why; Action: the step "
        "in a short imperative; then the tool call."
    )

    def __init__(self) -> None:
        self.codec = Qwen3VlCodec()


DIALECT = Qwen3Vl
