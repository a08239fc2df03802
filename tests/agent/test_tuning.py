"""`eyehand train tune`, as a person calls it: recorded episodes in, a model or adapters out."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.small_embedded import small_config

from eyehand.actions import ActionSpace
from eyehand.actions.android import ANDROID_ACTIONS
from eyehand.actions.codecs import make_codec
from eyehand.actions.desktop import DESKTOP_ACTIONS
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_conversation import VlmConversation
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_HABITS, Habits, write_habits
from eyehand.agent.training.demonstrations import rounded
from eyehand.agent.training.embedded import prompt_texts
from eyehand.agent.training.recorded_episodes import EpisodeDocuments, find_episodes
from eyehand.agent.training.tuning import TuningPlan
from eyehand.agent.training.tuning import tune as tuned
from eyehand.agent.trajectory.action_types import recorded_space
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.agent.trajectory.records import ActionRecord, ActionTypeRecord
from eyehand.envs import make
from eyehand.errors import UsageError
from eyehand.model.inference.decoder import Generation
from eyehand.model.inputs.image_settings import ImageSettings, write_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.training.batching import Encoder
from eyehand.model.training.embedded import SETTINGS, make_tokenizer, new_model
from eyehand.model.training.precision import fast_dtype
from eyehand.model.weights import load_checkpoint, save_checkpoint
from eyehand.prompts import render_system
from eyehand.prompts.conversation import Layout

ADAPTED = [f"self_attn.{x}_proj" for x in "qkvo"] + [
    f"mlp.{x}_proj" for x in ("gate", "up", "down")
]
GAME = "cards:number-line"
SMALL = replace(SETTINGS, max_pixels=112 * 84)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The expert's episodes of a game, and one that failed."""
    folder = tmp_path_factory.mktemp("runs")
    for policy, episodes in (("expert", "5"), ("random", "1")):
        asked = ["eval", GAME, "--policy", policy, "--episodes", episodes, "--first-seed", "100"]
        main([*asked, "--max-steps", "6", "--out", str(folder / policy)])
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that is shown the newest screen, as the embedded model is."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = make_tokenizer(None, prompt_texts())
    tokenizer.save(folder)
    write_image_settings(folder, SMALL)
    write_habits(folder, EMBEDDED_HABITS)
    save_checkpoint(new_model(small_config(tokenizer, 2, 1), 0), folder)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """As the published 7B is, but small: patches of 14 pixels, a head of its own, every screen."""
    folder = tmp_path_factory.mktemp("published")
    tokenizer = Tokenizer.from_folder(model)
    tokenizer.save(folder)
    small = small_config(tokenizer, 2, 1)
    config = replace(
        small, text=replace(small.text, tie_word_embeddings=False),
        vision=replace(small.vision, patch_size=14),
    )  # fmt: skip
    write_image_settings(folder, ImageSettings(min_pixels=28 * 28, max_pixels=112 * 84))
    save_checkpoint(new_model(config, 0), folder)
    return folder


Tune = Callable[..., dict[str, Any]]


@pytest.fixture
def tune(capsys: pytest.CaptureFixture[str]) -> Tune:
    """Call the command here; the summary is what it prints."""

    def call(*words: str | Path) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["train", "tune", *map(str, words), "--json"]) == 0
        summary: dict[str, Any] = json.loads(capsys.readouterr().out)
        return summary

    return call


def launched(*words: str | Path) -> dict[str, Any]:
    """Call the command in two processes of PyTorch's launcher."""
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    result = subprocess.run(
        [*program, "eyehand", "train", "tune", *map(str, words), "--json"],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder).named_parameters())


def test_a_tuned_model_foresees_held_out_episodes_better_and_plays(
    tmp_path: Path, runs: Path, model: Path, tune: Tune
) -> None:
    out = tmp_path / "out"
    summary = tune(
        "--data", runs, "--model", model, "--out", out, "--rounds", "6", "--batch", "4",
        "--rate", "0.003", "--held-out", "0.25",
    )  # fmt: skip
    assert summary["episodes"] == 5
    assert sum(summary["left_out"].values()) == 1
    assert summary["held_out_loss"] < 0.75 * summary["held_out_loss_before"]
    policy = VlmPolicy(out, device="cpu", max_new_tokens=4)
    assert policy.newest_only
    with make(GAME) as environment:
        observation, _ = environment.reset(seed=3)
        decision = policy.start("Reach the target.", environment.action_space).decide(observation)
    assert decision.raw_text


