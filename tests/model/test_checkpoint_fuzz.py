"""Checkpoint folders whose files are half-broken in every way: refused in one line, within bounds.

Every input goes the way that a user's folder goes: `load`. A few inputs here; `make fuzz` tries as
many as EYEHAND_FUZZ_EXAMPLES says, for each kind of file, and prints the figures.
"""

import json
import os
import re
import shutil
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyehand.errors import CheckpointError, EyehandError, NotEnoughMemory
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.inputs.tokenizer import train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import save_checkpoint

ASKED = os.environ.get("EYEHAND_FUZZ_EXAMPLES")
BOUNDED = settings(
    max_examples=int(ASKED or 30),
    deadline=None,
    database=None,
    derandomize=ASKED is None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MOST_MB = 200
MOST_S = 2.0
NUMBERS = (0, -1, 1, 2, 7, 2**31, 2**53, 2**63, 10**30, 10**400, 4 * 10**8, 1e308, 1e-320, 20_000)
WORDS = ("", "mrope", "BPE", "Split", "Sequence", "Replace", "Precompiled", "F32", "I64", "BF16")


@dataclass
class Figures:
    """What all inputs of a run came to."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    largest_mb: float = 0.0


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    found = Figures()
    yield found
    if ASKED:
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(f"\n{sum(found.outcomes.values())} inputs: {found}")


@pytest.fixture(scope="module")
def whole(tiny_config: Qwen2VLConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that is read, that loads."""
    path = tmp_path_factory.mktemp("fuzz") / "whole"
    tokenizer = train_tokenizer(["click the button"] * 9, 290)
    special = tokenizer.special_id
    config = replace(
        tiny_config,
        text=replace(tiny_config.text, vocab_size=tokenizer.vocab_size),
        image_token_id=special("<|image_pad|>"),
        video_token_id=special("<|video_pad|>"),
        vision_start_token_id=special("<|vision_start|>"),
        vision_end_token_id=special("<|vision_end|>"),
        eos_token_ids=tokenizer.eos_ids,
        bos_token_id=tokenizer.pad_id,
        pad_token_id=tokenizer.pad_id,
    )
    tokenizer.save(path)
    save_checkpoint(Qwen2VLNetwork(config), path, dtype=torch.bfloat16, max_shard_bytes=100_000)
    (path / "generation_config.json").write_text(json.dumps({"eos_token_id": [276, 274]}))
    loaded = Qwen2VL.load(path, device="cpu")
    write_image_settings(path, loaded.settings)
    return path


@pytest.fixture
def attempt(whole: Path, figures: Figures, tmp_path: Path) -> Callable[[str, bytes], None]:
    """Gives a file other contents and loads the folder, the whole way to what a model reads."""
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)

    def load_with(name: str, data: bytes) -> None:
        (folder / name).unlink(missing_ok=True)  # an earlier model may be mapped from it
        (folder / name).write_bytes(data)
        begun, base = time.process_time(), _peak_mb(anew=True)
        outcome, said = _outcome(folder)
        spent, grown = time.process_time() - begun, _peak_mb() - base
        figures.outcomes[outcome] += 1
        figures.slowest_s = max(figures.slowest_s, spent)
        figures.largest_mb = max(figures.largest_mb, grown)
        assert said.isprintable()
        assert len(said) < 20_000
        assert grown <= MOST_MB
        assert ASKED is None or spent <= MOST_S  # not beside other tests

    return load_with


def _outcome(folder: Path) -> tuple[str, str]:
    """What became of it: a word, and what was said."""
    try:
        loaded = Qwen2VL.load(folder, device="cpu")
    except (CheckpointError, NotEnoughMemory) as error:
        return type(error).__name__, str(error)
    try:
        session = loaded.session()
        session.append_text("click the button ✿ <|im_end|>")
        if loaded.settings.min_pixels <= 10**6 and loaded.settings.factor <= 100:
            session.append_image(np.zeros((64, 64, 3), np.uint8))
        loaded.tokenizer.decode(session.token_ids)
    except EyehandError as error:  # a context of three tokens, for example
        return f"loaded, then {type(error).__name__}", str(error)
    return "loaded", ""


def _peak_mb(*, anew: bool = False) -> float:
    """The most memory that was held since it was asked for anew; only Linux tells."""
    if not Path("/proc/self/clear_refs").exists():
        return 0.0
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.sampled_from(WORDS),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.integers(0, 400).map(_nested),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, original: str) -> bytes:
    """A JSON document with one to three values replaced, taken away or added, or bytes broken."""
    document = json.loads(original)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, document)
    data = json.dumps(document).encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=8)) + data[at + draw(st.integers(0, 50)) :]
    return data


def _change(draw: st.DrawFn, document: Any) -> None:
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not draw(st.integers(0, 2)):
            break
        place = place[key]
    match draw(st.sampled_from(("replace", "replace", "delete", "add"))):
        case "replace":
            place[key] = draw(VALUES)
        case "delete":
            del place[key]
        case "add" if isinstance(place, dict):
            place[draw(st.text(max_size=8))] = draw(VALUES)
        case _:
            place.append(draw(VALUES))


JSON_FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "model.safetensors.index.json",
)


@pytest.mark.parametrize("name", JSON_FILES)
def test_a_changed_file_is_read_or_refused(
    attempt: Callable[[str, bytes], None], whole: Path, name: str
) -> None:
    text = (
        json.dumps({"image_processor": json.loads((whole / JSON_FILES[2]).read_text())})
        if name == "processor_config.json"
        else (whole / name).read_text()
    )

    @BOUNDED
    @given(changed(text))
    def run(data: bytes) -> None:
        attempt(name, data)

    run()


def test_a_changed_header_is_read_or_refused(
    attempt: Callable[[str, bytes], None], whole: Path
) -> None:
    shard = sorted(whole.glob("*.safetensors"))[0]
    stored = shard.read_bytes()
    length = int.from_bytes(stored[:8], "little")
    header, body = stored[8 : 8 + length].decode(), stored[8 + length :]
    lengths = st.sampled_from((None, None, None, 0, 1, 2**31, 2**63, 2**64 - 1))

    @BOUNDED
    @given(changed(header), lengths, st.integers(0, len(body)) | st.just(len(body)))
    def run(data: bytes, said: int | None, end: int) -> None:
        size = struct.pack("<Q", len(data) if said is None else said)
        attempt(shard.name, size + data + body[:end])

    run()


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_changed_words_are_read_or_refused(
    attempt: Callable[[str, bytes], None], whole: Path, tmp_path: Path, name: str
) -> None:
    model = json.loads((whole / "tokenizer.json").read_text())["model"]
    merges = "#version: 0.2\n" + "".join(f"{' '.join(pair)}\n" for pair in model["merges"])
    folder = tmp_path / "model"
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text(merges)
    lines = st.lists(st.text(max_size=12) | st.sampled_from(merges.splitlines()), max_size=9)
    made = lines.map(lambda some: "\n".join(some).encode("utf-8", "surrogatepass"))

    @BOUNDED
    @given(made if name == "merges.txt" else changed(json.dumps(model["vocab"])))
    def run(data: bytes) -> None:
        attempt(name, data)

    run()
