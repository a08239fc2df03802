"""Cameras of a MuJoCo scene: several views of it, side by side, as one picture."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eyehand.envs.env import Pixels
from eyehand.envs.gym.contained import GymEnv
from eyehand.errors import UsageError

Metres = tuple[float, float, float]


class Camera(BaseModel):
    """A camera: one of the scene's own by name, or a free one.

    Attributes:
        name: Name of a camera of the model; a free one has none.
        lookat: The point in the middle of a free camera's view, in metres (x, y, z).
        distance: Metres from there.
        azimuth: Degrees around the vertical axis.
        elevation: Degrees above the horizontal, negative for a view from above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    lookat: Metres | None = None
    distance: float | None = Field(default=None, gt=0)
    azimuth: float = 0.0
    elevation: float = 0.0

    @model_validator(mode="after")
    def _one_kind(self) -> "Camera":
        free = self.lookat is not None and self.distance is not None
        if (self.name is None) != free:
            raise ValueError("a camera has a name, or both lookat and distance")
        return self


class CameraViews(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Renders the views of several cameras side by side, from the left.

    Args:
        environment: A MuJoCo environment of Gymnasium or Gymnasium-Robotics.
        cameras: One view each.

    Raises:
        UsageError: it is no MuJoCo environment, or its scene has no camera of a name.
    """

    def __init__(self, environment: GymEnv, cameras: Sequence[Camera]) -> None:
        super().__init__(environment)
        self._renderer: Any = getattr(environment.unwrapped, "mujoco_renderer", None)
        if self._renderer is None:
            raise UsageError(f"cameras need a MuJoCo environment, {environment} is none")
        self._cameras = tuple(cameras)
        self._ids = [self._camera_id(camera) for camera in self._cameras]

    def render(self) -> Any:
        """Return the views, RGB uint8 (H, W * cameras, 3)."""
        if self._renderer.viewer is None:
            self.env.render()  # makes the viewer
        return np.concatenate([self._view(*pair) for pair in self._pairs()], axis=1)

    def _pairs(self) -> list[tuple[Camera, int]]:
        return list(zip(self._cameras, self._ids, strict=True))

    def _view(self, camera: Camera, camera_id: int) -> Pixels:
        self._renderer.camera_id = camera_id
        if camera.lookat is not None and camera.distance is not None:
            view = self._renderer.viewer.cam
            view.lookat[:] = camera.lookat
            view.distance = camera.distance
            view.azimuth, view.elevation = camera.azimuth, camera.elevation
        return np.array(self.env.render(), dtype=np.uint8)

    def _camera_id(self, camera: Camera) -> int:
        """Return a camera's number in the model; -1 is MuJoCo's for a free one."""
        if camera.name is None:
            return -1
        model = self._renderer.model
        names = [model.camera(i).name for i in range(model.ncam)]
        if camera.name not in names:
            raise UsageError(f"the scene has no camera {camera.name!r}; it has {', '.join(names)}")
        return names.index(camera.name)
