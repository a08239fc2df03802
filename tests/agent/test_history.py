"""`--history` and `--cache-gb`: what of an episode stays, from the command to the network."""

import gc
import json
import sys
from pathlib import Path

import pytest
import torch
from tests.agent.test_vlm_policy import SPACE, save_model, screen

from eyehand.agent.cli.main import main
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.choose import model_policy
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.errors import UsageError
from eyehand.model.inference import bounded_history
from eyehand.model.memory import token_bytes
from eyehand.prompts import render_system


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "tiny", max_positions=1200)


def gigabytes(policy: VlmPolicy, tokens: int) -> float:
    network = policy.checkpoint.network
    return tokens * token_bytes(network.config, network.dtype.itemsize) / 1e9


@pytest.fixture(scope="module")
def opening(folder: Path) -> int:
    """Tokens of the system prompt."""
    tokenizer = VlmPolicy(folder).checkpoint.tokenizer
    return len(tokenizer.encode_text(render_system(SPACE, "keyword")))


def test_memory_of_an_episode_is_flat_over_500_steps(folder: Path, opening: int) -> None:
    bound = gigabytes(VlmPolicy(folder), opening + 300)
    policy = VlmPolicy(folder, max_new_tokens=2, history="evict", cache_gb=bound)
    conversation = policy.start("Open it", SPACE)
    held: list[tuple[int, int]] = []
    for step in range(500):
        decision = conversation.decide(screen(step % 251, feedback="nothing happened"))
        assert decision.tokens["restarts"] == 0
        assert decision.tokens["history"] <= opening + 300
        if step % 100 == 99:
            gc.collect()
            cache = conversation.session.cache  # type: ignore[attr-defined]
            held.append((cache.nbytes, sys.getallocatedblocks()))
    assert len({cache for cache, _ in held}) == 1
    assert held[0][0] <= bound * 1e9
    assert held[-1][1] - held[2][1] < 200  # less than one object of Python's a step


def test_a_window_shows_the_newest_screens(folder: Path) -> None:
    policy = VlmPolicy(folder, max_new_tokens=4, history="window:2")
    conversation = policy.start("Open it", SPACE)
    shown = [conversation.decide(screen(value)).tokens["screens"] for value in range(4)]
    assert shown == [1, 2, 2, 2]
    assert policy.describe()["history"] == "window:2"


def test_full_begins_anew_where_memory_ends(folder: Path, opening: int) -> None:
    bound = gigabytes(VlmPolicy(folder), opening + 120)
    policy = VlmPolicy(folder, max_new_tokens=4, history="full", cache_gb=bound)
    conversation = policy.start("Open it", SPACE)
    decisions = [conversation.decide(screen(1, feedback="nothing")) for _ in range(8)]
    assert decisions[-1].tokens["restarts"] > 0
    assert max(decision.tokens["history"] for decision in decisions) <= opening + 120


def test_a_bound_that_holds_no_step_is_refused(folder: Path, opening: int) -> None:
    plain = VlmPolicy(folder)
    with pytest.raises(UsageError, match="memory for 20 tokens of history, and an answer may take"):
        VlmPolicy(folder, max_new_tokens=30, cache_gb=gigabytes(plain, 20))
    policy = VlmPolicy(folder, max_new_tokens=8, cache_gb=gigabytes(plain, opening))
    with pytest.raises(UsageError, match=r"raise --cache-gb, or lower --max-pixels"):
        policy.start("Open it", SPACE).decide(screen(1))


def test_the_system_prompt_is_read_once_for_all_episodes(folder: Path) -> None:
    policy = VlmPolicy(folder, max_new_tokens=4)
    lengths: list[int] = []
    hook = policy.checkpoint.network.model.layers[0].register_forward_pre_hook(
        lambda _, inputs: lengths.append(inputs[0].shape[1])
    )
    first = policy.start("Open it", SPACE).decide(screen(1))
    read, lengths[:] = lengths.copy(), []
    second = policy.start("Open it", SPACE).decide(screen(1))
    hook.remove()
    assert len(read) == len(lengths) + 1
    assert read[1:] == lengths
    assert second.raw_text == first.raw_text
    assert read[0] > 10 * read[1]
    assert second.tokens == first.tokens


@torch.inference_mode()
def test_a_forked_beginning_equals_one_pass(folder: Path) -> None:
    policy = VlmPolicy(folder, max_new_tokens=4)
    conversation = policy.start("Open it", SPACE)
    conversation.read(screen(1))  # type: ignore[attr-defined]
    forked = conversation.session  # type: ignore[attr-defined]
    ids = forked.token_ids
    pads = [n for n, id_ in enumerate(ids) if id_ == forked.network.config.image_token_id]
    whole = policy.checkpoint.session()
    whole.append_template(ids[: pads[0] - 1])
    whole.append_image(screen(1).pixels)
    whole.append_template(ids[pads[-1] + 2 :])
    assert whole.token_ids == ids
    found, expected = (s.read_pending(s.encode_pending()) for s in (forked, whole))
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5


