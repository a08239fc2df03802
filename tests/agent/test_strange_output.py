"""What a model, a page or a record says reaches no terminal, spreadsheet or browser as code."""

import csv
import functools
import http.server
import io
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.agent.strange import (
    ACTED_ON,
    ESCAPES,
    LINE,
    episode,
    evaluation,
    first,
    outcome,
    row,
    screen,
    step,
)

from eyehand.agent.cli.main import main
from eyehand.agent.cli.progress import EvaluationProgress
from eyehand.agent.episode import run_episode
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.report import write_report
from eyehand.agent.results.episode_result import EpisodeResult
from eyehand.agent.results.episodes_csv import write_csv
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs import registry
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.web.browser import find_chromium
from eyehand.errors import EnvironmentFault

Capture = pytest.CaptureFixture[str]


def strange_step(**fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(
        ("text", "feedback", "thought", "raw_text", "effect"), ESCAPES
    )
    return step(
        screen=screen(name=ESCAPES),
        action={"name": ESCAPES, "arguments": {ESCAPES: ESCAPES}, "shown": ESCAPES},
        error={"type": ESCAPES, "message": ESCAPES},
        not_performed=[ESCAPES],
        tokens={ESCAPES: 1},
        **said,
        **fields,
    )


@pytest.fixture
def strange(tmp_path: Path) -> dict[str, str]:
    """Two evaluations and two episodes whose every text is an escape sequence."""
    policy = {"name": ESCAPES, "model": ESCAPES}
    for name in ("a", "b"):
        rows = [
            row(n, spec=f"{ESCAPES}{n}", seed=5, task=ESCAPES, message=ESCAPES, outcome=end)
            | {"faults": [f"{ESCAPES}: {ESCAPES}"], "answer_errors": {ESCAPES: 1}}
            | {"tokens": {ESCAPES: 1}, "timings_s": {ESCAPES: 1.0}, "folder": f"x{ESCAPES[1:4]}"}
            for n, end in enumerate(("claimed", "failed", "environment_fault", "succeeded"))
        ]
        rows.append(row(9, spec=f"only {name} {ESCAPES}"))
        task = {"task": f"{ESCAPES}0", "ceiling": 0.5, "ceiling_source": ESCAPES}
        folder = evaluation(
            tmp_path / name, *rows, suite=ESCAPES, policies={ESCAPES: policy}, tasks=[task]
        )
        assert folder.is_dir()
        head = first(task=ESCAPES, spec=ESCAPES, policy=policy, eyehand=ESCAPES)
        episode(tmp_path / f"e-{name}", head, strange_step(), outcome(message=ESCAPES))
    return {path.name: str(path) for path in tmp_path.iterdir()}


COMMANDS = [
    ["view", "a"], ["view", "a", "--markdown"], ["view", "a", "--csv"],
    ["view", "a", "--beside", "b", "--markdown"], ["view", "e-a"], ["view", "e-a", "--markdown"],
    ["view", "a", "--json"], ["compare", "a", "b"], ["compare", "a", "b", "--markdown"],
    ["compare", "a", "b", "--json"], ["compare", "a", "b", "--identical"],
    ["compare", "a", "b", "--identical", "--json"], ["eval", "--resume", "a"],
    ["score", "--reference", "e-a", "--predictions", "e-b", "--rule", "calls"],
    ["score", "--reference", "e-a", "--predictions", "e-b", "--rule", "calls", "--json"],
    ["view", ESCAPES], ["view", "a", f"--{ESCAPES}"], [ESCAPES], ["suites", f"{ESCAPES}.yaml"],
    ["eval", ESCAPES], ["run", "--env", ESCAPES], ["compare", ESCAPES, ESCAPES],
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(ascii, words)))
def test_no_command_prints_what_a_terminal_acts_on(
    strange: dict[str, str], capsys: Capture, words: list[str]
) -> None:
    with suppress(SystemExit):  # argparse's own end
        main([strange.get(word, word) for word in words])
    said = capsys.readouterr()
    assert said.out or said.err
    assert [one for one in ACTED_ON if one in said.out] == []
    assert [one for one in ACTED_ON if one in said.err] == []
    assert "Traceback" not in said.err
    if "--json" in words:
        json.loads(said.out)


