"""Training with documents in the device's memory: the same losses, in fixed shapes."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.model.gpus import DEVICES
from tests.small_embedded import small_config

from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET
from eyehand.model.training.batching import Encoded, Encoder, collate
from eyehand.model.training.characters import UNKNOWN, CharacterHead
from eyehand.model.training.documents import Document, DocumentPart
from eyehand.model.training.embedded import new_model
from eyehand.model.training.optimizer import rate_share
from eyehand.model.training.packing import Packed, Pool, Size, cut, document_bytes, pack, pack_page
from eyehand.model.training.pages import draw_page
from eyehand.model.training.recorded import CompiledBlocks, RecordedSteps
from eyehand.model.training.resident import LOSSES, Learner
from eyehand.model.training.screens import DrawnScreens, copying
from eyehand.model.training.trainer import TrainingPlan, TrainingRun

SETTINGS = ImageSettings(
    patch_size=7, min_pixels=14 * 14, max_pixels=112 * 84,
    mean=(1.0, 0.9, 0.8), std=(0.35, 0.3, 0.25),
)  # fmt: skip
WORDS = ("apple", "river", "seven")
SCREENS = DrawnScreens(0, ((112, 84),), WORDS)
SIZE = Size(12, 16, 512, 128)
TEXT = Size(0, 0, 128, 64)
PAGE = Size(12, 16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["Where is the red box? apple river seven [120, 340] field"] * 5, 400)


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> Qwen2VLConfig:
    return small_config(tokenizer)


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer, config: Qwen2VLConfig) -> Encoder:
    return Encoder(tokenizer, config, SETTINGS)


def text_document(number: int) -> Document:
    draw = random.Random(number)
    return Document(
        source="text:test",
        seed=number,
        trunk=[DocumentPart("template", "<|im_start|>user\n")],
        branches=[
            [DocumentPart("plain", asked), DocumentPart("plain", answer, learned=True)]
            for asked, answer in copying(draw, WORDS)
        ],
    )


def screen(number: int, branches: int = 4) -> Document:
    document = SCREENS.document(number)
    document.branches = document.branches[:branches]
    return document


def packed(encoded: Encoded, size: Size, config: Qwen2VLConfig) -> Packed:
    found = pack(encoded, size, SETTINGS, config.image_token_id)
    assert found is not None
    return found


def pool_of(
    documents: list[Packed], size: Size, config: Qwen2VLConfig, device: torch.device = CPU
) -> Pool:
    pool = Pool(size, len(documents), device, config)
    assert pool.put(documents) == len(documents)
    return pool


def test_the_losses_are_those_of_a_training_run(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, encoder: Encoder
) -> None:
    encoded = [encoder.encode(screen(number, branches=2 + number)) for number in range(3)]
    run = TrainingRun(
        new_model(config, 3), tokenizer, SCREENS, tmp_path, TrainingPlan(batch=3), SETTINGS
    )
    run._dtype = torch.float32
    wanted = run._forward(collate(encoded, tokenizer.pad_id))
    heads = run._heads()
    assert isinstance(heads["characters"], CharacterHead)
    assert isinstance(heads["positions"], torch.nn.Linear)
    learner = Learner(run.model, SETTINGS, heads["characters"], heads["positions"])
    pool = pool_of([packed(each, SIZE, config) for each in encoded], SIZE, config)
    found = learner.losses(pool.drawn(torch.arange(3)), SIZE)
    learner.close()
    run.close()
    assert set(found) == set(LOSSES) == set(wanted)
    for name in LOSSES:
        assert wanted[name].item() > 0
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_a_text_without_a_screen_has_the_network_s_own_loss(
    config: Qwen2VLConfig, encoder: Encoder
) -> None:
    model = new_model(config, 1)
    encoded = [encoder.encode(text_document(number)) for number in range(2)]
    learner = Learner(model, SETTINGS)
    pool = pool_of([packed(each, TEXT, config) for each in encoded], TEXT, config)
    found = learner.losses(pool.drawn(torch.arange(2)), TEXT)
    assert set(found) == {"loss"}
    sums = [_loss_of(learner, each) for each in encoded]
    answers = [int((each.targets != IGNORED_TARGET).sum()) for each in encoded]
    wanted = sum(a * b for a, b in zip(sums, answers, strict=True)) / sum(answers)
    assert found["loss"].item() == pytest.approx(wanted, rel=1e-4)


def _loss_of(learner: Learner, encoded: Encoded) -> float:
    """The mean over one document's branches, each alone behind the trunk: a plain conversation."""
    total = count = 0.0
    for branch in range(1, int(encoded.group.max()) + 1):
        rows = (encoded.group == 0) | (encoded.group == branch)
        targets = encoded.targets[rows][None]
        answers = int((targets != IGNORED_TARGET).sum())
        with torch.no_grad():
            loss = learner.model.loss(
                encoded.ids[rows][None], targets, position_ids=encoded.positions[:, None, rows]
            )
        total, count = total + answers * float(loss), count + answers
    return total / count


