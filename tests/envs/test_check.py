from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eyehand.actions import Action, ActionSpace, Point
from eyehand.envs.cards.number_line import NumberLineEnvironment, Plus
from eyehand.envs.check import ContractBroken, check_environment
from eyehand.envs.env import Environment, Observation, Pixels, ScreenGeometry, ScreenSpace
from eyehand.errors import OutOfRange, UnknownAction

Answer = Any


class Touch(Action):
    """Touch a point."""

    point: Point


class TouchScreen(Environment):
    """A seeded screen on which a touch leaves a dot: keeps the contract."""

    seeded = True

    def __init__(self) -> None:
        self.action_space = ActionSpace([Touch])
        self.observation_space = ScreenSpace()
        self.pixels: Pixels = np.zeros((56, 56, 3), np.uint8)
        self.geometry = ScreenGeometry("touch", 56, 56, 560, 560)
        self.touches = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super(Environment, self).reset(seed=seed)
        self.pixels = self.np_random.integers(0, 256, (56, 56, 3), np.uint8)
        return Observation(self.pixels.copy(), self.geometry), {}

    def step(self, action: Action) -> Answer:
        if not isinstance(action, Touch):
            raise UnknownAction("only touch is permitted")
        if action not in self.action_space:
            raise OutOfRange("the point lies outside")
        x, y = self.geometry.to_device(action.point)
        self.pixels[int(y / 10), int(x / 10)] = 255
        return Observation(self.pixels.copy(), self.geometry), 0.0, False, False, {}

    def render(self) -> Pixels:
        return self.pixels.copy()


def test_a_good_environment_passes_every_check() -> None:
    report = check_environment(TouchScreen(), seeds=(1, 2, 3), max_steps=4)
    assert report.skipped == []
    assert report.steps == 12
    assert {"spaces", "points", "seeding", "gymnasium", "closing"} <= set(report.passed)


def test_a_screen_with_a_video_passes_every_check() -> None:
    assert check_environment(Film(), max_steps=4).skipped == []
    assert Film().reset(seed=1)[0].video.shape == (3, 56, 56, 3)


def test_only_the_named_actions_are_sampled() -> None:
    class Recorded(NumberLineEnvironment):
        taken: set[type[Action]] = set()  # noqa: RUF012

        def step(self, action: Action) -> Answer:
            answer = super().step(action)
            self.taken.add(type(action))
            return answer

    check_environment(Recorded(), action_names=["plus"])
    assert Recorded.taken == {Plus}


def test_refused_samples_are_counted() -> None:
    class Shy(TouchScreen):
        def step(self, action: Action) -> Answer:
            if isinstance(action, Touch) and action.point.x > 0.5:
                raise OutOfRange("the right half may not be touched")
            return super().step(action)

    report = check_environment(Shy(), max_steps=12)
    assert report.refusals > 0
    assert report.steps + report.refusals == 24


class Unseeded(TouchScreen):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=np.random.default_rng().integers(2**31).item())


class ForgetsItsPixels(TouchScreen):
    def step(self, action: Action) -> Answer:
        _, *rest = super().step(action)
        return (Observation(self.pixels, self.geometry), *rest)


class OtherPicture(TouchScreen):
    def render(self) -> Pixels:
        return np.zeros((56, 56, 3), np.uint8)


class TransposedPixels(TouchScreen):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        observation, info = super().reset(seed=seed)
        return Observation(observation.pixels[:28], self.geometry), info


class NumpyFlags(TouchScreen):
    def step(self, action: Action) -> Answer:
        observation, reward, _, _, info = super().step(action)
        return observation, reward, np.bool_(False), False, info


class IntReward(TouchScreen):
    def step(self, action: Action) -> Answer:
        observation, _, *flags, info = super().step(action)
        return observation, 1, flags[0], flags[1], info


class FourValues(TouchScreen):
    def step(self, action: Action) -> Any:
        return super().step(action)[:4]


class LooseInfo(TouchScreen):
    info: dict[str, Any] = {"score": 3}  # noqa: RUF012

    def step(self, action: Action) -> Answer:
        return (*super().step(action)[:4], self.info)


class NumberVerdict(LooseInfo):
    info = {"verdict": 1}  # noqa: RUF012


class ArrayDetails(LooseInfo):
    info = {"details": {"grid": np.zeros(2)}}  # noqa: RUF012


class TakesAnything(TouchScreen):
    def step(self, action: Action) -> Answer:
        point = Point(x=0.5, y=0.5)
        return super().step(Touch(point=point) if not isinstance(action, Touch) else action)


class RaisesTypeError(TouchScreen):
    def step(self, action: Action) -> Answer:
        if not isinstance(action, Touch):
            raise TypeError("what is this?")
        return super().step(action)


