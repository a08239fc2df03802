"""One side of `python -m benchmarks fitting`, in a process of its own.

`python -m benchmarks.engine.one_side SIDE FOLDER WIDTHxHEIGHT STEPS TOKENS` loads a folder, shows
its screens, and prints what that took as one line of JSON.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.engine.measure import picture
from benchmarks.engine.sides import FromScratch, Ours, Side
from eyehand.model.folder import read_config
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image_settings import read_image_settings
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.model import Qwen2VLNetwork

SIDES: dict[str, str | None] = {"eyehand, int4": "int4", "eyehand, bfloat16": None,
                                "transformers, bfloat16": None}  # fmt: skip
"""Name to how the weights are quantised; all compute in bfloat16."""


def main(side: str, folder: str, size: str, steps: str, tokens: str) -> None:
    """Load and answer."""
    torch.set_num_threads(1)
    before = _own_bytes()
    began = time.process_time(), time.perf_counter()
    played, weights = _loaded(side, Path(folder))
    found: dict[str, Any] = {"load": _since(began), "weight_bytes": weights, "steps": []}
    found["loaded_peak_bytes"] = _peak_bytes()
    width, height = map(int, size.split("x"))
    with torch.inference_mode():
        for number in range(int(steps)):
            began = time.process_time(), time.perf_counter()
            answer = played.step(picture((width, height), number), int(tokens))
            found["steps"].append(_since(began))
    found |= {"answer": answer, "peak_bytes": _peak_bytes(), "own_bytes": _own_bytes()}
    print(json.dumps(found | {"before_bytes": before}))


def _loaded(side: str, folder: Path) -> tuple[Side, int]:
    """Return the side, and the bytes that its weights take."""
    if side.startswith("eyehand"):
        model = Qwen2VL.load(folder, device="cpu", dtype=torch.bfloat16, quantize=SIDES[side])
        held = (*model.network.parameters(), *model.network.buffers())
        return Ours(model, "full", 2**62), sum(tensor.nbytes for tensor in held)
    from transformers import Qwen2VLForConditionalGeneration

    peer = Qwen2VLForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).eval()
    config = read_config(folder)
    with torch.device("meta"):
        network = Qwen2VLNetwork(replace(config))
    settings = read_image_settings(folder, config.vision)
    read = Qwen2VL(network, Tokenizer.from_folder(folder), settings)
    return FromScratch(read, peer), sum(p.nbytes for p in peer.parameters())


def _since(began: tuple[float, float]) -> dict[str, float]:
    cpu_s, wall_s = time.process_time() - began[0], time.perf_counter() - began[1]
    return {"cpu_s": round(cpu_s, 2), "wall_s": round(wall_s, 2)}


def _peak_bytes() -> int:
    """Most memory that was resident, with the pages of files that stay mapped."""
    return _status_bytes("VmHWM")  # getrusage would count the memory of who started this process


def _own_bytes() -> int:
    """Memory that is resident now and belongs to no file."""
    return _status_bytes("RssAnon")


def _status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[name].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
