"""Nothing that was asked for is lost: equal names, slow servers, episodes that end."""

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from eyehand.actions import web
from eyehand.agent.episode import run_episode
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.agent.report.pages import downloads_of, episode_page
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.web import WebEnvironment, waiting
from eyehand.envs.web.downloads import Downloads

SAME_NAME = """() => { button.onclick = () => {
  for (const n of [1, 2, 3, 4, 5]) {
    const link = document.createElement('a');
    link.href = 'data:text/plain,content ' + n; link.download = 'same.txt'; link.click();
  }
}; }"""
LINK = """([address, how]) => {
  const link = Object.assign(document.createElement('a'), {href: address, download: ''});
  const ways = {
    link: () => { link.textContent = 'get'; link.id = 'get'; button.replaceWith(link); },
    script: () => { button.onclick = () => {
      document.body.append(link); link.click(); link.remove(); }; },
    detached: () => { button.onclick = () => link.click(); },
    dispatched: () => { button.onclick = () => link.dispatchEvent(new MouseEvent('click')); },
    frame: () => { button.onclick = () => {
      document.body.append(Object.assign(document.createElement('iframe'), {src: address})); }; },
    address: () => { button.onclick = () => { location.href = address; }; },
  };
  ways[how]();
}"""

# Restless until it is clicked in, then busy: the watch of that step is given up.
BUSY = """busyMs => {
  const restless = setInterval(() => { log.textContent = performance.now(); }, 5);
  document.addEventListener('click', () => setTimeout(() => {
    clearInterval(restless);
    for (const end = performance.now() + busyMs; performance.now() < end;);
  }, 20));
}"""


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "downloads").iterdir()}


def test_files_of_one_name_at_once_are_all_kept(visit: Any, tmp_path: Path) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path})
    page.ask(SAME_NAME)
    page.do(web.Click(point=page.place("#button")))
    page.do(web.Finish(status="success"))
    files = kept(tmp_path)
    assert sorted(files.values()) == [f"content {n}" for n in range(1, 6)]
    assert {"same.txt", *(f"same ({n}).txt" for n in range(2, 6))} == set(files)


@pytest.mark.parametrize("how", ["link", "script", "detached", "dispatched", "frame", "address"])
def test_a_file_that_its_server_sends_late_is_told_and_kept(
    visit: Any, tmp_path: Path, how: str
) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path})
    page.ask(LINK, ["/late_file/700/report.csv", how])
    page.do(web.Wait(seconds=0.1))
    page.do(web.Click(point=page.place("#get" if how == "link" else "#button")))
    page.do(web.Finish(status="success"))
    assert kept(tmp_path) == {"report.csv": "a,b\n1,2\n"}
    assert "could not be opened" not in page.info["effect"]


@pytest.mark.parametrize("end", ["finish", "close"])
def test_a_file_that_begins_after_the_step_is_kept_when_the_episode_ends(
    visit: Any, tmp_path: Path, end: str
) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path}, settle_timeout_s=0.3)
    page.ask(LINK, ["/late_file/2500/report.csv", "detached"])
    page.do(web.Click(point=page.place("#button")))
    assert "has not begun" in page.info["effect"]
    if end == "finish":
        page.do(web.Finish(status="success"))
        assert "Downloaded 'report.csv'" in page.info["effect"]
        download = {"file": "downloads/report.csv", "bytes": 8, "action": 1}
        assert page.info["details"]["downloads"] == [download]
    page.environment.close()
    assert kept(tmp_path) == {"report.csv": "a,b\n1,2\n"}


