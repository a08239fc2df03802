"""CardGame: what the games share: dealing, refusing, counting rewards, the verdict."""

from abc import abstractmethod
from typing import Any

import numpy as np

from eyehand.actions import Action, ActionSpace
from eyehand.envs.cards.card import MOST_RANK, Card
from eyehand.envs.common import no_handler
from eyehand.envs.env import (
    Environment,
    Observation,
    Pixels,
    ScreenGeometry,
    ScreenSpace,
    StepResult,
)
from eyehand.errors import UsageError


class CardGame(Environment):
    """Base of the games: dealing, refusing, counting rewards, the verdict.

    A game deals in `_deal`, plays a call in `_play` and draws itself in `render`. Ranks are drawn
    independently and uniformly from 13 (an infinite deck), suits from 4 for the picture's sake,
    all from the environment's own generator. The verdict, given at the end, is whether the summed
    reward is above 0.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - gymnasium's type
        "render_modes": ["rgb_array"],
        "render_fps": 2,
    }
    seeded = True

    def __init__(self, types: tuple[type[Action], ...]) -> None:
        self.action_space = ActionSpace(types)
        self.observation_space = ScreenSpace()
        self._calls = types
        self._reward_sum = 0.0

    def _begin(self, seed: int | None, options: dict[str, Any]) -> StepResult:
        """Deal; the seed fixes the cards, those that are drawn later included."""
        effect = self._deal(options)
        self._reward_sum = 0.0
        return StepResult(self._observe(), effect, details=self._rewards(0.0))

    def _perform(self, action: Action) -> StepResult:
        """Play one call."""
        if type(action) not in self._calls:
            raise no_handler(action)
        effect, reward, terminated, truncated = self._play(action)
        self._reward_sum += reward
        result = StepResult(self._observe(), effect, reward, terminated, truncated)
        result.details = self._rewards(reward)
        if result.ended:
            result.verdict = self._reward_sum > 0
        return result

    def _end(self, action: Action) -> StepResult:
        """End the episode where it stands, with the verdict of the rewards so far."""
        result = super()._end(action)
        result.verdict = self._reward_sum > 0
        return result

    @abstractmethod
    def _deal(self, options: dict[str, Any]) -> str:
        """Start an episode; say what was dealt, as far as it is shown."""

    @abstractmethod
    def _play(self, action: Action) -> tuple[str, float, bool, bool]:
        """Play a permitted call.

        Returns:
            What happened, the reward, terminated, truncated.
        """

    def _draw_card(self, rank: int | None = None) -> Card:
        """Draw a card from the infinite deck, or one of a given rank."""
        drawn = int(self.np_random.integers(1, MOST_RANK + 1))
        suit = int(self.np_random.integers(4))
        return Card(drawn if rank is None else rank, suit)

    def _observe(self) -> Observation:
        pixels: Pixels = self.render()
        height, width = pixels.shape[:2]
        name = self.spec_uri.partition(":")[2]
        return Observation(pixels, ScreenGeometry(name, width, height, width, height))

    def _rewards(self, reward: float) -> dict[str, Any]:
        return {"reward": reward, "reward_sum": self._reward_sum}


def hand_option(options: dict[str, Any], key: str, counts: range) -> list[int] | None:
    """Read the ranks of a hand from the reset options; None where it is not given.

    Args:
        options: The reset options.
        key: Name of the hand.
        counts: How many cards it may have.

    Raises:
        UsageError: it is no list of that many ranks from 1 to 13.
    """
    given = options.get(key)
    if given is None:
        return None
    ranks = list(given) if isinstance(given, list | tuple) else []
    fits = all(isinstance(rank, int | np.integer) and 1 <= rank <= MOST_RANK for rank in ranks)
    if len(ranks) not in counts or not fits:
        wanted = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        raise UsageError(
            f"option {key!r} must be {wanted} ranks, each 1 (ace) to {MOST_RANK} (king), "
            f"got {given!r}"
        )
    return [int(rank) for rank in ranks]
