"""Scores that are not numbers, and memory that is not there, end a run with one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.model.replies import reply

from eyehand.errors import CheckpointError, NotEnoughMemory, UsageError
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inference.sampling import Greedy, Sampler, Sampling
from eyehand.model.inference.session import Session
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.memory import check_room, free_bytes, memory_told
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.units import size_text
from eyehand.model.weights import load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
RULES = [Greedy(), Greedy(1.2), Sampling(), Sampling(top_p=0.9, top_k=5)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_score_that_is_no_number_is_enough(
    rule: Sampling, bad: float, dtype: torch.dtype
) -> None:
    scores = torch.linspace(-3, 3, 50).to(dtype)
    scores[7] = bad
    with pytest.raises(CheckpointError, match="the model's scores are not numbers") as caught:
        Sampler(rule).choose(scores, torch.ones(len(scores), dtype=torch.bool))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", RULES)
def test_excluded_tokens_are_no_fault_but_all_of_them_are(rule: Sampling) -> None:
    scores = torch.full((50,), -torch.inf)
    with pytest.raises(UsageError, match="no token is permitted"):
        Sampler(rule).choose(scores)
    scores[3] = -2.0
    assert Sampler(rule).choose(scores) == 3


def test_the_lowest_temperature_takes_the_best_token() -> None:
    scores = torch.tensor([1.0, 3.0, -torch.inf, 2.0])
    assert Sampler(Sampling(temperature=1e-40)).choose(scores) == 1


@pytest.fixture(params=["weights", "overflow"])
def broken(
    request: pytest.FixtureRequest,
    config: Qwen2VLConfig,
    build_model: Callable[[Qwen2VLConfig], Qwen2VLNetwork],
) -> Qwen2VLNetwork:
    """A network with a damaged weight, or one that overflows in half precision."""
    network = build_model(config)
    with torch.no_grad():
        weight = network.model.layers[1].get_submodule("mlp.down_proj").get_parameter("weight")
        if request.param == "weights":
            weight[3, 3] = torch.nan
        else:
            weight.mul_(1e6)
            network.half()
    return network


def test_every_way_to_answer_ends_with_one_line(
    broken: Qwen2VLNetwork, tokenizer: Tokenizer
) -> None:
    def session() -> Session:
        fresh = Session(broken, tokenizer)
        fresh.append_image(np.zeros((56, 84, 3), np.uint8))
        fresh.append_text("click the button")
        return fresh

    one, two, three = (session() for _ in range(3))
    before = one.token_ids
    ways: list[Callable[[], object]] = [
        lambda: reply(one, 8),
        lambda: reply(one, 8, sampling=Sampling(seed=1)),
        lambda: generate([two, three], GenerationConfig(8)),
        lambda: generate([two], GenerationConfig(8), batch_size=4),
    ]
    for way in ways:
        with pytest.raises(CheckpointError, match="scores are not numbers") as caught:
            way()
        assert "\n" not in str(caught.value)
    assert one.token_ids == before


def test_what_the_allocators_refuse_is_one_line() -> None:
    def ask_torch() -> None:
        torch.empty(10**15)

    def ask_numpy() -> None:
        np.empty(10**16)

    for ask in (ask_torch, ask_numpy):
        with pytest.raises(NotEnoughMemory, match="too little memory to try") as caught:
            with memory_told(CPU, "to try"):
                ask()
        assert "\n" not in str(caught.value)
    with pytest.raises(NotEnoughMemory, match=r"4000\.0 TB more of memory are needed"):
        with memory_told(CPU, "to try"):
            ask_torch()


def test_what_cuda_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_500_000_000, 8 * 10**9))
    refusal = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of ..."
    with pytest.raises(NotEnoughMemory) as caught, memory_told(torch.device("cuda:0"), "to answer"):
        raise torch.OutOfMemoryError(refusal)
    assert str(caught.value).startswith(
        "too little memory to answer: 2.50 GiB more of memory on cuda:0 are needed, 1.5 GB are free"
    )


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_told(CPU, "to try"):
        raise RuntimeError("shapes do not fit")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_full_gpu_is_one_line(tmp_path: Path, tiny_config: Qwen2VLConfig) -> None:
    device = torch.device("cuda")
    text = replace(tiny_config.text, vocab_size=4_000_000)
    save_checkpoint(Qwen2VLNetwork(replace(tiny_config, text=text)), tmp_path, dtype=torch.float16)
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(free - 300_000_000, dtype=torch.uint8, device=device)
    with pytest.raises(NotEnoughMemory, match="to load the weights"):
        load_checkpoint(tmp_path, device=device)
    with pytest.raises(NotEnoughMemory, match="to try"), memory_told(device, "to try"):
        torch.empty(10**9, device=device)
    del held


def test_what_is_free_is_known_and_never_exceeded() -> None:
    free = free_bytes(CPU)
    assert free is not None
    assert free > 0
    check_room(free // 2, CPU, "to try")
    with pytest.raises(NotEnoughMemory, match=r"100\.0 TB of memory are needed, .* are free"):
        check_room(10**14, CPU, "to try")


def test_sizes_are_said_in_words() -> None:
    assert [size_text(n) for n in (12, 1_500, 2 * 10**9)] == ["12 bytes", "1.5 kB", "2.0 GB"]


BOUNDED = """
import resource, sys
from pathlib import Path
import numpy as np, torch
from eyehand.errors import NotEnoughMemory
from eyehand.model import GenerationConfig, Qwen2VL, generate
torch.set_num_threads(1)
folder, margin, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
generate, Qwen2VL.load(folder, device="cpu").session()  # what is imported late is there now
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
try:
    if not size:
        resource.setrlimit(resource.RLIMIT_AS, (used + margin, resource.RLIM_INFINITY))
    session = Qwen2VL.load(folder, device="cpu").session()
    if size:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + margin, resource.RLIM_INFINITY))
    session.append_image(np.zeros((size, size, 3), np.uint8))
    session.append_text("a")
    generate([session], GenerationConfig(4))
except NotEnoughMemory as refusal:
    print(refusal)
"""


def bounded(folder: Path, margin: int, size: int = 0) -> str:
    """Load and answer where only so many bytes more can be had; returns what was said."""
    words = [sys.executable, "-c", BOUNDED, str(folder), str(margin), str(size)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="bounds a process as Linux does")
def test_a_process_without_room_says_so_while_loading_and_while_running(
    tmp_path: Path, config: Qwen2VLConfig, tokenizer: Tokenizer
) -> None:
    folder = tmp_path / "model"
    text = replace(config.text, vocab_size=500_000, tie_word_embeddings=True)
    save_checkpoint(Qwen2VLNetwork(replace(config, text=text)), folder, dtype=torch.bfloat16)
    tokenizer.save(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"max_pixels": 10**8}))
    said = bounded(folder, 30_000_000)
    assert said.startswith("too little memory to load the weights: ")
    assert "are needed" in said
    assert said.count("\n") == 1
    said = bounded(folder, 150_000_000)  # the file can be mapped, its float32 form has no room
    assert said.startswith("too little memory to load the weights: 128.")
    assert said.count("\n") == 1
    said = bounded(folder, 100_000_000, 2800)
    assert said.startswith("too little memory")
    assert "are needed" in said
    assert said.count("\n") == 1
