"""A phone's screen without a browser, an adb server of the tests' own, and a device on it."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from adbutils import AdbClient, adb_path
from numpy.typing import NDArray

from eyehand.envs.phone.adb.device import AdbDevice
from eyehand.envs.phone.faults import Faults
from eyehand.envs.phone.shell.hardware import BROADCAST_IME, LATIN_IME


class FakePhone:
    """Has a screen with a different colour in each corner."""

    def __init__(self, size: tuple[int, int] = (108, 240)) -> None:
        self.physical_size = size
        self.override_size: tuple[int, int] | None = None
        self.density = 420
        self.override_density: int | None = None
        self.rotation = 0
        self.screen_on = True
        self.secure = False
        self.imes = (LATIN_IME, BROADCAST_IME)
        self.ime = LATIN_IME
        self.calls: list[tuple[Any, ...]] = []
        self.text = ""
        self.settings = {"airplane_mode": False, "brightness": 40, "auto_rotate": True}
        self.front = "com.android.launcher"

    @property
    def current_size(self) -> tuple[int, int]:
        width, height = self.override_size or self.physical_size
        return (height, width) if self.rotation % 2 else (width, height)

    def set_size_override(self, size: tuple[int, int] | None) -> None:
        self.override_size = size

    def set_density_override(self, density: int | None) -> None:
        self.override_density = density

    def set_rotation(self, rotation: int) -> None:
        self.rotation = rotation

    def capture(self) -> NDArray[np.uint8]:
        width, height = self.current_size
        pixels = np.full((height, width, 3), 90, np.uint8)
        pixels[0, 0], pixels[0, -1], pixels[-1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
        return pixels

    def tap(self, x: int, y: int) -> None:
        self.calls.append(("tap", x, y))

    def swipe(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int) -> None:
        self.calls.append(("swipe", x1, y1, x2, y2, duration_ms))

    def draganddrop(self, x1: int, y1: int, x2: int, y2: int, duration_ms: int) -> None:
        self.calls.append(("draganddrop", x1, y1, x2, y2, duration_ms))

    def key(self, name: str) -> None:
        self.calls.append(("key", name))

    def key_combination(self, names: list[str]) -> None:
        self.calls.append(("together", *names))

    def type_text(self, text: str) -> bool:
        self.text += text
        return True

    def clear_focused(self) -> None:
        self.text = ""

    def packages(self) -> Mapping[str, str]:
        return {"com.android.launcher": "Home", "com.android.notes": "Notes"}

    def launch(self, package: str) -> bool:
        if package in self.packages():
            self.front = package
        return package in self.packages()

    def force_stop(self, package: str) -> None:
        self.front = "com.android.launcher"

    def foreground(self) -> tuple[str, str]:
        return self.front, ".MainActivity"

    def keyboard_shown(self) -> bool:
        return False

    def state(self) -> Mapping[str, Any]:
        return {"settings": self.settings}

    def change_settings(self, **changes: Any) -> None:
        self.settings.update(changes)

    def hierarchy(self) -> str:
        return '<?xml version="1.0" encoding="UTF-8"?><hierarchy rotation="0"></hierarchy>'


@pytest.fixture(scope="session")
def own_adb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Client of a real adb server with a port and a HOME of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("adb-home")),
        "ADB_MDNS": "0",
    }
    command = [adb_path(), "-P", str(port), "nodaemon", "server"]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            threading.Event().wait(0.05)
        yield AdbClient("127.0.0.1", port)
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def phone() -> FakePhone:
    return FakePhone()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def device(phone: FakePhone, faults: Faults) -> Iterator[AdbDevice]:
    with AdbDevice(phone, faults=faults) as device:
        yield device


@pytest.fixture
def adb(own_adb: Any, device: AdbDevice) -> Iterator[Any]:
    """adbutils' own object of the connected device."""
    answer = own_adb.connect(device.address, timeout=10)
    assert answer == f"connected to {device.address}"
    yield own_adb.device(device.address)
    own_adb.disconnect(device.address)
