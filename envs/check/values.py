"""What single values of the environment contract must be like: infos and geometries."""

import json
import math
from itertools import product
from typing import Any

import numpy as np

from eyehand.actions import Point
from eyehand.envs.env import Observation, StepInfo
from eyehand.errors import UsageError

_INFO_KEYS = frozenset(StepInfo.__annotations__)


class ContractBroken(UsageError):
    """An environment breaks its contract; the message names the likely mistake."""


def check_geometry(observation: Observation, where: str) -> None:
    """Check that the geometry names its screen and maps its middle there and back."""
    geometry = observation.geometry
    require(bool(geometry.screen), f"{where}: geometry.screen is empty; give the screen a name")
    sizes = (geometry.device_width, geometry.device_height)
    require(
        all(math.isfinite(size) and size > 0 for size in sizes),
        f"{where}: the device size {sizes} must be positive",
    )
    there = geometry.to_device(Point(x=0.5, y=0.5, screen=geometry.screen))
    back = geometry.to_point(*there)
    require(
        abs(back.x - 0.5) < 1e-6 and abs(back.y - 0.5) < 1e-6,
        f"{where}: the middle of the screen maps to {there} and back to ({back.x}, {back.y})",
    )


def check_info(info: Any, where: str) -> None:
    """Check an info's keys and types."""
    require(isinstance(info, dict), f"{where}: info is {type(info).__name__}, expected a dict")
    unknown = set(info) - _INFO_KEYS
    require(
        not unknown,
        f"{where}: info has {sorted(unknown)}; it may hold {sorted(_INFO_KEYS)}, anything else "
        "goes into details",
    )
    verdict = info.get("verdict")
    require(
        verdict is None or isinstance(verdict, bool),
        f"{where}: the verdict is {verdict!r}, expected a Python bool or None",
    )
    require(isinstance(info.get("effect", ""), str), f"{where}: effect must be one line of text")
    times = info.get("timings_s", {})
    require(
        isinstance(times, dict) and all(isinstance(t, float) and t >= 0 for t in times.values()),
        f"{where}: timings_s is {times!r}, expected seconds by part",
    )
    try:
        json.dumps(info.get("details", {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractBroken(f"{where}: details cannot be written as JSON: {error}") from None


def shape_of(observation: Any) -> str:
    """Describe what came instead of an observation."""
    if not isinstance(observation, Observation):
        return type(observation).__name__
    pixels, geometry = observation.pixels, observation.geometry
    shape = getattr(pixels, "shape", None)
    dtype = getattr(pixels, "dtype", type(pixels).__name__)
    said = f"{dtype} {shape} with a geometry of {geometry.height_px} x {geometry.width_px}"
    return said if observation.video is None else f"{said} and {_video_of(observation)}"


def _video_of(observation: Observation) -> str:
    video = observation.video
    shape = getattr(video, "shape", None)
    kind = f"a video of {getattr(video, 'dtype', type(video).__name__)} {shape}"
    frames_fit = isinstance(video, np.ndarray) and shape and shape[1:] == observation.pixels.shape
    return f"{kind} that ends with another picture" if frames_fit else kind


def share_memory(one: Observation, other: Observation) -> bool:
    """Return whether a part of one observation lies in memory that the other one shows too."""
    parts = [[o.pixels, *([] if o.video is None else [o.video])] for o in (one, other)]
    return any(np.shares_memory(a, b) for a, b in product(*parts))


def require(kept: bool, message: str) -> None:
    """Raise `ContractBroken` unless the promise is kept."""
    if not kept:
        raise ContractBroken(message)