@pytest.mark.parametrize("how", ["link", "script", "detached", "dispatched"])
@pytest.mark.parametrize("end", ["finish", "close"])
def test_a_file_that_a_busy_page_asked_for_is_kept(
    visit: Any, tmp_path: Path, how: str, end: str
) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path}, settle_timeout_s=0.3)
    page.ask(LINK, ["/late_file/2500/report.csv", how])
    page.ask(BUSY, 1500)
    page.do(web.Wait(seconds=0.1))
    page.do(web.Click(point=page.place("#get" if how == "link" else "#button")))
    assert "gives no answer" in page.info["effect"]
    if end == "finish":
        page.do(web.Finish(status="success"))
        assert "Downloaded 'report.csv'" in page.info["effect"]
    page.environment.close()
    assert kept(tmp_path) == {"report.csv": "a,b\n1,2\n"}


@pytest.mark.parametrize("end", ["finish", "close"])
def test_a_page_is_asked_once_when_the_episode_ends(visit: Any, monkeypatch: Any, end: str) -> None:
    asked = []

    async def ask(tabs: Any) -> None:
        asked.append(tabs)

    monkeypatch.setattr(waiting, "_ask_for_clicks", ask)
    page = visit("quiet.html")
    if end == "finish":
        page.do(web.Finish(status="success"))
    page.environment.close()
    assert len(asked) == 1


@pytest.mark.parametrize("count", ["-5", "1e9", "Infinity", "NaN", "'many'"])
def test_a_page_that_writes_into_its_count_stops_nothing(
    visit: Any, tmp_path: Path, count: str
) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path}, settle_timeout_s=0.3)
    page.ask(f"() => {{ window[Symbol.for('eyehand.downloads')].asked = {count}; }}")
    observation = page.do(web.Click(point=page.place("#button")))
    assert "click" in page.text("#log")
    assert observation.pixels.any()
    assert "has not begun" not in page.info["effect"]


def test_a_click_counts_after_a_page_wrote_into_its_count(tmp_path: Path) -> None:
    async def pending() -> list[bool]:
        downloads, told = Downloads(tmp_path, lambda news: None), []
        for clicks in (1e9, math.inf, math.nan, -5, 1e9 + 1):
            downloads.ask("the page", clicks, 1)
            told.append(downloads.pending)
        return told

    assert asyncio.run(pending()) == [False, False, False, False, True]


def test_an_address_that_is_a_late_file_is_told_as_what_it_is(
    visit: Any, tmp_path: Path, site: str
) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path})
    page.do(web.GoTo(url=f"{site}/late_file/700/report.csv"))
    assert "which is a download" in page.info["effect"]
    assert "could not" not in page.info["effect"] + page.observation.feedback
    assert kept(tmp_path) == {"report.csv": "a,b\n1,2\n"}


def test_a_click_that_a_page_takes_for_itself_asks_for_no_file(visit: Any, tmp_path: Path) -> None:
    page = visit("quiet.html", reset={"folder": tmp_path})
    page.ask(LINK, ["/late_file/700/report.csv", "link"])
    page.do(web.Wait(seconds=0.1))
    page.ask("() => { document.querySelector('#get').onclick = event => event.preventDefault(); }")
    page.do(web.Click(point=page.place("#get")))
    assert "download" not in page.info["effect"]


def test_the_report_lists_each_file_with_the_step_that_asked_for_it(
    site: str, tmp_path: Path
) -> None:
    environment = WebEnvironment(f"{site}/files.html", viewport=(640, 400))
    answers = [
        "no call at all",
        *('✿FUNCTION✿: wait\n✿ARGS✿: {"seconds": 0.1}',) * 2,
        f'✿FUNCTION✿: go_to\n✿ARGS✿: {{"url": "{site}/late_file/300/report.csv"}}',
        '✿FUNCTION✿: finish\n✿ARGS✿: {"status": "success"}',
    ]
    with environment:
        run_episode(
            ScriptedPolicy(answers), environment, task="get it", trajectory=tmp_path / "episode"
        )
    trajectory = read_trajectory(tmp_path / "episode")
    listed = [(one.file, one.size, one.step) for one in downloads_of(trajectory)]
    assert listed == [("downloads/report.csv", 8, 3)]
    page = episode_page(trajectory)
    assert "downloads/report.csv" in page
    assert '<a href="#step-3">step 3</a>' in page
