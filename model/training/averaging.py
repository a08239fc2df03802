"""The mean of two checkpoints, of which one was trained from the other.

Weights that learned something new often forgot something else; between the two lie weights that
have most of both (Wortsman et al. 2022, arXiv:2109.01903). It costs no training and no documents.
"""

from pathlib import Path

import torch

from eyehand.errors import UsageError
from eyehand.model.folder import copy_beside, read_config
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.weights import load_checkpoint, save_checkpoint


def average(first: Path, second: Path, share: float, out: Path) -> None:
    """Write a checkpoint whose weights lie between those of two others.

    Args:
        first: The folder of one; what lies beside its weights, such as its tokenizer, is copied.
        second: That of the other, of the same configuration and vocabulary.
        share: Of the second, 0 to 1.
        out: The new folder; made when it is missing. Its weights are bfloat16.

    Raises:
        UsageError: the two are not of one kind, or `out` is one of them.
        CheckpointError: a folder cannot be used.
    """
    _check_kin(first, second, out)
    network, other = (load_checkpoint(one, dtype=torch.float32) for one in (first, second))
    others = other.state_dict()
    means = {name: own.lerp(others[name], share) for name, own in network.state_dict().items()}
    network.load_state_dict(means)
    copy_beside(first, out)
    save_checkpoint(network, out, dtype=torch.bfloat16)


def _check_kin(first: Path, second: Path, out: Path) -> None:
    if out.resolve() in (first.resolve(), second.resolve()):
        raise UsageError(f"{out} holds one of the two checkpoints: name another folder")
    if read_config(first) != read_config(second):
        raise UsageError(
            f"{first} and {second} differ in config.json: only weights of one shape have a mean"
        )
    if Tokenizer.from_folder(first).vocabulary != Tokenizer.from_folder(second).vocabulary:
        raise UsageError(
            f"{first} and {second} have other vocabularies: the same token stands for other text"
        )
