"""How tokens are chosen: the folder's word, the command's, and the network's scores alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.agent.test_vlm_policy import SPACE, save_model, screen

from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.choose import model_policy
from eyehand.errors import BadConfig, UsageError
from eyehand.model.inference.constraint import TokenRule
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.sampling import Greedy


def folder_with(folder: Path, **generation: object) -> Path:
    save_model(folder)
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def sampled(policy: VlmPolicy) -> tuple[float, float, int, float]:
    rule = policy.sampling
    return rule.temperature, rule.top_p, rule.top_k, rule.repetition_penalty


def test_a_folders_generation_config_is_heeded(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path / "m", do_sample=True, temperature=0.7, top_p=0.8, top_k=20,
        repetition_penalty=1.05, bos_token_id=1,
    )  # fmt: skip
    policy = VlmPolicy(folder)
    assert sampled(policy) == (0.7, 0.8, 20, 1.05)
    assert policy.describe()["top_k"] == 20
    asked = VlmPolicy(folder, temperature=0.0, top_k=3, repetition_penalty=1.0)
    assert sampled(asked) == (0.0, 0.8, 3, 1.0)


def test_without_do_sample_the_best_token_is_taken(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "m", temperature=0.7, top_k=20, repetition_penalty=1.1)
    assert sampled(VlmPolicy(folder)) == (0.0, 1.0, 0, 1.1)
    assert sampled(VlmPolicy(save_model(tmp_path / "bare"))) == (0.0, 1.0, 0, 1.0)


@pytest.mark.parametrize("value", ["hot", True, [1]])
def test_a_generation_config_that_is_no_number_is_refused(tmp_path: Path, value: object) -> None:
    folder = folder_with(tmp_path / "m", do_sample=True, temperature=value)
    with pytest.raises(BadConfig, match="temperature: expected a number"):
        VlmPolicy(folder)


def test_drawing_from_the_best_token_alone_is_greedy(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "m")
    greedy = VlmPolicy(folder, max_new_tokens=8)
    drawn = VlmPolicy(folder, max_new_tokens=8, temperature=2.0, top_k=1)
    texts = {p.start("Open it", SPACE, 5).decide(screen(1)).raw_text for p in (greedy, drawn)}
    assert len(texts) == 1


def test_a_penalty_makes_a_model_repeat_itself_less(tmp_path: Path) -> None:
    policy = VlmPolicy(save_model(tmp_path / "m"))
    answers = []
    for penalty in (1.0, 1e6):
        session = policy.checkpoint.session()
        session.append_text("a task")
        config = GenerationConfig(24, sampling=Greedy(penalty))
        answers.append(generate([session], config)[0].token_ids)
    plain, penalised = answers
    assert len(set(penalised)) == len(penalised)
    assert len(set(plain)) < len(plain)


def test_no_token_copies_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = VlmPolicy(save_model(tmp_path / "m"))
    session = policy.checkpoint.session()
    session.append_text("a task")
    copies: list[int] = []
    whole = type(session).token_ids.fget  # type: ignore[attr-defined]

    def counted(self: object) -> list[int]:
        copies.append(1)
        ids: list[int] = whole(self)
        return ids

    monkeypatch.setattr(type(session), "token_ids", property(counted))
    allowed = torch.ones(policy.checkpoint.network.config.text.vocab_size, dtype=torch.bool)
    allowed[-14:] = False
    config = GenerationConfig(16, sampling=Greedy(1.3), constraint=TokenRule(lambda _: allowed))
    (answer,) = generate([session], replace(config))
    assert len(answer.token_ids) == 16
    assert len(copies) <= 1


def test_what_a_server_does_not_know_is_refused() -> None:
    for option in ({"top_k": 0}, {"repetition_penalty": 1.1}):
        with pytest.raises(UsageError, match="belongs to the built-in model"):
            model_policy("http://localhost:1/v1", served_model="ui-tars", **option)
