"""Text to calls and calls to text, one file a dialect."""

from eyehand.actions.codecs.codec import Codec, Parsed
from eyehand.actions.codecs.table import make_codec

__all__ = ["Codec", "Parsed", "make_codec"]
