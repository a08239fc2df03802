"""`eyehand train harvest`, as a person calls it: web pages in, shards out, in real Chromium."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.outcome import EXIT_INTERRUPTED, EXIT_USAGE
from eyehand.agent.training.harvest.pages import NamedPage
from eyehand.agent.training.harvest.questions import questions
from eyehand.agent.training.harvest.views import NoView, look
from eyehand.envs.env import Pixels
from eyehand.model.training.documents import SHARD_SUFFIX, Document, read_shard

pytestmark = pytest.mark.usefixtures("browser_ends")

Color = tuple[int, int, int]

NAMES = (
    "anchor", "beacon", "candle", "dolphin", "ember", "falcon", "garden", "harbour", "island",
    "jacket", "kernel", "lantern", "meadow", "needle", "orchard", "pepper", "quartz", "ribbon",
    "saddle", "timber", "umbrella", "violet", "walnut", "yarrow",
)  # fmt: skip
COLORS: dict[str, Color] = {name: (255 - i, 215, 160 + i) for i, name in enumerate(NAMES)}
"""Each word stands on a colour of its own, so that the picture itself says where it is."""

UNSEEN = """
<style>
  .up { position: absolute; left: 4px; top: 2px; text-transform: uppercase; letter-spacing: 3px;
        pointer-events: none }
  .icon { font-family: sans-serif }
  .cut { width: 60px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis }
</style>
<div style="position: relative; height: 30px"><b class="up">shifted</b></div>
<p><span class="icon">&#xe123;</span>sign</p>
<p style="color: transparent">ghosts</p> <p style="opacity: 0.1">faint</p>
<div style="height: 0; overflow: hidden">folded</div>
<p class="cut">remarkable lengthy</p>
<div style="position: relative; width: 90px">buried
  <div style="position: absolute; inset: 0; background: white">
  </div></div>
<input type="password" placeholder="hint" size="5"><input type="password" value="veiled" size="5">
<details><summary>summary</summary>secret</details>
<x-part></x-part>
<script>
  document.querySelector("x-part").attachShadow({mode: "open"}).innerHTML = "<i>shadowed</i>";
  Array.from = null; Element.prototype.getBoundingClientRect = null;
</script>
"""

FORM = """
<style> body { font: 16px sans-serif } * { accent-color: rgb(1, 2, 200) }
  input { border: 0; margin: 4px } input[type=checkbox], input[type=radio] { appearance: none;
  width: 16px; height: 16px } #t { background: rgb(9, 8, 250) } #s { background: rgb(0, 120, 10) }
  #u { background: rgb(120, 0, 0) } #r { background: rgb(90, 90, 9) } </style>
<label>Email address * <input id="t" size="10" style="color: white"></label><br>
<input id="s" type="checkbox" checked aria-label="Keep"><span>Keep</span><br>
<label><input id="u" type="checkbox">Share it</label><br>
<label><input id="r" type="radio">Large</label><br>
<label><input type="checkbox" style="background: pink">Twice</label>
<label><input type="checkbox" style="background: pink">Twice</label>
<input aria-label="Invisible name" size="5" style="background: pink">
"""
FORM_COLORS: dict[str, Color] = {
    'field "Email address"': (9, 8, 250),
    'checkbox "Keep"': (0, 120, 10),
    'checkbox "Share it"': (120, 0, 0),
    'radio button "Large"': (90, 90, 9),
}


def listed() -> str:
    """A page of four windows' height, with a word every 50 pixels."""
    found = ["<body style='margin: 0; height: 1200px; font: 15px sans-serif'>"]
    for i, (name, color) in enumerate(COLORS.items()):
        place = f"position: absolute; left: {(i * 29) % 110}px; top: {i * 50}px"
        found.append(f"<span style='{place}; background: rgb{color}'>{name}</span>")
    return "".join(found)


def harvested(pages: list[Path | str], out: Path, count: int, *more: str) -> list[Document]:
    named = [word for page in pages for word in ("--pages", str(page))]
    asked = ["train", "harvest", *named, "--out", str(out), "--documents", str(count), *more]
    assert main(asked) == 0
    (path,) = out.glob(f"*{SHARD_SUFFIX}")
    return list(read_shard(path))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "listed.html").write_text(listed())
    (folder / "part").mkdir()
    (folder / "part" / "form.htm").write_text(FORM)
    return folder


