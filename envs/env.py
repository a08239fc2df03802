"""The Environment contract: what an agent sees, and what a step answers."""

import io
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import gymnasium
import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

from eyehand.actions import Action, ActionSpace, Point
from eyehand.errors import OutOfRange, StaleScreen

Pixels = NDArray[np.uint8]

Video = NDArray[np.uint8]
"""Frames of one size, RGB uint8, shape (T, H, W, 3), the oldest first."""


@dataclass(frozen=True)
class ScreenGeometry:
    """How a screen's pixels lie on its device.

    Attributes:
        screen: Name of the screen; it changes whenever an older point would no longer mean the
            same place (another tab, another size, a rotation).
        width_px: Width of the observation in pixels.
        height_px: Height of the observation in pixels.
        device_width: Width of the same area in the device's input units (CSS pixels for a page,
            touch pixels for a phone).
        device_height: Height of the same area in the device's input units.
        left: Device x of the observation's left edge.
        top: Device y of the observation's top edge.
    """

    screen: str
    width_px: int
    height_px: int
    device_width: float
    device_height: float
    left: float = 0.0
    top: float = 0.0

    def to_device(self, point: Point) -> tuple[float, float]:
        """Turn a point into device coordinates; 1.0 becomes the middle of the last pixel.

        Raises:
            StaleScreen: the point was read from another screen.
            OutOfRange: the point lies outside 0..1, which only an unvalidated one can.
        """
        if point.screen is not None and point.screen != self.screen:
            raise StaleScreen(
                f"the point belongs to the screen {point.screen!r}, now {self.screen!r} is shown; "
                "look at the new screen"
            )
        if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise OutOfRange(f"({point.x:g}, {point.y:g}) is outside the screen: expected 0 to 1")
        half_x = self.device_width / self.width_px / 2
        half_y = self.device_height / self.height_px / 2
        x = min(max(point.x * self.device_width, half_x), self.device_width - half_x)
        y = min(max(point.y * self.device_height, half_y), self.device_height - half_y)
        return self.left + x, self.top + y

    def to_point(self, device_x: float, device_y: float) -> Point:
        """Turn device coordinates into a point on this screen (clamped to its edges)."""
        x = min(max((device_x - self.left) / self.device_width, 0.0), 1.0)
        y = min(max((device_y - self.top) / self.device_height, 0.0), 1.0)
        return Point(x=x, y=y, screen=self.screen)


