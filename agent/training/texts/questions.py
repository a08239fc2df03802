"""What is asked about screens that are no web pages: cards, grids, a robot's cameras, a phone.

The answers come from the environment's state. An episode's own task says little about its screens:
on the cards a model that was shown nothing else learned the answers that are frequent, and did not
look. Questions about each thing that a screen shows make it look.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eyehand.agent.experts.cards.blackjack import hand_words
from eyehand.agent.experts.minigrid import WAYS, name_of
from eyehand.agent.experts.phone.view import PhoneView
from eyehand.envs.cards.blackjack import BlackjackEnvironment, hand_points
from eyehand.envs.cards.card import RANKS
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.cards.points import PointsGame
from eyehand.envs.env import Environment, Observation
from eyehand.envs.gym.cameras import Camera
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.model.training.pages import Box
from eyehand.model.training.screens import Item, Question, ask, point

_LONGEST = 30
_SIDES = ("left", "right")


def questions(environment: Environment, observation: Observation) -> list[Question]:
    """Return what can be asked about the screen of an environment, each with its answer.

    Args:
        environment: Any; nothing is asked about those that are not known here.
        observation: What is seen of it.
    """
    match environment:
        case NumberLineEnvironment():
            return [
                ("What is Current?", str(environment.current)),
                ("What is Target?", str(environment.target)),
            ]
        case PointsGame():
            return _about_formula(environment)
        case BlackjackEnvironment():
            return _about_hands(environment)
        case PhoneEnvironment():
            return _about_phone(environment, observation)
        case DeclaredEnvironment(suite=suite) if suite.suite == "minigrid":
            return _about_grid(environment, observation)
        case DeclaredEnvironment(suite=suite) if suite.suite == "robot":
            return _about_robot(environment, observation)
    return []


def _about_formula(environment: PointsGame) -> list[Question]:
    return [
        ("Which cards are there?", ", ".join(map(str, environment.cards))),
        ("What do they count?", ", ".join(str(card.value) for card in environment.cards)),
        ("What is the formula?", " ".join(environment.tokens) or "nothing"),
        ("Which numbers are not used yet?", ", ".join(map(str, environment.unused)) or "none"),
    ]


def _about_hands(environment: BlackjackEnvironment) -> list[Question]:
    points, soft = hand_points(environment.player)
    return [
        ("Which cards are mine?", ", ".join(RANKS[rank - 1] for rank in environment.player)),
        ("How many points are mine?", hand_words(points, soft)),
        ("What does the dealer show?", RANKS[environment.dealer_open - 1]),
    ]


def _about_grid(environment: DeclaredEnvironment, observation: Observation) -> list[Question]:
    """Ask where things are, and what the agent has before it."""
    world: Any = environment.inner.unwrapped
    height, width = observation.pixels.shape[:2]
    columns, rows = world.grid.width, world.grid.height
    cell = width / columns, height / rows
    items = [Item("", _cell_box(world.agent_pos, cell), "agent")]
    for number, thing in enumerate(world.grid.grid):
        if thing is not None and thing.type not in ("wall", "floor"):
            items.append(Item("", _cell_box(divmod(number, columns)[::-1], cell), name_of(thing)))
    names = [item.name for item in items]
    asked = [
        (f"Where is the {item.name}?", point(item.box, (width, height)))
        for item in items
        if names.count(item.name) == 1
    ]
    ahead = world.grid.get(*world.front_pos)
    return [
        *asked,
        ("Which way does the agent look?", WAYS[world.agent_dir]),
        ("What is before the agent?", name_of(ahead)),
    ]


def _cell_box(place: Sequence[int], cell: tuple[float, float]) -> Box:
    left, top = float(place[0]) * cell[0], float(place[1]) * cell[1]
    return left, top, left + cell[0], top + cell[1]


def _about_robot(environment: DeclaredEnvironment, observation: Observation) -> list[Question]:
    """Ask where the gripper and the goal are in each camera's picture."""
    world: Any = environment.inner.unwrapped
    height, width = observation.pixels.shape[:2]
    cameras = environment.task.screen.cameras
    view = width // len(cameras), height
    fovy = float(world.model.vis.global_.fovy)
    things = {"gripper": world.data.site("robot0:grip").xpos, "red ball": world.goal}
    asked = []
    for index, camera in enumerate(cameras):
        where = f" in the {_SIDES[index]} picture" if len(cameras) == 2 else ""
        for name, place in things.items():
            seen = seen_at(camera, np.asarray(place, np.float64), view, fovy)
            if seen is not None:
                x_px, y_px = seen[0] + index * view[0], seen[1]
                at = point((x_px, y_px, x_px, y_px), (width, height))
                asked.append((f"Where is the {name}{where}?", at))
    return asked


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


def _about_phone(environment: PhoneEnvironment, observation: Observation) -> list[Question]:
    """Ask where texts are on the phone's screen, and what stands at their places."""
    geometry = observation.geometry
    items = [
        Item(node.text, node.bounds, "word")
        for node in PhoneView(environment).in_reach()
        if 1 < len(node.text) <= _LONGEST
    ]
    return ask(items, (int(geometry.device_width), int(geometry.device_height)))
