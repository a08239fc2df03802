"""Qwen2-VL in plain PyTorch: the network, its inputs, its cache and its weights.

Importing this package imports neither torch nor transformers; names are resolved on first use.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Qwen2VLConfig": "eyehand.model.qwen2vl.config",
    "TextConfig": "eyehand.model.qwen2vl.config",
    "VisionConfig": "eyehand.model.qwen2vl.config",
    "KVCache": "eyehand.model.inference.cache",
    "Qwen2VL": "eyehand.model.qwen2vl.model",
    "load_checkpoint": "eyehand.model.weights",
    "save_checkpoint": "eyehand.model.weights",
}


def __getattr__(name: str) -> Any:
    """Import the module that defines ``name`` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