class IgnoresTheScreen(TouchScreen):
    def step(self, action: Action) -> Answer:
        if isinstance(action, Touch) and action in self.action_space:
            action = Touch(point=Point(x=action.point.x, y=action.point.y))
        return super().step(action)


class ClampsPoints(TouchScreen):
    def step(self, action: Action) -> Answer:
        if isinstance(action, Touch):
            point = action.point
            inside = {"x": min(point.x, 1.0), "y": min(point.y, 1.0), "screen": point.screen}
            action = Touch(point=Point.model_validate(inside))
        return super().step(action)


class ActsBeforeItRefuses(TouchScreen):
    def step(self, action: Action) -> Answer:
        if not isinstance(action, Touch):
            self.pixels[:] = 0
        return super().step(action)


class EmptyInstruction(TouchScreen):
    instruction = " "


class NamelessScreen(TouchScreen):
    def __init__(self) -> None:
        super().__init__()
        self.geometry = ScreenGeometry("", 56, 56, 560, 560)


class NoDeviceSize(TouchScreen):
    def __init__(self) -> None:
        super().__init__()
        self.geometry = ScreenGeometry("touch", 56, 56, 0, 560)


class ClosesOnce(TouchScreen):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True


class PlainSpace(TouchScreen):
    def __init__(self) -> None:
        super().__init__()
        self.action_space = ScreenSpace()  # type: ignore[assignment]


class Undescribed(TouchScreen):
    def __init__(self) -> None:
        super().__init__()
        self.action_space = ActionSpace([type("Poke", (Action,), {"__doc__": None})])


class UnseededGenerator(TouchScreen):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        elif not hasattr(self, "generator"):
            self.generator = np.random.default_rng()
        self.pixels = self.generator.integers(0, 256, (56, 56, 3), np.uint8)
        return Observation(self.pixels.copy(), self.geometry), {}


class Film(TouchScreen):
    """Shows the last three screens as a video: keeps the contract."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        observation, info = super().reset(seed=seed)
        self.frames = [observation.pixels] * 3
        return self.film(observation), info

    def step(self, action: Action) -> Answer:
        observation, *rest = super().step(action)
        self.frames = [*self.frames[1:], observation.pixels]
        return self.film(observation), *rest

    def film(self, observation: Observation) -> Observation:
        return replace(observation, video=np.stack(self.frames))


class FilmOfFloats(Film):
    def film(self, observation: Observation) -> Observation:
        video: Any = np.stack(self.frames) / 255
        return replace(observation, video=video)


class FilmRunsBackwards(Film):
    def film(self, observation: Observation) -> Observation:
        return replace(observation, video=np.stack(self.frames)[::-1].copy())


class FilmIsReused(Film):
    def film(self, observation: Observation) -> Observation:
        if not hasattr(self, "buffer"):
            self.buffer = np.stack(self.frames)
        self.buffer[:] = self.frames
        return replace(observation, video=self.buffer)


class FilmIsUnseeded(Film):
    def film(self, observation: Observation) -> Observation:
        video = np.stack(self.frames)
        video[0] = np.random.default_rng().integers(0, 256, (56, 56, 3), np.uint8)
        return replace(observation, video=video)


MISTAKES = {
    FilmOfFloats: r"a video of float64 \(3, 56, 56, 3\)",
    FilmRunsBackwards: "a video of uint8 .* ends with another picture",
    FilmIsReused: "return a copy",
    FilmIsUnseeded: "two different episodes",
    Unseeded: "np_random",
    UnseededGenerator: "super",
    ForgetsItsPixels: "return a copy",
    OtherPicture: "render",
    TransposedPixels: r"\(28, 56, 3\) with a geometry of 56 x 56",
    NumpyFlags: "expected a Python bool",
    IntReward: "finite float",
    FourValues: "5 values",
    LooseInfo: r"\['score'\].*details",
    NumberVerdict: "verdict is 1",
    ArrayDetails: "JSON",
    TakesAnything: "not in action_space",
    RaisesTypeError: "TypeError.*ModelFeedback",
    IgnoresTheScreen: "StaleScreen",
    ClampsPoints: "outside the screen",
    ActsBeforeItRefuses: "check before acting",
    EmptyInstruction: "instruction",
    NamelessScreen: "name",
    NoDeviceSize: "positive",
    ClosesOnce: "second time",
    PlainSpace: "not an ActionSpace",
    Undescribed: "docstring",
}


@pytest.fixture(params=MISTAKES, ids=lambda kind: kind.__name__)
def mistaken(request: pytest.FixtureRequest) -> type[TouchScreen]:
    kind: type[TouchScreen] = request.param
    return kind


def test_each_mistake_is_named(mistaken: type[TouchScreen]) -> None:
    with pytest.raises(ContractBroken, match=MISTAKES[mistaken]):
        check_environment(mistaken())
