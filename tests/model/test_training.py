"""Documents, batching and the training loop, on a tiny network with a tiny shard."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_embedded import small_config

from eyehand.errors import UsageError
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image_settings import ImageSettings, write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.training import trainer
from eyehand.model.training.batching import Encoded, Encoder, collate
from eyehand.model.training.characters import UNKNOWN, CharacterLoss
from eyehand.model.training.documents import (
    SHARD_SUFFIX,
    Document,
    DocumentPart,
    ShardWriter,
    read_shard,
    shards,
)
from eyehand.model.training.embedded import make_tokenizer, new_model
from eyehand.model.training.precision import fast_dtype
from eyehand.model.training.replicas import Replicas
from eyehand.model.training.screens import DrawnScreens
from eyehand.model.training.sources import Mixture, ShardSource
from eyehand.model.training.state import read_state
from eyehand.model.training.trainer import (
    POOL_BATCHES,
    Pools,
    TrainingPlan,
    TrainingRun,
    batches,
)
from eyehand.model.weights import save_checkpoint

SETTINGS = ImageSettings(patch_size=7, min_pixels=14 * 14, max_pixels=112 * 84)
WORDS = "press the red green blue button near left right top end"


def picture(
    seed: int, height: int = 56, width: int = 84
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def question(words: str, answer: str) -> list[DocumentPart]:
    return [
        DocumentPart("plain", words),
        DocumentPart("template", "<|im_end|>\n<|im_start|>assistant\n"),
        DocumentPart("plain", answer, learned=True),
        DocumentPart("template", "<|im_end|>", learned=True),
    ]


def document(seed: int = 0, answers: tuple[str, ...] = ("left", "right top", "end")) -> Document:
    return Document(
        source="test:page",
        seed=seed,
        trunk=[
            DocumentPart("template", "<|im_start|>user\n"),
            DocumentPart("plain", "press the button <|im_end|>"),
            DocumentPart("screen", screen=0),
        ],
        branches=[
            question(f"{color} button", a)
            for color, a in zip(("red", "green", "blue"), answers, strict=False)
        ],
        images=[picture(seed)],
    )


def write_shard(folder: Path, name: str, documents: list[Document]) -> Path:
    path = folder / f"{name}{SHARD_SUFFIX}"
    writer = ShardWriter(path)
    for each in documents:
        writer.add(each)
    writer.close()
    return path


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([WORDS] * 5, 400)


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> Qwen2VLConfig:
    """The embedded model's kind of configuration, a few layers of 64."""
    return small_config(tokenizer)


@pytest.fixture
def network(config: Qwen2VLConfig) -> Qwen2VLNetwork:
    torch.manual_seed(0)
    network = Qwen2VLNetwork(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    return network


@pytest.fixture
def encoder(tokenizer: Tokenizer, config: Qwen2VLConfig) -> Encoder:
    return Encoder(tokenizer, config, SETTINGS)


def logits(network: Qwen2VLNetwork, documents: list[Encoded]) -> torch.Tensor:
    batch = collate(documents, 0)
    with torch.no_grad():
        result: torch.Tensor = network(
            batch.ids,
            patches=batch.patches,
            grid_thw=batch.grid_thw,
            position_ids=batch.positions,
            attention_mask=batch.mask,
        )
    return result


def test_documents_come_back_from_a_shard_as_they_were(tmp_path: Path) -> None:
    written = [document(1), document(2, answers=("end ✿ 结束",))]
    written[1].images.append(picture(9, 60, 40))
    path = write_shard(tmp_path, "a", written)
    assert shards(tmp_path) == [path]
    for before, after in zip(written, read_shard(path), strict=True):
        assert (before.source, before.seed, before.trunk) == (after.source, after.seed, after.trunk)
        assert before.branches == after.branches
        assert all(map(np.array_equal, before.images, after.images))
        assert len(before.images) == len(after.images)


def test_a_shard_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / f"a{SHARD_SUFFIX}")
    writer.add(document())
    with pytest.raises(UsageError, match="no shards in"):
        shards(tmp_path)
    writer.close()
    assert len(shards(tmp_path)) == 1
    with pytest.raises(UsageError, match="shard"):
        ShardWriter(tmp_path / "a.zip")


