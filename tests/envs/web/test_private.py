"""Addresses of this machine and its network, which a page of the internet does not reach."""

import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from eyehand.actions import web
from eyehand.agent.cli.main import main
from eyehand.agent.results.folder import read_rows
from eyehand.envs.registry import make, make_with_private
from eyehand.envs.web.browser import Browser, find_chromium
from eyehand.envs.web.environment import WebEnvironment
from eyehand.envs.web.private import is_private_address
from eyehand.errors import ActionHadNoEffect, StartUnreachable

PRIVATE = (
    "127.0.0.1", "127.8.9.1", "127.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "0x7f.1",
    "0177.0.0.1", "017700000001", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.169.254", "0xa9fea9fe",
    "[fc00::1]", "[fd12::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "100.64.0.1",
    "127.0.0.1.",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "172.32.0.1", "192.169.0.1", "[2606:4700:4700::1111]", "[::ffff:8.8.8.8]")


@pytest.mark.parametrize("host", PRIVATE)
def test_every_spelling_of_a_private_address_is_one(host: str) -> None:
    assert is_private_address(host) is True


@pytest.mark.parametrize("host", PUBLIC)
def test_an_address_of_the_internet_is_none(host: str) -> None:
    assert is_private_address(host) is False


@pytest.fixture(scope="module", autouse=True)
def public(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages as a site of the internet: a name that only Chromium finds."""
    chromium = find_chromium() or pytest.skip("needs a Chromium of the system's")
    rule = shlex.quote(f"--host-resolver-rules=MAP public.example {urlsplit(site).netloc}")
    program = tmp_path_factory.mktemp("mapped") / "chromium"
    program.write_text(f'#!/bin/sh\nexec {chromium} {rule} "$@"\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EYEHAND_CHROMIUM", str(program))
        Browser.close_shared()
        yield "http://public.example"
        Browser.close_shared()


def spellings(site: str) -> list[str]:
    port = urlsplit(site).port
    hosts = ("127.0.0.1", "localhost", "a.localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]")
    more = (socket.gethostname(), "user@127.0.0.1", "１２７.0.0.1")
    return [f"http://{host}:{port}/tabs.html" for host in (*hosts, *more)]


def test_go_to_opens_no_private_address(visit: Any, public: str, site: str) -> None:
    page = visit(f"{public}/quiet.html")
    for url in spellings(site):
        with pytest.raises(ActionHadNoEffect, match="private address"):
            page.do(web.GoTo(url=url))
    page.do(web.GoTo(url=f"{public}/tabs.html"))
    assert "Title: Tabs" in page.observation.text


WAYS = {
    "link": '<a id=go href="{}">go</a>',
    "window": '<a id=go target=_blank href="{}">go</a>',
    "script": "<button id=go onclick='location = \"{}\"'>go</button>",
    "redirect": '<a id=go href="/redirect/{}">go</a>',
    "two redirects": '<a id=go href="/redirect//redirect/{}">go</a>',
    "form": '<form action="{}"><button id=go>go</button></form>',
}


@pytest.mark.parametrize("way", WAYS)
def test_a_page_opens_no_private_address(visit: Any, public: str, site: str, way: str) -> None:
    html = WAYS[way].format(f"{site}/tabs.html")
    page = visit(f"{public}/markup/{quote(html, safe='')}")
    page.do(web.Click(point=page.place("#go")))
    told = page.observation.text
    assert "Title: Tabs" not in told
    page.do(web.Wait(seconds=0.3))
    assert f"{site}/tabs.html" in told + page.observation.text
    assert "a private address" in told + page.observation.text
    shown = page.environment.page_call(lambda p: [q.url for q in p.context.pages])
    assert all(not url.startswith(site) for url in shown)
    page.do(web.GoTo(url=f"{public}/quiet.html"))
    assert "Title: Quiet" in page.observation.text


def test_go_to_follows_no_redirect_there(visit: Any, public: str, site: str) -> None:
    page = visit(f"{public}/quiet.html")
    page.do(web.GoTo(url=f"{public}/redirect/{site}/tabs.html"))
    assert "a private address" in page.observation.text
    assert "Title: Quiet" in page.observation.text


def test_a_start_page_leads_to_no_private_address(public: str, site: str) -> None:
    with pytest.raises(StartUnreachable), make(f"{public}/redirect/{site}/tabs.html") as started:
        started.reset()


def test_who_asks_for_it_may_open_them(visit: Any, public: str, site: str) -> None:
    page = visit(f"{public}/quiet.html", allow_private=True)
    page.do(web.GoTo(url=f"{site}/tabs.html"))
    assert "Title: Tabs" in page.observation.text
    made = make_with_private(f"{public}/quiet.html")
    assert isinstance(made, WebEnvironment)
    assert made.allow_private
    assert make_with_private("miniwob:click-test").spec_uri == "miniwob:click-test"


def test_a_file_as_start_page_leads_to_files_and_to_no_private_address(
    visit: Any, public: str, site: str, tmp_path: Path
) -> None:
    other, start = tmp_path / "other.html", tmp_path / "start.html"
    other.write_text("<title>Other file</title>")
    start.write_text(
        f"<title>A file</title><a id=other href='{other.as_uri()}'>other</a>"
        f"<a id=go href='{site}/tabs.html'>go</a>"
    )
    page = visit(start.as_uri())
    page.do(web.Click(point=page.place("#go")))
    assert "Title: A file" in page.observation.text
    assert "a private address" in page.observation.text
    with pytest.raises(ActionHadNoEffect, match="private address"):
        page.do(web.GoTo(url=f"{site}/tabs.html"))
    page.do(web.Click(point=page.place("#other")))
    assert "Title: Other file" in page.observation.text
    page.do(web.GoTo(url=f"{public}/quiet.html"))
    assert "Title: Quiet" in page.observation.text
    allowed = visit(start.as_uri(), allow_private=True)
    allowed.do(web.Click(point=allowed.place("#go")))
    assert "Title: Tabs" in allowed.observation.text


@pytest.mark.parametrize("way", ["link", "window", "script", "redirect"])
def test_a_page_of_the_internet_opens_no_file(
    visit: Any, public: str, tmp_path: Path, way: str
) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<title>Secret file</title>")
    html = WAYS[way].format(secret.as_uri())
    page = visit(f"{public}/markup/{quote(html, safe='')}")
    page.do(web.Click(point=page.place("#go")))
    page.do(web.Wait(seconds=0.3))
    assert "Secret file" not in page.observation.text
    shown = page.environment.page_call(lambda p: [q.url for q in p.context.pages])
    assert not any(url.startswith("file:") for url in shown)


def test_a_private_start_page_may_lead_to_another(visit: Any, site: str) -> None:
    page = visit("quiet.html")
    page.do(web.GoTo(url=f"{site.replace('127.0.0.1', 'localhost')}/tabs.html"))
    assert "Title: Tabs" in page.observation.text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_workers_of_an_evaluation_have_the_option(
    public: str, site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    spec, out = f"{public}/redirect/{site}/tabs.html", str(tmp_path / "e")
    command = ["eval", spec, "--policy", "random", "--allow-random", "--episodes", "1"]
    command += ["--workers", workers, "--out"]
    assert main([*command, str(tmp_path / "refused")]) == 3
    assert main([*command, out, "--allow-private"]) == 2
    assert "sets no task by itself" in capsys.readouterr().err  # so it has opened


def test_a_plan_keeps_the_option_and_only_who_gives_it_again_goes_on_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, without = str(tmp_path / "kept"), str(tmp_path / "without")
    command = ["eval", "cards:number-line", "--policy", "random", "--episodes", "1", "--out"]
    assert main([*command, kept, "--allow-private"]) == 0
    assert main([*command, without]) == 0
    capsys.readouterr()
    more = ["eval", "--episodes", "2", "--resume"]
    assert main([*more, kept]) == 2
    assert "lets pages open private addresses" in capsys.readouterr().err
    assert main([*more, kept, "--allow-private"]) == 0
    assert len(read_rows(tmp_path / "kept" / "episodes.jsonl")[0]) == 2
    assert main([*more, without, "--allow-private"]) == 2
    assert "was begun with --allow-private False" in " ".join(capsys.readouterr().err.split())
    assert main([*more, without]) == 0


def test_the_command_line_has_the_option(
    public: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("run", "eval"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "--allow-private" in capsys.readouterr().out
    assert os.environ["EYEHAND_CHROMIUM"]
