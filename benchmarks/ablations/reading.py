"""The vision tower alone: from nothing, on drawn pages, patches of one size or another."""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.ablations.timed import Budget, Row
from eyehand.model.training.embedded import tower_config
from eyehand.model.training.reading import ReadingPlan, ReadingRun, measure

SIZES_PX = ((112, 84), (112, 84), (168, 56), (84, 112), (56, 168))
"""Multiples of 28 pixels, so that no row's pages are resized."""
_TURN_STEPS = 8


@dataclass(frozen=True)
class Reading:
    """A tower of three blocks of 128.

    Attributes:
        patch_px: Side of a patch.
        merge: So many patches a side make one token.
    """

    patch_px: int
    merge: int

    def run(self, budget: Budget, seed: int, folder: Path, pages: int) -> Row:
        """Train in turns, and measure.

        Args:
            budget: Of the training.
            seed: Of weights and pages.
            folder: For the run's state.
            pages: Of held-out words, that are measured.
        """
        config = replace(
            tower_config(), depth=3, embed_dim=128, num_heads=2, hidden_size=256,
            patch_size=self.patch_px, spatial_merge_size=self.merge,
        )  # fmt: skip
        run = ReadingRun(config, ReadingPlan(seed, sizes=SIZES_PX, warmup_steps=1), folder)
        while run.cpu_s < budget.core_s:
            run.advance(budget.share(run.cpu_s))
            if run.step % _TURN_STEPS == 0:
                yield run.cpu_s
        found = measure(run.tower, run.head, config, pages)
        return {
            "core_s": round(run.cpu_s, 1), "steps": run.step,
            "documents": run.step * run.plan.pages,
            "characters": _rate(found, "characters"), "words": _rate(found, "words"),
        }  # fmt: skip


def _rate(found: dict[str, float], name: str) -> list[int]:
    """Return how many are right, and of how many."""
    count = int(found[f"n_{name}"])
    return [round(found[name] * count), count]