def test_a_branch_among_others_reads_as_it_does_alone(
    network: Qwen2VLNetwork, encoder: Encoder
) -> None:
    packed = encoder.encode(document())
    together = logits(network, [packed])[0]
    trunk = packed.group == 0
    for number in (1, 2, 3):
        single = document()
        single.branches = [single.branches[number - 1]]
        alone = encoder.encode(single)
        # The branch alone is an ordinary conversation: causal mask, the model's own positions.
        with torch.no_grad():
            plain = network(
                alone.ids[None],
                patches=torch.as_tensor(np.asarray(alone.images[0].patches)),
                grid_thw=torch.tensor([alone.images[0].grid]),
            )[0]
        rows = trunk | (packed.group == number)
        length = len(packed.ids)
        assert torch.equal(packed.ids[rows], alone.ids)
        assert torch.equal(packed.targets[rows], alone.targets)
        torch.testing.assert_close(together[:length][rows], plain, rtol=1e-4, atol=1e-4)


def test_padding_and_neighbours_change_nothing(network: Qwen2VLNetwork, encoder: Encoder) -> None:
    long, short = encoder.encode(document(1)), encoder.encode(document(2, answers=("end",)))
    assert len(long.ids) > len(short.ids)
    both = logits(network, [long, short])
    alone = logits(network, [short])
    torch.testing.assert_close(
        both[1, : len(short.ids)], alone[0, : len(short.ids)], rtol=1e-4, atol=1e-4
    )
    batch = collate([long, short], 0)
    assert (batch.targets[1, len(short.ids) :] == IGNORED_TARGET).all()


def test_only_learned_parts_are_targets(tokenizer: Tokenizer, encoder: Encoder) -> None:
    encoded = encoder.encode(document())
    for number, answer in ((1, "left"), (2, "right top"), (3, "end")):
        wanted = encoded.targets[(encoded.group == number) & (encoded.targets != IGNORED_TARGET)]
        assert tokenizer.decode(wanted.tolist()) == f"{answer}<|im_end|>"
    assert (encoded.targets[encoded.group == 0] == IGNORED_TARGET).all()
    known = encoded.targets != IGNORED_TARGET
    # A target is the next token of the same branch.
    assert torch.equal(encoded.targets[known], encoded.ids[known.roll(1)])


def test_control_tokens_of_plain_text_stay_text(tokenizer: Tokenizer, encoder: Encoder) -> None:
    trunk = encoder.encode(Document("test:page", 0, document().trunk, images=[picture(0)]))
    assert tokenizer.special_id("<|im_end|>") not in trunk.ids.tolist()


@pytest.fixture
def source(tmp_path: Path) -> ShardSource:
    data = tmp_path / "data"
    data.mkdir()
    write_shard(data, "a", [document(seed) for seed in range(3)])
    write_shard(data, "b", [document(seed) for seed in range(3, 5)])
    return ShardSource(data, seed=0)


def plan_of(tokens: int, **fields: Any) -> TrainingPlan:
    return TrainingPlan(
        **{"tokens": tokens, "batch": 2, "warmup_tokens": 0, "learning_rate": 0.01, **fields}
    )


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    plan = TrainingPlan(tokens=1000, warmup_tokens=100, decay_tokens=500)
    assert plan.rate(49) == pytest.approx(0.5)
    assert plan.rate(300) == 1.0
    assert plan.rate(750) == pytest.approx(0.5)
    assert plan.rate(1000) == 0.0
    assert TrainingPlan(tokens=1000, warmup_tokens=0).rate(1000) == 1.0


def test_document_n_is_a_function_of_seed_and_n(source: ShardSource, tmp_path: Path) -> None:
    again = ShardSource(tmp_path / "data", seed=0)
    numbers = range(40)
    assert [source.document(n).seed for n in numbers] == [again.document(n).seed for n in numbers]
    assert {source.document(n).seed for n in numbers} == set(range(5))
    assert len(source) == 5
    mixture = Mixture({source: 0.5, DrawnScreens(0, words=("apple", "river")): 0.5}, seed=1)
    drawn = [mixture.document(n).source.startswith("drawn:") for n in numbers]
    assert 10 < sum(drawn) < 30
    assert drawn == [mixture.document(n).source.startswith("drawn:") for n in numbers]


def test_a_source_without_documents_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no shards in .*; make some: eyehand train collect"):
        ShardSource(tmp_path, seed=0)
    write_shard(tmp_path, "a", [document(1)])
    with pytest.raises(UsageError, match="holds no document of cards:poker"):
        ShardSource(tmp_path, seed=0, only=["cards:poker"])
    with pytest.raises(UsageError, match="the weight 0: nothing is left"):
        ShardSource(tmp_path, seed=0, weights={document(1).source: 0.0})


