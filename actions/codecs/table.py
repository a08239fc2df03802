"""The codecs of the keyword dialects, by name."""

from difflib import get_close_matches

from eyehand.actions.codecs.codec import Codec
from eyehand.actions.codecs.keyword import KeywordCodec
from eyehand.actions.codecs.tool_call import ToolCallCodec
from eyehand.errors import UsageError

CODEC_NAMES = ("keyword", "tool_call")


def make_codec(name: str = "keyword", keyword_mark: str = "✿") -> Codec:
    """Return the codec called `name`.

    Args:
        name: "keyword" (Qwen2-VL's pattern) or "tool_call" (JSON in tags).
        keyword_mark: What surrounds the keywords that are written: "✿" or "*". Both are read.

    Raises:
        UsageError: no such codec or mark.
    """
    if name == "keyword":
        return KeywordCodec(keyword_mark)
    if name == "tool_call":
        return ToolCallCodec()
    close = get_close_matches(name, CODEC_NAMES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(f"no codec {name!r}: there are {', '.join(CODEC_NAMES)}{hint}")
