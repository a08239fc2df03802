"""How many files an environment, an action and a suite take: each is added to a copy, and used.

`package` is a copy of eyehand whose environments may be changed; everything else in it is the real
one. The numbers of files are those of the table in docs/architecture.md.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("actions", "agent", "model", "prompts")

DOTS = '''
"""A screen of dots, all of which are to be touched."""

import numpy as np

from eyehand.actions import Action, ActionSpace, Point
from eyehand.envs.env import Environment, Observation, ScreenGeometry, ScreenSpace, StepResult
from eyehand.envs.suites import Suite, SuiteTask


class Touch(Action):
    """Touch a point."""

    point: Point


class Dots(Environment):
    seeded = True

    def __init__(self, name):
        self.action_space = ActionSpace([Touch])
        self.observation_space = ScreenSpace()
        self.count = int(name)

    @property
    def instruction(self):
        return "Touch every dot."

    def _begin(self, seed, options):
        places = self.np_random.permutation(49)[: self.count]
        self.dots = [(int(place) // 7 * 8 + 4, int(place) % 7 * 8 + 4) for place in places]
        return self.looked("began")

    def _perform(self, action):
        x, y = self.last.geometry.to_device(action.point)
        self.dots = [(i, j) for i, j in self.dots if abs(i - x) > 2 or abs(j - y) > 2]
        result = self.looked("touched")
        result.terminated = not self.dots
        result.verdict = True if result.terminated else None
        return result

    def looked(self, effect):
        pixels = np.zeros((56, 56, 3), np.uint8)
        for x, y in self.dots:
            pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
        return StepResult(Observation(pixels, ScreenGeometry("dots", 56, 56, 56, 56)), effect)


def suite():
    tasks = tuple(SuiteTask(f"dots:{n}", "Touch every dot.", "no dot is left", n) for n in (1, 3))
    return Suite("dots", "Dots to be touched.", tasks)

'''

EXPERT = """
from eyehand.agent.experts.state import StateExpert, from_state


def expert(spec):
    return StateExpert(Dots, from_state(touch_next))


def touch_next(environment):
    return Touch(point=environment.last.geometry.to_point(*environment.dots[0]))
"""

CHECKED = """
from eyehand.envs import make
from eyehand.envs.check import check_environment
print(check_environment(make("dots:3")).skipped)
"""


@dataclass(frozen=True)
class Package:
    """A copy of the package in a folder of its own."""

    folder: Path

    @property
    def envs(self) -> Path:
        return self.folder / "eyehand" / "envs"

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def eyehand(self, *words: str) -> Any:
        """Run a command with --json, and return what it prints."""
        ran = self.run("-m", "eyehand", *words, "--json")
        assert ran.returncode in (0, 1), ran.stderr
        return json.loads(ran.stdout)

    def changed(self) -> list[str]:
        """Return the files that differ from the real ones."""
        files = sorted(p for p in self.envs.rglob("*") if p.suffix in (".py", ".yaml"))
        return [
            str(path.relative_to(self.envs))
            for path in files
            if not (real := ROOT / "envs" / path.relative_to(self.envs)).exists()
            or real.read_bytes() != path.read_bytes()
        ]


@pytest.fixture
def package(tmp_path: Path) -> Package:
    inside = tmp_path / "eyehand"
    inside.mkdir()
    for path in (ROOT / "src" / "eyehand").glob("*.py"):
        (inside / path.name).symlink_to(path)
    for name in OTHERS:
        (inside / name).symlink_to(ROOT / name)
    copytree(ROOT / "envs", inside / "envs", ignore=ignore_patterns("__pycache__"))
    return Package(tmp_path)


def test_an_environment_is_one_file_and_one_line(package: Package) -> None:
    (package.envs / "dots.py").write_text(DOTS, encoding="utf-8")
    registry = package.envs / "registry.py"
    table = registry.read_text(encoding="utf-8")
    line = (
        '        Scheme("dots", "eyehand.envs.dots:Dots", "dots:3", real=False, packaged=True,\n'
        '               suites={"dots": "eyehand.envs.dots:suite"}),\n'
    )
    mark = '        Scheme("web",'
    registry.write_text(table.replace(mark, line + mark), encoding="utf-8")
    assert package.changed() == ["dots.py", "registry.py"]
    (suite,) = package.eyehand("suites", "dots")["suites"]
    assert [task["spec"] for task in suite["tasks"]] == ["dots:1", "dots:3"]
    words = ["--policy", "random", "--episodes", "3", "--workers", "2", "--out", "out"]
    done = package.eyehand("eval", "dots", *words)
    assert [row["task"] for row in done["tasks"]] == ["dots:1", "dots:3"]
    refused = package.run("-m", "eyehand", "run", "--env", "dots")
    assert "dots:3" in refused.stderr  # the example of the error that lists what there is
    assert package.run("-c", CHECKED).stdout.strip() == "[]"


def test_an_environment_of_ones_own_is_one_file(package: Package) -> None:
    register = (
        "from eyehand.envs import register_scheme\n"
        "register_scheme('dots', Dots, real=False, suites={'dots': suite}, expert=expert)\n"
    )
    started = "from eyehand.agent.cli.main import main\nimport sys\nsys.exit(main(sys.argv[1:]))\n"
    own = package.folder / "my_dots.py"
    own.write_text("\n".join((DOTS, EXPERT, register, started)), encoding="utf-8")
    assert package.changed() == []
    words = ["--policy", "expert", "--episodes", "3", "--json", "--out", "out"]
    ran = package.run("my_dots.py", "eval", "dots", *words)
    assert ran.returncode == 0, ran.stderr
    assert [row["outcomes"] for row in json.loads(ran.stdout)["tasks"]] == [{"succeeded": 3}] * 2
    listed = package.run("my_dots.py", "suites", "dots", "--json")
    assert [task["expert"] for task in json.loads(listed.stdout)["suites"][0]["tasks"]] == [
        "dots",
        "dots",
    ]


CLASSICS = """\
suite: classics
description: Two games that Gymnasium brings.
tasks:
  - name: lake
    environment: FrozenLake-v1
    options: {is_slippery: false}
    instruction: Reach the present.
    success: reward_sum > 0
    limits: {steps: 20}
  - name: twenty-one
    environment: Blackjack-v1
    instruction: Beat the dealer.
    success: last_reward > 0
