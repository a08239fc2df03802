"""A 2B-shaped bfloat16 checkpoint, loaded in a fresh process within 1.15 times its weights.

The folder is written sparsely (a header, then a hole that reads as zeros), so that writing costs
nothing; reading it fills memory like any other file.
"""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

FREE_BYTES_NEEDED = 6 * 10**9
ALLOWED_RATIO = 1.15

IMPORTS = """
import sys
from pathlib import Path
import torch
from eyehand.model.weights import load_checkpoint
"""
# Not getrusage: its maximum survives exec, so it would include the memory of the test process.
REPORT = """
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) * 1024)
"""
LOAD_AND_TOUCH = """
model = load_checkpoint(Path(sys.argv[1]))
with torch.no_grad():
    # An element of every 4096-byte page, so that each page is resident when memory is measured.
    total = sum(float(p.view(-1)[::2048].float().abs().sum()) for p in model.parameters())
assert total == 0.0 and {p.dtype for p in model.parameters()} == {torch.bfloat16}
assert "torch._dynamo" not in sys.modules, "the compiler is loaded, which takes as long as torch"
print(sum(p.nbytes for p in model.parameters()))
"""


def write_sparse_checkpoint(folder: Path, config: Qwen2VLConfig) -> int:
    """Write config.json and a safetensors file of zeros; return the bytes of its weights."""
    with torch.device("meta"):
        model = Qwen2VLNetwork(config)
    header, offset = {}, 0
    for name, parameter in model.named_parameters():
        end = offset + 2 * math.prod(parameter.shape)
        shape = list(parameter.shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    return offset


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads VmHWM from /proc")


@pytest.fixture
def folder_2b(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    if shutil.disk_usage(tmp_path).free < FREE_BYTES_NEEDED:
        pytest.skip("less than 6 GB free in the temporary folder")
    yield tmp_path, write_sparse_checkpoint(tmp_path, Qwen2VLConfig.qwen2vl_2b())
    (tmp_path / "model.safetensors").unlink()


def run(code: str, *arguments: str) -> list[int]:
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return [int(line) for line in finished.stdout.split()]


def test_loading_the_2b_model_holds_its_weights_once(folder_2b: tuple[Path, int]) -> None:
    folder, weight_bytes = folder_2b
    (empty_bytes,) = run(IMPORTS + REPORT)
    loaded_bytes, peak_bytes = run(IMPORTS + LOAD_AND_TOUCH + REPORT, str(folder))
    assert loaded_bytes == weight_bytes > 4.4e9
    used = peak_bytes - empty_bytes
    # The lower bound shows that the weights were resident when memory was measured.
    assert 0.98 * weight_bytes < used < ALLOWED_RATIO * weight_bytes


LOAD_IN_4_BITS = """
model = load_checkpoint(Path(sys.argv[1]), quantize="int4")
print(sum(t.nbytes for n, t in (*model.named_parameters(), *model.named_buffers())))
"""


def test_loading_in_4_bits_never_holds_much_more_than_they_take(tmp_path: Path) -> None:
    config = Qwen2VLConfig.qwen2vl_2b()
    text = replace(config.text, num_hidden_layers=3, vocab_size=152_000)
    weight_bytes = write_sparse_checkpoint(
        tmp_path, replace(config, text=text, vision=replace(config.vision, depth=1))
    )
    empty_bytes, kept_bytes, peak_bytes = run(
        IMPORTS + REPORT + LOAD_IN_4_BITS + REPORT, str(tmp_path)
    )
    embedding_bytes = 2 * 152_000 * 1536  # stays mapped, and nobody has read it
    assert weight_bytes - embedding_bytes > 0.35e9
    assert kept_bytes - embedding_bytes < 0.45 * (weight_bytes - embedding_bytes)
    # One weight as it is stored, and as its codes are laid out.
    assert peak_bytes - empty_bytes < 1.15 * (kept_bytes - embedding_bytes) + 150e6