def test_adapters_are_trained_beside_weights_that_stay(
    tmp_path: Path, runs: Path, published: Path, tune: Tune
) -> None:
    summary = tune(
        "--data", runs, "--model", published, "--out", tmp_path, "--lora", "4", "--batch", "4",
        "--rate", "0.01", "--held-out", "0.25", "--screens", "2", "--rounds", "4",
    )  # fmt: skip
    assert summary["held_out_loss"] < summary["held_out_loss_before"]
    stored = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (stored["r"], stored["base_model_name_or_path"]) == (4, str(published))
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 200_000
    assert not (tmp_path / "model.safetensors").exists()
    plain, adapted = (
        VlmPolicy(published, device="cpu", adapter=adapter).checkpoint.network.state_dict()
        for adapter in (None, tmp_path)
    )
    moved = {name for name in plain if not torch.equal(plain[name], adapted[name])}
    assert moved == {f"model.layers.{n}.{name}.weight" for n in (0, 1) for name in ADAPTED}


def test_weights_of_few_bits_are_not_tuned(tmp_path: Path, runs: Path, published: Path) -> None:
    packed = shutil.copytree(published, tmp_path / "packed")
    values = json.loads((packed / "config.json").read_text())
    rule = {"quant_method": "gptq", "bits": 4, "group_size": 32}
    (packed / "config.json").write_text(json.dumps(values | {"quantization_config": rule}))
    with pytest.raises(UsageError, match="packed in few bits: tune the plain model"):
        tuned([runs], tmp_path / "out", packed, TuningPlan())


@pytest.mark.parametrize("adapters", [(), ("--lora", "4")], ids=["whole", "adapters"])
def test_a_run_that_was_interrupted_goes_on_bit_by_bit(
    tmp_path: Path, runs: Path, model: Path, adapters: tuple[str, ...]
) -> None:
    plan = TuningPlan(rounds=2, batch=2, lora=4 if adapters else 0, held_out=0, save_s=0)
    tuned([runs], tmp_path / "whole", model, plan)
    steps = 0

    def interrupt(now: dict[str, float]) -> None:
        nonlocal steps
        steps += 1
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eyehand.model.training.trainer.LOG_STEPS", 5)
        with pytest.raises(KeyboardInterrupt):
            tuned([runs], tmp_path / "parts", model, plan, follow=interrupt)
    tuned([runs], tmp_path / "parts", model, plan)
    name = "adapter_model.safetensors" if adapters else "model.safetensors"
    assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert steps == 1


def test_two_processes_take_the_steps_of_one(
    tmp_path: Path, runs: Path, model: Path, tune: Tune
) -> None:
    asked = ("--data", runs, "--model", model, "--rounds", "1", "--batch", "4", "--held-out", "0")
    one = tune(*asked, "--out", tmp_path / "one")
    two = launched(*asked, "--out", tmp_path / "two")
    assert one["steps"] == two["steps"]
    alone, together = weights(tmp_path / "one"), weights(tmp_path / "two")
    before = weights(model)
    # Half a batch is added up in another order, which bfloat16 rounds to 8 bits.
    share = 0.05 if fast_dtype(torch.device("cpu")) is torch.float32 else 0.15
    for name, value in alone.items():
        moved = (value - before[name]).float().norm()
        assert (value - together[name]).float().norm() <= share * moved + 1e-6, name


