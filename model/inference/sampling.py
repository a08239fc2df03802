"""How the next token is chosen from the network's scores.

A sampling rule is a description (frozen, comparable); `Sampler` is its use for one conversation.
Each sampler has its own random generator, so that a seed gives the same tokens whatever else
the program draws. A token takes one number of it, drawn on the CPU, and `choose` turns numbers and
scores into tokens on any device, for one conversation or several.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

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


_LOWEST_TEMPERATURE = 1e-30
"""Below it a temperature would be 0 in float32: all but the best token are impossible already."""


@dataclass(frozen=True)
class Way:
    """What of some rules has to be computed; it is known before any score is.

    Attributes:
        draws: Whether any of them draws.
        candidates: So many best tokens are looked at to drop others; 0 where none are dropped.
        penalises: Whether any has a repetition penalty.
    """

    draws: bool
    candidates: int
    penalises: bool

    @classmethod
    def of(cls, rules: Sequence[Sampling], vocabulary: int) -> Self:
        """Returns what rules for so many tokens need together."""
        drawn = [rule for rule in rules if rule.temperature > 0]
        dropping = [rule for rule in drawn if 0 < rule.top_k < vocabulary or rule.top_p < 1]
        most = max((rule.top_k or vocabulary for rule in dropping), default=0)
        penalises = any(rule.repetition_penalty != 1 for rule in rules)
        return cls(bool(drawn), min(most, vocabulary), penalises)


def rule_numbers(rules: Sequence[Sampling]) -> Tensor:
    """Returns temperatures, top_k, top_p and penalties, float64 (4, rules)."""
    rows = [(r.temperature, r.top_k, r.top_p, r.repetition_penalty) for r in rules]
    return torch.tensor(rows, dtype=torch.float64).T.contiguous()


def choose(
    scores: Tensor, way: Way, rules: Tensor, draws: Tensor, seen: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Chooses a token for each row, without asking what the device has found.

    Args:
        scores: (rows, vocabulary), any float dtype.
        way: What the rules need.
        rules: `rule_numbers`, on the scores' device.
        draws: float64 (rows,), numbers in [0, 1), on the same.
        seen: bool (rows, vocabulary), the ids that the repetition penalty applies to.

    Returns:
        The ids, LongTensor (rows,), and the highest scores, float32 (rows,), for `check_best`.
    """
    scores = scores.float()
    if way.penalises and seen is not None:
        scores = _penalise(scores, seen, rules[3, :, None].float())
    highest, best = scores.max(dim=-1)
    if not way.draws:
        return best, highest
    temperature = rules[0].float().clamp(min=_LOWEST_TEMPERATURE)
    # The best score becomes 0, so that no temperature, however low, makes it infinite.
    scores = (scores - highest[:, None]) / temperature[:, None]
    if way.candidates:
        scores = _keep_best(scores, way.candidates, rules[1, :, None], rules[2, :, None])
    return torch.where(rules[0] == 0, best, _drawn(scores.softmax(dim=-1), draws)), highest


def check_best(score: float) -> None:
    """Looks at a row's highest score, which is NaN where any is.

    Raises:
        CheckpointError: The scores are not numbers.
        UsageError: No token is permitted.
    """
    if math.isnan(score) or score == math.inf:
        raise CheckpointError(
            f"the model's scores are not numbers ({score}): its weights are damaged, or its "
            "values are too large for their dtype; check the files, or load it as float32"
        )
    if score == -math.inf:
        raise UsageError("no token is permitted: the constraint, or the model, excludes all")


class Sampler:
    """Applies a sampling rule, with its own random state."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        # The numbers come from the CPU: the same seed gives the same token on every device.
        self._generator = torch.Generator().manual_seed(sampling.seed)
        self._waiting: list[float] = []
        self._rules = rule_numbers([sampling])

    def foreseen(self, count: int) -> list[float]:
        """Returns the numbers of the next tokens; they stay the next ones until `use`."""
        if self.sampling.temperature == 0:
            return [0.0] * count
        while len(self._waiting) < count:
            number = torch.rand((), generator=self._generator, dtype=torch.float64)
            self._waiting.append(float(number))
        return self._waiting[:count]

    def use(self, count: int) -> None:
        """Says that so many tokens have been chosen."""
        del self._waiting[:count]

    def choose(self, logits: Tensor, seen: Tensor | None = None) -> int:
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
        draw = torch.tensor(self.foreseen(1), dtype=torch.float64)
        way, rules = Way.of([self.sampling], len(logits)), self._rules
        if way.draws or way.penalises:
            draw, rules = draw.to(logits.device), rules.to(logits.device)
        ids, highest = choose(logits[None], way, rules, draw, None if seen is None else seen[None])
        # Both numbers in one transfer: each one waits for the device.
        score, best = torch.cat((highest.double(), ids.double())).tolist()
        check_best(score)
        self.use(1)
        return int(best)


def _penalise(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    lower = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, lower, logits)


def _keep_best(scores: Tensor, candidates: int, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Keep each row's best tokens; `top_k` and `top_p` are (rows, 1), and 0 and 1 keep all."""
    ordered, ids = scores.topk(candidates, dim=-1)
    ranks = torch.arange(candidates, device=scores.device)
    kept = (ranks < top_k) | (top_k == 0)
    probabilities = ordered.masked_fill(~kept, -torch.inf).softmax(dim=-1)
    # The token that crosses the share stays, so that at least one does.
    before = probabilities.cumsum(dim=-1) - probabilities
    kept &= (before < top_p) | (top_p == 1)
    ordered = ordered.masked_fill(~kept, -torch.inf)
    some = torch.full_like(scores, -torch.inf).scatter(1, ids, ordered)
    keeps_all = ((top_k == 0) | (top_k >= scores.shape[-1])) & (top_p == 1)
    return torch.where(keeps_all, scores, some)


def _drawn(probabilities: Tensor, draws: Tensor) -> Tensor:
    """Return the token whose share of the sum the number falls into."""
    sums = probabilities.double().cumsum(dim=-1)
    total = sums[:, -1:]
    last = (sums < total).sum(dim=-1)  # of those with any probability
    found = torch.searchsorted(sums, draws[:, None] * total, right=True)[:, 0]
    return torch.minimum(found, last)
