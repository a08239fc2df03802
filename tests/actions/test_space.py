"""Action, Coordinates and ActionSpace: what is permitted, and how mistakes are told."""

import math
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from gymnasium.spaces import Space
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.web import Back, Click, Drag, Wait
from eyehand.errors import InvalidArgument, OutOfRange, UnknownAction, UsageError


class Sweep(Action):
    """Sweep, with every kind of field.

    The second paragraph is not part of the description.
    """

    ratio: float = Field(gt=0, lt=1)
    count: int = Field(gt=2, lt=4)
    large: int = Field(ge=10**18)
    label: str = Field(min_length=12, max_length=20)
    tags: list[str] = Field(min_length=2)
    place: Annotated[Point, Field(description="where")] | None = None


class Renamed(Action):
    """An action with a name of its own."""

    name: ClassVar[str] = "another"


def test_names_and_descriptions_come_from_the_class() -> None:
    assert (Sweep.name, Renamed.name, Drag.name) == ("sweep", "another", "drag")
    assert Sweep.description() == "Sweep, with every kind of field."


def test_actions_print_for_people() -> None:
    assert str(Click(point=Point(x=0.25, y=1))) == "click(point=(0.250, 1.000))"
    assert str(Back()) == "back()"


def test_samples_respect_bounds_lengths_and_optional_points() -> None:
    space = ActionSpace([Sweep], seed=0)
    samples = [space.sample() for _ in range(60)]
    assert all(space.contains(sample) for sample in samples)
    assert {sample.points().keys() == {"place"} for sample in samples} == {True, False}


def test_the_same_seed_draws_the_same_actions() -> None:
    first, second = (ActionSpace([Sweep, Drag, Wait], seed=5) for _ in range(2))
    assert [first.sample() for _ in range(9)] == [second.sample() for _ in range(9)]
    assert isinstance(first, Space)


def test_contains_wants_the_permitted_types_and_valid_values() -> None:
    space = ActionSpace([Click])
    assert space.contains(Click(point=Point(x=0, y=0)))
    assert not space.contains(Back())
    assert not space.contains("click")
    assert not space.contains(Click.model_construct(point=Point.model_construct(x=7.0, y=0.0)))


def test_extended_and_restricted_keep_order_and_handlers() -> None:
    def handler(action: Any, environment: Any) -> str:
        return "swept"

    space = ActionSpace([Click, Back]).extended(Sweep, handler)
    assert space.names == ("click", "back", "sweep")
    assert space.restricted(["sweep", "click"]).names == ("sweep", "click")
    assert space.restricted(["sweep"]).handlers[Sweep] is handler
    with pytest.raises(UnknownAction, match="'fly' is not an action here"):
        space.restricted(["fly"])
    with pytest.raises(UsageError, match="share a name"):
        space.extended(Sweep)


def test_optional_and_annotated_points_are_read_in_the_dialect() -> None:
    arguments = {
        **{"ratio": 0.5, "count": 3, "large": 10**18, "label": "a" * 12, "tags": ["a", "b"]},
        "place": [500, 1000],
    }
    action = ActionSpace([Sweep]).build("sweep", arguments)
    assert action.points() == {"place": Point(x=0.5, y=1)}


@given(x=st.integers(0, 1000), y=st.integers(0, 1000))
def test_thousandths_are_read_and_written_without_loss(x: int, y: int) -> None:
    coordinates = Coordinates()
    assert coordinates.write(coordinates.read([x, y])) == [x, y]


@given(x=st.integers(0, 1288), y=st.integers(0, 728))
def test_pixels_are_read_and_written_without_loss(x: int, y: int) -> None:
    coordinates = Coordinates("pixels", 1288, 728)
    assert coordinates.write(coordinates.read((x, y))) == [x, y]


def test_fractions_keep_four_digits_and_points_carry_their_screen() -> None:
    coordinates = Coordinates("fraction", screen="tab-2")
    point = coordinates.read({"x": 0.49, "y": 0.42})
    assert (point.screen, coordinates.write(point)) == ("tab-2", [0.49, 0.42])


@pytest.mark.parametrize(
    "value",
    [
        *(None, 3, "12", b"12", [], [1], [1, 2, 3], ["1", "2"], [True, 2], [None, 1]),
        *([math.nan, 1], [1, math.inf], {"x": 1}, {}, [[1, 2], 3], [10**400, 1]),
    ],
)
def test_what_is_no_pair_of_numbers_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match="a point is two numbers"):
        Coordinates().read(value)


@pytest.mark.parametrize("value", [[1000.5, 0], [0, -0.1], [-1, 0], [0, 1001]])
def test_points_outside_the_screen_are_out_of_range(value: object) -> None:
    with pytest.raises(OutOfRange, match="outside the screen: expected 0 to 1000"):
        Coordinates().read(value)


def test_numpy_seeds_are_accepted() -> None:
    assert ActionSpace([Back], seed=np.random.default_rng(0)).sample() == Back()
