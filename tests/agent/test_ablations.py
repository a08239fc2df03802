"""The ablations: what each variant changes, and the command that trains and measures its rows."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.ablations import episodes, screens
from benchmarks.ablations.__main__ import make_parser
from benchmarks.ablations.episodes import Episodes, calls_alone
from benchmarks.ablations.history import bounded
from benchmarks.ablations.positions import one_dimensional
from benchmarks.ablations.rows import ROWS
from benchmarks.ablations.screens import (
    ONE_SIZE_PX,
    SIZES_PX,
    PlaceQuestions,
    Screens,
    ViewRun,
    looked_right,
)
from benchmarks.ablations.timed import Budget, Row, take_turns
from benchmarks.ablations.views import (
    Dynamic,
    OneSize,
    Tiles,
    View,
    Viewed,
    ViewEncoder,
)
from tests.small_embedded import small_config

from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.agent.training.recorded_episodes import EpisodeDocuments
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training import trainer
from eyehand.model.training.batching import Batch, Encoded, Encoder, collate
from eyehand.model.training.documents import Document
from eyehand.model.training.embedded import SETTINGS, new_model
from eyehand.model.training.gates import answer_loss
from eyehand.model.training.screens import DrawnScreen, Item
from eyehand.model.training.trainer import TrainingPlan
from eyehand.model.weights import save_checkpoint

GAME = "cards:number-line"
THOUGHT = "The target is not reached."
TOKENIZER = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
CONFIG = small_config(TOKENIZER)
DRAWN = PlaceQuestions(0, SIZES_PX)
TILES = Tiles(56, 12)
POINT = re.compile(r"\[(\d+), (\d+)\]")


def encoded(view: View, number: int) -> Encoded:
    return ViewEncoder(TOKENIZER, CONFIG, SETTINGS, view).encode(DRAWN.document(number))


def screen_tokens(one: Encoded) -> list[int]:
    return (one.ids == CONFIG.image_token_id).nonzero().flatten().tolist()


def test_one_dimensional_positions_are_the_running_index() -> None:
    with one_dimensional():
        flat = encoded(Dynamic(SETTINGS), 3)
    trunk = int((flat.group == 0).sum())
    for group in range(int(flat.group.max()) + 1):
        here = flat.positions[:, flat.group == group]
        first = trunk if group else 0
        assert (here == torch.arange(first, first + here.shape[1])).all()
    again = encoded(Dynamic(SETTINGS), 3)
    assert int(again.positions.max()) < int(flat.positions.max())
    assert torch.equal(again.cells, flat.cells)  # what the guides teach stays the same


def test_a_conversation_has_the_positions_of_training() -> None:
    model = Viewed(new_model(CONFIG, 0).eval(), TOKENIZER, SETTINGS, view=Dynamic(SETTINGS))
    with one_dimensional():
        session = model.session()
        session.append_image(DRAWN.screen(3).image)
        session.append_text("word")
        session.read_pending(session.encode_pending())
    assert session.cache.next_position == session.num_tokens


def test_one_size_makes_one_count_of_tokens() -> None:
    counts = {len(screen_tokens(encoded(OneSize(ONE_SIZE_PX), n))) for n in range(12)}
    assert counts == {ONE_SIZE_PX[0] * ONE_SIZE_PX[1] // 14**2}
    own = [len(screen_tokens(encoded(Dynamic(SETTINGS), n))) for n in range(12)]
    assert len(set(own)) > 3


@pytest.mark.parametrize(
    ("size", "tiling"),
    [((168, 112), (3, 2)), ((112, 168), (2, 3)), ((224, 168), (4, 3)), ((56, 56), (1, 1)),
     ((112, 112), (2, 2)), ((560, 56), (10, 1)), ((196, 126), (3, 2))],
)  # fmt: skip
def test_tiles_have_the_nearest_aspect_ratio(
    size: tuple[int, int], tiling: tuple[int, int]
) -> None:
    assert TILES.tiling(*size) == tiling


def test_tiles_cover_the_screen_and_a_thumbnail_shows_the_whole() -> None:
    screen = np.random.default_rng(0).integers(0, 256, (112, 168, 3), dtype=np.uint8)
    *tiles, thumbnail = TILES.parts(screen)
    again = np.zeros_like(screen)
    for tile in tiles:
        left, top = round(tile.box[0] * 168), round(tile.box[1] * 112)
        again[top : top + 56, left : left + 56] = tile.pixels
    assert np.array_equal(again, screen)
    assert thumbnail.is_thumbnail
    assert thumbnail.pixels.shape == (56, 56, 3)
    assert len(TILES.parts(screen[:56, :56])) == 1  # one tile is its own thumbnail


@pytest.mark.parametrize("view", [Dynamic(SETTINGS), OneSize(ONE_SIZE_PX), TILES])
def test_an_answer_looks_at_the_token_that_shows_its_point(view: View) -> None:
    """Each token's row and column on the whole screen say where it is: the point lies there."""
    for number in range(6):
        one, document = encoded(view, number), DRAWN.document(number)
        rows_columns, tokens = one.cells[:, -2:], screen_tokens(one)
        down, across = (rows_columns.max(0).values + 1).tolist()
        for group, branch in enumerate(document.branches, 1):
            found = POINT.search(branch[2].text)
            assert found
            x, y = (int(part) / 1000 for part in found.groups())
            looks = set(one.looks[one.group == group].tolist()) - {-1}
            (look,) = looks
            row, column = rows_columns[tokens.index(look)].tolist()
            assert abs((row + 0.5) / down - y) <= 0.5 / down + 1e-6
            assert abs((column + 0.5) / across - x) <= 0.5 / across + 1e-6


