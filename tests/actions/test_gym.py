"""The declarative mapping: every sample becomes a Gymnasium action that its space contains."""

from enum import IntEnum
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eyehand.actions.codecs import make_codec
from eyehand.actions.gym import ActionMapping, Labels, action_names
from eyehand.errors import InvalidArgument, OutOfRange, UsageError

FLOATS: st.SearchStrategy[Any] = st.sampled_from([np.float16, np.float32, np.float64])
INTEGERS: st.SearchStrategy[Any] = st.sampled_from([np.uint8, np.int32, np.int64])


@st.composite
def boxes(draw: st.DrawFn) -> spaces.Box:
    shape = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(st.integers(0, 200), st.integers(0, 200))))
        return spaces.Box(low, high, shape, draw(INTEGERS))
    if draw(st.booleans()):
        return spaces.Box(-np.inf, np.inf, shape, draw(FLOATS))
    low_f, high_f = sorted(draw(st.tuples(st.floats(-9, 9, width=16), st.floats(-9, 9, width=16))))
    return spaces.Box(low_f, high_f, shape, draw(FLOATS))


plain_spaces: st.SearchStrategy[spaces.Space[Any]] = st.one_of(
    st.builds(
        lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 6), st.integers(-3, 3)
    ),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    st.integers(1, 4).map(spaces.MultiBinary),
    boxes(),
)
keys = st.sampled_from(["arm", "gripper", "base", "wheel"])
any_space = st.recursive(
    plain_spaces,
    lambda inner: st.one_of(
        st.dictionaries(keys, inner, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=2).map(spaces.Tuple),
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(space=any_space, seed=st.integers(0, 1000))
@example(space=spaces.Box(0.0, -0.0, (), np.float16), seed=0)
def test_every_sample_becomes_an_action_of_the_space(space: spaces.Space[Any], seed: int) -> None:
    mapping = ActionMapping.from_space(space)
    mapping.action_space.seed(seed)
    action = mapping.action_space.sample()
    assert mapping.action_space.contains(action)
    gym_action = mapping.to_gym(action)
    assert space.contains(gym_action)
    if isinstance(space, spaces.Box):
        assert gym_action.dtype == space.dtype
        assert gym_action.shape == space.shape


def test_a_discrete_space_becomes_a_call_for_each_action() -> None:
    space = spaces.Discrete(3, start=-1)
    mapping = ActionMapping.from_space(
        space, names=["left", "stay", "right"], descriptions={"0": "Do not move."}
    )
    assert mapping.action_space.names == ("left", "stay", "right")
    assert [t.description() for t in mapping.action_space.types] == [
        "Left.",
        "Do not move.",
        "Right.",
    ]
    values = [mapping.to_gym(mapping.action_space.build(n, {})) for n in ("left", "stay", "right")]
    assert values == [-1, 0, 1]
    assert {type(value) for value in values} == {np.int64}


def test_a_wide_discrete_space_becomes_one_call_with_a_number() -> None:
    mapping = ActionMapping.from_space(spaces.Discrete(500))
    assert mapping.action_space.names == ("choose",)
    assert mapping.to_gym(mapping.action_space.build("choose", {"value": 499})) == 499
    with pytest.raises(OutOfRange):
        mapping.action_space.build("choose", {"value": 500})


def test_a_box_gets_names_units_and_bounds() -> None:
    labels = {
        "names": ["dx", "dy", "dz", "gripper"],
        "units": {"0": "metres", "1": "metres", "2": "metres"},
        "descriptions": {"3": "how far to open the gripper"},
        "call": "move",
        "description": "Move the hand.",
    }
    space = spaces.Box(-1, 1, (4,), np.float32)
    mapping = ActionMapping.from_space(space, labels)
    (move,) = mapping.action_space.types
    assert (move.name, move.description()) == ("move", "Move the hand.")
    assert move.model_fields["dx"].description == "dx, in metres"
    assert move.model_fields["gripper"].description == "how far to open the gripper"
    call = {"dx": 0.25, "dy": -1, "dz": 1, "gripper": 0}
    array = mapping.to_gym(mapping.action_space.build("move", call))
    assert array.dtype == np.float32
    assert array.tolist() == [0.25, -1, 1, 0]
    with pytest.raises(OutOfRange, match="dx"):
        mapping.action_space.build("move", {**call, "dx": 1.01})
    with pytest.raises(InvalidArgument, match="dz"):
        mapping.action_space.build("move", {"dx": 0, "dy": 0, "gripper": 0})


def test_choices_are_written_by_name() -> None:
    space = spaces.Dict(
        arm=spaces.Dict(joints=spaces.Box(-180, 180, (2,), np.float64)),
        tool=spaces.Discrete(3, start=5),
        lights=spaces.MultiDiscrete([2, 2]),
    )
    labels = Labels(
        names={"arm.joints.0": "shoulder", "arm.joints.1": "elbow"},
        units={"arm.joints.0": "degrees"},
        values={"tool": ["none", "brush", "saw"], "lights.1": ["off", "on"]},
    )
    mapping = ActionMapping.from_space(space, labels)
    text = (
        '✿FUNCTION✿: act\n✿ARGS✿: {"shoulder": 90, "elbow": -45.5, "tool": "saw", '
        '"lights_0": 1, "lights_1": "on"}'
    )
    parsed = make_codec().parse(text, mapping.action_space)
    assert parsed.action is not None
    made = mapping.to_gym(parsed.action)
    assert space.contains(made)
    assert made["arm"]["joints"].tolist() == [90, -45.5]
    assert made["tool"] == 7
    assert made["lights"].tolist() == [1, 1]
    assert make_codec().parse(make_codec().write(parsed.action), mapping.action_space).action == (
        parsed.action
    )


class _Named(gymnasium.Env[Any, Any]):
    """An environment with names where minigrid or ALE keep them."""

    def __init__(self, count: int, **members: Any) -> None:
        self.action_space = spaces.Discrete(count)
        self.observation_space = spaces.Discrete(1)
        for name, value in members.items():
            setattr(self, name, value)


def test_names_come_from_the_environment_where_it_has_them() -> None:
    moves = IntEnum("moves", {"turnLeft": 0, "forward": 2, "pickup": 1})
    assert action_names(_Named(3, actions=moves)) == ("turn_left", "pickup", "forward")
    ale = _Named(3, get_action_meanings=lambda: ["NOOP", "FIRE", "RIGHTFIRE"])
    assert ActionMapping.from_environment(ale).action_space.names == ("noop", "fire", "rightfire")


def test_names_that_do_not_fit_the_space_are_not_used() -> None:
    assert action_names(_Named(3, get_action_meanings=lambda: ["NOOP"])) == ()
    assert action_names(_Named(3)) == ()
    assert ActionMapping.from_environment(_Named(2)).action_space.names == ("action_0", "action_1")


def test_real_environments_take_what_the_mapping_makes() -> None:
    for name in ("CartPole-v1", "MountainCarContinuous-v0"):
        environment = gymnasium.make(name)
        mapping = ActionMapping.from_environment(environment)
        mapping.action_space.seed(0)
        environment.reset(seed=0)
        for _ in range(5):
            environment.step(mapping.to_gym(mapping.action_space.sample()))
        environment.close()


@pytest.mark.parametrize(
    ("space", "labels", "says"),
    [
        (spaces.Discrete(2), {"names": ["a"]}, "needs 2 names"),
        (spaces.Discrete(2), {"names": ["a", "a"]}, "come twice"),
        (spaces.Discrete(2), {"names": ["+", "-"]}, "small letters"),
        (spaces.Discrete(2), {"colours": []}, "labels have no"),
        (spaces.Discrete(2), {"names": {"7": "a"}}, "given for"),
        (spaces.Box(0, 1, (2,)), {"names": ["copy", "b"]}, "'copy' cannot name"),
        (spaces.Box(0, 1, (2,)), {"values": {"0": ["a", "b"]}}, "chooses among"),
        (spaces.Box(0, 1, (2,)), {"values": {"9": ["a", "b"]}}, "values are named"),
        (spaces.MultiDiscrete([3]), {"values": {"": ["a", "b"]}}, "takes 3"),
        (spaces.Box(0, 1, (9, 9)), {}, "81 numbers"),
        (spaces.Text(5), {}, "no mapping for Text"),
    ],
)
def test_labels_that_do_not_fit_are_the_users_mistake(
    space: spaces.Space[Any], labels: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        ActionMapping.from_space(space, labels)


def test_an_action_of_another_mapping_is_refused() -> None:
    one, other = (ActionMapping.from_space(spaces.Discrete(2)) for _ in range(2))
    with pytest.raises(UsageError, match="not a call of this mapping"):
        one.to_gym(other.action_space.sample())
