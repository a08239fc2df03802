"""Instructions in other words, as documents to learn from."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from benchmarks.paraphrases.rewording import reworded

from eyehand.agent.cli.main import main
from eyehand.agent.training.embedded import training_source
from eyehand.agent.training.texts.wordings import said_otherwise, wordings
from eyehand.envs import make
from eyehand.envs.suites import suite_specs
from eyehand.model.training.characters import Character
from eyehand.model.training.documents import (
    SHARD_SUFFIX,
    Document,
    DocumentPart,
    ShardWriter,
    read_shard,
)

OWN = 'Click on the link "Sed id.".'
WHERE = 'Where is "Sed"?'


@pytest.mark.parametrize("spec", suite_specs("embedded"))
def test_each_kind_has_other_sentences_and_none_of_those_that_measure(spec: str) -> None:
    with make(spec) as environment:
        environment.reset(seed=3)
        own = environment.instruction or ""
    others = set(wordings(own))
    assert len(others) >= 2
    assert not others & {own, *reworded(own)}
    for name in own.split('"')[1::2]:
        assert all(name in other for other in others if '"' in other)


def test_what_an_instruction_names_stays_letter_by_letter() -> None:
    drawn = {said_otherwise(OWN, random.Random(seed)) for seed in range(40)}
    assert len(drawn) > 10
    assert all('"Sed id."' in told for told in drawn)
    assert said_otherwise(WHERE, random.Random(0)) == WHERE


def test_a_share_of_the_instructions_is_said_otherwise(tmp_path: Path) -> None:
    shards(tmp_path)
    plain, some, all_ = (
        [training_source(tmp_path, 0, 0.0, other_words=share).document(n) for n in range(60)]
        for share in (0.0, 0.5, 1.0)
    )
    as_it_was = 'Task: Click on the link "Sed id.".\nEarlier: click {"point": [1, 2]}'
    told = [one.branches[0][0].text for one in plain]
    assert set(told) == {as_it_was}
    assert 15 < sum(one.branches[0][0].text != as_it_was for one in some) < 45
    for before, after in zip(plain, all_, strict=True):
        first = after.branches[0][0].text
        assert first.startswith("Task: ")
        assert first.endswith('\nEarlier: click {"point": [1, 2]}')
        assert first != as_it_was
        assert after.branches[0][1:] == before.branches[0][1:]
        assert after.branches[1] == before.branches[1]
        assert after.trunk == before.trunk
    again = training_source(tmp_path, 0, 0.0, other_words=1.0)
    assert again.document(7).branches == all_[7].branches


def test_a_run_learns_from_other_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    shards(data)
    command = ["train", "run", "--data", str(data), "--out", str(out), "--tokens", "1"]
    assert main([*command, "--batch", "2", "--other-words", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 1


def test_a_run_heeds_the_weights_of_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, weights = tmp_path / "data", tmp_path / "out", tmp_path / "weights.json"
    data.mkdir()
    shards(data)
    command = ["train", "run", "--data", str(data), "--out", str(out), "--tokens", "1"]
    command += ["--batch", "2", "--weights", str(weights)]
    sources = {document.source for path in data.iterdir() for document in read_shard(path)}
    weights.write_text(json.dumps(dict.fromkeys(sources, 0.5)))
    assert main(command) == 0
    weights.write_text(json.dumps(dict.fromkeys(sources, 0)))
    capsys.readouterr()
    assert main(command) == 2
    assert "the weight 0" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(("size", "most"), [("84x56", 350), ("224x280", 3000)])
def test_drawn_screens_have_the_size_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str, most: int
) -> None:
    command = ["train", "run", "--out", str(tmp_path), "--drawn", "1", "--drawn-size", size]
    assert main([*command, "--tokens", "1", "--batch", "4", "--branches", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    vision = 4 * int(size.split("x")[0]) * int(size.split("x")[1]) // 14**2
    assert vision < found["tokens"] < most


def test_a_tower_learns_without_naming_characters_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shards(data)
    command = ["train", "run", "--data", str(data), "--tokens", "1", "--batch", "2", "--json"]
    for weight, named in (("1", True), ("0", False)):
        assert main([*command, "--out", str(tmp_path / weight), "--characters", weight]) == 0
        assert ("character_loss" in json.loads(capsys.readouterr().out)) == named


def shards(folder: Path) -> None:
    writer = ShardWriter(folder / f"a{SHARD_SUFFIX}")
    end = DocumentPart("template", "<|im_end|>", learned=True)
    asked = f'Task: {OWN}\nEarlier: click {{"point": [1, 2]}}'
    writer.add(Document(
        "miniwob:click-link", 1,
        [DocumentPart("template", "<|im_start|>user\n"), DocumentPart("screen", screen=0)],
        [
            [DocumentPart("plain", asked), DocumentPart("plain", "[120, 340]", learned=True), end],
            [DocumentPart("plain", f"Task: {WHERE}"),
             DocumentPart("plain", "[50, 60]", learned=True), end],
        ],
        [np.full((28, 56, 3), 255, np.uint8)],
        [[Character("S", 10, 7)]],
    ))  # fmt: skip
    writer.close()
