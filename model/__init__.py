"""Qwen2-VL in plain PyTorch: the network, its inputs, its cache and its weights.

Importing this package imports neither torch nor transformers; names are resolved on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyehand.model.inference.cache import KVCache as KVCache
    from eyehand.model.qwen2vl.config import Qwen2VLConfig as Qwen2VLConfig
    from eyehand.model.qwen2vl.config import TextConfig as TextConfig
    from eyehand.model.qwen2vl.config import VisionConfig as VisionConfig
    from eyehand.model.qwen2vl.model import Qwen2VL as Qwen2VL
    from eyehand.model.weights import load_checkpoint as load_checkpoint
    from eyehand.model.weights import save_checkpoint as save_checkpoint

_HOMES = {
    "Qwen2VLConfig": "eyehand.model.qwen2vl.config",
    "TextConfig": "eyehand.model.qwen2vl.config",
    "VisionConfig": "eyehand.model.qwen2vl.config",
    "KVCache": "eyehand.model.inference.cache",
    "Qwen2VL": "eyehand.model.qwen2vl.model",
    "load_checkpoint": "eyehand.model.weights",
    "save_checkpoint": "eyehand.model.weights",
}

__all__ = [
    "KVCache",
    "Qwen2VL",
    "Qwen2VLConfig",
    "TextConfig",
    "VisionConfig",
    "load_checkpoint",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines ``name`` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
