"""How the next token is chosen from the network's scores.

A sampling rule is a description (frozen, comparable); `Sampler` is its use for one conversation.
Each sampler has its own random generator, so that a seed gives the same tokens whatever else
the program draws.
"""

import math
from dataclasses import dataclass

import torch

from eyehand.errors import CheckpointError, UsageError


@dataclass(frozen=True)
class Sampling:
    """Random choice; `Greedy` is the deterministic one.

    Attributes:
        temperature: Divides the scores: above 1 flatter, below 1 sharper, 0 the best token.
        top_k: Only this many best tokens stay; 0 keeps all.
        top_p: Only the best tokens that together reach this probability stay, in (0, 1].
        repetition_penalty: Above 1 makes tokens that already occurred less likely: positive
            scores are divided by it and negative ones multiplied (CTRL, arXiv 1909.05858).
        seed: Start of the random generator.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        permitted = {
            "temperature >= 0": self.temperature >= 0,
            "top_k >= 0": self.top_k >= 0,
            "0 < top_p <= 1": 0 < self.top_p <= 1,
            "repetition_penalty > 0": self.repetition_penalty > 0,
        }
        broken = [rule for rule, holds in permitted.items() if not holds]
        if broken:
            raise UsageError(f"sampling needs {' and '.join(broken)}, got {self}")


def Greedy(repetition_penalty: float = 1.0) -> Sampling:
    """Returns the rule that always takes the best token."""
    return Sampling(temperature=0.0, repetition_penalty=repetition_penalty)


class Sampler:
    """Applies a sampling rule, with its own random state."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        # The draw happens on the CPU: the same seed gives the same token on every device.
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor, seen: torch.Tensor | None = None) -> int:
        """Chooses the next token.

        Args:
            logits: Scores, (vocabulary,), any float dtype and device.
            seen: bool (vocabulary,), the ids that the repetition penalty applies to; None is none.

        Returns:
            The id.

        Raises:
            CheckpointError: The scores are not numbers.
            UsageError: No token is permitted.
        """
        rule = self.sampling
        if seen is not None and rule.repetition_penalty != 1:
            logits = _penalise(logits.float(), seen, rule.repetition_penalty)
        if rule.temperature == 0:
            # Both numbers in one transfer: each one waits for the device.
            score, best = torch.stack([x.float() for x in logits.max(dim=-1)]).tolist()
            _check_best(score)
            return int(best)
        scores = logits.float().cpu()
        highest = float(scores.max())
        _check_best(highest)
        # The best score becomes 0, so that no temperature, however low, makes it infinite.
        scores = (scores - highest) / rule.temperature
        scores = _keep_top_p(_keep_top_k(scores, rule.top_k), rule.top_p)
        probabilities = scores.softmax(dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._generator))


def _check_best(score: float) -> None:
    """Looks at the highest score, which is NaN where any is."""
    if math.isnan(score) or score == math.inf:
        raise CheckpointError(
            f"the model's scores are not numbers ({score}): its weights are damaged, or its "
            "values are too large for their dtype; check the files, or load it as float32"
        )
    if score == -math.inf:
        raise UsageError("no token is permitted: the constraint, or the model, excludes all")


def _penalise(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    lower = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, lower, logits)


def _keep_top_k(scores: torch.Tensor, count: int) -> torch.Tensor:
    if not 0 < count < len(scores):
        return scores
    best, ids = scores.topk(count)
    return torch.full_like(scores, -torch.inf).index_copy(0, ids, best)


def _keep_top_p(scores: torch.Tensor, share: float) -> torch.Tensor:
    if share >= 1:
        return scores
    ordered, ids = scores.sort(descending=True)
    probabilities = ordered.softmax(dim=-1)
    # The token that crosses the share stays, so that at least one does.
    before = probabilities.cumsum(dim=-1) - probabilities
    return scores.index_fill(0, ids[before >= share], -torch.inf)
