"""Qwen2-VL in plain PyTorch: the network, its inputs, its cache and its weights.

Importing this package imports neither torch nor transformers; names are resolved on first use.
"""

from typing import TYPE_CHECKING

from eyehand.lazy import lazy

if TYPE_CHECKING:
    from eyehand.model.hub import Qwen2VL as Qwen2VL
    from eyehand.model.inference.constraint import TokenRule as TokenRule
    from eyehand.model.inference.decode import generate as generate
    from eyehand.model.inference.decoder import Generation as Generation
    from eyehand.model.inference.decoder import GenerationConfig as GenerationConfig
    from eyehand.model.inference.grounding import Box as Box
    from eyehand.model.inference.sampling import Sampling as Sampling
    from eyehand.model.inference.session import Session as Session
    from eyehand.model.qwen2vl.config import Qwen2VLConfig as Qwen2VLConfig
    from eyehand.model.qwen2vl.model import Qwen2VLNetwork as Qwen2VLNetwork
    from eyehand.model.weights import load_checkpoint as load_checkpoint
    from eyehand.model.weights import save_checkpoint as save_checkpoint

_WHERE = {
    "Box": "inference.grounding",
    "Generation": "inference.decoder",
    "GenerationConfig": "inference.decoder",
    "Qwen2VL": "hub",
    "Qwen2VLConfig": "qwen2vl.config",
    "Qwen2VLNetwork": "qwen2vl.model",
    "Sampling": "inference.sampling",
    "Session": "inference.session",
    "TokenRule": "inference.constraint",
    "generate": "inference.decode",
    "load_checkpoint": "weights",
    "save_checkpoint": "weights",
}

__all__ = [
    "Box",
    "Generation",
    "GenerationConfig",
    "Qwen2VL",
    "Qwen2VLConfig",
    "Qwen2VLNetwork",
    "Sampling",
    "Session",
    "TokenRule",
    "generate",
    "load_checkpoint",
    "save_checkpoint",
]

__getattr__ = lazy(__name__, _WHERE)
