import pytest

from eyehand.actions import Point
from eyehand.envs.android.display import DisplayState, parse_display
from eyehand.errors import CaptureFailed, StaleScreen

# As Android 13 writes it, shortened; a second display follows the first.
WINDOW_DISPLAYS = """WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)
  Display: mDisplayId=0 (organized)
    init=1080x2400 420dpi base=720x1600 320dpi minWidth=220 cur=1600x720 app=1517x720
    deferred=false mLayoutNeeded=false
  mCurrentFocus=Window{9a2d0c8 u0 com.android.settings/com.android.settings.Settings}
  mFocusedApp=ActivityRecord{a58 u0 com.android.settings/.Settings t12}
  DisplayRotation
    mCurrentAppOrientation=SCREEN_ORIENTATION_UNSPECIFIED
    mRotation=3 mDeferredRotationPauseCount=0
  Display: mDisplayId=2
    init=1920x1080 240dpi cur=1920x1080 app=1920x1080 rng=1080x1080-1920x1920
    mRotation=ROTATION_0
"""


def test_size_override_density_rotation_and_focus_are_read() -> None:
    state = parse_display(WINDOW_DISPLAYS, 0)
    assert state.logical == (1600, 720)
    assert state.panel == (2400, 1080)
    assert (state.density, state.rotation) == (320, 3)
    assert state.package == "com.android.settings"


def test_another_display_is_read_from_its_own_block() -> None:
    state = parse_display(WINDOW_DISPLAYS, 2)
    assert (state.logical, state.density, state.rotation, state.focus) == ((1920, 1080), 240, 0, "")


def test_a_display_that_is_not_there_is_named() -> None:
    with pytest.raises(CaptureFailed, match="no display 1; the device has: 0, 2"):
        parse_display(WINDOW_DISPLAYS, 1)


def state(logical: tuple[int, int], panel: tuple[int, int], rotation: int = 0) -> DisplayState:
    return DisplayState(0, logical, panel, 420, rotation)


def test_the_name_of_a_screen_changes_with_all_that_moves_points() -> None:
    names = {
        state((1080, 2400), (1080, 2400)).screen,
        state((1080, 2400), (1080, 2400), 2).screen,
        state((720, 1600), (1080, 2400)).screen,
        DisplayState(0, (1080, 2400), (1080, 2400), 320, 0).screen,
        DisplayState(0, (1080, 2400), (1080, 2400), 420, 0, physical_id="46").screen,
    }
    assert len(names) == 5


def test_a_capture_of_the_panel_is_scaled_to_an_override_of_the_same_shape() -> None:
    geometry = state((720, 1600), (1080, 2400)).geometry((1080, 2400))
    point = Point(x=0.5, y=0.25, screen=geometry.screen)
    assert geometry.to_device(point) == (360.0, 400.0)


def test_bars_beside_an_override_of_another_shape_are_no_part_of_the_display() -> None:
    shown = state((1080, 1080), (1080, 2400))
    geometry = shown.geometry((1080, 2400))
    assert geometry.to_device(Point(x=0.5, y=0.5)) == (540.0, 540.0)
    assert shown.covers(*geometry.to_device(Point(x=0.1, y=0.3)))
    assert not shown.covers(*geometry.to_device(Point(x=0.1, y=0.1)))


def test_a_capture_of_another_size_is_another_display() -> None:
    with pytest.raises(CaptureFailed, match="another display"):
        state((1080, 2400), (1080, 2400)).geometry((2400, 1080))


def test_a_point_of_an_older_screen_is_stale() -> None:
    old = state((1080, 2400), (1080, 2400)).geometry((1080, 2400))
    new = state((2400, 1080), (2400, 1080), 1).geometry((2400, 1080))
    with pytest.raises(StaleScreen):
        new.to_device(Point(x=0.5, y=0.5, screen=old.screen))
