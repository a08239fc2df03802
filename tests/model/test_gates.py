"""What a network can do, measured: characters, places of words, and exact answers."""

import json
from pathlib import Path

import pytest
import torch
from tests.small_embedded import small_config
from torch import Tensor

from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.vision import VisionTower
from eyehand.model.training import reading
from eyehand.model.training.batching import Encoder
from eyehand.model.training.characters import CLASSES, Cells, Character
from eyehand.model.training.documents import SHARD_SUFFIX, Document, DocumentPart, ShardWriter
from eyehand.model.training.embedded import SETTINGS, new_model
from eyehand.model.training.gates import exact_answers, fit_head, screen_characters
from eyehand.model.training.reading import PageBatch, measure, page_batch
from eyehand.model.training.screens import DrawnScreens
from eyehand.model.training.tower import initialise_tower
from eyehand.model.weights import save_checkpoint

PAGES = 128


@pytest.fixture(scope="module")
def embedded() -> Qwen2VL:
    return Qwen2VL.load(EMBEDDED_CHECKPOINT, dtype=torch.float32)


def test_a_head_tells_a_tower_that_reads_from_one_that_does_not(embedded: Qwen2VL) -> None:
    tower = embedded.network.visual
    blind = VisionTower(tower.config)
    initialise_tower(blind, 0)
    reads, does_not = (
        measure(one, fit_head(one, PAGES), one.config, pages=16) for one in (tower, blind)
    )
    assert reads["characters"] > 0.5
    assert does_not["characters"] < 0.1
    assert reads["characters"] <= reads["characters_near"] <= 1


def test_characters_of_documents_are_counted_on_their_screens(embedded: Qwen2VL) -> None:
    tower = embedded.network.visual
    encoder = Encoder(embedded.tokenizer, embedded.network.config, SETTINGS)
    documents = drawn(2)
    right, total = screen_characters(tower, fit_head(tower, PAGES), documents, encoder)
    written = sum(len(screen) for one in documents for screen in one.characters)
    assert 0.3 * total < right <= total <= written
    assert total > 0.8 * written  # two characters of one cell are one


def test_cells_are_laid_out_as_they_are_seen() -> None:
    config = small_config(Tokenizer.from_folder(EMBEDDED_CHECKPOINT)).vision
    cells = Cells(42, 28, config)
    labels = cells.labels([Character("a", 1, 5), Character("b", 15, 5), Character("c", 40, 20)])
    laid = cells.rowwise(torch.from_numpy(labels))
    assert laid.shape == (1, 2, 12)
    assert [tuple(place) for place in laid[0].nonzero().tolist()] == [(0, 0), (0, 4), (1, 11)]


@pytest.mark.parametrize(("moved", "near"), [(0, True), (1, True), (2, False)])
def test_a_character_in_the_cell_beside_is_near(
    moved: int, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(Tokenizer.from_folder(EMBEDDED_CHECKPOINT)).vision
    shown: list[PageBatch] = []

    def remembered(*given: object) -> PageBatch:
        shown.append(page_batch(*given))  # type: ignore[arg-type]
        return shown[-1]

    class Head(torch.nn.Module):
        def forward(self, tokens: Tensor) -> Tensor:
            """Name every character `moved` cells below its own, as no two lines stand so close."""
            labels = shown[-1].labels
            lines = Cells(112, 84, config).rowwise(labels)
            lower = torch.roll(lines, moved, 1).reshape(-1, 6, 1, 8, 4).transpose(2, 3)
            return torch.nn.functional.one_hot(lower.reshape(labels.shape), CLASSES).float()

    monkeypatch.setattr(reading, "page_batch", remembered)
    found = measure(VisionTower(config), Head(), config, pages=8)  # type: ignore[arg-type]
    assert (found["characters_near"] > 0.9) is near
    assert (found["characters"] == 1) is (moved == 0)


def test_exact_answers_are_those_that_the_network_writes(embedded: Qwen2VL) -> None:
    encoder = Encoder(embedded.tokenizer, embedded.network.config, SETTINGS)
    document = drawn(1)[0]
    branches = [
        parts for parts in document.branches
        if parts[0].text.removeprefix("Task: ").startswith(("Where is", "What stands"))
    ][:10]  # fmt: skip
    document = Document(document.source, 0, document.trunk, branches, document.images)
    written = sum(_written(embedded, document, parts) for parts in branches)
    found = exact_answers(embedded, [document], encoder)
    assert sum(count for _, count in found.values()) == len(branches)
    assert sum(right for right, _ in found.values()) == written > 0


def test_the_command_measures_a_checkpoint_and_shards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = tmp_path / "model", tmp_path / "data"
    data.mkdir()
    with_shards(data)
    tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
    model.mkdir()
    tokenizer.save(model)
    write_image_settings(model, SETTINGS)
    save_checkpoint(new_model(small_config(tokenizer), 0), model)
    asked = ["--pages", "64", "--questions", "2", "--screens", "2", "--data", str(data)]
    assert main(["train", "measure", "--model", str(model), *asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reading"]["n_characters"] == 2772
    assert found["pointing"]["questions"] == 2
    assert set(found["documents"]) >= {"characters", "where is", "what stands"}
    assert main(["train", "measure", "--model", str(model), *asked]) == 0
    table = capsys.readouterr().out
    assert "of 2772 characters" in table
    assert '"Where is WORD?"' in table


def drawn(count: int) -> list[Document]:
    screens = DrawnScreens(1_000_000, [(224, 280)])
    return [screens.document(number) for number in range(count)]


def with_shards(folder: Path) -> None:
    writer = ShardWriter(folder / f"a{SHARD_SUFFIX}")
    for document in drawn(3):
        writer.add(document)
    writer.close()


def _written(loaded: Qwen2VL, document: Document, parts: list[DocumentPart]) -> bool:
    session = loaded.session()
    wanted = "".join(part.text for part in parts if part.learned)
    for part in (*document.trunk, *(part for part in parts if not part.learned)):
        if part.kind == "screen":
            session.append_image(document.images[part.screen])
        elif part.kind == "template":
            session.append_template(part.text)
        else:
            session.append_text(part.text)
    answer = generate([session], GenerationConfig(32))[0].text
    return answer.removesuffix("<|im_end|>") == wanted.removesuffix("<|im_end|>")