@pytest.mark.parametrize(
    ("habits", "history", "steps"),
    [(EMBEDDED_HABITS, None, 1), (Habits(brief=True), "full", 3)],
    ids=["newest screen", "several screens"],
)
def test_what_is_learned_is_what_the_policy_reads_and_writes(
    habits: Habits, history: str | None, steps: int, runs: Path, model: Path
) -> None:
    """Token by token: the policy's history in a replay, and the document of the same steps."""
    folders = [file.parent for file in (runs / "expert").rglob("episode.jsonl")]
    trajectory = max(map(read_trajectory, folders), key=lambda one: len(one.steps))
    assert len(trajectory.steps) >= steps
    policy = VlmPolicy(model, device="cpu", max_new_tokens=64, history=history)
    tokenizer = policy.checkpoint.tokenizer
    encoder = Encoder(tokenizer, policy.checkpoint.network.config, SMALL)
    source = EpisodeDocuments([trajectory], policy.layout, habits, screens=3)
    (window,) = (window for window in source.windows if window.first == 0)
    encoded = encoder.encode(source.told(window))
    space = recorded_space(trajectory.episode.actions)
    conversation = policy.start(trajectory.episode.task, space)
    assert isinstance(conversation, VlmConversation)
    learned = 0
    for step in trajectory.steps[:steps]:
        prompt = conversation.read(trajectory.observation(step))
        read = conversation.session.token_ids
        assert encoded.ids.tolist()[: len(read)] == read
        answer = policy.layout.codec.write(rounded(step.action.build(space)))  # type: ignore[union-attr]
        ids = tokenizer.encode_text(answer)
        assert encoded.targets[len(read) - 1 : len(read) - 1 + len(ids)].tolist() == ids
        learned += len(ids)
        conversation.session.read_pending(conversation.session.encode_pending())
        conversation.session.push(*ids)
        conversation.conclude(prompt, Generation(answer, tuple(ids), "stop_word"))
    assert len(encoded.images) == steps
    endings = tokenizer.encode_template(policy.layout.codec.before_observation)
    assert int((encoded.targets >= 0).sum()) == learned + steps * len(endings)


def test_a_record_is_enough_to_write_the_prompt_and_the_calls_again() -> None:
    codec = make_codec("tool_call")
    for types in (WEB_ACTIONS, ANDROID_ACTIONS, DESKTOP_ACTIONS):
        space = ActionSpace(types, seed=1)
        lines = [ActionTypeRecord.of(kind).model_dump_json() for kind in types]
        again = recorded_space([ActionTypeRecord.model_validate_json(line) for line in lines])
        for language in ("en", "zh"):
            prompt = render_system(space, "tool_call", language)
            assert render_system(again, "tool_call", language) == prompt
        for _ in range(100):
            action = space.sample()
            line = ActionRecord.of(action).model_dump_json()
            built = ActionRecord.model_validate_json(line).build(again)
            assert codec.write(built) == codec.write(action)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"__class__": {"type": "string"}}},
        {"properties": {"model_config": {"type": "string"}}},
        {"properties": []},
        {"properties": {"text": 3}},
        {"properties": {"text": {"$ref": 3}}, "required": 4},
    ],
)
def test_a_strangers_record_makes_no_attribute_of_ours(schema: dict[str, Any]) -> None:
    record = ActionTypeRecord(name="pick", description="Pick.", json_schema=schema)
    with pytest.raises(UsageError):
        recorded_space([record])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "nowhere"], "there is no folder nowhere"),
        (["--data", "."], "no episode to learn from in .: none there"),
        (["--data", ".", "--outcome", "won"], "no episode ends 'won': --outcome any, or"),
    ],
)
def test_what_cannot_be_learned_from_is_said_at_once(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["train", "tune", *words, "--out", "out"]) != 0
    assert said in capsys.readouterr().err
    assert not Path("out").exists()


def test_broken_and_failed_episodes_are_left_out_and_counted(tmp_path: Path, runs: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    first, second, *_ = sorted((tmp_path / "runs" / "expert").rglob("episode.jsonl"))
    first.write_text("{}")
    found, left_out = find_episodes([tmp_path / "runs"])
    assert len(found) == 4
    assert left_out["unreadable"] == 1
    assert second.parent in {trajectory.folder for trajectory in found}
    layout = Layout(make_codec("keyword"), brief=True)
    source = EpisodeDocuments(found, layout, EMBEDDED_HABITS, seed=1)
    numbers = {source.document(n).trunk[-2].text for n in range(len(source))}
    assert numbers  # every document once in a round
    (second.parent / "screens" / "000.png").write_bytes(b"no picture")
    (broken,) = (w for w in source.windows if (w.trajectory.folder, w.first) == (second.parent, 0))
    with pytest.raises(UsageError, match=r"000\.png"):
        source.told(broken)
