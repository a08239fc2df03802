"""OS-Atlas-Base-7B (Qwen2-VL): a question in, a box in thousandths between its tokens out.

Source: OS-Copilot/OS-Atlas, README.md.
"""

from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.prompts.dialects.pointing import Pointing, PointingCodec


class OsAtlasBaseCodec(PointingCodec):
    """Thousandths; the middle of the box counts."""

    name: ClassVar[str] = "os-atlas-base"


class OsAtlasBase(Pointing):
    """The question ends with what is asked for: `(with bbox)`."""

    name: ClassVar[str] = "os-atlas-base"
    about: ClassVar[str] = "OS-Atlas-Base-7B (Qwen2-VL), which only points"
    answer_marks: ClassVar[tuple[str, ...]] = ("<|box_start|>", "<|box_end|>")

    def __init__(self) -> None:
        self.codec = OsAtlasBaseCodec()

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Ask for the box of what is described."""
        return f'Where in this screenshot of a GUI is the element of "{task}" (with bbox)?'


DIALECT = OsAtlasBase
