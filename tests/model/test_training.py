"""Documents, batching and the training loop, on a tiny network with a tiny shard."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eyehand.errors import UsageError
from eyehand.model.config import Qwen2VLConfig
from eyehand.model.hub import load
from eyehand.model.image_settings import ImageSettings, write_image_settings
from eyehand.model.qwen2vl import IGNORED_TARGET, Qwen2VL
from eyehand.model.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.training.batching import Encoded, Encoder, collate
from eyehand.model.training.documents import (
    SHARD_SUFFIX,
    Document,
    Part,
    ShardWriter,
    read_shard,
    shards,
)
from eyehand.model.training.embedded import embedded_config, make_tokenizer
from eyehand.model.training.trainer import (
    TrainingPlan,
    document_stream,
    make_optimizer,
    rate,
    train,
)

SETTINGS = ImageSettings(min_pixels=56 * 56, max_pixels=84 * 56)
WORDS = "press the red green blue button near left right top end"


def picture(
    seed: int, height: int = 56, width: int = 84
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def question(words: str, answer: str) -> list[Part]:
    return [
        Part("plain", words),
        Part("template", "<|im_end|>\n<|im_start|>assistant\n"),
        Part("plain", answer, learned=True),
        Part("template", "<|im_end|>", learned=True),
    ]


def document(seed: int = 0, answers: tuple[str, ...] = ("left", "right top", "end")) -> Document:
    return Document(
        source="test:page",
        seed=seed,
        trunk=[
            Part("template", "<|im_start|>user\n"),
            Part("plain", "press the button <|im_end|>"),
            Part("screen", screen=0),
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
    full = embedded_config(tokenizer)
    text = replace(
        full.text, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=96, mrope_section=(2, 3, 3),
    )  # fmt: skip
    vision = replace(full.vision, depth=2, embed_dim=64, num_heads=4, hidden_size=64)
    return replace(full, text=text, vision=vision)


@pytest.fixture
def network(config: Qwen2VLConfig) -> Qwen2VL:
    torch.manual_seed(0)
    network = Qwen2VL(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    return network


@pytest.fixture
def encoder(tokenizer: Tokenizer, config: Qwen2VLConfig) -> Encoder:
    return Encoder(tokenizer, config, SETTINGS)


def logits(network: Qwen2VL, documents: list[Encoded]) -> torch.Tensor:
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
    assert shards(tmp_path) == []
    writer.close()
    assert len(shards(tmp_path)) == 1
    with pytest.raises(UsageError, match="shard"):
        ShardWriter(tmp_path / "a.zip")


def test_a_branch_among_others_reads_as_it_does_alone(network: Qwen2VL, encoder: Encoder) -> None:
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
        assert torch.equal(packed.ids[rows], alone.ids)
        assert torch.equal(packed.targets[rows], alone.targets)
        torch.testing.assert_close(together[rows], plain, rtol=1e-4, atol=1e-4)


def test_padding_and_neighbours_change_nothing(network: Qwen2VL, encoder: Encoder) -> None:
    long, short = encoder.encode(document(1)), encoder.encode(document(2, answers=("end",)))
    assert len(long.ids) > len(short.ids)
    both = logits(network, [long, short])
    alone = logits(network, [short])
    torch.testing.assert_close(both[1, : len(short.ids)], alone[0], rtol=1e-4, atol=1e-4)
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


def test_only_matrices_decay(network: Qwen2VL) -> None:
    optimizer = make_optimizer(network, TrainingPlan(weight_decay=0.1))
    decayed, free = ({id(p) for p in group["params"]} for group in optimizer.param_groups)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert decayed | free == {id(p) for p in network.parameters()}
    assert not decayed & free
    assert id(network.model.embed_tokens.weight) in free
    assert all(p.ndim > 1 for p in network.parameters() if id(p) in decayed)


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    plan = TrainingPlan(warmup=0.1, decay=0.5)
    assert rate(0.05, plan) == pytest.approx(0.5)
    assert rate(0.3, plan) == 1.0
    assert rate(0.75, plan) == pytest.approx(0.5)
    assert rate(1.0, plan) == 0.0


def test_the_stream_wants_shards_and_finds_those_that_come_later(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no shards"):
        next(document_stream(tmp_path, random.Random(0)))
    write_shard(tmp_path, "a", [document(1), document(2)])
    stream = document_stream(tmp_path, random.Random(0))
    assert {next(stream).seed for _ in range(2)} == {1, 2}
    write_shard(tmp_path, "b", [document(3)])
    assert {next(stream).seed for _ in range(3)} == {1, 2, 3}


def test_training_lowers_the_loss_writes_a_log_and_a_folder_that_loads(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_shard(data, "a", [document(seed) for seed in range(4)])
    torch.manual_seed(0)
    network = Qwen2VL(config)
    encoded = Encoder(tokenizer, config, SETTINGS).encode(document(0))
    before = loss(network, encoded)
    plan = TrainingPlan(minutes=10, steps=6, batch=4, warmup=0.01, learning_rate=0.01)
    summary = train(
        network, tokenizer, document_stream(data, random.Random(0)), out, plan, SETTINGS
    )
    assert summary["steps"] == 6
    assert summary["documents"] == 24
    assert loss(network, encoded) < 0.8 * before
    lines = (out / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["plan"]["steps"] == 6
    assert json.loads(lines[-1])["steps"] == 6
    tokenizer.save(out)
    write_image_settings(out, SETTINGS)
    loaded = load(out, dtype=torch.float32)
    assert loaded.settings == SETTINGS
    # Stored in bfloat16: the last bits of the weights are gone.
    assert loss(loaded.model, encoded) == pytest.approx(loss(network, encoded), rel=0.05)


def test_a_tokenizer_is_trained_on_the_texts_of_shards(tmp_path: Path) -> None:
    write_shard(tmp_path, "a", [document(1)])
    trained = make_tokenizer(tmp_path, ["unheard words"])
    assert trained.decode(trained.encode_text("press the button")) == "press the button"


def loss(network: Qwen2VL, encoded: Encoded) -> float:
    batch = collate([encoded], 0)
    with torch.no_grad():
        value = network.loss(
            batch.ids, batch.targets, patches=batch.patches, grid_thw=batch.grid_thw,
            position_ids=batch.positions, attention_mask=batch.mask,
        )  # fmt: skip
    return float(value)
