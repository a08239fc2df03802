"""What a report says of an answer and of "claimed", and an episode as Markdown."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eyehand.actions.web import Answer, Finish
from eyehand.agent.cli.main import main
from eyehand.agent.episode import run_episode
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.report import write_report
from eyehand.envs.registry import make

CLAIM = "nothing here can check it"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page on loopback, in real Chromium."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "index.html").write_text("<title>A shop</title><p>The total is 42")
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def episodes(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three episodes on the page: one answers, one finishes, one comes to its limit."""
    root = tmp_path_factory.mktemp("episodes")
    scripts: dict[str, list[Any]] = {
        "answer": ["no call", Answer(text="42 | *dollars*")],
        "finish": [Finish(status="success", message="I saw it")],
        "limit": ["no call", "no call"],
    }
    with make(f"web:{page}") as environment:
        for name, script in scripts.items():
            run_episode(
                ScriptedPolicy(script),
                environment,
                task="What is the total?",
                max_steps=2,
                trajectory=root / name,
            )
    return {name: root / name for name in scripts}


def test_the_report_labels_the_answer_and_explains_a_claim(
    episodes: dict[str, Path], read_page: Callable[[str], Any]
) -> None:
    said = {
        name: " ".join(read_page(write_report(folder).read_text("utf-8")).words.split())
        for name, folder in episodes.items()
    }
    assert "Answer42 | *dollars*" in said["answer"]
    assert "Last wordI saw it" in said["finish"]
    assert "Reason2 steps were taken" in said["limit"]
    assert CLAIM in said["answer"]
    assert CLAIM in said["finish"]
    assert CLAIM not in said["limit"]


def test_an_episode_is_printed_as_markdown(
    episodes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(episodes["answer"]), "--markdown"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "# What is the total?"
    assert lines[2].startswith("**claimed**: the model says")
    assert lines[4] == r"Answer: 42 \| \*dollars\*"
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[0] == "| step | thought | action | result |"
    assert len(rows) == 2 + 2
    assert "holds no call" in rows[2]
    assert all(row.replace(r"\|", "").count("|") == 5 for row in rows)


def test_csv_of_an_episode_says_what_there_is(
    episodes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--csv"], ["--markdown", "--beside", str(episodes["finish"])]):
        assert main(["view", str(episodes["answer"]), *words]) == 2
        line = capsys.readouterr().err.strip()
        assert "holds one episode" in line
        assert "\n" not in line


def test_a_killed_episode_is_printed_as_far_as_it_went(
    episodes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (episodes["answer"] / "episode.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "episode.jsonl").write_text("".join(lines[:-1]) + lines[-1][:20])
    assert main(["view", str(tmp_path), "--markdown"]) == 0
    assert "no outcome was recorded" in capsys.readouterr().out


def test_every_outcome_is_explained() -> None:
    assert all(outcome.explanation for outcome in Outcome)
    assert len({outcome.explanation for outcome in Outcome}) == len(Outcome)
