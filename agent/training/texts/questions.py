"""What is asked about screens that are no web pages: cards, grids, a robot's cameras, a phone.

The answers come from the environment's state. An episode's own task says little about its screens:
on the cards a model that was shown nothing else learned the answers that are frequent, and did not
look. Questions about each thing that a screen shows make it look.
"""

from typing import Any

from eyehand.agent.experts.cards.blackjack import hand_words
from eyehand.agent.experts.minigrid import WAYS, name_of, place_of
from eyehand.agent.experts.phone.view import PhoneView
from eyehand.agent.experts.robot.view import places
from eyehand.envs.cards.blackjack import BlackjackEnvironment, hand_points
from eyehand.envs.cards.card import RANKS
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.cards.points import PointsGame
from eyehand.envs.env import Environment, Observation
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.model.training.screens import Item, Question, ask

_LONGEST = 30


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
            return _about_grid(environment)
        case DeclaredEnvironment(suite=suite) if suite.suite == "robot":
            return _about_robot(environment)
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


def _about_grid(environment: DeclaredEnvironment) -> list[Question]:
    """Ask where things are, and what the agent has before it."""
    world: Any = environment.inner.unwrapped
    found = [("agent", world.agent_pos)]
    for number, thing in enumerate(world.grid.grid):
        if thing is not None and thing.type not in ("wall", "floor"):
            found.append((name_of(thing), divmod(number, world.grid.width)[::-1]))
    names = [name for name, _ in found]
    return [
        *(
            (f"Where is the {name}?", place_of(world, cell))
            for name, cell in found
            if names.count(name) == 1
        ),
        ("Which way does the agent look?", WAYS[world.agent_dir]),
        ("What is before the agent?", name_of(world.grid.get(*world.front_pos))),
    ]


def _about_robot(environment: DeclaredEnvironment) -> list[Question]:
    """Ask where the gripper and the goal are in each camera's picture."""
    return [
        (f"Where is the {name}{f' in the {side} picture' if side else ''}?", at)
        for side, name, at in places(environment)
    ]


def _about_phone(environment: PhoneEnvironment, observation: Observation) -> list[Question]:
    """Ask where texts are on the phone's screen, and what stands at their places."""
    geometry = observation.geometry
    items = [
        Item(node.text, node.bounds, "word")
        for node in PhoneView(environment).in_reach()
        if 1 < len(node.text) <= _LONGEST
    ]
    return ask(items, (int(geometry.device_width), int(geometry.device_height)))
