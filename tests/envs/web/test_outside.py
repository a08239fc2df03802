"""What a page asks for that is no page (mailto:, tel:, any scheme) never leaves the browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from eyehand.actions import web
from eyehand.envs.web import starting
from eyehand.envs.web.browser import Browser

PROGRAMS = ("xdg-open", "xdg-email", "xdg-mime", "gio", "gvfs-open", "sensible-browser")
OTHER = "<button id=other onclick=\"document.title = 'clicked'\">other</button><p id=log></p>"
WAYS = {
    "link": '<a id=go href="{}">go</a>',
    "link to a window": '<a id=go target=_blank href="{}">go</a>',
    "script": "<button id=go onclick='location = \"{}\"'>go</button>",
    "window": "<button id=go onclick='window.open(\"{}\")'>go</button>",
    "form": '<form action="{}"><button id=go>go</button></form>',
    "frame": "<button id=go onclick=\"f.src = '{}'\">go</button><iframe id=f></iframe>",
    "redirect": '<a id=go href="/redirect/{}">go</a>',
}
ADDRESSES = ("mailto:a@b.c", "tel:1", "whatsapp://x", "unheard-of+1.x:y")
# Every way with a scheme that Chromium knows and with one that nobody does; every scheme two ways.
ASKED = [
    *((way, address) for way in WAYS for address in (ADDRESSES[0], ADDRESSES[-1])),
    *((way, address) for way in ("link", "window") for address in ADDRESSES[1:-1]),
]


@pytest.fixture(scope="module", autouse=True)
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A desktop that writes down what it is asked to open."""
    folder = tmp_path_factory.mktemp("desktop")
    log = folder / "log"
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\n')
        program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        Browser.close_shared()
        yield log
        Browser.close_shared()


def markup(html: str) -> str:
    return f"markup/{quote(OTHER + html, safe='')}"


@pytest.mark.parametrize(("way", "address"), ASKED)
def test_a_click_opens_nothing_outside_and_the_tab_lives(
    visit: Any, called: Path, way: str, address: str
) -> None:
    page = visit(markup(WAYS[way].format(quote(address) if way == "redirect" else address)))
    seen = page.do(web.Click(point=page.place("#go")))
    assert f"The page asked to open {address}" in seen.text
    assert "which is outside the browser" in seen.text
    assert "Nothing visible changed" not in seen.feedback
    page.do(web.Click(point=page.place("#other")))
    assert "Title: clicked" in page.observation.text
    assert "outside" not in page.observation.text
    assert not called.exists()


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "way",
    [
        "<script>location = '{}'</script>",
        "<meta http-equiv=refresh content='0;url={}'>",
        "<iframe src='{}'></iframe>",
    ],
)
def test_a_page_opens_nothing_outside_by_itself(
    visit: Any, called: Path, way: str, address: str
) -> None:
    page = visit(markup(way.format(address)))
    page.do(web.Click(point=page.place("#other")))
    assert "Title: clicked" in page.observation.text
    assert not called.exists()


def test_asking_again_and_again_is_told_once(visit: Any, called: Path) -> None:
    page = visit(markup("<script>setInterval(() => { location = 'tel:1' }, 10)</script>"))
    page.do(web.Wait(seconds=0.5))
    assert page.observation.text.count("tel:1") == 1
    assert "more times" in page.observation.text
    page.do(web.Click(point=page.place("#other")))
    assert "Title: clicked" in page.observation.text
    assert not called.exists()


def test_the_programs_that_open_nothing_can_be_run() -> None:
    programs = list(starting.OUTSIDE.iterdir())
    assert {"xdg-open", "xdg-email", "xdg-settings"} <= {program.name for program in programs}
    assert all(os.access(program, os.X_OK) for program in programs)
