from typing import cast

import pytest

from eyehand.envs.android.link import DeviceLink, ShellResult
from eyehand.envs.android.windows import asleep, forbids_capture, keyboard_top

NEWER = """WINDOW MANAGER WINDOWS (dumpsys window windows)
  Window #0 Window{d1 u0 InputMethod}:
    mAttrs={(0,0)(fillxwrap) gr=BOTTOM CENTER_VERTICAL sim={adjust=pan} ty=INPUT_METHOD
      fl=NOT_FOCUSABLE LAYOUT_IN_SCREEN SPLIT_TOUCH HARDWARE_ACCELERATED
    mHasSurface=true isReadyForDisplay()=true
    Frames: parent=[0,128][1080,2400] display=[0,128][1080,2400] frame=[0,128][1080,2400]
      mGivenContentInsets=[0,1364][0,0]
      touchable region=SkRegion((0,1492,1080,2337))
  Window #1 Window{d2 u0 com.bank/com.bank.Main}:
    mAttrs={(0,0)(fillxfill) sim={adjust=pan} ty=BASE_APPLICATION wanim=0x10302fd
      fl=LAYOUT_IN_SCREEN SECURE LAYOUT_INSET_DECOR HARDWARE_ACCELERATED
      pfl=NO_MOVE_ANIMATION
    mHasSurface=true
"""
OLDER = """  Window #1 Window{d2 u0 com.bank/com.bank.Main}:
    mAttrs=WM.LayoutParams{(0,0)(fillxfill) sim=#20 ty=1 fl=#81812100 pfl=0x20000}
    mHasSurface=true
"""


class Answers:
    """Answers `dumpsys SERVICE` from a table."""

    def __init__(self, **services: str) -> None:
        self._services = services

    def ask(self, *argv: str) -> ShellResult:
        return ShellResult(self._services.get(argv[1], ""), "", 0)


def link(**services: str) -> DeviceLink:
    return cast(DeviceLink, Answers(**services))


@pytest.mark.parametrize("told", [NEWER, OLDER])
def test_a_secure_window_is_recognised_in_words_and_in_numbers(told: str) -> None:
    assert forbids_capture(link(window=told))


@pytest.mark.parametrize(
    "told",
    [
        NEWER.replace(" SECURE", ""),
        OLDER.replace("#81812100", "#81810100"),
        OLDER.replace("mHasSurface=true", "mHasSurface=false"),
        NEWER.replace("fl=LAYOUT_IN_SCREEN SECURE", "fl=LAYOUT_IN_SCREEN INSECURE_LOOKING"),
        "",
    ],
)
def test_other_windows_and_hidden_ones_forbid_nothing(told: str) -> None:
    assert not forbids_capture(link(window=told))


def test_the_keyboards_edge_is_read_where_it_is_told() -> None:
    shown = "mInputShown=true"
    assert keyboard_top(link(input_method=shown, window=NEWER), 2400) == 1492
    by_insets = NEWER.replace("touchable", "no")
    assert keyboard_top(link(input_method=shown, window=by_insets), 2400) == 128 + 1364
    assert keyboard_top(link(input_method=shown), 2000) == 1100
    assert keyboard_top(link(input_method="mInputShown=false", window=NEWER), 2400) is None


@pytest.mark.parametrize(
    ("told", "off"), [("mWakefulness=Asleep", True), ("mWakefulness=Awake", False), ("", False)]
)
def test_a_screen_that_is_off_is_recognised(told: str, off: bool) -> None:
    assert asleep(link(power=told)) is off
