"""The checkpoint that comes with the package: its card, its prompts, its words, its size."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from eyehand.actions import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.cli.main import main
from eyehand.agent.outcome import Outcome
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.checkpoint_files import (
    EMBEDDED_CHECKPOINT,
    measured_rates,
    model_card,
    trained_for,
)
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation
from eyehand.envs.miniwob.tasks import permitted_actions, task_names
from eyehand.envs.registry import make
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inputs.image import preprocess
from eyehand.prompts.conversation import Plain, ScreenSlot, Template

LEAST_DEMO_RATE = 0.75
MOST_BYTES = 40_000_000
MOST_FIRST_TURN_TOKENS = 640  # with the place that a text may name
LONG_TASK = "Find the email by Evangelia and forward it to Rosalinda, then star it. " * 2


@pytest.fixture(scope="module")
def policy() -> VlmPolicy:
    return VlmPolicy()


@pytest.fixture(scope="module")
def screen() -> Observation:
    return NumberLineEnvironment().reset(seed=1_000_003)[0]


def _first_turn(policy: VlmPolicy, space: ActionSpace, task: str) -> tuple[list[Any], int]:
    """Return the pieces of a first turn and its number of tokens, the screen included."""
    tokenizer = policy.checkpoint.tokenizer
    pieces = [*policy.layout.opening(space), *policy.layout.task(task)]
    count = 0
    for piece in pieces:
        if isinstance(piece, ScreenSlot):
            count += 80 + 2  # 224 x 280, and the two marks around it
        elif isinstance(piece, Plain):
            count += len(tokenizer.encode_text(piece.text))
        elif isinstance(piece, Template):
            count += len(tokenizer.encode_template(piece.text))
    return pieces, count


def test_the_checkpoint_is_small_enough_for_the_repository() -> None:
    size = sum(path.stat().st_size for path in EMBEDDED_CHECKPOINT.iterdir())
    assert 1_000_000 < size <= MOST_BYTES


def test_the_card_names_tasks_that_exist_and_were_evaluated() -> None:
    card = model_card()
    rates = measured_rates()
    assert all(rates[spec] >= LEAST_DEMO_RATE for spec in card["demo"])
    assert {spec.partition(":")[0] for spec in card["demo"]} == {"miniwob", "cards", "phone"}
    assert set(trained_for()) <= set(card["evaluation"]["success_rates"])
    for spec in trained_for():
        scheme, _, name = spec.partition(":")
        assert spec == "cards:number-line" or (scheme == "miniwob" and name in task_names())


def test_training_used_training_seeds_only() -> None:
    recipe = json.loads((EMBEDDED_CHECKPOINT / "recipe.json").read_text(encoding="utf-8"))
    for source in recipe["demonstrations"]["by_source"].values():
        first, last = source["seeds"]
        assert 0 <= first <= last < 1_000_000


def test_every_first_turn_of_miniwob_stays_short(policy: VlmPolicy) -> None:
    by_name = {action.name: action for action in WEB_ACTIONS}
    for task in task_names():
        space = ActionSpace([by_name[name] for name in permitted_actions(task)])
        _, count = _first_turn(policy, space, LONG_TASK)
        assert count < MOST_FIRST_TURN_TOKENS, task


def test_it_writes_what_transformers_writes(policy: VlmPolicy, screen: Observation) -> None:
    from transformers import Qwen2VLForConditionalGeneration

    reference = Qwen2VLForConditionalGeneration.from_pretrained(
        EMBEDDED_CHECKPOINT, dtype=torch.float32
    ).eval()
    environment = NumberLineEnvironment()
    pieces, _ = _first_turn(policy, environment.action_space, environment.instruction)
    session, tokenizer = policy.checkpoint.session(), policy.checkpoint.tokenizer
    for piece in pieces:
        if isinstance(piece, ScreenSlot):
            session.append_image(screen.pixels)
        elif isinstance(piece, Plain):
            session.append_text(piece.text)
        else:
            session.append_template(piece.text)
    prompt = torch.tensor([session.token_ids])
    ours = generate([session], GenerationConfig(24))[0].token_ids
    seen = preprocess(screen.pixels, policy.checkpoint.settings)
    is_image = (prompt == policy.checkpoint.network.config.image_token_id).long()
    with torch.no_grad():
        theirs = reference.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            mm_token_type_ids=is_image,
            pixel_values=seen.patches,
            image_grid_thw=torch.tensor([seen.grid]),
            max_new_tokens=24,
            do_sample=False,
        )[0, prompt.shape[1] :].tolist()
    written = tokenizer.decode(ours)
    assert "FUNCTION" in written
    assert list(ours) == theirs[: len(ours)]


def test_without_adb_the_demo_leaves_the_phone_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("adbutils._utils.which", lambda name: None)
    monkeypatch.setattr("adbutils._utils._get_bin_dir", lambda: str(tmp_path))
    assert main(["demo", "--out", str(tmp_path / "demo"), "--json"]) == 0
    said = capsys.readouterr()
    assert "without the phone's task: adb is not installed; apt-get install adb" in said.err
    played = [row["task"] for row in json.loads(said.out)["tasks"]]
    assert played == [spec for spec in model_card()["demo"] if not spec.startswith("phone:")]


def test_the_demo_tasks_are_solved_on_their_first_evaluation_seed(policy: VlmPolicy) -> None:
    from eyehand.agent.episode import run_episode

    outcomes = {}
    for spec in model_card()["demo"]:
        with make(spec) as environment:
            episode = run_episode(policy, environment, seed=1_000_000, max_steps=10)
        outcomes[spec] = episode.outcome
    solved = [spec for spec, outcome in outcomes.items() if outcome is Outcome.SUCCEEDED]
    assert "cards:number-line" in solved, outcomes
    assert len(solved) >= 5, outcomes