"""


def test_a_gymnasium_suite_of_the_package_is_one_file(package: Package) -> None:
    path = package.envs / "suite_file" / "declared" / "classics.yaml"
    path.write_text(CLASSICS, encoding="utf-8")
    assert package.changed() == ["suite_file/declared/classics.yaml"]
    (suite,) = package.eyehand("suites", "classics")["suites"]
    assert [task["max_steps"] for task in suite["tasks"]] == [20, None]
    words = ["--policy", "random", "--episodes", "1", "--max-steps", "3", "--out", "out"]
    done = package.eyehand("eval", "classics", *words)
    assert [row["task"] for row in done["tasks"]] == ["classics:lake", "classics:twenty-one"]


def test_a_gymnasium_suite_of_ones_own_is_one_file(package: Package) -> None:
    (package.folder / "classics.yaml").write_text(CLASSICS, encoding="utf-8")
    assert package.changed() == []
    words = ["--policy", "random", "--episodes", "1", "--max-steps", "3", "--out", "out"]
    done = package.eyehand("eval", "classics.yaml", *words)
    assert [row["task"] for row in done["tasks"]] == [
        "suite:classics.yaml#lake",
        "suite:classics.yaml#twenty-one",
    ]


ACTION = '''
from eyehand.actions import Action
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs import make
from eyehand.prompts import render_system


class Remember(Action):
    """Remember a word."""

    word: str


words = []
for spec in ("cards:blackjack", "gym:CartPole-v1", "miniwob:click-test"):
    with make(spec) as environment:
        environment.action_space = environment.action_space.extended(
            Remember, lambda action, given: words.append((given.spec_uri, action.word))
        )
        prompt = render_system(environment.action_space, "keyword")
        assert "### remember\\nRemember a word." in prompt
        answer = '✿FUNCTION✿: remember\\n✿ARGS✿: {"word": "gate"}'
        episode = run_episode(
            ScriptedPolicy([answer]), environment, task="Remember.", seed=1, max_steps=1
        )
        assert episode.steps[0].error is None
print(words)
'''


def test_an_action_of_ones_own_is_one_file(package: Package) -> None:
    (package.folder / "remember.py").write_text(ACTION, encoding="utf-8")
    assert package.changed() == []
    ran = package.run("remember.py")
    assert ran.returncode == 0, ran.stderr
    specs = ("cards:blackjack", "gym:CartPole-v1", "miniwob:click-test")
    assert ran.stdout.strip() == str([(spec, "gate") for spec in specs])