def test_a_source_is_shown_as_often_as_it_weighs(tmp_path: Path) -> None:
    rare = [replace(document(seed), source="test:rare") for seed in (1, 2)]
    usual = [replace(document(seed), source="test:usual") for seed in (3, 4)]
    write_shard(tmp_path, "a", [*rare, *usual])
    source = ShardSource(tmp_path, seed=0, weights={"test:rare": 0.1})
    drawn = [source.document(n).source for n in range(400)]
    assert 15 < drawn.count("test:rare") < 65  # one in eleven
    never = ShardSource(tmp_path, seed=0, weights={"test:rare": 0.0})
    assert {never.document(n).source for n in range(100)} == {"test:usual"}


def test_training_lowers_the_loss_and_writes_a_folder_that_loads(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource
) -> None:
    out = tmp_path / "out"
    torch.manual_seed(0)
    network = Qwen2VLNetwork(config)
    encoded = Encoder(tokenizer, config, SETTINGS).encode(document(0))
    before = loss(network, encoded)
    run = TrainingRun(network, tokenizer, source, out, plan_of(4000), SETTINGS)
    summary = run.train()
    run.close()
    assert summary["tokens"] >= 4000
    assert summary["documents"] == 2 * summary["steps"]
    assert loss(network, encoded) < 0.8 * before
    line = json.loads((out / "training_log.jsonl").read_text("utf-8").splitlines()[-1])
    assert line["steps"] == summary["steps"]
    save_checkpoint(network, out, dtype=torch.bfloat16)
    tokenizer.save(out)
    write_image_settings(out, SETTINGS)
    loaded = Qwen2VL.load(out, dtype=torch.float32)
    assert loaded.settings == SETTINGS
    # Stored in bfloat16: the last bits of the weights are gone.
    assert loss(loaded.network, encoded) == pytest.approx(loss(network, encoded), rel=0.05)


def test_an_interrupted_run_goes_on_bit_by_bit(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource
) -> None:
    """20 steps equal 10, an end, and 10 more; the decay at the end is the same, too."""
    per_step = 2 * max(len(Encoder(tokenizer, config, SETTINGS).encode(document(0)).ids), 1)

    def trained(folder: str, steps: int) -> dict[str, torch.Tensor]:
        plan = plan_of(steps * per_step, learning_rate=0.003)
        run = TrainingRun(
            new_model(config, 0), tokenizer, mixture, tmp_path / folder, plan, SETTINGS
        )
        run.train()
        assert run.summary()["steps"] >= steps / 3
        run.close()
        return run.model.state_dict()

    mixture = Mixture({source: 0.7, DrawnScreens(0, ((112, 84),), ("apple", "river")): 0.3}, seed=1)
    whole = trained("whole", 20)
    trained("parts", 10)
    resumed = trained("parts", 20)
    for name, weight in whole.items():
        assert torch.equal(weight, resumed[name]), name


