"""Drawn pages, the character loss, and a tower that reads them, on a tiny tower."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from eyehand.errors import UsageError
from eyehand.model.qwen2vl.config import VisionConfig
from eyehand.model.qwen2vl.vision import VisionTower
from eyehand.model.training.characters import ALPHABET, Cells, Character, CharacterHead
from eyehand.model.training.pages import FONTS, draw_page, word_lists
from eyehand.model.training.reading import (
    ReadingPlan,
    ReadingRun,
    measure,
    page_batch,
)
from eyehand.model.training.state import STATE_FILE, branch, read_state, write_state
from eyehand.model.training.tower import grow, initialise_tower, read_tower, save_tower

TINY = VisionConfig(
    depth=1, embed_dim=32, num_heads=2, mlp_ratio=2, hidden_size=32, patch_size=7,
    spatial_merge_size=2, hidden_act="silu",
)  # fmt: skip
WORDS = ("apple", "river", "Window", "table")
PLAN = ReadingPlan(pages=2, evaluate_steps=1000)


def characters(text: str, x_px: float, y_px: float, advance_px: float = 8) -> list[Character]:
    places = itertools.count(x_px, advance_px)
    return [Character(c, x, y_px) for c, x in zip(text, places, strict=False)]


def test_every_cell_is_labelled_with_the_character_in_it() -> None:
    cells = Cells(28, 28, TINY)
    labels = cells.labels(characters("abc", 1.0, 5.0))
    assert labels.shape == (4, 4)
    # a at 1 px and b at 9 px lie in the first token's cells 0 and 2, c at 17 px in the second's 0.
    assert labels[0].tolist() == [1, 0, 2, 0]
    assert labels[1].tolist() == [3, 0, 0, 0]
    assert not labels[2:].any()


def test_two_narrow_letters_in_one_cell_are_both_named() -> None:
    labels = Cells(28, 14, TINY).labels(characters("il", 0.5, 5.0, advance_px=2.0))
    assert labels[0].tolist()[:2] == [ALPHABET.index("i") + 1, ALPHABET.index("l") + 1]


def test_what_stands_outside_the_alphabet_is_no_character() -> None:
    assert not Cells(14, 14, TINY).labels(characters("é", 5.0, 5.0)).any()


def test_a_page_is_a_function_of_its_seed_and_number() -> None:
    first, again, other = (draw_page(3, n, (112, 84), WORDS) for n in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert first.words == again.words
    assert not np.array_equal(first.image, other.image)


def test_characters_lie_where_their_ink_is() -> None:
    """Around the middle of each character there is something else than the plain background."""
    seen = 0
    for number in range(20):
        page = draw_page(0, number, (112, 84), WORDS)
        for character in page.characters:
            x, y = int(character.x_px), int(character.y_px)
            around = page.image[max(0, y - 7) : y + 7, max(0, x - 4) : x + 5].reshape(-1, 3)
            assert len(np.unique(around, axis=0)) > 1, (number, character)
            seen += 1
    assert seen > 200


def test_held_out_words_are_on_no_training_list() -> None:
    train, held_out = word_lists()
    lower = {word.lower() for word in train}
    assert len(held_out) > 1000
    assert not lower & {word.lower() for word in held_out}


def test_a_font_that_is_missing_is_named_with_its_package() -> None:
    with pytest.raises(UsageError, match=r"font Nowhere is not installed: apt-get install"):
        draw_page(0, 0, (112, 84), WORDS, fonts=("Nowhere",))


def test_a_batch_holds_a_label_for_every_cell_and_a_span_for_every_word() -> None:
    pages = [draw_page(0, n, (112, 84), WORDS, FONTS) for n in range(3)]
    batch = page_batch(pages, TINY)
    assert tuple(batch.patches.shape) == (3 * 12 * 16, TINY.patch_values)
    assert tuple(batch.labels.shape) == (3 * 48, 4)
    assert len(batch.spans) == sum(len(page.words) for page in pages)
    first = next(word for word in pages[0].words if len(word.text) > 2)
    span = batch.spans[pages[0].words.index(first)]
    named = [ALPHABET[int(i) - 1] for i in batch.labels.flatten()[span]]
    assert "".join(named) == first.text


def test_a_run_that_is_interrupted_goes_on_bit_by_bit(tmp_path: Path) -> None:
    whole = ReadingRun(TINY, PLAN, tmp_path / "whole")
    whole.train(20, follow=lambda line: None)
    ReadingRun(TINY, PLAN, tmp_path / "parts").train(10, follow=lambda line: None)
    resumed = ReadingRun(TINY, PLAN, tmp_path / "parts")
    assert resumed.step == 10
    resumed.train(20, follow=lambda line: None)
    expected, got = (run.tower.state_dict() for run in (whole, resumed))
    for name, weight in expected.items():
        assert torch.equal(weight, got[name]), name
    assert resumed.characters == whole.characters


def test_the_loss_falls_and_the_measure_counts(tmp_path: Path) -> None:
    run = ReadingRun(TINY, ReadingPlan(pages=4, learning_rate=0.003), tmp_path)
    losses = [run.advance(1.0) for _ in range(30)]
    assert sum(losses[-5:]) < sum(losses[:5])
    found = measure(run.tower, run.head, TINY, pages=8)
    assert 0 <= found["words"] <= found["characters"] + 1e-9
    assert found["n_characters"] > 100


def test_a_tower_that_grows_computes_what_it_did() -> None:
    small = VisionTower(TINY)
    initialise_tower(small, 0)
    large = VisionTower(VisionConfig(**{**vars(TINY), "depth": 3}))
    grow(large, small.state_dict())
    patches, grid = torch.randn(8 * 8, TINY.patch_values), torch.tensor([[1, 8, 8]])
    assert torch.allclose(small(patches, grid), large(patches, grid), atol=1e-6)


def test_a_head_names_each_cell_of_each_token() -> None:
    logits = CharacterHead(TINY)(torch.randn(6, 32))
    assert tuple(logits.shape) == (6, 4, len(ALPHABET) + 1)


def test_a_damaged_state_is_a_usage_error(tmp_path: Path) -> None:
    write_state(tmp_path, {"step": 3})
    state = read_state(tmp_path)
    assert state is not None
    assert state["step"] == 3
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(UsageError, match="is no training state"):
        read_state(tmp_path)


def test_a_branch_begins_where_its_run_stands_and_the_run_is_kept(tmp_path: Path) -> None:
    run = ReadingRun(TINY, PLAN, tmp_path / "run")
    run.train(4, follow=lambda line: None)
    branch(tmp_path / "run", tmp_path / "branch")
    decayed = ReadingRun(TINY, PLAN, tmp_path / "branch")
    assert decayed.step == 4
    decayed.train(6, decay_steps=2, follow=lambda line: None)
    assert ReadingRun(TINY, PLAN, tmp_path / "run").step == 4
    with pytest.raises(UsageError, match=r"holds no state\.pt"):
        branch(tmp_path / "nowhere", tmp_path / "branch-2")


def test_a_tower_that_was_written_reads_as_well(tmp_path: Path) -> None:
    run = ReadingRun(TINY, PLAN, tmp_path)
    save_tower(run.tower, run.head, tmp_path / "tower.safetensors")
    again = ReadingRun(TINY, PLAN, tmp_path / "again", read_tower(tmp_path / "tower.safetensors"))
    for name, weight in run.tower.state_dict().items():
        assert torch.allclose(weight, again.tower.state_dict()[name], atol=2e-3), name
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="is no tower"):
        read_tower(tmp_path / "broken.safetensors")
