"""`--device-map`: which device gets what, and that a network in parts answers as a whole one."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.agent.test_vlm_policy import SPACE, save_model, screen
from tests.model.far_devices import FAR, far_devices, leave, whole_and_split
from torch import Tensor

from eyehand.agent.cli.main import main
from eyehand.agent.policies.base import Policy
from eyehand.agent.policies.models.choose import model_policy
from eyehand.errors import NotEnoughMemory, UsageError
from eyehand.model import device_map
from eyehand.model.hub import Qwen2VL
from eyehand.model.inference import bounded_history
from eyehand.model.inference.bounded_history import free_tokens
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.session import Session
from eyehand.model.qwen2vl.placement import Placement, Sizes, divided, widest

CPU = torch.device("cpu")
LAYERS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "tiny", layers=LAYERS)


# The plan


def held(sizes: Sizes, parts: tuple[int, ...], device: int, tokens: int) -> int:
    """Bytes that a device holds under a division; none where it has no part."""
    mine = [part for part, at in enumerate(parts) if at == device]
    layers = [part for part in mine if 0 < part < len(parts) - 1]
    weights = sum(sizes.weights[part] for part in mine)
    return bool(mine) * sizes.reading + weights + len(layers) * sizes.token * tokens


def fits(sizes: Sizes, free: list[int], parts: tuple[int, ...], tokens: int) -> bool:
    return all(held(sizes, parts, n, tokens) <= have for n, have in enumerate(free))


@settings(max_examples=150, deadline=None)
@given(
    weights=st.lists(st.integers(0, 40), min_size=3, max_size=8),
    token=st.integers(1, 4),
    reading=st.integers(0, 20),
    free=st.lists(st.integers(0, 160), min_size=1, max_size=4),
    tokens=st.integers(0, 8),
)
def test_a_division_is_found_where_there_is_one_and_no_other_has_a_longer_history(
    weights: list[int], token: int, reading: int, free: list[int], tokens: int
) -> None:
    sizes = Sizes(tuple(weights), token, reading)
    every = list(combinations_with_replacement(range(len(free)), len(weights)))
    possible = any(fits(sizes, free, parts, tokens) for parts in every)
    parts, best = divided(sizes, free, tokens), widest(sizes, free, tokens)
    assert (parts is not None) is (best is not None) is possible
    if parts is None or best is None:
        return
    assert fits(sizes, free, parts, tokens)
    longest = max(n for n in range(tokens, 200) if n == tokens or divided(sizes, free, n))
    assert fits(sizes, free, best, longest)
    assert not any(fits(sizes, free, other, longest + 1) for other in every)


def test_equal_gpus_get_equal_shares_and_the_first_fewer_layers() -> None:
    seven = Sizes((2_440_000, *[466_000] * 28, 1_090_000), 2, 500_000)  # 7B in bfloat16, kB
    found = widest(seven, [24_000_000] * 2, 1_000)
    assert found is not None
    assert [found[1:-1].count(number) for number in (0, 1)] == [14, 14]
    found = widest(replace(seven, weights=(6_000_000, *seven.weights[1:])), [24_000_000] * 2, 1_000)
    assert found is not None
    assert [found[1:-1].count(number) for number in (0, 1)] == [12, 16]
    uneven = widest(seven, [16_000_000, 48_000_000], 1_000)
    assert uneven is not None
    assert [uneven[1:-1].count(number) for number in (0, 1)] == [6, 22]
    assert set(widest(seven, [80_000_000, 400_000], 1_000) or ()) == {0}  # no room for any part
    assert set(widest(seven, [400_000, 80_000_000], 1_000) or ()) == {1}
    assert widest(seven, [8_000_000] * 2, 0) is None


def test_a_placement_knows_its_weights_its_borders_and_its_words() -> None:
    placement = Placement.of_parts(FAR, (0, 0, 0, 1, 2, 2, 2))
    told = {"xla:0": "vision, embedding, layers 0 to 1", "xla:1": "layer 2",
            "xla:2": "layers 3 to 4, norm, head"}  # fmt: skip
    assert placement.told() == told
    assert placement.borders == {2: FAR[1], 3: FAR[2]}
    names = {
        "visual.blocks.3.attn.qkv.weight": 0, "model.embed_tokens.weight": 0,
        "model.layers.1.mlp.up_proj.weight": 0, "model.layers.2.input_layernorm.weight": 1,
        "model.layers.4.self_attn.k_proj.bias": 2, "model.norm.weight": 2, "lm_head.weight": 2,
    }  # fmt: skip
    assert {name: FAR.index(placement.of(name)) for name in names} == names
    apart = Placement.of_parts(FAR, (0, 1, 1, 2))
    assert apart.borders == {0: FAR[1], 2: FAR[2]}


# The network


@pytest.fixture(scope="module")
def models(folder: Path) -> tuple[Qwen2VL, Qwen2VL]:
    with pytest.MonkeyPatch.context() as patched, far_devices():
        return whole_and_split(folder, patched)


def opened(model: Qwen2VL, number: int) -> Session:
    session = model.session(reserved_tokens=32)  # grows
    session.append_template("<|im_start|>system\n")
    session.append_text("a task and a screen " * (2 + number))
    session.append_template("<|im_end|>\n")
    asked(session, number)
    return session


def asked(session: Session, number: int) -> None:
    session.begin_turn()
    session.append_template("<|im_start|>user\n")
    pixels = np.random.default_rng(number).integers(0, 256, (56, 84, 3), dtype=np.uint8)
    session.append_image(pixels)
    session.append_text("a task " * (1 + number % 3))
    session.append_template("<|im_end|>\n<|im_start|>assistant\n")


def near(scores: Tensor) -> Tensor:
    return scores.to(CPU)


@torch.inference_mode()
def alone(model: Qwen2VL) -> list[Any]:
    """A conversation that grows, is copied, thinned and moved."""
    session, found = opened(model, 0), list[Any]()
    for number in range(1, 4):
        found.append(generate([session], GenerationConfig(3))[0].token_ids)
        asked(session, number)
    found.append(generate([session], GenerationConfig(3))[0].token_ids)
    copy = session.fork()
    copy.rewind(copy.num_tokens - 3)
    session.evict(0, 1)
    found.append(near(session.read_pending()))
    session.drop_turns(2)
    session.close_gap()
    found.append(near(session.read_pending()))
    found += (generate([one], GenerationConfig(3))[0].token_ids for one in (copy, session))
    return found


def together(model: Qwen2VL) -> list[Any]:
    """Conversations of several lengths in shared passes, while their histories change."""
    sessions, found = [opened(model, number) for number in range(3)], []
    for turn in range(2):
        answers = generate(sessions, GenerationConfig(3), batch_size=3)
        found += [answer.token_ids for answer in answers]
        for number, session in enumerate(sessions):
            if number <= turn:
                session.evict(turn)
            asked(session, turn + number)
    return found


@torch.inference_mode()
def padded(model: Qwen2VL) -> list[Any]:
    """Rows of several lengths in one cache, then a token each."""
    network, ids = model.network, torch.arange(20).view(2, 10)
    valid = torch.ones(2, 10, dtype=torch.bool)
    valid[1, 7:] = False
    cache = network.new_cache(batch=2, max_tokens=4)
    first = network(ids, attention_mask=valid, cache=cache)[valid.to(network.device)]
    return [near(first), near(network(ids[:, :1], cache=cache))]


def same(found: list[Any], expected: list[Any]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize("play", [alone, together, padded])
def test_a_network_in_parts_computes_the_same_bits(
    models: tuple[Qwen2VL, Qwen2VL], play: Callable[[Qwen2VL], list[Any]]
) -> None:
    whole, split = models
    assert whole.network.placement is None
    assert len(set(split.network.layer_devices)) == len(FAR)
    with far_devices():
        expected = play(whole)
        assert same(play(split), expected)
    assert any(isinstance(one, Tensor) or len(set(one)) > 1 for one in expected)


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_narrow_weights_lie_where_their_layer_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch, quantize: str
) -> None:
    with far_devices():
        whole, split = whole_and_split(folder, monkeypatch, quantize=quantize)
        devices = split.network.layer_devices
        for layer, device in zip(split.network.model.layers, devices, strict=True):
            assert {x.device for x in (*layer.parameters(), *layer.buffers())} == {device}
        assert same(padded(split), padded(whole))


def test_a_token_moves_its_values_across_each_border_once(
    models: tuple[Qwen2VL, Qwen2VL],
) -> None:
    split = models[1]
    with far_devices() as copies:
        session = opened(split, 0)
        bank, devices = session.cache.bank, list(split.network.layer_devices)
        assert [x.device for x in bank.keys] == [x.device for x in bank.values] == devices
        generate([session], GenerationConfig(1))
        copies.clear()
        with torch.inference_mode():
            session.read_pending()
    between = {way: count for way, count in copies.items() if "cpu" not in way[:2]}
    borders = [("xla:0", "xla:1"), ("xla:1", "xla:2")]
    # The values, the cosines and the sines; then the scores come back from the head.
    expected: dict[tuple[Any, ...], int] = {(*border, (1, 1, 64)): 1 for border in borders}
    expected |= {(*border, (1, 1, 1, 8)): 2 for border in borders}
    scores = (1, split.network.config.text.vocab_size)
    assert between == expected | {("xla:2", "xla:0", scores): 1}


# What is asked for, and what is said


def test_the_last_resort_is_the_cpu_and_it_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = alone(Qwen2VL.load(folder, device="cpu"))
    with far_devices():
        leave(monkeypatch, {FAR[0]: 2_200_000, FAR[1]: 100})
        with caplog.at_level("INFO", "eyehand"):
            model = Qwen2VL.load(folder, device_map="auto")
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 3
        assert lines[0].startswith("device map: xla:0 gets vision, embedding, layer 0: ")
        assert "cpu gets layers 1 to 2, norm, head" in lines[1]
        assert "the last resort" in lines[1]
        assert re.fullmatch(r"device map: a history of \d+ steps", lines[2])
        assert same(alone(model), plain)


def test_what_fits_nowhere_is_refused_with_what_would_help(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far_devices():
        leave(monkeypatch, {FAR[0]: 700_000, FAR[1]: 700_000, CPU: 10})
        with pytest.raises(
            NotEnoughMemory, match=r"are needed .*on xla:1, 10 bytes on cpu are free"
        ):
            Qwen2VL.load(folder, device_map="auto")
        leave(monkeypatch, dict.fromkeys((*FAR, CPU), 10))
        with pytest.raises(NotEnoughMemory, match="take a smaller model"):
            Qwen2VL.load(folder, device_map="auto")


def test_a_history_is_bounded_by_the_device_that_is_full_first(
    models: tuple[Qwen2VL, Qwen2VL], monkeypatch: pytest.MonkeyPatch
) -> None:
    split = models[1].network
    counts = [split.layer_devices.count(device) for device in FAR]
    a_layer = 2 * 2 * 16 * 4  # keys and values, heads, head size, float32
    left = {FAR[0]: 10**6, FAR[1]: 200 * a_layer * counts[1], FAR[2]: 10**6}
    monkeypatch.setattr(bounded_history, "free_bytes", left.get)
    with far_devices():
        assert free_tokens(split) == 100


@pytest.mark.parametrize(
    ("given_options", "said"),
    [
        (["--device-map", "sideways"], "map 'sideways': .*expected auto, or devices in order"),
        (["--device-map", "0,99"], r"device map '0,99': device cuda:.*here there are .*cpu"),
        (["--device-map", "cpu,cpu"], "names a device twice"),
        (["--device-map", "auto", "--device", "cpu"], "give --device or --device-map"),
        (["--device-map", "auto", "--model", "http://localhost:1/v1", "--served-model", "x",
          "--dialect", "ui-tars"], "--device-map belongs to the built-in model"),
    ],
)  # fmt: skip
def test_wrong_maps_end_in_one_line_that_says_what_is_possible(
    given_options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "run")]
    assert main(["run", "--env", "cards:number-line", "--seed", "1", *out, *given_options]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_the_cpu_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with far_devices(), pytest.raises(UsageError, match="the CPU comes last"):
        device_map.named_devices(None, "cpu,xla:0")


def test_one_device_is_that_device_and_it_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(device_map, "gpus", list)
    command = ["run", "--env", "cards:number-line", "--seed", "1", "--max-steps", "1"]
    model = ["--model", str(folder), "--max-new-tokens", "2", "--device-map", "auto"]
    assert main([*command, *model, "--out", str(tmp_path / "run")]) == 1
    assert "device map auto: there is one device, cpu" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [{"history": "window:1", "repetition_penalty": 1.2, "temperature": 1.0}, {"dialect": "qwen"}],
    ids=["by session", "by chat"],
)
def test_a_policy_over_several_devices_decides_as_on_one_and_says_what_went_where(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    def decided(policy: Policy) -> list[str]:
        conversation = policy.start("Open it", SPACE, seed=1)
        return [conversation.decide(screen(value)).raw_text for value in range(3)]

    short = {**options, "max_new_tokens": 4}
    expected = model_policy(folder, device="cpu", **short)
    assert expected.describe()["device_map"] is None
    with far_devices():
        leave(monkeypatch, dict.fromkeys(FAR, 5_000_000))
        found = model_policy(folder, device_map="auto", **short)
        assert decided(found) == decided(expected)
        told = found.describe()
    assert told["device"] == "xla:0"
    assert told["device_map"] == {
        "xla:0": "vision, embedding, layer 0", "xla:1": "layer 1", "xla:2": "layer 2, norm, head",
    }  # fmt: skip


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("play", [alone, together, padded])
def test_two_gpus_answer_as_one_does(
    folder: Path, play: Callable[[Qwen2VL], list[Any]]
) -> None:  # pragma: no cover
    split = Qwen2VL.load(folder, device_map="0,1")
    assert len(set(split.network.layer_devices)) == 2
    assert same(play(split), play(Qwen2VL.load(folder, device="cuda:0")))