def test_batches_that_are_made_ahead_are_the_same(
    tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource
) -> None:
    pools = Pools(source, Encoder(tokenizer, config, SETTINGS), plan_of(1000), 0)
    here, ahead = batches(pools, 5, 0), batches(pools, 5, 2)
    for _ in range(2 * POOL_BATCHES):
        one, other = next(here), next(ahead)
        for name in ("ids", "positions", "targets", "group", "looks", "patches", "cells"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_sources_are_drawn_alike_whatever_they_hold(tmp_path: Path) -> None:
    many = [document(seed) for seed in range(40)]
    few = [replace(document(90), source="test:other")]
    write_shard(tmp_path, "a", many + few)
    found = ShardSource(tmp_path, seed=0)
    drawn = Counter(found.document(number).source for number in range(400))
    assert 150 < drawn["test:other"] < 250
    never = ShardSource(tmp_path, seed=0, weights={"test:other": 0.0})
    assert {never.document(number).source for number in range(100)} == {"test:page"}


def test_a_state_of_another_plan_is_not_gone_on_with(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource
) -> None:
    begun = TrainingRun(
        new_model(config, 0), tokenizer, source, tmp_path / "out", plan_of(300), SETTINGS
    )
    begun.train()
    begun.close()
    with pytest.raises(UsageError, match="was begun with batch 2, not 3"):
        TrainingRun(
            new_model(config, 0), tokenizer, source, tmp_path / "out", plan_of(600, batch=3),
            SETTINGS,
        )  # fmt: skip


def test_a_frozen_tower_stays_as_it_is(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource
) -> None:
    model = new_model(config, 0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    run = TrainingRun(
        model, tokenizer, source, tmp_path / "out", plan_of(600, freeze_tower=True), SETTINGS
    )
    run.train()
    changed = {n for n, weight in model.state_dict().items() if not torch.equal(weight, before[n])}
    assert changed
    assert not any(name.startswith("visual.") for name in changed)


class SlowPeer(Replicas):
    """Another process beside this one, which measured that bfloat16 is slow there."""

    def total(self, *values: float) -> list[float]:
        return [value + of_peer for value, of_peer in zip(values, (0, 1), strict=True)]


def test_processes_train_in_a_format_that_is_fast_for_all_of_them(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, source: ShardSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(trainer, "fast_dtype", lambda device: torch.bfloat16)
    for replicas, dtype in ((Replicas(), torch.bfloat16), (SlowPeer(), torch.float32)):
        run = TrainingRun(
            new_model(config, 0), tokenizer, source, tmp_path / str(dtype), plan_of(600),
            SETTINGS, replicas=replicas,
        )  # fmt: skip
        run.train()
        run.close()
        state = read_state(tmp_path / str(dtype))
        assert state is not None
        assert state["dtype"] == str(dtype)


def test_characters_are_learned_where_they_are_known_and_nowhere_else(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    encoder = Encoder(tokenizer, config, SETTINGS)
    known = DrawnScreens(0, ((112, 84),), ("apple", "river")).document(0)
    cells = encoder.encode(known).cells
    assert cells.shape == (48, 4)
    assert int((cells > 0).sum()) > 5
    unknown = encoder.encode(document(0)).cells
    assert bool((unknown == UNKNOWN).all())
    path = write_shard(tmp_path, "a", [known])
    back = next(iter(read_shard(path)))
    assert torch.equal(encoder.encode(back).cells, cells)
    both = collate([encoder.encode(known), encoder.encode(document(0))], 0)
    assert len(both.cells) == int((both.ids == config.image_token_id).sum())
    model = new_model(config, 0)
    character_loss = CharacterLoss(model)
    model.encode_images(both.patches, both.grid_thw)
    assert character_loss(both.cells).item() > 0
    model.encode_images(both.patches, both.grid_thw)
    assert character_loss(torch.full_like(both.cells, UNKNOWN)).item() == 0


def test_the_fast_format_is_one_of_two_and_stays() -> None:
    cpu = torch.device("cpu")
    assert fast_dtype(cpu) in (torch.float32, torch.bfloat16)
    assert fast_dtype(cpu) is fast_dtype(cpu)
    assert fast_dtype(torch.device("cuda")) is torch.bfloat16


def test_a_tokenizer_is_trained_on_the_texts_of_shards(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", [document(1)])
    trained = make_tokenizer(tmp_path, ["unheard words"])
    assert trained.decode(trained.encode_text("press the button")) == "press the button"


def test_words_of_instructions_are_tokens_and_what_changes_in_them_is_spelled(
    tmp_path: Path,
) -> None:
    names = [f"{first}{second}ra" for first in "ABCDEFGH" for second in "aeio"]
    write_shard(tmp_path, "mail", [mail(name, number) for number, name in enumerate(names)])
    trained = make_tokenizer(tmp_path)
    for word in (" email", "Where", " type", " hurry", " until"):
        assert len(trained.encode_text(word)) == 1, word
    for word in ("Aara", " Aara", "Gora", "text0", "lorem", " lorem"):
        assert len(trained.encode_text(word)) == len(word), word


def mail(name: str, number: int) -> Document:
    """Return a document that names somebody: plainly, in quotes, in calls and on its screen."""
    end = DocumentPart("template", "<|im_end|>", learned=True)
    stop = DocumentPart("template", "\n✿RESULT✿: ", learned=True)
    call = f'✿ARGS✿: {{"text": "{name}"}}'
    return Document(
        "miniwob:mail",
        number,
        [DocumentPart("template", "<|im_start|>user\n"), DocumentPart("screen", screen=0)],
        [
            [DocumentPart("plain", f"Find the email by {name} until {number} hurry."),
             DocumentPart("plain", call, learned=True), stop],
            [DocumentPart("plain", f'Please type "{name}".\nEarlier: lorem'),
             DocumentPart("plain", call, learned=True), stop],
            [DocumentPart("plain", f"Where is it? [{number}, 5]"),
             DocumentPart("plain", name, learned=True), end],
            [DocumentPart("plain", "Where is it?"),
             DocumentPart("plain", "lorem", learned=True), end],
        ],
        [np.full((14, 14, 3), 255, np.uint8)],
    )  # fmt: skip


def loss(network: Qwen2VLNetwork, encoded: Encoded) -> float:
    batch = collate([encoded], 0)
    with torch.no_grad():
        value = network.loss(
            batch.ids, batch.targets, patches=batch.patches, grid_thw=batch.grid_thw,
            position_ids=batch.positions, attention_mask=batch.mask,
        )  # fmt: skip
    return float(value)
