from pathlib import Path
from typing import Any

import pytest

from eyehand.actions import web
from eyehand.envs.web import uploads
from eyehand.envs.web.downloads import claim_path, safe_name
from eyehand.errors import ActionHadNoEffect, InvalidArgument


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


@pytest.fixture
def files(letter: Path) -> dict[str, Path]:
    photo = letter.with_name("photo.png")
    photo.write_text("pixels")
    return {"letter.txt": letter, "photo.png": photo}


# The page reads what it was given, and says so; bounded.
SAID = """() => new Promise(resolve => {
  const end = performance.now() + 5000;
  const look = () => document.getElementById('log').textContent || performance.now() > end ?
    resolve() : setTimeout(look, 5);
  look();
})"""
BOTH = ["letter.txt", "photo.png"]


@pytest.mark.parametrize(
    ("target", "names", "taken"),
    [
        ("#zone", "letter.txt", "dropped letter.txt=dear"),
        ("#zone", BOTH, "dropped letter.txt=dear photo.png=pixels"),
        ("#both", BOTH, "picked letter.txt=dear photo.png=pixels"),
        ("#one", "letter.txt", "opened letter.txt=dear"),
        ("#several", BOTH, "opened letter.txt=dear photo.png=pixels"),
        ("#field", BOTH, "field letter.txt=dear photo.png=pixels"),
    ],
)
def test_files_reach_whatever_takes_files(
    visit: Any,
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    names: Any,
    taken: str,
) -> None:
    if not taken.startswith("dropped"):  # on a busy machine a picker may take longer than a moment
        monkeypatch.setattr(uploads, "SOON_S", 30.0)
    page = visit("drop.html", reset={"uploads": files})
    page.do(web.UploadFile(point=page.place(target), file=names))
    page.ask(SAID)
    assert page.text("#log") == taken
    assert ("dropped" if taken.startswith("dropped") else "uploaded") in page.info["effect"]


def test_a_page_that_drops_do_not_concern_gets_none(visit: Any, files: dict[str, Path]) -> None:
    page = visit("drop.html", reset={"uploads": files})
    page.do(web.UploadFile(point=page.place("#deaf"), file="letter.txt"))
    assert "Nothing at the point asks for a file" in page.observation.feedback
    assert "Title: Drop\n" in page.observation.text + "\n"


@pytest.mark.parametrize("target", ["#one", "#single"])
def test_several_files_are_not_given_where_one_is_asked_for(
    visit: Any, files: dict[str, Path], target: str
) -> None:
    page = visit("drop.html", reset={"uploads": files})
    with pytest.raises(ActionHadNoEffect, match="one file is asked for, and 2 were given"):
        page.do(web.UploadFile(point=page.place(target), file=BOTH))


def test_a_click_that_opens_the_picker_of_a_script_says_how_to_upload(
    visit: Any, files: dict[str, Path]
) -> None:
    page = visit("drop.html", reset={"uploads": files})
    page.do(web.Click(point=page.place("#one")))
    told = page.observation.text
    for _ in range(20):  # Chromium announces the picker a moment after the click
        if "use upload_file at the same point" in told:
            break
        told = page.do(web.Wait(seconds=0.1)).text
    assert "use upload_file at the same point" in told


@pytest.mark.parametrize(("frame", "top"), [(1, 8), (2, 203)])
def test_files_are_dropped_in_frames_too(
    visit: Any, files: dict[str, Path], frame: int, top: int
) -> None:
    page = visit("drop-frames.html", reset={"uploads": files})
    point = page.observation.geometry.to_point(123, top + 25)
    page.do(web.UploadFile(point=point, file="letter.txt"))

    async def logged(shown: Any) -> Any:
        await shown.frames[frame].evaluate(SAID)
        return await shown.frames[frame].text_content("#log")

    assert page.environment.page_call(logged) == "dropped letter.txt=dear"


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
