"""What the README shows is so: its Python runs, its links lead somewhere, its picture is real."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "examples/README.md")

RING = (225, 29, 72)
"""Colour of a touch in the picture, RGB."""


def blocks(text: str = README) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_shows_two_pieces_of_python() -> None:
    assert len(blocks()) == 2


def test_the_first_example_runs_the_embedded_model(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks()[0], "README.md", "exec"), {})  # our own text, not a model's
    assert "succeeded" in capsys.readouterr().out


def test_the_custom_action_is_performed_by_a_step_on_a_real_page(tmp_path: Path) -> None:
    from eyehand.envs.web import WebEnvironment

    names: dict[str, Any] = {}
    exec(compile(blocks()[1], "README.md", "exec"), names)  # our own text, not a model's
    lines = [line for line in blocks()[1].split("class Zoom")[1].splitlines() if line.strip()]
    assert len(lines) < 10
    assert isinstance(names["environment"], WebEnvironment)
    page = tmp_path / "page.html"
    page.write_text("<title>Page</title><p>Text", encoding="utf-8")
    action = names["space"].build("zoom", {"percent": 150})
    with WebEnvironment(page.as_uri(), action_space=names["space"]) as environment:
        environment.reset()
        *_, info = environment.step(action)
        shown = environment.page_call(lambda page: page.evaluate("document.body.style.zoom"))
    assert (info["effect"], shown) == ("zoomed to 150%", "150%")


def test_the_guide_to_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    guide = blocks((ROOT / "docs" / "guides" / "python.md").read_text(encoding="utf-8"))
    assert guide[0] == blocks()[0]  # it is run above
    names: dict[str, Any] = {}
    exec("from eyehand import Agent, make", names)
    for block in guide[1:]:
        exec(compile(block, "python.md", "exec"), names)  # our own text, not a model's
    assert names["observation"].pixels.shape == (300, 300, 3)
    assert capsys.readouterr().out.startswith("cards:number-line 100%")


def test_the_custom_action_works_in_another_environment_and_in_the_loop() -> None:
    from eyehand.actions.web import Answer
    from eyehand.agent.episode import run_episode
    from eyehand.agent.policies.scripted import ScriptedPolicy
    from eyehand.envs.miniwob.environment import MiniWobEnvironment

    names: dict[str, Any] = {}
    exec(compile(blocks()[1], "README.md", "exec"), names)  # our own text, not a model's
    environment = MiniWobEnvironment("click-test")
    environment.action_space = names["space"].restricted(["click", "zoom", "answer"])
    written = '✿FUNCTION✿: zoom\n✿ARGS✿: {"percent": 150}'
    try:
        policy = ScriptedPolicy([written, Answer(text="bigger")])
        episode = run_episode(policy, environment, seed=1)
    finally:
        environment.close()
    assert [step.error for step in episode.steps] == [None, None]
    assert episode.steps[0].effect == "zoomed to 150%"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_inside_the_repository_leads_to_a_file(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_opens_with_a_picture_that_is_quickly_loaded() -> None:
    assert README.index("![") < README.index("## ")
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (ROOT / picture).stat().st_size <= 150_000


def test_the_pictures_command_draws_the_touch_of_a_real_run(tmp_path: Path) -> None:
    run = ("-m", "eyehand", "run", "--env", "miniwob:click-test", "--policy", "expert")
    command(tmp_path, *run, "--seed", "1", "--out", "episode")
    command(
        ROOT,
        "-m",
        "benchmarks.picture",
        str(tmp_path / "episode"),
        "--out",
        str(tmp_path / "p.png"),
    )
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).astype(int)
    ring = np.abs(pixels - RING).sum(axis=2) < 30
    rows, columns = np.nonzero(ring)
    assert len(rows) > 500
    assert not ring[int(rows.mean()), int(columns.mean())]  # what was touched stays to be seen


def command(folder: Path, *words: str) -> None:
    result = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-2000:]
