"""The sides of the step benchmark: each plays one episode of clicks and tells its times.

All click the same place of the same MiniWoB++ page, the instruction's bar, which ends no episode.
A script of the benchmark recolours the page at each click: every step has a new screen to capture
and to record, as the steps of a real task have.
"""

import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.browsergym.interpreter import Peer
from eyehand.actions import Action, ActionSpace, Point
from eyehand.actions.web import Click
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.base import Conversation
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.trajectory.records import AnyRecord, EpisodeRecord, StepRecord
from eyehand.envs.env import Environment
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.envs.web.environment import WebEnvironment
from eyehand.errors import EnvironmentFault

CLICK_AT = (80.0, 25.0)
"""CSS pixels: the middle of the instruction's bar, 160 x 50 on every page of MiniWoB++."""

PEER_VIEWPORT = (332, 214)
"""BrowserGym's viewport for MiniWoB++, in CSS pixels; it enlarges the screenshots 1.5 times."""

PEER_EXTRACTS = "screenshot, DOM snapshot, accessibility tree, properties of every element"
"""What an observation of BrowserGym's holds, beside text that costs nothing."""

RECOLOUR = """seed => {
  if (window.recolourings) return;  // a page that starts its next episode without a load
  window.recolourings = 1;
  const recolour = () => {
    const hue = window.recolourings++ * 37 % 360;
    document.getElementById('wrap').style.background = `hsl(${hue} 80% 85%)`;
  };
  window.addEventListener('click', recolour, {capture: true});
}"""

# The page's canvas shows where it was clicked; nothing of the task needs it.
WITHOUT_CANVAS = """() => {
  core.prepareCanvas = () => false;
  core.canvasClear = () => {};
  for (const canvas of document.querySelectorAll('canvas')) canvas.remove();
}"""

# What the two other sides do by themselves: start the task, stop its clock, hide its display.
START = """seed => {
  core.EPISODE_MAX_TIME = 1000000;
  Math.seedrandom(seed);
  core.startEpisodeReal();
  core.clearTimer();
  core.hideDisplay();
}"""


@dataclass(frozen=True)
class Times:
    """The times of one episode, in seconds.

    Attributes:
        reset_s: From the call to the first observation.
        step_s: Each step, whole.
        parts_s: Each step by part; the parts add up to the step.
        screen: Width and height of the observation in pixels.
    """

    reset_s: float
    step_s: list[float]
    parts_s: list[dict[str, float]]
    screen: tuple[int, int]


class Side(ABC):
    """One row of the table.

    Attributes:
        name: Of the row.
        ours: Whether it is eyehand's.
        extracts: What an observation of it holds.
    """

    name: str
    ours: bool
    extracts: str

    @abstractmethod
    def play(self, seed: int, steps: int) -> Times:
        """Play one episode.

        Raises:
            EnvironmentFault: a browser failed, or the page did not behave as it should.
        """


