"""`eyehand train gpu`, as a person calls it, on a CPU and a tiny network."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeGuard

import numpy as np
import pytest
import torch
from tests.small_embedded import small_config

from eyehand.agent.cli.main import main
from eyehand.agent.outcome import EXIT_INTERRUPTED
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_HABITS, read_habits
from eyehand.agent.training import resident
from eyehand.agent.training.embedded import prompt_texts
from eyehand.agent.training.feeding import Feeder, SourcedPool
from eyehand.agent.training.packers import DRAWN_PX, Packer, PackerNotice, Portion
from eyehand.agent.training.provision import Provision, provide
from eyehand.agent.training.resident import HEADS_FILE, ResidentPlan
from eyehand.agent.training.survey import grid_of
from eyehand.agent.training.texts.copying import QUESTIONS, CopyingTexts
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.errors import UsageError
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.batching import Encoder
from eyehand.model.training.documents import SHARD_SUFFIX, Document, DocumentPart, ShardWriter
from eyehand.model.training.embedded import SETTINGS, make_tokenizer, new_model
from eyehand.model.training.packing import Pool
from eyehand.model.training.screens import DrawnScreens
from eyehand.model.weights import load_checkpoint, save_checkpoint

WORDS = ("apple", "river", "seven")
SMALL_PX = (112, 84)


def shown(number: int, size: tuple[int, int] = SMALL_PX, source: str = "test:small") -> Document:
    """A demonstration's likeness: a drawn screen under another source's name."""
    document = DrawnScreens(7, (size,), WORDS).document(number)
    document.branches = document.branches[:4]
    return replace(document, source=source)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer(None, prompt_texts())


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> Qwen2VLConfig:
    return small_config(tokenizer, depth=1)


@pytest.fixture(scope="module")
def initial(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, config: Qwen2VLConfig
) -> Path:
    folder = tmp_path_factory.mktemp("initial")
    tokenizer.save(folder)
    write_image_settings(folder, SETTINGS)
    save_checkpoint(new_model(config, 0), folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in "ab":
        shard = ShardWriter(folder / f"{name}{SHARD_SUFFIX}")
        for number in range(4):
            shard.add(shown(number))
            shard.add(shown(number, (224, 280), "test:usual"))
        shard.add(shown(0, (56, 56), "test:never"))
        shard.close()
    return folder


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "eyehand", "train", "gpu", *map(str, words)]


def eyehand(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300)


def test_a_run_leaves_a_checkpoint_that_answers_and_that_another_goes_on_from(
    tmp_path: Path, initial: Path, data: Path
) -> None:
    out, weights = tmp_path / "out", tmp_path / "weights.json"
    weights.write_text('{"test:never": 0}')
    run = eyehand(
        "--data", data, "--out", out, "--from", initial, "--device", "cpu", "--steps", "3",
        "--reading-steps", "1", "--batch", "1", "--workers", "1", "--weights", weights, "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["steps"] == 4
    assert summary["documents"] > 4
    assert 0 < summary["loss"] < 20
    assert read_habits(out) == EMBEDDED_HABITS
    before, after = (load_checkpoint(folder).state_dict() for folder in (initial, out))
    assert any(not torch.equal(weight, after[name]) for name, weight in before.items())
    policy = VlmPolicy(out)
    environment = NumberLineEnvironment()
    observation, _ = environment.reset(seed=0)
    conversation = policy.start(environment.instruction, environment.action_space, 0)
    assert conversation.decide(observation).tokens["generated"] > 0
    lines = (out / "training_log.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["steps"] == 4
    further = [
        "--out", str(tmp_path / "further"), "--from", str(out), "--device", "cpu", "--steps", "1",
        "--reading-steps", "0", "--batch", "1", "--workers", "1", "--drawn", "1",
    ]  # fmt: skip
    assert main(["train", "gpu", *further]) == 0
    assert (tmp_path / "further" / HEADS_FILE).is_file()


def test_ctrl_c_writes_the_checkpoint_so_far_and_ends_every_process(
    tmp_path: Path, initial: Path, data: Path
) -> None:
    out = tmp_path / "out"
    words = command(
        "--data", data, "--out", out, "--from", initial, "--device", "cpu",
        "--reading-steps", "100000", "--batch", "1", "--workers", "2",
    )  # fmt: skip
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        try:
            wait_until(lambda: (out / "training_log.jsonl").is_file() or run.poll() is not None)
            os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to all of a command's processes
            said, complained = run.communicate(timeout=120)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == EXIT_INTERRUPTED, complained
    assert "the checkpoint so far is in" in said + complained
    assert "Traceback" not in complained
    load_checkpoint(out)
    wait_until(lambda: not _group_lives(run.pid))


def wait_until(holds: Callable[[], bool], most_s: float = 300.0) -> None:
    end_s = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--drawn", "1", "--device", "nowhere"], "nothing can be trained on 'nowhere' here"),
        (["--device", "cpu"], "without --data all screens are drawn: pass --drawn 1"),
        (["--data", "empty", "--device", "cpu"], "no shards in empty; make some"),
        (["--drawn", "1", "--seed", "1000000", "--device", "cpu"], "outside the training seeds"),
        (["--drawn", "1", "--weights", "none.json"], "the weights of --weights cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    tmp_path: Path, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["train", "gpu", "--out", "out", *words]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weights_are_numbers_from_0_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ('["miniwob:click-test"]', '{"a": -1}', '{"a": true}', '{"a": NaN}', "{"):
        path = tmp_path / "weights.json"
        path.write_text(content)
        assert main(["train", "gpu", "--out", str(tmp_path), "--weights", str(path)]) == 2
        assert "weights.json" in capsys.readouterr().err.replace("\n", "")


def test_a_shard_that_cannot_be_read_is_named(
    tmp_path: Path, initial: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"broken{SHARD_SUFFIX}").write_bytes(b"no zip")
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--from", str(initial)]
    assert main(["train", "gpu", *words, "--device", "cpu"]) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert "broken.shard.zip cannot be read as a shard" in said
    assert "Traceback" not in said


def provision(
    data: Path | None, tokenizer: Tokenizer, config: Qwen2VLConfig, drawn: int = 20
) -> tuple[Provision, Encoder]:
    encoder = Encoder(tokenizer, config, SETTINGS)
    wanted = {"pages": 20, "texts": 20, "drawn": drawn}
    weights = {"test:never": 0.0}
    return provide(data, 3, weights, encoder, config, torch.device("cpu"), wanted), encoder


def test_sizes_are_those_of_the_documents(
    data: Path, tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    found, encoder = provision(data, tokenizer, config)
    assert set(found.packing.screens) == {(12, 16), (40, 32)}
    assert found.drawn_grid == (40, 32) == (DRAWN_PX[1] // 7, DRAWN_PX[0] // 7)
    small = found.packing.screens[12, 16]
    longest = max(len(encoder.encode(shown(number)).ids) for number in range(4))
    assert small.tokens % 32 == 0
    assert small.tokens <= longest + 32
    assert found.capacities[small] >= 8
    assert found.capacities[found.packing.screens[40, 32]] >= 8 + 20
    without, _ = provision(data, tokenizer, config, drawn=0)
    assert without.capacities[without.packing.screens[40, 32]] < 20


def test_packers_make_every_document_once(
    data: Path, tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    found, encoder = provision(data, tokenizer, config, drawn=40)
    packing = found.packing
    made: dict[str, int] = {}
    packers = [Packer(packing, encoder, SETTINGS, config, index, 3) for index in range(3)]
    pools = {
        size: SourcedPool(Pool(size, room, torch.device("cpu"), config))
        for size, room in found.capacities.items()
    }
    for packer in packers:
        for message in packer.all():
            if isinstance(message, Portion):
                for source in message.sources:
                    kind = source.partition(":")[0] if source.startswith("drawn") else source
                    made[kind] = made.get(kind, 0) + 1
                pools[message.size].add(message)
    assert made["page"] == 20
    assert (made["test:small"], made["test:usual"]) == (8, 8)
    assert "test:never" not in made
    assert 15 <= made["text:copy"] <= 20
    assert 30 <= made["drawn"] <= 40
    usual = pools[packing.screens[40, 32]]
    generator = np.random.default_rng(0)
    never = set(usual.choose(generator, 400, {}, drawn_share=0.0).tolist())
    always = set(usual.choose(generator, 400, {}, drawn_share=1.0).tolist())
    assert len(never) == 8
    assert not never & always


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_the_instructions_is_said_otherwise(
    tmp_path: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, share: float
) -> None:
    own = 'Task: Click on the link "Sed id.".'
    shard = ShardWriter(tmp_path / f"a{SHARD_SUFFIX}")
    for number in range(8):
        document = shown(number)
        document.branches[0][0] = DocumentPart("plain", own)
        shard.add(document)
    shard.close()
    encoder = Encoder(tokenizer, config, SETTINGS)
    found = provide(
        tmp_path, 3, {}, encoder, config, torch.device("cpu"),
        {"pages": 1, "texts": 1, "drawn": 0}, other_words=share,
    )  # fmt: skip
    portions = [p for p in Packer(found.packing, encoder, SETTINGS, config).all() if is_shown(p)]
    told = [tokenizer.decode(packed["ids"].tolist()) for p in portions for packed in p.documents]
    assert len(told) == 8
    assert all('"Sed id."' in text for text in told)
    assert sum(own in text for text in told) == (8 if share == 0 else 0)


def is_shown(message: Portion | PackerNotice) -> TypeGuard[Portion]:
    return isinstance(message, Portion) and "test:small" in message.sources


def test_the_command_line_names_that_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plans = []

    def train(data: None, out: Path, plan: ResidentPlan, *rest: object) -> dict[str, float]:
        plans.append(plan)
        return {"steps": 0.0}

    monkeypatch.setattr(resident, "train_resident", train)
    command = ["train", "gpu", "--drawn", "1", "--out", str(tmp_path), "--other-words", "0.25"]
    assert main(command) == 0
    assert [plan.other_words for plan in plans] == [0.25]


def test_a_failure_of_a_packing_process_is_told(
    data: Path, tokenizer: Tokenizer, config: Qwen2VLConfig, tmp_path: Path
) -> None:
    found, encoder = provision(data, tokenizer, config)
    packing = replace(found.packing, shards=[tmp_path / "gone.shard.zip"])
    with Feeder([Packer(packing, encoder, SETTINGS, config)]) as feeder:
        feeder.fill({}, Lock())
        with pytest.raises(UsageError, match=r"could not be made ready: .*gone\.shard\.zip"):
            feeder.wait_for_demonstrations()


def test_text_documents_are_a_function_of_seed_and_number() -> None:
    one, other = CopyingTexts(5), CopyingTexts(5)
    for number in (0, 1, 17):
        assert one.document(number) == other.document(number)
    assert one.document(0) != one.document(1)
    assert one.document(0) != CopyingTexts(6).document(0)


def test_answers_of_text_documents_stand_in_the_question(
    tokenizer: Tokenizer, config: Qwen2VLConfig
) -> None:
    kinds = set()
    encoder = Encoder(tokenizer, config, SETTINGS)
    for number in range(20):
        document = CopyingTexts(1).document(number)
        assert len(document.branches) == QUESTIONS
        assert grid_of(encoder.encode(document)) == (0, 0)
        for branch in document.branches:
            asked = "".join(part.text for part in branch if not part.learned)
            learned = [part for part in branch if part.learned and part.kind == "plain"]
            (answer,) = learned
            text = answer.text
            kinds.add("option" in asked.rpartition("\n")[2] or "type_text" in text)
            if "type_text" in text:
                text = json.loads(text.partition("✿ARGS✿: ")[2])["text"]
            elif text.endswith('"}'):
                text = json.loads(text.removesuffix("}"))
            assert text in asked.partition("\n")[0]
    assert kinds == {True, False}
