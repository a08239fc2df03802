"""The expert of MiniGrid: the shortest way to the goal, by search in a copy of the simulator.

Its thought says what the move follows from: where the agent is and looks, where it goes next, what
is before it. A model that writes these first does not have to see and to plan in one go. What
stands behind the colon follows from the text before it, without the screen; what is before the
agent comes last, for a small model sees it worst, and would otherwise be led by it to a wrong way.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from eyehand.actions import Action
from eyehand.agent.experts.state import Moves
from eyehand.agent.policies.base import Decision
from eyehand.envs.suite_file.make import DeclaredEnvironment
from eyehand.model.training.screens import point

WAYS = ("right", "down", "left", "up")
"""Where the agent looks, by MiniGrid's number."""

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The cell before the agent, by the same number: columns to the right, rows down."""

_LOOSE = ("key", "ball", "box")
"""Types of objects that can be carried."""

MOST_STATES = 200_000
"""The search gives up after this many; the largest of the suite's worlds needs a tenth."""

State = tuple[Any, ...]


def begin(environment: DeclaredEnvironment) -> Moves:
    """Search at the start of an episode; return what gives the actions of the way found."""
    calls, world = _calls(environment), environment.inner.unwrapped
    way = deque(shortest_way(world, set(calls)) or ())

    def move() -> Decision | None:
        if not way:
            return None
        return Decision(thought=thought_of(world, way), action=calls[way.popleft()])

    return move


def name_of(thing: Any) -> str:
    """Return what a thing of MiniGrid is called, such as "red ball" or "locked red door"."""
    if thing is None:
        return "nothing"
    if thing.type in ("wall", "goal", "lava"):
        return str(thing.type)
    if thing.type == "door":
        state = "open " if thing.is_open else "locked " if thing.is_locked else ""
        return f"{state}{thing.color} door"
    return f"{thing.color} {thing.type}"


def place_of(world: Any, cell: Sequence[int]) -> str:
    """Return where the picture shows a cell (column, row): "[x, y]" in thousandths, in tens."""
    x, y = float(cell[0]), float(cell[1])
    return point((x, y, x + 1, y + 1), (world.grid.width, world.grid.height))


def thought_of(world: Any, way: Sequence[int]) -> str:
    """Say what is seen that decides the first of the moves ahead.

    Args:
        world: A MiniGrid environment, unwrapped.
        way: The moves ahead, in MiniGrid's numbers; at least one.

    Example:
        "At [300, 500], look left. To yellow key at [300, 700]: down; left, beside. Before me wall."
    """
    aim = next_stop(world, way)
    before = name_of(world.grid.get(*world.front_pos))
    return (
        f"At {place_of(world, world.agent_pos)}, look {WAYS[world.agent_dir]}. "
        f"To {name_of(world.grid.get(*aim))} at {place_of(world, aim)}: {_direction(world, aim)}. "
        f"Before me {before}."
    )


def next_stop(world: Any, way: Sequence[int]) -> tuple[int, int]:
    """Return the cell (column, row) that a way handles first, or at which it ends.

    "done" handles the thing that was to be gone to: it may lie at the agent's side.
    """
    (x, y), looks = map(int, world.agent_pos), int(world.agent_dir)
    for move in way:
        step_x, step_y = _STEPS[looks]
        if move == world.actions.forward:
            x, y = x + step_x, y + step_y
        elif move in (world.actions.left, world.actions.right):
            looks = (looks + (1 if move == world.actions.right else -1)) % len(WAYS)
        elif move == world.actions.done and hasattr(world, "target_pos"):
            return int(world.target_pos[0]), int(world.target_pos[1])
        else:
            return x + step_x, y + step_y
    return x, y


def _direction(world: Any, aim: tuple[int, int]) -> str:
    """Say where a cell lies on the picture, and then as the agent looks.

    One follows from two places, the other from the first and the way the agent looks: a small
    model learns the two apart where it does not learn them in one.
    """
    x, y = aim[0] - int(world.agent_pos[0]), aim[1] - int(world.agent_pos[1])
    step_x, step_y = _STEPS[int(world.agent_dir)]
    drawn = _both(x, ("left", "right"), y, ("up", "down"))
    ahead, right = x * step_x + y * step_y, y * step_x - x * step_y
    turned = _both(ahead, ("behind", "ahead"), right, ("left", "right"))
    return f"{drawn}; {turned}" + (", beside" if abs(x) + abs(y) == 1 else "")