@pytest.fixture(scope="module")
def shards(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    harvested([site], folder, 8, "--seed", "74")
    return folder


@pytest.fixture(scope="module")
def documents(shards: Path) -> list[Document]:
    (path,) = shards.glob(f"*{SHARD_SUFFIX}")
    return list(read_shard(path))


def of_page(documents: list[Document], name: str) -> list[Document]:
    return [document for document in documents if document.source == f"page:{name}"]


def asked_of(document: Document) -> Iterator[tuple[str, str]]:
    for branch in document.branches:
        question, answer = (part.text for part in branch if part.kind == "plain")
        yield question, answer


def place(text: str, image: Pixels) -> tuple[float, float]:
    x, y = map(int, re.findall(r"\d+", text)[-2:])
    return x / 1000 * image.shape[1], y / 1000 * image.shape[0]


def around(image: Pixels, x: float, y: float, across: int, down: int) -> Pixels:
    left, top = max(int(x) - across, 0), max(int(y) - down, 0)
    return image[top : int(y) + down + 1, left : int(x) + across + 1]


def holds(patch: Pixels, color: Color) -> bool:
    return bool((np.abs(patch.astype(int) - color).max(axis=2) <= 2).any())


def test_characters_lie_where_the_page_draws_them_scrolled_or_not(
    documents: list[Document],
) -> None:
    seen: set[str] = set()
    for document in of_page(documents, "listed.html"):
        (image,), (characters,) = document.images, document.characters
        assert all(side % 28 == 0 for side in image.shape[:2])
        text = "".join(character.text for character in characters)
        names = [name for name in NAMES if name in text]
        assert sum(map(len, names)) == len(text)  # whole words, and nothing else
        seen.update(names)
        rest = iter(characters)
        for name in sorted(names, key=text.index):
            for letter, character in zip(name, rest, strict=False):
                assert character.text == letter
                patch = around(image, character.x_px, character.y_px, 3, 6)
                assert holds(patch, COLORS[name])
                assert patch.min() < 110  # ink
    assert len(seen) > 12  # of several places of the page


def test_questions_about_words_name_what_stands_there(documents: list[Document]) -> None:
    answered = 0
    for document in of_page(documents, "listed.html"):
        (image,) = document.images
        for question, answer in asked_of(document):
            is_where = question.startswith("Where is")
            name = question.split('"')[1] if is_where else answer
            x, y = place(answer if is_where else question, image)
            assert holds(around(image, x, y, 4, 5), COLORS[name])
            answered += 1
    assert answered > 20


def test_questions_about_fields_and_marks_point_into_them(documents: list[Document]) -> None:
    asked: dict[str, str] = {}
    for document in of_page(documents, "part/form.htm"):
        for question, answer in asked_of(document):
            name = re.sub(r"^Where is the |\?$", "", question)
            if question.startswith("Where is the "):
                (image,) = document.images
                x, y = place(answer, image)
                assert holds(around(image, x, y, 2, 2), FORM_COLORS[name])
            asked[question] = answer
    assert {f"Where is the {name}?" for name in FORM_COLORS} <= asked.keys()
    assert asked['Is the checkbox "Keep" ticked?'] == "yes"
    assert asked['Is the checkbox "Share it" ticked?'] == "no"
    assert not [q for q in asked if "Invisible" in q or q.startswith('Is the checkbox "Twice"')]


def test_what_nobody_sees_is_not_read(tmp_path: Path) -> None:
    page = tmp_path / "unseen.html"
    page.write_text(UNSEEN)
    (document,) = harvested([page.as_uri()], tmp_path / "out", 1)
    text = "".join(character.text for character in document.characters[0])
    assert "SHIFTED" in text
    assert {"sign", "summary", "shadowed"} <= set(re.findall("sign|summary|shadowed", text))
    assert "rema" in text
    assert "hint" in text
    unseen = "ghosts|faint|folded|lengthy|buried|veiled|secret|[\ue000-\uf8ff]"
    assert re.search(unseen, text) is None
    spaced = [c for c in document.characters[0] if c.text.isupper()]
    for letter in spaced:  # the middle of a letter, not of the space behind it too
        assert around(document.images[0], letter.x_px, letter.y_px, 3, 7).min() < 110


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("<p style='margin: 0'>under<p style='margin-top: -18px'>above", "words lie on words"),
        ("<p>words</p><canvas></canvas>", "a frame or a canvas"),
        (
            # Always on, never to and fro: two looks at a page that swings can find it in one place.
            "<p id='p'>words</p><script>setInterval(() => p.style.marginLeft ="
            " performance.now() / 100 + 'px', 5)</script>",
            "the page moves",
        ),
        (
            "<style>@keyframes on { to { margin-left: 150px } }"
            " p { animation: on 20s linear }</style><p>words",
            "the page moves",
        ),
        ("<p>words</p><p style='margin-top: 900px'>more</p>", ""),
    ],
    ids=["text on text", "canvas", "moving", "animated", "plain"],
)
def test_views_that_would_teach_what_is_wrong_are_passed_over(
    page: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(page)
    named = NamedPage((tmp_path / "page.html").as_uri(), "page.html")
    if why:
        with pytest.raises(NoView, match=why):
            look(named, (224, 280), 0.0)
    else:
        assert [word.text for word in look(named, (224, 280), 0.0).words] == ["words"]


def test_a_word_of_which_a_part_is_hidden_is_not_asked_for(tmp_path: Path) -> None:
    cover = "position: absolute; left: 8px; top: 0; width: 20px; height: 40px; background: navy"
    (tmp_path / "page.html").write_text(f"<p>halfhidden seen<div style='{cover}'></div>")
    named = NamedPage((tmp_path / "page.html").as_uri(), "page.html")
    view = look(named, (224, 280), 0.0)
    (cut,) = view.cut
    assert cut.text == "halfhidden"[-len(cut.text) :] != "halfhidden"
    asked = {answer for kind, _, answer in questions(view, random.Random(0)) if kind == "place"}
    assert asked == {"seen"}


def test_a_document_is_a_function_of_seed_and_number(
    site: Path, documents: list[Document], tmp_path: Path
) -> None:
    again = harvested([site], tmp_path, 2, "--seed", "74")
    for first, second in zip(documents, again, strict=False):
        assert first.seed == second.seed
        assert (first.source, first.branches) == (second.source, second.branches)
        assert first.characters == second.characters
        assert np.array_equal(first.images[0], second.images[0])
    other = harvested([site], tmp_path / "other", 2, "--seed", "75")
    assert [d.branches for d in other] != [d.branches for d in again]


def test_pages_that_fail_are_skipped_and_named(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    empty = tmp_path / "empty.html"
    empty.write_text("<img alt='' src='none.png'>")
    (tmp_path / "stuck.html").write_text("<p>words</p><script>for (;;);</script>")
    pages: list[Path | str] = [
        site / "listed.html", tmp_path / "gone.html", empty, tmp_path / "stuck.html",
        "http://127.0.0.1:9/refused",
    ]  # fmt: skip
    harvested(pages, tmp_path / "out", 6, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["documents"] == 6
    assert told["pages"] == 1
    assert told["skipped"]["missing"] == 1
    assert told["skipped"].keys() <= {"missing", "no words", "unreachable", "failed"}
    assert len(told["skipped"]) >= 3
    assert told["characters"] > 50
    assert told["questions"]["word"] == told["questions"]["place"] > 0
    warned = " ".join(record.getMessage() for record in caplog.records)
    assert "gone.html" in warned
    assert "skipped" in warned


def test_where_all_pages_fail_it_is_said_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.html").write_text("<br>")
    asked = ["train", "harvest", "--out", str(tmp_path / "out"), "--documents", "2", "--pages"]
    for pages, why in (("empty.html", "no words: 1"), ("gone.html", "no page in")):
        assert main([*asked, str(tmp_path / pages)]) == EXIT_USAGE
        said = capsys.readouterr().err
        assert why in said
        assert "expected folders of HTML files" in said
    assert list((tmp_path / "out").iterdir()) == []


def test_seeds_kept_for_evaluation_are_refused(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "harvest", "--pages", str(site), "--out", str(tmp_path)]
    assert main([*asked, "--seed", "1000000"]) == EXIT_USAGE
    assert "training seeds" in capsys.readouterr().err


def test_ctrl_c_leaves_complete_shards_only(site: Path, tmp_path: Path) -> None:
    asked = ["train", "harvest", "--pages", str(site), "--out", str(tmp_path), "--documents", "900"]
    process = subprocess.Popen(
        [sys.executable, "-m", "eyehand", *asked], stderr=subprocess.PIPE, text=True
    )
    partial = tmp_path / f"harvest-000000-000000{SHARD_SUFFIX}.partial"
    end_s = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < end_s:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (EXIT_INTERRUPTED, -signal.SIGINT)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_shard_is_trained_on(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "run", "--data", str(shards), "--out", str(tmp_path), "--json"]
    assert main([*asked, "--tokens", "300", "--batch", "1", "--branches", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] >= 1