@pytest.mark.parametrize("said", [f"Look:\n{ESCAPES}", "x" * 1_000_000])
def test_the_lines_of_a_run_are_plain_and_short(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    class Shouting(NumberLineEnvironment):
        def step(self, action: Any) -> Any:
            raise EnvironmentFault(said)

    shouting = registry.Scheme("shouting", lambda name: Shouting(), "shouting:x", real=False)
    monkeypatch.setitem(registry._SCHEMES, "shouting", shouting)
    words = ["run", "--env", "shouting:x", "--seed", "1", "--policy", "random"]
    assert main([*words, "--out", str(tmp_path / "e")]) == 3
    told = capsys.readouterr().err
    assert [one for one in ACTED_ON if one in told] == []
    assert len(told) < 10_000
    last = next(line for line in told.splitlines() if line.startswith("environment fault after"))
    assert said[:5] in last


def test_a_suites_name_is_no_markup() -> None:
    from rich.console import Console

    terminal = io.StringIO()
    with EvaluationProgress(Console(file=terminal, width=200)) as progress:
        progress.begins(Plan("[/x] [link=https://example.org]", [LINE], 1), [])
    assert "[/x]" in terminal.getvalue()


FORMULAS = [
    '=HYPERLINK("https://example.org/?"&A1,"x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)",
    "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(tmp_path: Path, capsys: Capture, formula: str) -> None:
    fields = {"spec": formula, "task": formula, "message": formula, "faults": [formula]}
    kinds = {"answer_errors": {formula: 1}, "tokens": {formula: 1}}
    rows = [row(0, **fields, **kinds), row(1, **fields, reward=-1.0)]
    policies = {"p": {"name": formula}}
    folder = evaluation(tmp_path / "e", *rows, suite=formula, policies=policies)
    write_csv(folder, [EpisodeResult.from_json(one) for one in rows])
    assert main(["view", str(folder), "--csv"]) == 0
    texts = [capsys.readouterr().out, (folder / "episodes.csv").read_text()]
    for text in texts:
        table = list(csv.reader(io.StringIO(text)))
        assert len(table) >= 2
        cells = [cell.strip() for line in table for cell in line]
        suspect = [c for c in cells if c[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20")]
        assert all(re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", cell) for cell in suspect)
    assert "-1.0" in texts[1]


def test_refused_calls_are_cut_in_the_record_and_in_what_the_model_hears(tmp_path: Path) -> None:
    one = "✿FUNCTION✿: plus\n✿ARGS✿: {}\n"
    many = one * 50_000 + "y" * 400_000
    policy = ScriptedPolicy([many, one])
    run_episode(policy, NumberLineEnvironment(), seed=3, max_steps=2, trajectory=tmp_path / "e")
    kept = read_trajectory(tmp_path / "e")
    assert len(kept.steps[0].not_performed) == 21
    assert kept.steps[0].not_performed[-1] == "49979 more calls"
    assert (tmp_path / "e" / "episode.jsonl").stat().st_size < 1_000_000
    heard = kept.steps[1].feedback if len(kept.steps) > 1 else ""
    assert len(heard) < 60_000


MARKUP = [
    '"><img src=x onerror=window.ran=1>',
    "</style><script>window.ran=1</script>",
    "</script><script>window.ran=1</script>",
    "' onmouseover=window.ran=1 x='",
    "--><svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "{{ 7 * 7 }}{% raw %}",
]
ALL = "".join(MARKUP)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def names_of_folders() -> list[str]:
    return [
        "javascript:report={html:1};window.ran=1;1",
        "data:text&colon;html,x",
        "a b#c?d%2e",
        '"><script>window.ran=1<',
        "https:",
        "\N{SNOWMAN}",
        "-&amp;",
    ]


def test_pages_run_no_script_but_ours_and_link_to_nothing_outside(
    tmp_path: Path, served: str
) -> None:
    from playwright.sync_api import sync_playwright

    names = names_of_folders()
    rows = [
        row(n, folder=name, message=ALL, task=ALL, spec=f"{ALL}{n}", faults=[f"{ALL}: {ALL}"])
        for n, name in enumerate(names)
    ]
    folder = evaluation(tmp_path / "e", *rows, suite=ALL, policies={ALL: {"name": ALL}})
    for name in names:
        head = first(task=ALL, spec=ALL, policy={"name": ALL, "model": ALL})
        steps = [step(n, thought=ALL, raw_text=ALL, effect=ALL, text=ALL) for n in range(3)]
        episode(folder / name, head, *steps, outcome(message=ALL))
    write_report(folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{served}/e/report.html")
        links = page.eval_on_selector_all("a", "all => all.map(a => a.href)")
        assert len(links) >= len(names)
        assert all(link.startswith(f"{served}/e/") for link in links)
        written = page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        assert {unquote(href) for href in written} == {f"./{name}/report.html" for name in names}
        assert all(re.fullmatch(r"\./[\w.~/%-]+", href, re.ASCII) for href in written)
        for link in sorted(set(links)):
            assert page.goto(link).status == 200  # type: ignore[union-attr]
            page.keyboard.press("ArrowRight")  # our own script runs
            page.wait_for_function(
                "document.querySelector('[aria-current]')?.hash === '#step-1'", timeout=10_000
            )
            assert page.evaluate("document.scripts.length") == 1
            assert page.evaluate("getComputedStyle(document.querySelector('nav')).position") != ""
            assert not page.evaluate("'ran' in window")
        assert said == []  # nothing broke the page's own policy
        browser.close()


def test_a_script_that_got_into_a_page_would_not_run(tmp_path: Path, served: str) -> None:
    from playwright.sync_api import sync_playwright

    page_file = write_report(episode(tmp_path / "e"))
    planted = (
        "<script>window.ran = 1</script><img src='x' onerror='window.ran = 1'><style>p{}</style>"
    )
    text = page_file.read_text().replace("<main>", f"<main>{planted}")
    page_file.write_text(text)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{served}/e/report.html")
        assert not page.evaluate("'ran' in window")
        assert any("Content Security Policy" in line for line in said)
        browser.close()


def test_a_strangers_own_page_is_not_linked_to_as_ours(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "e", row(folder="one"))
    page = episode(folder / "one") / "report.html"
    page.write_text("<!doctype html><script>window.ran = 1</script>")
    later_s = 4_000_000_000.0
    os.utime(page, (later_s, later_s))
    write_report(folder)
    assert "window.ran" not in page.read_text()
    assert "Content-Security-Policy" in page.read_text()[:200]
