"""Experts for Atari games: they read the console's memory, which the agent never sees.

The addresses are those that the AtariARI project lists (Anand et al. 2019, arXiv:1906.08226). The
experts are simple and not the games' ceilings.
"""

from collections.abc import Callable
from typing import Any

from eyehand.actions import Action
from eyehand.agent.experts.state import Moves
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.errors import UsageError

BREAKOUT_PLAYER_X, BREAKOUT_BALL_X, BREAKOUT_BALL_Y = 72, 99, 101

_NEAR_PX = 4
_MIDDLE_PX = 6
"""The middle of the paddle lies this far from the corner that the memory gives."""


def begin(environment: DeclaredEnvironment) -> Moves:
    """Start an episode's expert.

    Raises:
        UsageError: the game has none.
    """
    world: Any = environment.inner.unwrapped
    game = world.spec.name
    if game not in _CHOICES:
        raise UsageError(f"{environment.spec_uri} has no expert; {', '.join(_CHOICES)} have one")
    choose = _CHOICES[game]

    def move() -> Action:
        name = choose([int(byte) for byte in world.ale.getRAM()])
        return environment.action_space.build(name, {})

    return move


def _freeway(ram: list[int]) -> str:
    return "up"


def _breakout(ram: list[int]) -> str:
    if ram[BREAKOUT_BALL_Y] == 0:
        return "fire"
    way = ram[BREAKOUT_BALL_X] - (ram[BREAKOUT_PLAYER_X] + _MIDDLE_PX)
    if abs(way) <= _NEAR_PX:
        return "noop"
    return "right" if way > 0 else "left"


_CHOICES: dict[str, Callable[[list[int]], str]] = {"Freeway": _freeway, "Breakout": _breakout}
