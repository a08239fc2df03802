"""Other people's environments in evaluations and on the command line, as a user writes them."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.evaluation.evaluate import ComputeConfig, run_evaluation
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.registry import policy_maker
from eyehand.agent.report import write_report
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.evaluation_result import read_run
from eyehand.agent.results.folder import read_rows
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.env import Environment
from eyehand.envs.registry import make
from eyehand.errors import UsageError

TIMEOUT_S = 600

GAMES = '''
import atexit, itertools, os, sys
import gymnasium
import numpy as np
from eyehand.envs.gym import watchdog as gym_watchdog

gym_watchdog.GRACE_S = 2.0  # as short as a test wants it

class Game(gymnasium.Env):
    """Ends after three steps; with seed 2, what `odd` names happens in the second one."""

    metadata = {"render_modes": ["rgb_array"]}
    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Discrete(1)

    def __init__(self, render_mode, odd=""):
        self.render_mode, self.odd = render_mode, odd
        if odd == "prints":
            atexit.register(print, "goodbye")
        if odd == "moves":
            os.chdir("/")

    def reset(self, seed=None, options=None):
        self.steps, self.is_odd = 0, seed == 2
        return 0, {}

    def step(self, action):
        self.steps += 1
        reward, info = 1.0, {"won": self.steps == 3}
        if self.odd == "prints":
            print("a word")
            os.write(1, b"a raw word\\n")
        if self.is_odd and self.steps == 2:
            reward = {"nan": float("nan"), "infinite": float("-inf"), "none": None,
                      "vector": np.ones(2)}.get(self.odd, reward)
            if self.odd == "exits":
                sys.exit("licence")
            if self.odd == "dies":
                os._exit(9)
            if self.odd == "hangs":
                sum(itertools.repeat(0))  # never leaves compiled code, and lets nobody else run
        return 0, reward, self.steps == 3, False, info

    def render(self):
        channels = 4 if self.odd == "rgba" and self.is_odd else 3
        return np.zeros((28, 28, channels), np.uint8)

gymnasium.register("Game-v0", Game)
'''


@pytest.fixture
def games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of games and a declaration of one; it is the current folder."""
    (tmp_path / "games.py").write_text(GAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declare(folder: Path, odd: str = "", success: str = "info.won", name: str = "g.yaml") -> str:
    (folder / name).write_text(
        f"suite: g\ntasks:\n  - {{name: a, environment: 'games:Game-v0', instruction: Play.,"
        f" options: {{odd: '{odd}'}}, success: {success}}}\n"
    )
    return name


def eyehand(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as its console script does: the current folder is not on the path."""
    start = "import sys; from eyehand.agent.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-P", "-c", start, *words],
        cwd=at, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip


def strict(text: str) -> Any:
    """Read JSON; what only Python takes for JSON is refused."""

    def refused(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize("odd", ["nan", "infinite", "none", "vector", "exits", "rgba"])
def test_one_bad_episode_is_lost_and_everything_goes_on(
    games: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.syspath_prepend(str(games))
    monkeypatch.delitem(sys.modules, "games", raising=False)
    monkeypatch.delitem(gymnasium.registry, "Game-v0", raising=False)
    suite = declare(games, odd)
    plan = Plan(suite, [f"suite:{suite}#a"], 4, 0, out=games / "e")
    result = run_evaluation(plan, make, policy_maker("random")).tasks[0]
    assert (result.rate.successes, result.rate.trials, result.lost) == (3, 3, 1)
    lines = (games / "e" / "episodes.jsonl").read_text().splitlines()
    lost = next(row for row in map(strict, lines) if row["outcome"] == "environment_fault")
    assert (lost["seed"], lost["attempts"]) == (2, 3)
    assert "games:Game-v0" in lost["message"] or "Game-v0" in lost["message"]
    assert "seed 2" in lost["message"]
    for name in ("evaluation.json", "plan.json"):
        strict((games / "e" / name).read_text())
    for file in (games / "e").rglob("episode.jsonl"):
        assert [strict(line) for line in file.read_text().splitlines()]
        read_trajectory(file.parent)
    assert run_evaluation(plan, make, policy_maker("random"), resume=True).finished
    assert write_report(games / "e").is_file()
    assert read_run(games / "e").summary.lost == 1


@pytest.mark.parametrize(("odd", "why"), [("dies", "exit status 9"), ("hangs", "ended by itself")])
def test_one_episode_that_ends_or_blocks_its_process_costs_itself_only(
    games: Path, odd: str, why: str
) -> None:
    suite = declare(games, odd)
    words = ["--policy", "random", "--episodes", "3", "--first-seed", "1", "--time-limit", "2"]
    ended = eyehand("eval", suite, *words, "--keep", "none", "--json", "--out", "e", at=games)
    assert ended.returncode == 0, ended.stderr
    task = strict(ended.stdout)["tasks"][0]
    assert (task["episodes"], task["unscored"], task["outcomes"]) == (2, 1, {"succeeded": 2})
    rows, _ = read_rows(games / "e" / "episodes.jsonl")
    assert why in next(row.message for row in rows if row.seed == 2)
    assert eyehand("eval", suite, "--resume", "e", at=games).returncode == 0


def test_rows_of_an_earlier_version_with_rewards_that_are_no_numbers_are_lost_ones(
    tmp_path: Path,
) -> None:
    row = EpisodeResult(0, "gym:a", 0, "t", "failed", verdict=False, reward=float("nan"), steps=3)
    (tmp_path / "episodes.jsonl").write_text(json.dumps(row.to_json()) + "\n")
    run = read_run(tmp_path)
    assert (run.summary.lost, run.summary.rate.trials) == (1, 0)
    assert write_report(tmp_path).is_file()


@pytest.mark.parametrize("command", ["run", "eval"])
def test_what_an_environment_prints_never_gets_into_the_json(games: Path, command: str) -> None:
    suite = declare(games, "prints")
    asked = ["run", "--env", f"suite:{suite}"] if command == "run" else ["eval", suite]
    ended = eyehand(*asked, "--policy", "random", "--json", "--out", "o", at=games)
    assert ended.returncode == 0, ended.stderr
    assert strict(ended.stdout)["folder"].endswith("o")
    assert {"a word", "a raw word"} <= set(ended.stderr.splitlines())


def test_an_environment_that_changes_the_folder_moves_no_record(games: Path) -> None:
    suite = declare(games, "moves")
    ended = eyehand("run", "--env", f"suite:{suite}", "--policy", "random", "--out", "o", at=games)
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (games / "o").iterdir()} >= {"episode.jsonl", "report.html"}
    ended = eyehand("eval", suite, "--policy", "random", "--episodes", "2", "--out", "e", at=games)
    assert ended.returncode == 0, ended.stderr
    assert len(read_rows(games / "e" / "episodes.jsonl")[0]) == 2
    assert (games / "e" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--env", "gym:games:Game-v0", "--out", "made/o"), "sets no task by itself"),
        (("eval", "gym:games:Game-v0", "--out", "made/o"), "sets no task by itself"),
        (("eval", "gym:games:Game-v0", "--workers", "2"), "sets no task by itself"),
        (("run", "Play.", "--env", "gym:games:Gone-v0", "--out", "made/o"), "Gone-v0"),
        (("run", "Play.", "--env", "gym:nothere:Game-v0"), "work in the folder where it lies"),
    ],
)
def test_a_wrong_call_leaves_no_folder_behind(
    games: Path, words: tuple[str, ...], said: str
) -> None:
    before = {path for path in games.rglob("*") if "__pycache__" not in str(path)}
    ended = eyehand(*words, "--policy", "random", at=games)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr.splitlines()[-1]
    assert {path for path in games.rglob("*") if "__pycache__" not in str(path)} == before


def test_a_wrong_call_takes_nothing_away_that_was_there(games: Path) -> None:
    (games / "o").mkdir()
    (games / "o" / "mine.txt").write_text("mine")
    for words in (("run", "--env", "gym:games:Game-v0"), ("eval", "gym:games:Game-v0")):
        assert eyehand(*words, "--policy", "random", "--out", "o", at=games).returncode == 2
        assert [path.name for path in (games / "o").iterdir()] == ["mine.txt"]


class Held:
    """Makes environments, and holds what cannot be sent."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, spec: str) -> Environment:
        return make(spec)


def with_workers(
    spec: str, make_environment: Callable[[str], Environment], out: Path
) -> UsageError:
    plan = Plan("s", [spec], 2, out=out)
    with pytest.raises(UsageError) as caught:
        run_evaluation(
            plan, make_environment, policy_maker("random"), compute=ComputeConfig(workers=2)
        )
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_cannot_be_sent_to_workers_says_what_to_do(tmp_path: Path) -> None:
    said = str(with_workers("cards:number-line", Held(), tmp_path / "e"))
    assert said.startswith("what makes the environments cannot be sent to workers (")
    assert said.endswith("or run with one worker")
    assert not (tmp_path / "e").exists()


def test_what_a_worker_cannot_load_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module that this process has, and that no other one can import.
    module = type(sys)("only_in_this_process")
    exec("def make(spec):\n    raise AssertionError", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    said = str(with_workers("cards:number-line", module.make, tmp_path / "e"))
    assert "a worker cannot load what it was sent" in said
    assert "only_in_this_process" in said
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("spec", ["gym:Here-v0", "gym:__main__:Here-v0?odd=x"])
def test_an_environment_that_only_this_program_registers_says_what_to_do(
    tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(gymnasium.registry, "Here-v0", raising=False)
    gymnasium.register("Here-v0", lambda render_mode: None)  # type: ignore[arg-type]
    said = str(with_workers(spec, make, tmp_path / "e"))
    assert said == (
        "workers do not know Here-v0, which this program registers: register it in a module and "
        "write gym:MODULE:Here-v0, or run with one worker"
    )
    assert not (tmp_path / "e").exists()


def test_options_that_a_policy_does_not_look_at_are_said(
    games: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--env", "cards:number-line", "--policy", "random", "--seed", "16", "--out", "o"]
    assert main(["run", *words, "--model", "m", "--temperature", "1"]) == 0
    said = capsys.readouterr().err
    assert "--policy random has no model: --model, --temperature changes nothing" in said