def test_a_document_that_does_not_fit_loses_branches_and_not_its_own_answer(
    config: Qwen2VLConfig, encoder: Encoder
) -> None:
    whole = encoder.encode(screen(1, branches=6))
    tokens = int((whole.group <= 3).sum())
    kept = cut(whole, tokens + 1, 1000)
    assert kept is not None
    document = screen(1, branches=3)
    alone = encoder.encode(document)
    for name in ("ids", "positions", "group", "targets", "looks"):
        assert torch.equal(getattr(kept, name), getattr(alone, name)), name
    of_two = int((whole.targets[whole.group <= 2] != IGNORED_TARGET).sum())
    fewer_answers = cut(whole, 10_000, of_two)
    assert fewer_answers is not None
    assert int(fewer_answers.group.max()) == 2
    own = int((whole.group <= 1).sum())
    assert cut(whole, own - 1, 1000) is None
    size = Size(12, 16, tokens, 128)
    packed_ids = packed(whole, size, config)["ids"]
    assert packed_ids[: len(alone.ids)].tolist() == alone.ids.tolist()


def test_a_screen_of_another_size_is_not_packed(config: Qwen2VLConfig, encoder: Encoder) -> None:
    encoded = encoder.encode(screen(0))
    for size in (Size(16, 12, 512, 128), TEXT):
        assert pack(encoded, size, SETTINGS, config.image_token_id) is None
    assert pack(encoder.encode(text_document(0)), SIZE, SETTINGS, config.image_token_id) is None


def test_a_pool_takes_what_there_is_room_for(config: Qwen2VLConfig, encoder: Encoder) -> None:
    documents = [packed(encoder.encode(screen(number)), SIZE, config) for number in range(3)]
    pool = Pool(SIZE, 4, CPU, config)
    assert [pool.put(documents), pool.put(documents), pool.put(documents)] == [3, 1, 0]
    assert pool.count == 4
    back = pool.drawn(torch.tensor([3, 1]))
    assert torch.equal(back["patches"][0], torch.from_numpy(documents[0]["patches"]))
    assert torch.equal(back["ids"][1], torch.from_numpy(documents[1]["ids"]))
    held = sum(array.numel() * array.element_size() for array in pool.arrays.values())
    assert held == 4 * document_bytes(SIZE, config)


@pytest.mark.parametrize("device", DEVICES)
def test_steps_of_every_kind_lower_the_losses(
    device: str, config: Qwen2VLConfig, encoder: Encoder
) -> None:
    where = torch.device(device)
    pages = [pack_page(draw_page(0, n, (112, 84), WORDS), config.vision) for n in range(2)]
    screens = [packed(encoder.encode(screen(n)), SIZE, config) for n in range(2)]
    pools = [
        pool_of(screens, SIZE, config, where),
        pool_of([packed(encoder.encode(text_document(0)), TEXT, config)] * 2, TEXT, config, where),
        pool_of(pages, PAGE, config, where),
    ]
    model = new_model(config, 0).to(where)
    learner = Learner(model, SETTINGS)
    compiled = CompiledBlocks(model) if device == "cuda" else None
    steps = RecordedSteps(
        learner.losses, model, list(learner.heads.values()), where, compiled=compiled
    )
    before = _losses(learner, pools)
    for pool in pools:
        steps.record(pool, 2, compiled=True)
    assert _losses(learner, pools) == pytest.approx(before, rel=0.02)  # a record changes no weight
    for _ in range(8):
        for pool in pools:
            steps.step(pool, np.array([0, 1]), 0.003)
    after = _losses(learner, pools)
    assert all(now < 0.9 * then for now, then in zip(after, before, strict=True)), (before, after)
    assert steps.steps == 24
    assert set(steps.means()) == set(LOSSES)
    steps.close()
    learner.close()


def _losses(learner: Learner, pools: list[Pool]) -> list[float]:
    with torch.no_grad():
        device = learner.model.device
        drawn = [(pool.drawn(torch.arange(2, device=device)), pool.size) for pool in pools]
        return [float(sum(learner.losses(*each).values())) for each in drawn]


def test_the_tower_learns_alone(config: Qwen2VLConfig) -> None:
    pages = [pack_page(draw_page(0, n, (112, 84), WORDS), config.vision) for n in range(2)]
    pool = pool_of(pages, PAGE, config)
    model = new_model(config, 0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    learner = Learner(model, SETTINGS)
    steps = RecordedSteps(learner.read, model.visual, [learner.characters], CPU)
    steps.step(pool, np.array([0, 1, 1]), 0.01)
    changed = {n for n, weight in model.state_dict().items() if not torch.equal(weight, before[n])}
    assert changed
    assert all(name.startswith("visual.") for name in changed)
    assert set(steps.means()) == {"character_loss"}


def test_characters_that_nobody_knows_are_not_learned(
    config: Qwen2VLConfig, encoder: Encoder
) -> None:
    document = screen(0)
    document.characters = []
    unknown = packed(encoder.encode(document), SIZE, config)
    assert (unknown["cells"] == UNKNOWN).all()
    learner = Learner(new_model(config, 0), SETTINGS)
    pool = pool_of([unknown], SIZE, config)
    assert learner.losses(pool.drawn(torch.arange(1)), SIZE)["character_loss"].item() == 0


def test_a_network_that_cannot_learn_so_is_refused(config: Qwen2VLConfig) -> None:
    shallow = replace(config, text=replace(config.text, num_hidden_layers=2))
    with pytest.raises(UsageError, match="need 3 decoder layers; this network has 2"):
        Learner(new_model(shallow, 0), SETTINGS)
    wordy = replace(config, text=replace(config.text, vocab_size=40_000))
    with pytest.raises(UsageError, match=r"32,768 at most; this network has 40,000"):
        Learner(new_model(wordy, 0), SETTINGS)


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    shares = [rate_share(step, 10, 2, 5) for step in range(11)]
    assert shares == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])
