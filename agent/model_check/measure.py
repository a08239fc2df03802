"""Asks a model for targets whose places are known, and says whether it fits."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

from eyehand.actions import ActionSpace
from eyehand.actions.web import Click, Finish, Wait
from eyehand.agent.model_check.conventions import ALIKE, Fit, Reading, fits, numbers_in
from eyehand.agent.model_check.screens import CheckScreen, CheckTarget, draw_screen
from eyehand.agent.policies.base import Policy
from eyehand.agent.results.statistics import Rate
from eyehand.envs.env import Observation, ScreenGeometry

SPACE = ActionSpace((Click, Wait, Finish))
GOOD_SHARE = 0.8
"""A model that hits so many of what it names is said to fit."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Asked:
    """One question and its answer.

    Attributes:
        screen: Number of the screen.
        target: What was asked for.
        text: The answer.
        point_px: Where it clicks, in pixels of the screen; None where it does not.
        error: Why there is no action.
        seconds: How long it took.
        tokens: As the decision counts them.
    """

    screen: int
    target: CheckTarget
    text: str
    point_px: tuple[float, float] | None
    error: str
    seconds: float
    tokens: dict[str, int]

    @property
    def is_hit(self) -> bool:
        """Whether it clicks the target."""
        return self.point_px is not None and self.target.holds(*self.point_px)


@dataclass(frozen=True)
class ModelCheck:
    """What came of a check.

    Attributes:
        policy: What the policy says of itself.
        screens: The screens.
        asked: The questions, in order.
        conventions: How every convention fits, the best one first; empty without numbers.
        memory_bytes: Of this process, before the first question and after the last.
    """

    policy: dict[str, Any]
    screens: list[CheckScreen]
    asked: list[Asked]
    conventions: list[Fit] = field(default_factory=list)
    memory_bytes: tuple[int, int] = (0, 0)

    @property
    def hits(self) -> Rate:
        """Targets that were clicked."""
        return Rate(sum(a.is_hit for a in self.asked), len(self.asked))

    @property
    def parsed(self) -> Rate:
        """Answers that held a valid action."""
        return Rate(sum(not a.error for a in self.asked), len(self.asked))

    @property
    def distance_px(self) -> float | None:
        """Median distance of the clicks from the targets' middles."""
        found = [
            ((a.point_px[0] - a.target.centre[0]) ** 2 + (a.point_px[1] - a.target.centre[1]) ** 2)
            ** 0.5
            for a in self.asked if a.point_px is not None
        ]  # fmt: skip
        return median(found) if found else None

    def by(self, what: str) -> dict[str, Rate]:
        """Return the hits by "kind" or "size"."""
        names = dict.fromkeys(str(getattr(a.target, what)) for a in self.asked)
        return {
            name: Rate(
                sum(a.is_hit for a in self.asked if getattr(a.target, what) == name),
                sum(getattr(a.target, what) == name for a in self.asked),
            )
            for name in names
        }

    @property
    def verdict(self) -> str:
        """What to do, in a sentence."""
        share, best = self.hits.value or 0.0, self.conventions[0] if self.conventions else None
        if not self.asked or (self.parsed.value or 0.0) < 0.5:
            return (
                "most answers hold no call in this dialect: name the one that the model was "
                "trained in, with --dialect (see `eyehand models`)"
            )
        if share >= GOOD_SHARE:
            return "it fits: clicks land where they should"
        if best is not None and best.hits >= max(0.5, 2 * share):
            return (
                f"its numbers are {best.name}, not what this dialect writes: with them "
                f"{best.hits:.0%} would hit instead of {share:.0%}; name a dialect with these "
                "numbers, with --dialect (see `eyehand models`)"
            )
        return "it is asked and heard rightly, as far as can be told, and misses: it cannot point"

    def to_json(self) -> dict[str, Any]:
        """Return the check, JSON-ready."""
        low, high = self.hits.interval
        tokens = [sum(a.tokens.get(n, 0) for n in ("prompt", "generated")) for a in self.asked]
        return {
            "policy": self.policy,
            "targets": len(self.asked),
            "hits": self.hits.successes,
            "hit_rate": self.hits.value,
            "interval": [round(low, 4), round(high, 4)],
            "hit_rate_by_size": {n: rate.value for n, rate in self.by("size").items()},
            "hit_rate_by_kind": {n: rate.value for n, rate in self.by("kind").items()},
            "median_distance_px": self.distance_px,
            "parsed": self.parsed.value,
            "conventions": [
                {"name": f.name, "hit_rate": round(f.hits, 4),
                 "median_distance_px": round(f.distance_px, 1)}
                for f in self.conventions
            ],
            "tokens_per_step": round(mean(tokens), 1) if tokens else None,
            "seconds_per_step": round(mean(a.seconds for a in self.asked), 3),
            "memory_bytes": {"before": self.memory_bytes[0], "after": self.memory_bytes[1]},
            "verdict": self.verdict,
        }  # fmt: skip


