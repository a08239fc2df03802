"""A private adb server, and phones behind it that are quick and remember what reached them."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adbutils import AdbClient
from numpy.typing import NDArray

from eyehand.actions import Action
from eyehand.envs.android.environment import AndroidEnvironment
from eyehand.envs.android.server import AdbServer
from eyehand.envs.env import Observation, StepInfo
from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.shell.hardware import BROADCAST_IME, LATIN_IME

LABELS = {
    "com.android.launcher": "Home",
    "com.android.settings": "Settings",
    "com.android.notes": "Notes",
}


class PaintedScreen:
    """A phone's hardware painted with numpy: an app is a colour, a touch changes the last lines.

    It stands in for the page in Chromium where a test is about the wire, faults or text and needs
    no apps: the adb server, adbutils, the device's protocol and its shell are the real ones.

    Attributes:
        restless: Whether every capture differs from the one before.
        moves: How many of the next captures do, before it is still.
    """

    def __init__(self, width_px: int = 270, height_px: int = 600) -> None:
        self.physical_size = (width_px, height_px)
        self.override_size: tuple[int, int] | None = None
        self.density = 160
        self.override_density: int | None = None
        self.rotation = 0
        self.screen_on = True
        self.secure = False
        self.imes: Sequence[str] = (LATIN_IME, BROADCAST_IME)
        self.ime = LATIN_IME
        self.text = ""
        self.focused = True
        self.events: list[tuple[Any, ...]] = []
        self.restless = False
        self.moves = 0
        self._app = "com.android.launcher"
        self._captures = 0

    @property
    def current_size(self) -> tuple[int, int]:
        width, height = self.override_size or self.physical_size
        return (height, width) if self.rotation % 2 else (width, height)

    def set_size_override(self, size: tuple[int, int] | None, /) -> None:
        self.override_size = size

    def set_density_override(self, density: int | None, /) -> None:
        self.override_density = density

    def set_rotation(self, rotation: int, /) -> None:
        self.rotation = rotation

    def capture(self) -> NDArray[np.uint8]:
        width, height = self.current_size
        self._captures += self.restless or self.moves > 0
        self.moves = max(self.moves - 1, 0)
        pixels = np.full((height, width, 3), 40 + 60 * list(LABELS).index(self._app), np.uint8)
        pixels[: height // 8, : width // 2] = 250 - self.rotation
        pixels[-20:] = (7 * len(self.events) + 11 * len(self.text) + 13 * self._captures) % 200
        return pixels

    def tap(self, x: int, y: int, /) -> None:
        self.events.append(("tap", x, y))

    def swipe(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int, /) -> None:
        self.events.append(("swipe", x1, y1, x2, y2, duration_ms))

    def draganddrop(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int, /) -> None:
        self.events.append(("drag", x1, y1, x2, y2, duration_ms))

    def key(self, name: str, /) -> None:
        if name == "HOME":
            self._app, self.text = "com.android.launcher", ""
            return
        if name == "WAKEUP":
            self.screen_on = True
            return
        self.events.append(("key", name))
        if name == "ENTER":
            self.text += "\n"

    def key_combination(self, names: list[str], /) -> None:
        self.events.append(("keys", *names))

    def change_settings(self, **changes: Any) -> None:
        self.events.append(("settings", changes))

    def type_text(self, text: str, /) -> bool:
        if self.focused:
            self.text += text
        return self.focused

    def clear_focused(self) -> None:
        self.text = ""

    def packages(self) -> Mapping[str, str]:
        return LABELS

    def launch(self, package: str, /) -> bool:
        self._app = package if package in LABELS else self._app
        return package in LABELS

    def force_stop(self, package: str, /) -> None:
        self._app = "com.android.launcher"

    def foreground(self) -> tuple[str, str]:
        return self._app, ".MainActivity"

    def keyboard_shown(self) -> bool:
        return False

    def state(self) -> Mapping[str, Any]:
        return {}

    def hierarchy(self) -> str:
        return "<hierarchy/>"


@dataclass(eq=False)
class Phone:
    """A painted phone on the wire, and an environment for it that has not been reset."""

    screen: PaintedScreen
    device: AdbDevice
    environment: AndroidEnvironment

    @property
    def inputs(self) -> list[str]:
        """The command lines that acted, in order, without the keys of a reset."""
        lines = [line for line in self.device.commands if line.startswith(("input", "am "))]
        return [line for line in lines if not line.endswith(("WAKEUP", "HOME"))]

    def step(self, action: Action) -> tuple[Observation, StepInfo]:
        observation, _, _, _, info = self.environment.step(action)
        return observation, info


@pytest.fixture(scope="session")
def adb_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A port with an adb server of its own: nobody else's devices are in reach."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home, before = tmp_path_factory.mktemp("home"), os.environ.get("HOME", str(Path.home()))
    os.environ["HOME"] = str(home)
    try:
        AdbServer(port).ensure()
    finally:
        os.environ["HOME"] = before
    yield port
    AdbClient(port=port).server_kill()


@pytest.fixture
def make_phone(adb_port: int) -> Iterator[Callable[..., Phone]]:
    """Makes painted phones; options go to the environment."""
    made: list[Phone] = []

    def make(size: tuple[int, int] = (270, 600), device_port: int = 0, **options: Any) -> Phone:
        screen = PaintedScreen(*size)
        device = AdbDevice(screen, port=device_port)
        device.start()
        environment = AndroidEnvironment(device.address, adb_port=adb_port, **options)
        made.append(Phone(screen, device, environment))
        return made[-1]

    yield make
    client = AdbClient(port=adb_port)
    for phone in made:
        phone.device.faults.clear()
        phone.environment.close()
        phone.device.close()
        client.disconnect(phone.device.address)


@pytest.fixture
def phone(make_phone: Callable[..., Phone]) -> Phone:
    """A painted phone, at its home screen."""
    phone = make_phone(call_timeout_s=3.0, reconnect_s=20.0)
    phone.environment.reset()
    return phone
