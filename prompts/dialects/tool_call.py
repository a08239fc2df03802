"""JSON between tags, as in Qwen-Agent's later template: our own prompts, every screen kept."""

from typing import ClassVar

from eyehand.actions.codecs.codec import Codec
from eyehand.actions.codecs.tool_call import ToolCallCodec
from eyehand.prompts.dialects.dialect import Picture
from eyehand.prompts.dialects.keyword import Keyword


class ToolCall(Keyword):
    """Results come in tags, in turns of the user."""

    name: ClassVar[str] = "tool_call"
    about: ClassVar[str] = "models that call functions in Qwen-Agent's tags, with eyehand's actions"
    in_one_turn: ClassVar[bool] = False

    def make_codec(self) -> Codec:
        """Return the grammar of the calls."""
        return ToolCallCodec()

    def result(self, screen: Picture, said: str) -> tuple[str | Picture, ...]:
        """Return a result between its tags."""
        return ("<tool_response>\n", screen, f"{said}\n</tool_response>")


DIALECT = ToolCall