@pytest.mark.parametrize("view", [Dynamic(SETTINGS), OneSize(ONE_SIZE_PX), TILES])
def test_characters_are_labelled_where_they_are_shown(view: View) -> None:
    """A word's letters are found again, in order, in the tokens of its box."""
    screen, one = DRAWN.screen(0), encoded(view, 0)
    labels, places = one.cells[:, :-2], one.cells[:, -2:]
    sharp = labels.amax(1) >= 0  # nobody knows the characters of a thumbnail
    drawn = sum(character.text != " " for character in screen.characters)
    assert 0.8 * drawn <= int((labels[sharp] > 0).sum()) <= drawn + 2
    down, across = (places.max(0).values + 1).tolist()
    word = longest_word(screen)
    left, top, right, bottom = word.box
    width, height = screen.size
    inside = [
        token
        for token, (row, column) in enumerate(places.tolist())
        if sharp[token]
        and left / width < (column + 1) / across and column / across < right / width
        and top / height < (row + 1) / down and row / down < bottom / height
    ]  # fmt: skip
    assert int((labels[inside] > 0).sum()) >= 0.8 * len(word.text)


def longest_word(screen: DrawnScreen) -> Item:
    return max((item for item in screen.items if item.name == "word"), key=lambda i: len(i.text))


def test_guides_are_taught_the_places_on_the_whole_screen(tmp_path: Path) -> None:
    run = ViewRun(TILES, new_model(CONFIG, 0), TOKENIZER, DRAWN, tmp_path, TrainingPlan(batch=2))
    batch = collate([encoded(TILES, 1), encoded(TILES, 2)], TOKENIZER.pad_id)
    losses = run._forward(batch)
    assert all(torch.isfinite(loss) for loss in losses.values())
    places = run._places(batch)
    of_screens = (places[1:] - places[:1])[:, batch.ids == CONFIG.image_token_id].T
    assert torch.equal(of_screens, batch.cells[:, -2:])
    run.close()


def test_a_look_is_right_where_the_best_score_is_the_answers_token() -> None:
    batch = collate([encoded(TILES, 1), encoded(Dynamic(SETTINGS), 2)], TOKENIZER.pad_id)
    scores = torch.zeros(*batch.ids.shape, batch.ids.shape[1])
    scores.scatter_(2, batch.looks.clamp(min=0)[..., None], 1.0)
    answers = sum(len(DRAWN.document(number).branches) for number in (1, 2))
    assert looked_right(scores, batch) == [True] * answers
    assert looked_right(scores.roll(1, 2), batch) == [False] * answers