def test_the_options_reach_the_record_and_the_plan(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bound = ["--history", "window:3", "--cache-gb", "0.5", "--max-new-tokens", "4",
             "--device", "cpu", "--dtype", "bfloat16", "--max-pixels", "3000"]  # fmt: skip
    model = ["--model", str(folder), "--max-steps", "2"]
    main(["run", "--env", "cards:number-line", "--seed", "1", "--out", str(tmp_path / "run"),
          *model, *bound])  # fmt: skip
    recorded = read_trajectory(tmp_path / "run").episode.policy
    assert (recorded["history"], recorded["cache_gb"]) == ("window:3", 0.5)
    seen = [recorded[name] for name in ("device", "dtype", "min_pixels", "max_pixels")]
    assert seen == ["cpu", "bfloat16", 784, 3000]
    out = str(tmp_path / "eval")
    main(["eval", "cards:number-line", "--episodes", "1", "--out", out, *model, *bound])
    options = json.loads((tmp_path / "eval" / "plan.json").read_text())["options"]
    assert (options["history"], options["cache_gb"]) == ("window:3", 0.5)
    assert (options["dtype"], options["max_pixels"]) == ("bfloat16", 3000)
    capsys.readouterr()
    assert main(["eval", "--resume", out, "--history", "full"]) == 2
    assert "was begun with --history window:3, not full" in capsys.readouterr().err


def test_episodes_at_once_share_what_is_free_whatever_the_batch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model with one worker and with two, where half of what is free holds less than both."""
    policy = VlmPolicy(folder)
    common = ["eval", "cards:number-line", "--episodes", "2", "--max-steps", "4",
              "--model", str(folder), "--history", "evict", "--max-new-tokens", "4"]  # fmt: skip

    def longest(name: str, tokens: int, *words: str) -> int:
        """Tokens of the longest history, where so many fit into what is free."""
        free = int(gigabytes(policy, tokens) * 1e9)
        monkeypatch.setattr(bounded_history, "free_bytes", lambda device: free)
        assert main([*common, *words, "--out", str(tmp_path / name)]) == 0
        runs = [read_trajectory(at.parent) for at in (tmp_path / name).rglob("episode.jsonl")]
        assert len(runs) == 2
        return max(step.tokens["history"] for run in runs for step in run.steps)

    whole = longest("whole", 10**6)
    less = whole - 20
    assert longest("alone", 4 * less) == whole
    assert longest("together", 4 * less, "--workers", "2") <= less
    asked = gigabytes(policy, whole + 8)
    assert longest("asked for", 16, "--workers", "2", "--cache-gb", str(asked)) == whole


def test_a_share_that_holds_no_answer_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    free = int(gigabytes(VlmPolicy(folder), 160) * 1e9)
    monkeypatch.setattr(bounded_history, "free_bytes", lambda device: free)
    command = ["eval", "cards:number-line", "--episodes", "4", "--workers", "8",
               "--model", str(folder), "--max-new-tokens", "20"]  # fmt: skip
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    said = "memory for 20 tokens of history in each of 4 conversations, and an answer may take 20"
    assert said in capsys.readouterr().err


def test_wrong_histories_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--env", "cards:number-line", "--history", "window:0"])
    assert ended.value.code == 2
    assert "history is full, evict or window:N" in capsys.readouterr().err


def test_who_has_a_history_of_its_own_refuses_one(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"--history belongs .* not to the dialect ui-tars-1\.5"):
        model_policy(folder, dialect="ui-tars-1.5", history="evict")
    with pytest.raises(UsageError, match=r"--cache-gb belongs .* not to a server"):
        model_policy("http://localhost:1/v1", served_model="ui-tars", cache_gb=1.0)


def test_limits_of_area_reach_the_models_that_are_asked_by_chats(folder: Path) -> None:
    policy = model_policy("http://localhost:1/v1", served_model="ui-tars", max_pixels=28 * 28 * 120)
    assert policy.shown_size(1288, 728) == (392, 224)
    assert policy.describe()["max_pixels"] == 28 * 28 * 120
    built_in = model_policy(folder, dialect="qwen", device="cpu", max_pixels=28 * 28 * 16)
    width, height = built_in.shown_size(560, 560)
    assert width * height <= 28 * 28 * 16
