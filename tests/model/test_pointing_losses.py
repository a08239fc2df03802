"""The auxiliary losses of training read the places that the documents say."""

from pathlib import Path

import pytest
import torch
from tests.small_embedded import small_config

from eyehand.model.inputs.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.language import SelfAttention
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.training.batching import NOWHERE, Batch, Encoder, collate
from eyehand.model.training.documents import DocumentPart
from eyehand.model.training.embedded import SETTINGS, new_model
from eyehand.model.training.positions import LookLoss, PositionLoss
from eyehand.model.training.screens import DrawnScreens

SCREENS = DrawnScreens(2, ((224, 280),), ("apple", "river", "seven"))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = ["Where is the red box? [120, 340] <|im_start|>assistant user 0 1 2 3 4 5 6 7 8 9"]
    return train_tokenizer(texts, 300)


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> Qwen2VLConfig:
    return small_config(tokenizer)


@pytest.fixture(scope="module")
def batch(tokenizer: Tokenizer, config: Qwen2VLConfig) -> Batch:
    encoder = Encoder(tokenizer, config, SETTINGS)
    documents = [SCREENS.document(number) for number in range(2)]
    return collate([encoder.encode(document) for document in documents], tokenizer.pad_id)


def _forward(model: Qwen2VLNetwork, batch: Batch) -> None:
    model.hidden_states(
        batch.ids,
        patches=batch.patches,
        grid_thw=batch.grid_thw,
        position_ids=batch.positions,
        attention_mask=batch.mask,
    )


def test_an_answer_looks_at_the_vision_token_that_holds_its_point(
    tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    encoder = Encoder(tokenizer, config, SETTINGS)
    document = next(d for d in map(SCREENS.document, range(9)) if d.branches[0][2].text[0] == "[")
    document.branches = document.branches[:1]
    encoded = encoder.encode(document)
    x, y = (int(n) / 1000 for n in document.branches[0][2].text.strip("[]").split(","))
    first = int((encoded.ids == config.image_token_id).nonzero()[0])
    expected = first + min(int(y * 20), 19) * 16 + min(int(x * 16), 15)
    looks = encoded.looks[encoded.looks != NOWHERE]
    assert looks.tolist() == [expected] * len(looks)
    assert len(looks) == len(tokenizer.encode_text(document.branches[0][2].text))


def test_a_sentence_looks_at_its_point_and_a_list_of_points_at_the_one_being_written(
    tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    document = next(d for d in map(SCREENS.document, range(9)) if d.branches[0][2].text[0] == "[")

    def looked(text: str) -> dict[int, str]:
        """Return which text was written looking at which vision token, counted from the first."""
        opening = document.branches[0][:2]
        document.branches = [[*opening, DocumentPart("plain", text, learned=True)]]
        encoded = Encoder(tokenizer, config, SETTINGS).encode(document)
        first = int((encoded.ids == config.image_token_id).nonzero()[0])
        written: dict[int, str] = {}
        for target, look in zip(encoded.targets.tolist(), encoded.looks.tolist(), strict=True):
            if look != NOWHERE:
                written[look - first] = written.get(look - first, "") + tokenizer.decode([target])
        return written

    near, far = 2 * 16 + 1, 18 * 16 + 14  # of 20 rows and 16 columns
    thought = looked("At [100, 100], look up. To door at [900, 900]: down; behind.")
    assert thought[near].startswith("At [100, 100], look up")
    assert thought[far].lstrip(".").startswith(" To door at [900, 900]: down")
    drag = looked("drag [100, 100] to [900, 900]")
    assert drag == {near: "drag [100, 100]", far: " to [900, 900]"}


def test_the_head_learns_rows_and_columns(config: Qwen2VLConfig, batch: Batch) -> None:
    model = new_model(config, 0)
    loss = PositionLoss(model)
    optimizer = torch.optim.AdamW([*model.parameters(), *loss.head.parameters()], lr=1e-2)
    values = []
    for _ in range(6):
        _forward(model, batch)
        value = loss(batch.ids, batch.positions)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        values.append(value.item())
    loss.close()
    assert values[-1] < values[0] - 0.3


def test_the_look_is_the_attention_that_the_layer_gives(
    config: Qwen2VLConfig, batch: Batch
) -> None:
    model = new_model(config, 0)
    loss = LookLoss(model)
    with torch.no_grad():
        _forward(model, batch)
        before = loss(batch.looks).item()
        attention = model.model.layers[2].self_attn
        assert isinstance(attention, SelfAttention)
        attention.q_proj.weight[: attention.head_dim] = 0
        attention.q_proj.bias[: attention.head_dim] = 0
        _forward(model, batch)
        uniform = loss(batch.looks).item()
    loss.close()
    rows = batch.looks != NOWHERE
    visible = batch.mask[rows].sum(-1).float().log().mean().item()
    assert uniform == pytest.approx(visible, abs=1e-3)  # no preference: one over what is visible
    assert before != pytest.approx(uniform, abs=1e-3)


def test_without_an_answer_that_points_there_is_no_loss(
    config: Qwen2VLConfig, batch: Batch
) -> None:
    model = new_model(config, 0)
    loss = LookLoss(model)
    _forward(model, batch)
    assert loss(torch.full_like(batch.looks, NOWHERE)).item() == 0
    loss.close()


def test_a_new_model_heeds_position_from_the_start(config: Qwen2VLConfig, tmp_path: Path) -> None:
    biases = {n: p for n, p in new_model(config, 0).named_parameters() if n.endswith("bias")}
    assert biases["model.layers.0.self_attn.q_proj.bias"].std() > 0.5
    assert biases["model.layers.0.self_attn.v_proj.bias"].abs().max() == 0
    fused = biases["visual.blocks.0.attn.qkv.bias"]
    assert fused[: 2 * len(fused) // 3].std() > 0.5
    assert fused[2 * len(fused) // 3 :].abs().max() == 0