def test_a_conversation_is_shown_what_documents_show() -> None:
    model = Viewed(new_model(CONFIG, 0), TOKENIZER, SETTINGS, view=TILES)
    session = model.session()
    session.append_template("<|im_start|>user\n")
    session.append_image(DRAWN.screen(5).image)
    one = encoded(TILES, 5)
    assert session.token_ids == one.ids[one.group == 0].tolist()


def test_a_budget_rises_stays_and_falls_to_zero() -> None:
    budget = Budget(100)
    assert [budget.share(s) for s in (2.5, 5, 50, 75, 100)] == pytest.approx(
        [0.5, 1, 1, 0.5, 0], abs=0.01
    )


def test_the_row_that_has_spent_least_takes_the_next_turn() -> None:
    def row(step_s: float) -> Row:
        for number in range(round(3 / step_s)):
            yield step_s * (number + 1)
        return {"step_s": step_s}

    told = list(take_turns({"slow": row(1.5), "quick": row(1)}))
    assert told == [
        ("slow", 1.5), ("quick", 1), ("quick", 2), ("slow", 3), ("quick", 3),
        ("slow", {"step_s": 1.5}), ("quick", {"step_s": 1}),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The expert's episodes of a game of several steps, with a thought put into each step."""
    folder = tmp_path_factory.mktemp("recorded")
    asked = ["eval", GAME, "--policy", "expert", "--episodes", "9", "--first-seed", "100"]
    assert main([*asked, "--max-steps", "6", "--out", str(folder)]) == 0
    for record in folder.rglob("episode.jsonl"):
        written = record.read_text(encoding="utf-8")
        record.write_text(written.replace('"thought": ""', f'"thought": "{THOUGHT}"'))
    return folder


def texts(documents: EpisodeDocuments) -> list[str]:
    return ["".join(part.text for part in documents.told(one).trunk) for one in documents.windows]


def test_thoughts_are_told_or_not(recorded: Path) -> None:
    with_, without = (Episodes(thought=t).documents(recorded, 0)[0] for t in (True, False))
    assert all(THOUGHT in text for text in texts(with_))
    assert not any(THOUGHT in text for text in texts(without))
    told = with_.told(with_.windows[0])
    foreseen = [part.text for part in calls_alone(told).trunk if part.learned]
    assert foreseen[0].startswith("✿FUNCTION✿")
    before = "".join(part.text for part in told.trunk)
    assert "".join(part.text for part in calls_alone(told).trunk) == before


def long_document(recorded: Path) -> Document:
    documents, _ = Episodes(history="full").documents(recorded, 0)
    return max(map(documents.told, documents.windows), key=lambda one: len(one.images))


def episode_batch(recorded: Path) -> Batch:
    encoder = Encoder(TOKENIZER, CONFIG, replace(SETTINGS, max_pixels=56 * 56))
    return collate([encoder.encode(long_document(recorded))], TOKENIZER.pad_id)


def test_history_counts_the_screens_that_a_token_sees(recorded: Path) -> None:
    batch = episode_batch(recorded)
    ids = batch.ids[0].tolist()
    starts = [n for n, token in enumerate(ids) if token == CONFIG.vision_start_token_id]
    assert len(starts) > 2
    is_screen = batch.ids[0] == CONFIG.image_token_id
    a_screen = int(is_screen.sum()) // len(starts)
    for most in (1, 2, len(starts)):
        mask = bounded(batch, CONFIG, most).mask[0]
        for step, start in enumerate(starts):
            end = starts[step + 1] - 1 if step + 1 < len(starts) else batch.tokens - 1
            seen = int((mask[end] & is_screen).sum()) / a_screen
            assert seen == min(step + 1, most)
            assert mask[end][: end + 1][~is_screen[: end + 1]].all()  # words stay
            assert start < end


def test_a_bounded_history_is_what_the_runtime_evicts(recorded: Path) -> None:
    """The scores after the last screen equal those of a conversation that drops the old ones."""
    network: Qwen2VLNetwork = new_model(CONFIG, 0).eval()
    settings = replace(SETTINGS, max_pixels=56 * 56)
    model = Viewed(network, TOKENIZER, settings, view=Dynamic(settings))
    document, batch = long_document(recorded), episode_batch(recorded)
    session, numbers = model.session(), list[int]()
    for part in document.trunk:
        if part.kind == "screen":
            if numbers:
                session.read_pending(session.encode_pending())
                session.evict(*numbers[:-1])
            numbers.append(session.append_image(document.images[part.screen]))
        elif part.kind == "template":
            session.append_template(part.text)
        else:
            session.append_text(part.text)
    scores = session.read_pending(session.encode_pending())
    with torch.inference_mode():
        two = bounded(batch, CONFIG, 2)
        logits = network(
            two.ids, patches=two.patches, grid_thw=two.grid_thw, position_ids=two.positions,
            attention_mask=two.mask,
        )  # fmt: skip
    assert torch.allclose(logits[0, batch.tokens - 1], scores, atol=1e-3)


def test_the_loss_of_answers_is_that_of_training(recorded: Path) -> None:
    network, batch = new_model(CONFIG, 0), episode_batch(recorded)
    loss = network.loss(
        batch.ids, batch.targets, patches=batch.patches, grid_thw=batch.grid_thw,
        position_ids=batch.positions, attention_mask=batch.mask,
    )  # fmt: skip
    assert answer_loss(network, [batch, batch]) == pytest.approx(loss.item(), rel=1e-4)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny checkpoint in the shipped one's place, and fewer screens and documents."""
    folder = tmp_path / "small"
    TOKENIZER.save(folder)
    write_image_settings(folder, SETTINGS)
    save_checkpoint(new_model(CONFIG, 0), folder)
    for module in (episodes, screens):
        monkeypatch.setattr(module, "EMBEDDED_CHECKPOINT", folder)
    monkeypatch.setattr(screens, "HELD_OUT", 2)
    monkeypatch.setattr(episodes, "MOST_STEPS", 2)
    monkeypatch.setattr(trainer, "POOL_BATCHES", 1)


@pytest.mark.usefixtures("small")
def test_rows_are_trained_measured_kept_and_not_run_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recorded: Path
) -> None:
    kept = tmp_path / "rows.json"
    amounts = ["--core-seconds", "0.05", "--pages", "2", "--questions", "2", "--episodes", "1"]
    asked = ["patch-14", "dynamic", "tiles", "with-thought", *amounts, "--recorded", str(recorded)]
    assert main([*asked, "--json", str(kept)], make_parser) == 0
    rows = list(json.loads(kept.read_text()).values())
    assert [row["row"] for row in rows] == ["patch-14", "dynamic", "tiles", "with-thought"]
    assert all(row["steps"] >= 1 for row in rows)
    assert rows[0]["characters"][1] > 20
    assert rows[1]["inside"][1] == 2
    assert rows[3]["tasks"] == {GAME: rows[3]["succeeded"]}
    table = capsys.readouterr().out
    assert all(ROWS[row["row"]][0] in table for row in rows)
    assert "of 2, " in table
    before = kept.read_text()
    assert main([*asked, "--json", str(kept)], make_parser) == 0
    assert kept.read_text() == before
    told = capsys.readouterr()
    assert told.out == table
    assert told.err == ""


@pytest.mark.parametrize("asked", [["patch-8"], ["with-thought"]])
def test_what_cannot_be_run_is_said(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked, make_parser) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_variants_differ_from_their_base_in_one_thing() -> None:
    base = Screens()
    changed = [row for _, row in ROWS.values() if isinstance(row, Screens) and not row.new_tower]
    for row in changed:
        same = [getattr(row, name) == getattr(base, name) for name in base.__dataclass_fields__]
        assert same.count(False) <= 1