def _both(
    first: int, first_words: tuple[str, str], second: int, second_words: tuple[str, str]
) -> str:
    """Return the words for two numbers, the first for one below zero; "here" where both are 0."""
    words = [
        words[number > 0]
        for number, words in ((first, first_words), (second, second_words))
        if number
    ]
    return " and ".join(words) or "here"


def _calls(environment: DeclaredEnvironment) -> dict[int, Action]:
    """Return the permitted calls by the numbers that MiniGrid gives them."""
    calls = [action_type() for action_type in environment.action_space.types]
    return {int(environment.mapping.to_gym(call)): call for call in calls}


def shortest_way(world: Any, permitted: set[int]) -> list[int] | None:
    """Return the fewest actions that end an episode with a reward; None where there are none.

    Breadth first. Laying things down is left out at first: it multiplies the states, and few
    tasks need it.

    Args:
        world: A MiniGrid environment, unwrapped; it is copied and left as it is.
        permitted: The actions on offer, in MiniGrid's numbers.
    """
    drop = int(world.actions.drop)
    way = _Search(world, permitted - {drop}).run()
    if way is None and drop in permitted:
        way = _Search(world, permitted).run()
    return way


class _Search:
    """A breadth-first search through one simulator that is put back and forth between states."""

    def __init__(self, world: Any, permitted: set[int]) -> None:
        self._world = deepcopy(world)
        self._world.gen_obs = lambda: {}  # the agent's view; nobody looks
        self._world.max_steps = self._world.step_count + MOST_STATES  # bounds a way, not the search
        self._permitted = permitted

    def run(self) -> list[int] | None:
        first = self._state()
        ways: dict[State, tuple[State, int] | None] = {self._key(): None}
        ahead = deque([(first, self._key())])
        while ahead and len(ways) < MOST_STATES:
            state, key = ahead.popleft()
            for action in self._sensible(state):
                self._put(state)
                _, reward, terminated, _, _ = self._world.step(action)
                if terminated and reward > 0:
                    return [*self._way(ways, key), action]
                after = self._key()
                if not terminated and after not in ways:
                    ways[after] = (key, action)
                    ahead.append((self._state(), after))
        return None

    def _sensible(self, state: State) -> Iterator[int]:
        """Yield the permitted actions that can change anything."""
        self._put(state)
        world, actions = self._world, self._world.actions
        ahead = world.grid.get(*world.front_pos)
        useless = {
            actions.pickup: world.carrying is not None or getattr(ahead, "type", "") not in _LOOSE,
            actions.drop: world.carrying is None or ahead is not None,
            actions.toggle: getattr(ahead, "type", "") != "door",
        }
        yield from (action for action in sorted(self._permitted) if not useless.get(action, False))

    def _way(self, ways: dict[State, tuple[State, int] | None], key: State) -> list[int]:
        way: list[int] = []
        while (step := ways[key]) is not None:
            key, action = step
            way.append(action)
        return way[::-1]

    def _state(self) -> State:
        """Return all that a step can change."""
        world = self._world
        return (
            tuple(world.agent_pos), world.agent_dir, world.carrying, tuple(world.grid.grid),
            self._doors(), tuple((thing, thing.cur_pos) for thing in self._loose()),
        )  # fmt: skip

    def _put(self, state: State) -> None:
        """Bring the simulator into a state."""
        world = self._world
        place, world.agent_dir, world.carrying, cells, doors, things = state
        world.agent_pos = place
        world.grid.grid = list(cells)
        for door, is_open, is_locked in doors:
            door.is_open, door.is_locked = is_open, is_locked
        for thing, cell in things:
            thing.cur_pos = cell

    def _key(self) -> State:
        """Return what tells states apart."""
        world = self._world
        loose = tuple(
            (cell, id(thing))
            for cell, thing in enumerate(world.grid.grid)
            if thing is not None and thing.type in _LOOSE
        )
        doors = tuple((is_open, is_locked) for _, is_open, is_locked in self._doors())
        return (*world.agent_pos, world.agent_dir, id(world.carrying), loose, doors)

    def _doors(self) -> tuple[tuple[Any, bool, bool], ...]:
        cells = self._world.grid.grid
        return tuple((c, c.is_open, c.is_locked) for c in cells if c and c.type == "door")

    def _loose(self) -> list[Any]:
        world = self._world
        things = [c for c in world.grid.grid if c is not None and c.type in _LOOSE]
        return things if world.carrying is None else [*things, world.carrying]