class OurSide(Side):
    """eyehand's loop on one of its environments, recorded to disk as `eyehand run` records.

    Args:
        environment: Shows the page; closed with the side.
        scripts: Run in the page after each reset, with the seed.
    """

    ours = True
    extracts = "pixels"

    def __init__(
        self, name: str, environment: MiniWobEnvironment | WebEnvironment, scripts: list[str]
    ) -> None:
        self.name = name
        self._environment = environment
        self._scripts = scripts

    def play(self, seed: int, steps: int) -> Times:
        """Run the loop with a policy that clicks."""
        marks: list[float] = []
        records: list[AnyRecord] = []

        def watch(record: AnyRecord) -> None:
            marks.append(time.perf_counter())
            records.append(record)

        policy = _Clicks(self._click(), steps, self._scripts, seed)
        with tempfile.TemporaryDirectory(prefix="eyehand-bench-") as folder:
            began_s = time.perf_counter()
            episode = run_episode(
                policy,
                self._environment,
                task="click",
                seed=seed,
                max_steps=steps,
                trajectory=Path(folder) / "episode",
                watch=watch,
            )
        if episode.outcome is not Outcome.STEP_LIMIT or policy.started_s is None:
            raise EnvironmentFault(
                f"{self.name}: the episode ended with {episode.outcome.label}: {episode.message}"
            )
        if len({step.screen.file for step in episode.steps}) < steps:
            raise EnvironmentFault(f"{self.name}: the screen did not change at every step")
        begun = next(mark for mark, r in zip(marks, records, strict=True) if _is_first(r))
        ends = [mark for mark, r in zip(marks, records, strict=True) if isinstance(r, StepRecord)]
        starts = [policy.started_s, *ends]
        step_s = [end - start for start, end in zip(starts, ends, strict=False)]
        parts = [_parts(s, total) for s, total in zip(episode.steps, step_s, strict=True)]
        screen = episode.steps[0].screen
        return Times(begun - began_s, step_s, parts, (screen.width_px, screen.height_px))

    def close(self) -> None:
        """Close the environment."""
        self._environment.close()

    def _click(self) -> Click:
        if isinstance(self._environment, WebEnvironment):
            width, height = (float(n) for n in self._environment.viewport)
            return Click(point=Point(x=CLICK_AT[0] / width, y=CLICK_AT[1] / height))
        return Click(point=self._environment.geometry.to_point(*CLICK_AT))


class PeerSide(Side):
    """BrowserGym, as the peer interpreter runs it.

    Args:
        name: Of the row.
        peer: The interpreter; the caller closes it.
        task: A name of MiniWoB++.
        options: Of BrowserGym's environment.
        scale: Pixels of its screenshots in a CSS pixel.
        scripts: Run in the page after each reset, with the seed.
    """

    ours = False
    extracts = PEER_EXTRACTS

    def __init__(
        self,
        name: str,
        peer: Peer,
        task: str,
        options: dict[str, float],
        scale: float,
        scripts: list[str],
    ) -> None:
        self.name = name
        self._peer = peer
        self._task = task
        self._options = options
        self._scale = scale
        self._script = f"seed => {{ {' '.join(f'({script})(seed);' for script in scripts)} }}"

    def play(self, seed: int, steps: int) -> Times:
        """Ask the peer."""
        request = {
            "task": self._task,
            "seed": seed,
            "clicks": [CLICK_AT] * steps,
            "solves": False,
            "script": self._script,
            "scale": self._scale,
            "options": self._options,
        }
        answer = self._peer.play(request)
        width, height = answer["screen"]
        return Times(answer["reset_s"], answer["step_s"], answer["parts_s"], (width, height))


class _Clicks(ScriptedPolicy):
    """Clicks one place; after the reset it prepares the page and notes the time."""

    def __init__(self, click: Action, steps: int, scripts: list[str], seed: int) -> None:
        super().__init__([click] * steps)
        self._scripts = scripts
        self._seed = seed
        self.started_s: float | None = None
        self._environment: Environment | None = None

    def bind(self, environment: Environment, seed: int | None = None) -> None:
        """Keep the environment, which is reset next."""
        self._environment = environment

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        """Run the scripts in the page and begin; the first step's time counts from here."""
        environment = self._environment
        if isinstance(environment, MiniWobEnvironment | WebEnvironment):
            for script in self._scripts:
                environment.page_call(lambda page, s=script: page.evaluate(s, self._seed))
        conversation = super().start(task, action_space, seed)
        self.started_s = time.perf_counter()
        return conversation


@contextmanager
def pages_served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback and yield its address, without a slash at the end."""
    handler = partial(_SilentHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _is_first(record: AnyRecord) -> bool:
    return isinstance(record, EpisodeRecord)


def _parts(step: StepRecord, total_s: float) -> dict[str, float]:
    """Return a step's parts; "record" is all of the loop but the policy and the environment."""
    environment = step.environment_timings_s
    perform_s, decide_s = step.timings_s["perform"], step.timings_s["decide"]
    parts = {name: environment.get(name, 0.0) for name in ("act", "settle", "capture")}
    parts["record"] = total_s - perform_s - decide_s
    parts["other"] = total_s - sum(parts.values())
    return parts
