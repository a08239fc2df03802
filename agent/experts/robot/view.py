"""Where a robot's cameras show its gripper and its goal."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyehand.envs.gym.cameras import Camera
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.model.training.screens import point

_SIDES = ("left", "right")


def places(environment: DeclaredEnvironment) -> list[tuple[str, str, str]]:
    """Return where gripper and goal are seen, picture after picture.

    Args:
        environment: A Fetch task, reset; its cameras' pictures stand side by side.

    Returns:
        The picture ("left", "right", "" where there is one), the thing, its place on the screen as
        "[x, y]" in thousandths, in tens. What a camera does not show is left out.
    """
    world: Any = environment.inner.unwrapped
    height, width = environment.last.pixels.shape[:2]
    cameras = environment.task.screen.cameras
    view = width // len(cameras), height
    fovy = float(world.model.vis.global_.fovy)
    things = {"gripper": world.data.site("robot0:grip").xpos, "red ball": world.goal}
    found = []
    for index, camera in enumerate(cameras):
        side = _SIDES[index] if len(cameras) == 2 else ""
        for name, place in things.items():
            seen = seen_at(camera, np.asarray(place, np.float64), view, fovy)
            if seen is not None:
                x_px, y_px = seen[0] + index * view[0], seen[1]
                found.append((side, name, point((x_px, y_px, x_px, y_px), (width, height))))
    return found


def seen_at(
    camera: Camera, place: NDArray[np.float64], view: tuple[int, int], fovy: float
) -> tuple[float, float] | None:
    """Return the pixel at which a free camera shows a point of the scene.

    MuJoCo's free camera looks at `lookat` from `distance`; its picture spans `fovy` from top to
    bottom (https://mujoco.readthedocs.io/en/stable/XMLreference.html#visual-global).

    Args:
        camera: The camera.
        place: The point, (3,) metres.
        view: Width and height of its picture in pixels.
        fovy: Degrees.

    Returns:
        x, y in pixels; None where the point is not in the picture, or the camera is no free one.
    """
    if camera.lookat is None or camera.distance is None:
        return None
    azimuth, elevation = math.radians(camera.azimuth), math.radians(camera.elevation)
    ahead = np.array([
        math.cos(elevation) * math.cos(azimuth),
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
    ])  # fmt: skip
    right = np.array([math.sin(azimuth), -math.cos(azimuth), 0.0])
    way = place - (np.array(camera.lookat) - camera.distance * ahead)
    depth = float(way @ ahead)
    if depth <= 0:
        return None
    focal_px = view[1] / 2 / math.tan(math.radians(fovy) / 2)
    x_px = view[0] / 2 + focal_px * float(way @ right) / depth
    y_px = view[1] / 2 - focal_px * float(way @ np.cross(right, ahead)) / depth
    return (x_px, y_px) if 0 <= x_px < view[0] and 0 <= y_px < view[1] else None
