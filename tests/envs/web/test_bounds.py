"""What a page may take: windows, downloads, what was copied before, files that were named."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from eyehand.actions import web
from eyehand.envs.web import downloads, tabs
from eyehand.errors import ActionHadNoEffect

FIELD = "<textarea id=field style='width:300px;height:100px'>secret</textarea>"


def markup(html: str) -> str:
    return f"markup/{quote(html, safe='')}"


def copy(page: Any) -> None:
    page.do(web.Click(point=page.place("#field")))
    page.do(web.PressKeys(keys=["Control", "a"]))
    page.do(web.PressKeys(keys=["Control", "c"]))


def paste(page: Any) -> str:
    page.do(web.Click(point=page.place("#field")))
    page.do(web.PressKeys(keys=["Control", "a"]))
    page.do(web.PressKeys(keys=["Control", "v"]))
    return str(page.ask("document.querySelector('#field').value"))


def test_what_one_episode_copied_the_next_does_not_paste(visit: Any) -> None:
    page = visit(markup(FIELD))
    copy(page)
    page.do(web.TypeText(text="x"))
    assert paste(page) == "secret"
    page.observation, page.info = page.environment.reset()
    page.do(web.Click(point=page.place("#field")))
    page.do(web.PressKeys(keys=["Control", "a"]))
    page.do(web.TypeText(text="mine"))
    assert "secret" not in paste(page)
    other = visit(markup(FIELD.replace("secret", "mine")))
    assert "secret" not in paste(other)


def test_windows_are_bounded_and_that_is_said(visit: Any) -> None:
    page = visit("quiet.html")
    for _ in range(tabs.MAX_TABS):
        page.environment.page_call(_many_windows)
    page.do(web.Wait(seconds=0.5))
    page.environment.page_call(_no_more_than_permitted)
    assert page.observation.text.count(tabs.TOO_MANY) == 1
    with pytest.raises(ActionHadNoEffect, match="close one"):
        page.do(web.NewTab())
    page.do(web.CloseTab())
    page.do(web.NewTab())
    assert "about:blank" in page.observation.text


async def _no_more_than_permitted(page: Any) -> None:
    """Wait until those that are too many are closed: Chromium takes its time where it is busy."""
    async with asyncio.timeout(30):
        while len(page.context.pages) != tabs.MAX_TABS:
            await asyncio.sleep(0.05)


async def _many_windows(page: Any) -> None:
    """Windows that nobody announced, as those of a frame from another site are."""
    for _ in range(3):
        await page.context.new_page()


MANY = """<button id=go onclick="for (let i = 0; i < 60; i++) {
  const frame = document.createElement('iframe');
  frame.src = '/download/f' + i + '.csv';
  document.body.append(frame);
}">go</button>"""


def test_the_number_of_downloads_is_bounded_and_that_is_said(visit: Any, tmp_path: Path) -> None:
    page = visit(markup(MANY), reset={"folder": tmp_path})
    page.do(web.Click(point=page.place("#go")))
    told = page.observation.text
    for _ in range(60):
        page.do(web.Wait(seconds=0.3))
        told += page.observation.text
        if downloads.TOO_MANY in told:
            break
    assert told.count(downloads.TOO_MANY) == 1
    page.environment.close()
    assert len(list((tmp_path / "downloads").iterdir())) == downloads.MAX_DOWNLOADS


@pytest.mark.parametrize("target", ["", "_blank"])
def test_the_size_of_downloads_is_bounded_and_that_is_said(
    visit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 3_000_000)
    link = f'<a id=go target="{target}" href="/endless/big.bin">go</a>'
    page = visit(markup(link + '<p><a id=small href="/download/small.csv">small</a>'),
                 reset={"folder": tmp_path})  # fmt: skip
    page.do(web.Click(point=page.place("#go")))
    told = page.observation.text
    for _ in range(40):
        if "it was stopped" in told:
            break
        page.do(web.Wait(seconds=0.3))
        told += page.observation.text
    assert "big.bin' failed: this episode's downloads are larger than" in told
    if not target:
        page.do(web.Click(point=page.place("#small")))
        assert "Downloaded 'small.csv'" in page.observation.text


@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_upload_that_became_a_link_since_the_start_is_refused(
    visit: Any, tmp_path: Path, what: str
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "a.txt").write_text(folder.name)
    page = visit(markup("<input type=file id=go>"), reset={"uploads": {"a.txt": mine / "a.txt"}})
    if what == "file":
        (mine / "a.txt").unlink()
        (mine / "a.txt").symlink_to(other / "a.txt")
    else:
        mine.rename(tmp_path / "moved")
        mine.symlink_to(other)
    with pytest.raises(ActionHadNoEffect, match="replaced by a link"):
        page.do(web.UploadFile(point=page.place("#go"), file="a.txt"))
    assert page.ask("document.querySelector('input').files.length") == 0
