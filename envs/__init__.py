"""Environments: every one a `gymnasium.Env` over screens and actions."""

from eyehand.envs.env import Environment, EpisodeOptions, Observation, ScreenGeometry, StepInfo
from eyehand.envs.registry import make, register_scheme

__all__ = [
    "Environment",
    "EpisodeOptions",
    "Observation",
    "ScreenGeometry",
    "StepInfo",
    "make",
    "register_scheme",
]