@dataclass(frozen=True, eq=False, repr=False)
class Observation:
    """What the agent sees; a notebook shows it as a picture.

    Attributes:
        pixels: The screen, RGB uint8, shape (H, W, 3).
        geometry: How the pixels lie on the device.
        text: What the environment says beside the screen (URL, title, a dialog's text); empty
            where the pixels say it all.
        feedback: What became of the previous action, or why an answer was refused; empty at the
            first observation and where there is nothing to add.
        video: The screen over time, RGB uint8, shape (T, H, W, 3), the oldest frame first and
            `pixels` last; None where the screen is a still picture. A policy that reads no video
            has `pixels`.
    """

    pixels: Pixels
    geometry: ScreenGeometry
    text: str = ""
    feedback: str = ""
    video: Video | None = None

    def __eq__(self, other: object) -> bool:
        """Return whether everything is equal, pixel by pixel (gymnasium's check_env compares)."""
        if not isinstance(other, Observation):
            return NotImplemented
        mine = (self.geometry, self.text, self.feedback)
        theirs = (other.geometry, other.text, other.feedback)
        return (
            mine == theirs
            and np.array_equal(self.pixels, other.pixels)
            and same_video(self.video, other.video)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the screen's name and size, and what is said beside it, without the pixels."""
        shape = "x".join(map(str, self.pixels.shape[1::-1]))
        frames = "" if self.video is None else f", {len(self.video)} frames"
        text = f", text={self.text!r}" if self.text else ""
        feedback = f", feedback={self.feedback!r}" if self.feedback else ""
        return f"Observation({self.geometry.screen!r}, {shape} px{frames}{text}{feedback})"

    def _repr_png_(self) -> bytes:
        """Return the screen as a PNG: what Jupyter shows."""
        # Imported here: an environment without pictures to show needs no Pillow.
        from PIL import Image

        written = io.BytesIO()
        Image.fromarray(self.pixels).save(written, "PNG")
        return written.getvalue()


def same_video(one: Video | None, other: Video | None) -> bool:
    """Return whether two observations' videos are equal, frame by frame; none equals none."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


class StepInfo(TypedDict, total=False):
    """The `info` of `reset` and `step`.

    Keys:
        effect: One line: what the action did ("clicked (348, 291)"), for people and the record.
        verdict: The environment's own judgement once it has one: True or False; absent or None
            where there is none (the open web).
        timings_s: Seconds by part, such as "act", "settle", "capture".
        details: Anything else that is JSON-ready (the raw reward, its reason).
    """

    effect: str
    verdict: bool | None
    timings_s: dict[str, float]
    details: dict[str, Any]


class ScreenSpace(Space[Observation]):
    """The observation space: every RGB screen with consistent geometry, whatever its size."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Screens differ in size, so they do not flatten to a fixed box."""
        return False

    def contains(self, x: Any) -> bool:
        """Return whether `x` is an Observation whose pixels, geometry and video agree."""
        if not isinstance(x, Observation) or not isinstance(x.pixels, np.ndarray):
            return False
        shape = (x.geometry.height_px, x.geometry.width_px, 3)
        fits = x.pixels.dtype == np.uint8 and x.pixels.shape == shape
        return fits and (x.video is None or _ends_with(x.video, x.pixels))

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> Observation:
        """Draw a screen of random size and noise."""
        height, width = (int(n) for n in self.np_random.integers(28, 257, size=2))
        pixels = self.np_random.integers(0, 256, size=(height, width, 3), dtype=np.uint8)
        return Observation(pixels, ScreenGeometry("sample", width, height, width, height))

    def __eq__(self, other: object) -> bool:
        """All screen spaces are equal."""
        return isinstance(other, ScreenSpace)

    __hash__ = None  # type: ignore[assignment]


def _ends_with(video: Any, pixels: Pixels) -> bool:
    """Return whether a video is one of frames of the screen's size, and ends with the screen."""
    if not isinstance(video, np.ndarray) or video.dtype != np.uint8 or video.ndim != 4:
        return False
    return len(video) > 0 and np.array_equal(video[-1], pixels)


@dataclass
class EpisodeOptions:
    """What the runtime tells an environment about one episode, as `reset(options=...)`.

    Attributes:
        folder: The episode's folder, where downloads go; None keeps none.
        uploads: Files that `upload_file` may send, by the name the model sees.
        deadline_s: When the episode's time limit comes, on the clock of `time.monotonic`; None
            without one. Environments whose calls might never return break them off after it.
    """

    folder: Path | None = None
    uploads: dict[str, Path] = field(default_factory=dict)
    deadline_s: float | None = None

    def as_options(self) -> dict[str, Any]:
        """Return the mapping to hand to `reset(options=...)`."""
        return {"folder": self.folder, "uploads": self.uploads, "deadline_s": self.deadline_s}


class Environment(gymnasium.Env[Observation, Action]):
    """Base of every environment: a `gymnasium.Env` over screens and actions.

    `reset` and `step` return once the screen has settled, within a bound. A step that refuses its
    action raises a `ModelFeedback` and leaves the environment as it was; infrastructure that
    fails raises an `EnvironmentFault`. `terminated` means that the task reached an end state,
    `truncated` that an outer limit did.

    Attributes:
        spec_uri: The URI that makes this environment again, such as "miniwob:click-tab".
        seeded: Whether `reset(seed=...)` fixes the episode.
        action_space: The permitted actions; a reset may replace it (a task declares its own).
        observation_space: Every screen.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - gymnasium's type
    spec_uri: str = ""
    seeded: bool = False
    render_mode: str | None = "rgb_array"
    action_space: ActionSpace
    observation_space: ScreenSpace

    @property
    def instruction(self) -> str | None:
        """The task that the current episode sets by itself; None where the user gives it."""
        return None

    @property
    def max_episode_steps(self) -> int | None:
        """Most steps an episode lasts by the environment's own limit; None where it sets none."""
        return None

    @property
    def gives_verdict(self) -> bool | None:
        """Whether there is a judgement to be had in this episode; None where that is not known."""
        return None

    @abstractmethod
    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, StepInfo]:
        """Start an episode.

        Args:
            seed: Fixes the episode where the environment is seeded.
            options: See `EpisodeOptions`.

        Raises:
            EnvironmentFault: the environment could not be brought to its start.
        """

    @abstractmethod
    def step(  # type: ignore[override]
        self, action: Action
    ) -> tuple[Observation, float, bool, bool, StepInfo]:
        """Perform one action and return once the screen has settled.

        Returns:
            The observation, the reward, terminated, truncated, and the step's info.

        Raises:
            ModelFeedback: the action was refused; nothing changed.
            EnvironmentFault: infrastructure failed.
        """

    @abstractmethod
    def render(self) -> Pixels:
        """Return the current screen, RGB uint8 (H, W, 3)."""
