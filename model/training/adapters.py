"""LoRA adapters on a network (arXiv 2106.09685), through `peft`, and their folder."""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

if TYPE_CHECKING:
    from peft import LoraConfig

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Layers of the language model that are adapted; the vision tower stays as it is."""

_PREFIX = "base_model.model.model.language_model."
"""Where transformers has the language model's layers inside of peft's wrapper."""


def add_adapters(model: Qwen2VLNetwork, rank: int) -> None:
    """Freeze a network and put adapters on its language model, which change nothing at first.

    Args:
        model: Changed in place.
        rank: Of the adapters' matrices; their weight is 2, as alpha is twice the rank.

    Raises:
        UsageError: `peft` is not installed.
    """
    config = _config(rank)
    from peft import inject_adapter_in_model

    model.requires_grad_(False)
    inject_adapter_in_model(config, model.model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()


def save_adapters(model: Qwen2VLNetwork, folder: Path, rank: int, base: str) -> None:
    """Write a network's adapters as `peft` does: `adapter_config.json` and their weights.

    Args:
        model: With adapters.
        folder: Made when it is missing.
        rank: Theirs.
        base: What the adapters belong to: a folder or a Hub id.
    """
    config = _config(rank)
    config.base_model_name_or_path, config.inference_mode = base, True
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    weights = {
        _PREFIX + name.replace(".default", ""): parameter.detach().cpu().contiguous()
        for name, parameter in model.model.named_parameters()
        if "lora_" in name
    }
    save_file(weights, folder / "adapter_model.safetensors")


def _config(rank: int) -> "LoraConfig":
    try:
        from peft import LoraConfig
    except ImportError:
        raise UsageError("adapters need peft: pip install 'eyehand[tune]'") from None
    return LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=list(TARGETS), task_type="CAUSAL_LM"
    )
