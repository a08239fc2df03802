"""`python -m benchmarks android` on the simulated phone, short: every number adds up."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from adbutils import AdbClient
from benchmarks.__main__ import make_parser
from benchmarks.step.android import PARTS

from eyehand.agent.cli.main import main
from eyehand.envs.web.browser import Browser


@pytest.fixture
def _own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    yield
    Browser.close_shared()
    AdbClient(port=port).server_kill()


@pytest.mark.usefixtures("_own_server")
def test_both_sides_are_measured_and_the_parts_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["android", "--episodes", "1", "--steps", "1", "--json"], make_parser) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["screen"] == [1080, 2400]
    assert document["rows"][0]["name"] == "eyehand"
    for row in document["rows"]:
        assert set(row["parts_s"]) == set(PARTS)
        assert sum(row["parts_s"].values()) == pytest.approx(row["step_s"]["median"], abs=1e-3)
        assert 0 < row["phone_s"]["median"] < row["step_s"]["median"]
    assert document["rows"][1]["parts_s"]["settle"] == 0
    assert {row["bytes"] for row in document["captures"]} == {1080 * 2400 * 4 + 16}
    assert document["ratios"][0]["median"] > 1
