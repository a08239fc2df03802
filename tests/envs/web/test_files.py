from pathlib import Path
from typing import Any

import pytest

from eyehand.actions import web
from eyehand.envs.web.downloads import claim_path, safe_name
from eyehand.errors import InvalidArgument


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    return path


@pytest.mark.parametrize("target", ["#file", "#pick"])
def test_a_given_file_can_be_uploaded(visit: Any, letter: Path, target: str) -> None:
    page = visit("files.html", reset={"uploads": {"letter.txt": letter}})
    page.do(web.UploadFile(point=page.place(target), file="letter.txt"))
    assert page.text("#log") == "letter.txt dear"


def test_no_other_file_can_be_uploaded(visit: Any, letter: Path) -> None:
    page = visit("files.html", reset={"uploads": {"letter.txt": letter}})
    with pytest.raises(InvalidArgument, match=r"its files: letter\.txt"):
        page.do(web.UploadFile(point=page.place("#file"), file="passwd"))
    assert page.text("#log") == ""


def test_a_click_on_a_file_field_says_how_to_upload(visit: Any, letter: Path) -> None:
    page = visit("files.html", reset={"uploads": {"letter.txt": letter}})
    page.do(web.Click(point=page.place("#file")))
    assert "use upload_file at the same point (files: letter.txt)" in page.observation.text


def test_uploading_where_nothing_asks_for_a_file_is_told(visit: Any, letter: Path) -> None:
    page = visit("files.html", reset={"uploads": {"letter.txt": letter}})
    page.do(web.UploadFile(point=page.place("#plain"), file="letter.txt"))
    assert "Nothing at the point asks for a file" in page.observation.feedback


def test_downloads_go_into_the_folder_of_the_episode(visit: Any, tmp_path: Path) -> None:
    page = visit("files.html", reset={"folder": tmp_path})
    for _ in range(2):
        page.do(web.Click(point=page.place("#download")))
        assert "Downloaded 'report" in page.info["effect"]
    page.do(web.Click(point=page.place("#evil")))
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert names[1:] == ["downloads/report (2).csv", "downloads/report.csv"]
    assert names[0].startswith("downloads/")
    assert (tmp_path / "downloads" / "report.csv").read_text() == "a,b\n1,2\n"


def test_an_address_that_is_a_download_is_kept_too(visit: Any, tmp_path: Path, site: str) -> None:
    page = visit("files.html", reset={"folder": tmp_path})
    page.do(web.GoTo(url=f"{site}/download/report.csv"))
    assert (tmp_path / "downloads" / "report.csv").is_file()
    assert "Title: Files" in page.observation.text


def test_without_a_folder_a_download_is_told_and_not_kept(visit: Any) -> None:
    page = visit("files.html")
    page.do(web.Click(point=page.place("#download")))
    assert "keeps no downloads" in page.observation.text


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "", "a\x00b", "C:\\x", "." * 9])
def test_a_suggested_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    path = claim_path(tmp_path / "downloads", safe_name(name))
    assert path.parent == tmp_path / "downloads"
    assert path.resolve().parent == (tmp_path / "downloads").resolve()