def check_model(
    policy: Policy, targets: int = 42, seed: int = 0, follow: Callable[[Asked], None] | None = None
) -> ModelCheck:
    """Ask a policy to click targets on drawn screens.

    Args:
        policy: The model, in its dialect.
        targets: How many are asked for.
        seed: Of the first screen.
        follow: Receives every answer as it comes.
    """
    before = memory_bytes()
    screens: list[CheckScreen] = []
    asked: list[Asked] = []
    for number, screen, target in _questions(targets, seed):
        if number == len(screens):
            screens.append(screen)
        asked.append(_ask(policy, number, screen, target))
        if follow is not None:
            follow(asked[-1])
    readings = [_reading(a, screens[a.screen], policy) for a in asked]
    known = [reading for reading in readings if reading is not None]
    found = _told_apart(fits(known), known) if known else []
    return ModelCheck(policy.describe(), screens, asked, found, (before, memory_bytes()))


def memory_bytes() -> int:
    """Return how much memory this process holds, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES


def _questions(targets: int, seed: int) -> Iterator[tuple[int, CheckScreen, CheckTarget]]:
    left, number = targets, 0
    while left > 0:
        screen = draw_screen(seed + number)
        for target in screen.targets[:left]:
            yield number, screen, target
        left -= len(screen.targets)
        number += 1


def _ask(policy: Policy, number: int, screen: CheckScreen, target: CheckTarget) -> Asked:
    height, width = screen.pixels.shape[:2]
    geometry = ScreenGeometry("check", width, height, width, height)
    began_s = time.perf_counter()
    conversation = policy.start(target.task, SPACE, seed=number)
    decision = conversation.decide(Observation(screen.pixels, geometry))
    seconds = time.perf_counter() - began_s
    point = decision.action.point if isinstance(decision.action, Click) else None
    place = (point.x * width, point.y * height) if point else None
    said = str(decision.error or ("" if point else "it does not click"))
    return Asked(number, target, decision.raw_text, place, said, seconds, dict(decision.tokens))


def _reading(asked: Asked, screen: CheckScreen, policy: Policy) -> Reading | None:
    numbers = numbers_in(asked.text)
    if numbers is None:
        return None
    height, width = screen.pixels.shape[:2]
    return Reading(asked.target, numbers, (width, height), policy.shown_size(width, height))


def _told_apart(found: list[Fit], readings: list[Reading]) -> list[Fit]:
    """Put "0 to 1000" before "0 to 999", which it hardly differs from, unless 1000 never comes."""
    if found[0].name not in ALIKE or found[1].name not in ALIKE:
        return found
    if abs(found[0].distance_px - found[1].distance_px) > 0.1:
        return found
    return sorted(found[:2], key=lambda fit: ALIKE.index(fit.name)) + found[2:]
