"""EpisodeLimits: what ends an episode at the latest."""

from dataclasses import dataclass

from eyehand.agent.ending import Ending
from eyehand.agent.outcome import Outcome
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
    """

    max_steps: int | None = None
    time_limit_s: float | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        no_step = self.max_steps is not None and self.max_steps < 1
        if no_step or (self.time_limit_s is not None and self.time_limit_s <= 0):
            raise UsageError("an episode needs max_steps of at least 1 and a time limit above 0 s")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"an episode needs a limit of at least 1 token, got {self.max_tokens}")

    def steps_in(self, environment: Environment) -> int:
        """Return the most decisions in an environment."""
        return self.max_steps or environment.max_episode_steps or DEFAULT_MAX_STEPS

    def reached(self, seconds: float, tokens: int) -> Ending | None:
        """Return the ending by a limit of seconds or tokens, where one is reached."""
        if self.time_limit_s is not None and seconds >= self.time_limit_s:
            return Ending(Outcome.TIME_LIMIT, f"{self.time_limit_s:g} s have passed")
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return Ending(Outcome.TOKEN_LIMIT, f"{tokens} tokens were read and written")
        return None
