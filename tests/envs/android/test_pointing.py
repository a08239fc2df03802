"""Where a tap lands on the page of the simulated phone, at every rotation, size and density."""

from collections.abc import Iterator

import pytest

from eyehand.actions import Point
from eyehand.actions.android import Drag, LongPress, Press, Scroll, Swipe, Tap
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.perform import strokes
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.screen import PhoneScreen
from eyehand.envs.web.browser import Browser

SIZE = (540, 1200)
OVERRIDES = [(None, 210), (None, 280), ((360, 800), 160), ((480, 1000), 280)]
PLACES = [(0.031, 0.973), (0.7503, 0.3337)]


@pytest.fixture(scope="module")
def wired(adb_port: int) -> Iterator[tuple[PhoneScreen, AndroidEnvironment]]:
    """A simulated phone and an environment that looks once a step: what is tapped matters."""
    with PhoneScreen(*SIZE, 210) as screen:
        screen.open()
        with AdbDevice(screen) as device:
            environment = AndroidEnvironment(
                device.address, adb_port=adb_port, settle_timeout_s=0.0
            )
            environment.reset()
            yield screen, environment
            environment.close()
    Browser.close_shared()


@pytest.mark.parametrize(("size", "density"), OVERRIDES)
@pytest.mark.parametrize("rotation", range(4))
def test_a_tap_lands_within_one_device_pixel(
    wired: tuple[PhoneScreen, AndroidEnvironment],
    rotation: int,
    size: tuple[int, int] | None,
    density: int,
) -> None:
    screen, environment = wired
    screen.set_size_override(size)
    screen.set_density_override(density)
    screen.set_rotation(rotation)
    observation, *_ = environment.step(Press(key="home"))
    for x, y in PLACES:
        width, height = screen.current_size
        name = observation.geometry.screen
        assert observation.pixels.shape == (height, width, 3)
        observation, *_ = environment.step(Tap(point=Point(x=x, y=y, screen=name)))
        touch = screen.touches()[-1]
        assert abs(touch.x - x * width) <= 1
        assert abs(touch.y - y * height) <= 1
        assert touch.kind == "tap"


def test_gestures_begin_and_end_where_they_should(
    wired: tuple[PhoneScreen, AndroidEnvironment],
) -> None:
    screen, environment = wired
    screen.open()
    environment.step(Press(key="home"))
    start, end = Point(x=0.5, y=0.6), Point(x=0.2, y=0.3)
    for action, kind in (
        (LongPress(point=start), "long_press"),
        (Swipe(start=start, end=end), "swipe"),
        (Drag(start=start, end=end), "drag"),
        (Scroll(direction="down", amount=3), "swipe"),
    ):
        environment.step(Press(key="home"))
        environment.step(action)
        touch = screen.touches()[-1]
        assert touch.kind == kind
        if kind == "long_press":
            assert (touch.x, touch.y) == pytest.approx((270, 720), abs=1)
        elif isinstance(action, Scroll):
            assert touch.y - touch.end_y == pytest.approx(360, abs=12)
        else:
            assert (touch.end_x, touch.end_y) == pytest.approx((108, 360), abs=1)


@pytest.mark.parametrize("start", [0, 30, 500, 900, 1199])
@pytest.mark.parametrize("distance", [-2400, -700, -60, 60, 700, 2400])
def test_strokes_stay_on_the_screen_and_add_up(start: int, distance: int) -> None:
    made = strokes(start, 1200, distance, 1200)
    assert sum(b - a for a, b in made) == distance
    assert all(60 <= place <= 1140 for stroke in made for place in stroke)


def test_strokes_stay_off_the_keyboard() -> None:
    assert all(max(stroke) <= 640 for stroke in strokes(690, 1200, -900, 700))
