"""Every environment that comes with the package keeps the contract of `Environment`."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eyehand.envs import make
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.check import check_environment
from eyehand.errors import EnvironmentFault, OutOfRange

PAGE = """<!doctype html><title>Letters</title>
<style>body { margin: 20px; font: 20px sans-serif; height: 1500px }</style>
<p>Write a letter: <input> <button onclick="this.textContent = 'Sent'">Send</button></p>
"""
QUIET_ACTIONS = ("click", "hover", "drag", "type_text", "scroll")
"""Actions on one page; the others leave it, or wait for as long as they are told to."""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def page_url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def _browser() -> Iterator[None]:
    yield
    from eyehand.envs.web import Browser

    Browser.close_shared()


@pytest.mark.parametrize(
    "spec",
    [
        "cards:number-line",
        "gym:CartPole-v1",
        "gym:FrozenLake-v1",
        "gym:Pendulum-v1",
        "gym:Blackjack-v1",
    ],
)
def test_games_keep_the_contract(spec: str) -> None:
    report = check_environment(make(spec), seeds=(0, 1, 2))
    assert report.skipped == ["points: no action takes one"]
    assert report.warnings == []


@pytest.mark.usefixtures("_browser")
def test_a_miniwob_task_keeps_the_contract() -> None:
    report = check_environment(make("miniwob:click-test"), max_steps=4)
    assert report.skipped == []


@pytest.mark.usefixtures("_browser")
def test_a_web_page_keeps_the_contract(page_url: str) -> None:
    environment = make(page_url, viewport=(560, 420))
    report = check_environment(environment, seeds=(0,), max_steps=6, action_names=QUIET_ACTIONS)
    assert "points" in report.passed
    assert report.steps > 0


@pytest.mark.parametrize("ended_by", [KeyboardInterrupt, OutOfRange, None])
def test_a_fault_at_the_end_does_not_hide_what_ended_the_episode(
    ended_by: type[BaseException] | None,
) -> None:
    class Dying(NumberLineEnvironment):
        def close(self) -> None:
            raise EnvironmentFault("the browser died")

    def play() -> None:
        with Dying() as environment:
            environment.reset(seed=0)
            if ended_by is not None:
                raise ended_by

    with pytest.raises(ended_by or EnvironmentFault):
        play()
