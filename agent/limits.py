"""EpisodeLimits: what ends an episode at the latest."""

from collections.abc import Mapping
from dataclasses import dataclass

from eyehand.agent.ending import Ending
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import COST, dollars
from eyehand.envs.env import Environment
from eyehand.errors import UsageError

DEFAULT_MAX_STEPS = 30


@dataclass(frozen=True)
class EpisodeLimits:
    """The limits of an episode, of which each may be None.

    Attributes:
        max_steps: Most decisions; None is the environment's own limit, 30 where it sets none.
        time_limit_s: Most seconds.
        max_tokens: Most tokens, read and written.
        max_cost_usd: Most US dollars, by the policy's own count.
    """

    max_steps: int | None = None
    time_limit_s: float | None = None
    max_tokens: int | None = None
    max_cost_usd: float | None = None

    def __post_init__(self) -> None:
        no_step = self.max_steps is not None and self.max_steps < 1
        if no_step or (self.time_limit_s is not None and self.time_limit_s <= 0):
            raise UsageError("an episode needs max_steps of at least 1 and a time limit above 0 s")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"an episode needs a limit of at least 1 token, got {self.max_tokens}")
        if self.max_cost_usd is not None and self.max_cost_usd <= 0:
            raise UsageError(f"an episode needs a cost above 0, got {self.max_cost_usd}")

    def steps_in(self, environment: Environment) -> int:
        """Return the most decisions in an environment."""
        return self.max_steps or environment.max_episode_steps or DEFAULT_MAX_STEPS

    def reached(self, seconds: float, tokens: Mapping[str, int]) -> Ending | None:
        """Return the ending by a limit of seconds, tokens or cost, where one is reached.

        Args:
            seconds: Since the episode began.
            tokens: Sums of what its decisions counted.

        Raises:
            UsageError: a cost is limited, and the policy counts none.
        """
        if self.time_limit_s is not None and seconds >= self.time_limit_s:
            return Ending(Outcome.TIME_LIMIT, f"{self.time_limit_s:g} s have passed")
        kinds = ("prompt", "generated")  # of a grounder too
        used = sum(n for name, n in tokens.items() if name.rpartition(".")[2] in kinds)
        if self.max_tokens is not None and used >= self.max_tokens:
            return Ending(Outcome.TOKEN_LIMIT, f"{used} tokens were read and written")
        if self.max_cost_usd is None or not tokens:
            return None
        if COST not in tokens:
            raise UsageError("a cost is limited, and nobody says it: give the model's --price")
        if dollars(tokens) >= self.max_cost_usd:
            return Ending(Outcome.COST_LIMIT, f"${dollars(tokens):.4f} were spent")
        return None
