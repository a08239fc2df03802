"""Checkpoint folders that were made to do harm: one line, in bounded time and memory."""

import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import CheckpointError
from eyehand.model.folder import read_config
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.qwen2vl.shapes import weight_shapes
from eyehand.model.weights import load_checkpoint

Spoil = Callable[[Path], object]
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The embedded checkpoint, to be spoilt."""
    made = tmp_path / "model"
    shutil.copytree(EMBEDDED_CHECKPOINT, made)
    return made


def put(folder: Path, name: str, data: bytes | str) -> None:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def edited(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads((folder / name).read_text())
    change(values)
    put(folder, name, json.dumps(values))


def config(**changes: object) -> Spoil:
    """A configuration with other fields; `vision_config__depth` is one inside another."""

    def spoil(folder: Path) -> None:
        edited(folder, "config.json", lambda values: _set_all(values, changes))

    return spoil


def _set_all(values: dict[str, Any], changes: Mapping[str, object]) -> None:
    for name, value in changes.items():
        *owners, leaf = name.split("__")
        place = values
        for owner in owners:
            place = place[owner]
        place[leaf] = value


def pictures(**changes: object) -> Spoil:
    return lambda folder: edited(
        folder, "preprocessor_config.json", lambda values: values.update(changes)
    )


def words(**changes: object) -> Spoil:
    return lambda folder: edited(folder, "tokenizer.json", lambda values: _set_all(values, changes))


def contents(name: str, data: bytes | str) -> Spoil:
    return lambda folder: put(folder, name, data)


def index(weight_map: Mapping[str, object]) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        put(folder, f"{WEIGHTS}.index.json", json.dumps({"weight_map": weight_map}))

    return spoil


def many_weights(folder: Path) -> None:
    entry = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(entry % number for number in range(200_000)) + "}").encode()
    put(folder, WEIGHTS, struct.pack("<Q", len(header)) + header)


def fifo(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")


def added(count: int, length: int) -> list[dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": 2048 + n, "content": f"{n}".zfill(length), "special": False, **plain}
        for n in range(count)
    ]


def split(pattern: object) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


REGEX = {"Regex": "(x+x+)+y"}
DEEP = "[" * 200_000
SMALLEST = r"min_pixels: expected a smallest picture of at most 12845056 pixels and 16384 tokens"

CASES: dict[str, tuple[Spoil, str]] = {
    "layers-20,000": (
        config(num_hidden_layers=20_000),
        r"num_hidden_layers: expected at most 512, got 20000$",
    ),
    "layers-more-than-stored": (
        config(num_hidden_layers=512),
        r"6072 missing: model\.layers\.6\.input_layernorm\.weight, .* and 6052 more$",
    ),
    "layers-1e9": (config(num_hidden_layers=10**9), "expected at most 512, got 1000000000$"),
    "depth-20,000": (config(vision_config__depth=20_000), "depth: expected at most 512, got 20000"),
    "negative": (config(intermediate_size=-1), "expected a positive integer, got -1"),
    "vocabulary-2^70": (config(vocab_size=2**70), "vocab_size: expected at most 2147483647"),
    "vocabulary-2^30": (
        config(vocab_size=2**30),
        r"stored \(770, 320\), the configuration needs \(1073741824, 320\)",
    ),
    "wide": (config(intermediate_size=2**31 - 1), "the configuration needs .*2147483647"),
    "patches": (
        config(vision_config__patch_size=10**6),
        "patch_size: the pictures have 7, the model needs 1000000",
    ),
    "merged": (config(vision_config__mlp_ratio=2**31 - 1), "mlp.fc1.weight .stored"),
    "theta-infinite": (config(rope_theta=float("inf")), "expected a number above 0, got inf"),
    "theta-nan": (config(rope_theta=float("nan")), "expected a number above 0, got nan"),
    "theta-1e400": (config(rope_theta=10**400), r"expected a number above 0, got 1000.*\.\.\."),
    "positions-1e400": (config(max_position_embeddings=10**400), "expected at most 2147483647"),
    "tied-by-a-word": (config(tie_word_embeddings="false"), "expected true or false, got 'false'"),
    "long-section": (
        config(rope_scaling={"type": "mrope", "mrope_section": [1] * 1_000_000}),
        r"expected three counts .*, got \(1, 1, 1, 1, 1, 1, \.\.\.\)",
    ),
    "many-ends": (config(eos_token_id=[{}] * 100_000), r"expected an id .*, got \{\}"),
    "deep-config": (contents("config.json", DEEP), "config.json: .* nested too deeply"),
    "deep-field": (
        config(rope_scaling=json.loads("[" * 800 + "]" * 800)),
        r"rope_scaling: expected an object, got \[\[\[\[\.\.\.\]\]\]\]",
    ),
    "deep-generation": (contents("generation_config.json", DEEP), "nested too deeply"),
    "deep-pictures": (contents("preprocessor_config.json", DEEP), "nested too deeply"),
    "deep-words": (contents("tokenizer.json", DEEP), "tokenizer.json: .* nested too deeply"),
    "large-config": (
        contents("config.json", b'{"a":"' + b"A" * 60_000_000 + b'"}'),
        "config.json: expected at most 4.0 MB, got more",
    ),
    "config-is-a-pipe": (fifo, "lacks config.json"),
    "control-characters": (
        config(model_type="\x1b[2J\nqwen"),
        r"model_type: expected 'qwen2_vl', got '\\x1b\[2J\\nqwen'",
    ),
    "least-4e8": (pictures(min_pixels=4 * 10**8, max_pixels=4 * 10**9), SMALLEST),
    "least-1e12-in-size": (
        pictures(
            min_pixels=None, max_pixels=None, size={"shortest_edge": 10**12, "longest_edge": 10**13}
        ),
        SMALLEST,
    ),
    "std-1e-320": (pictures(image_std=[1e-320] * 3), "std: expected three numbers above 0"),
    "mean-1e400": (pictures(image_mean=[10**400] * 3), "mean: expected three numbers, got"),
    "scale-nan": (pictures(rescale_factor=float("nan")), "scale: expected a number above 0"),
    "pickle": (contents(WEIGHTS, pickle.dumps([1, 2])), "not a readable safetensors file"),
    "header-2^62": (contents(WEIGHTS, struct.pack("<Q", 2**62) + b"{}"), "at most 4.0 MB in all"),
    "header-of-200,000": (many_weights, "expected headers of at most 4.0 MB in all, got 11"),
    "header-of-one-name": (
        contents(WEIGHTS, struct.pack("<Q", 3_000_008) + b'{"a":"' + b"A" * 3_000_000 + b'"}'),
        "not a readable safetensors file .*AAA\\.\\.\\.",
    ),
    "index-outside": (
        index({"a": "../../../../etc/passwd"}),
        r"expected the name of a \.safetensors file beside it, got '\.\./\.\.",
    ),
    "index-above": (index({"a": ".."}), "file beside it, got '..'"),
    "index-nul": (index({"a": "a\0b.safetensors"}), r"file beside it, got 'a\\x00b"),
    "index-long-name": (index({"a": "x" * 5000 + ".safetensors"}), r"got 'xxx.*\.\.\..*'$"),
    "index-of-numbers": (index({"a": {"b": 1}}), r"got \{'b': 1\}"),
    "index-of-30,000": (
        index({f"w{n}": f"s{n}.safetensors" for n in range(30_000)}),
        r"missing shard\(s\) s0\.safetensors, .* and 29980 more, which hold 30000 weight",
    ),
    "regex": (
        words(pre_tokenizer=split({"Regex": "(a|aa)+$"})),
        "pre_tokenizer: expected Sequence, got 'Split'",
    ),
    "regex-in-a-sequence": (
        words(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [split(REGEX), {"type": "ByteLevel"}],
            }
        ),
        r"pre_tokenizer: expected Qwen2's split .*, got \{.*'\(x\+x\+\)\+y'",
    ),
    "regex-in-the-normaliser": (
        words(normalizer={"type": "Replace", "pattern": REGEX, "content": ""}),
        "normalizer: expected None or NFC, got 'Replace'",
    ),
    "regex-in-the-decoder": (
        words(decoder={"type": "Replace", "pattern": REGEX, "content": ""}),
        "decoder: expected ByteLevel, got 'Replace'",
    ),
    "charsmap": (
        words(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="}),
        "normalizer: expected None or NFC, got 'Precompiled'",
    ),
    "unigram": (words(model={"type": "Unigram", "vocab": [["a", 1.0]]}), "model: expected a BPE"),
    "prefix": (
        words(model__continuing_subword_prefix="é"),
        "model.continuing_subword_prefix: expected none, got 'é'",
    ),
    "dropout": (words(model__dropout=0.5), "model.dropout: expected none, got 0.5"),
    "id-4e9": (
        words(model__vocab__zz=4 * 10**9),
        "'zz': expected an id from 0 to 16777215, got 4000000000",
    ),
    "id-beyond-the-model": (
        words(model__vocab__e=10**6),
        "the tokenizer has 1000001 tokens, the model only 770",
    ),
    "id-negative": (words(model__vocab__zz=-1), "'zz': expected an id"),
    "vocabulary-of-2-million": (
        words(model__vocab={f"z{n}": n for n in range(2_000_000)}),
        "expected at most 1500000 values|expected at most 24.0 MB",
    ),
    "added-200,000": (words(added_tokens=added(200_000, 8)), "expected at most|values"),
    "added-20,000": (words(added_tokens=added(20_000, 8)), "added_tokens: expected at most 10000"),
    "added-long": (words(added_tokens=added(1, 10**6)), "texts of at most 128 characters"),
    "large-words": (
        contents("tokenizer.json", b'{"a":"' + b"A" * 60_000_000 + b'"}'),
        "tokenizer.json: expected at most 24.0 MB, got more",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_folder_is_refused_in_one_line(folder: Path, name: str) -> None:
    spoil, expected = CASES[name]
    spoil(folder)
    base = _peak_mb(anew=True)
    with pytest.raises(CheckpointError, match=expected) as caught:
        Qwen2VL.load(folder, device="cpu")
    grown = _peak_mb() - base
    assert grown <= 200, f"{grown:.0f} MB"
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 3000


def _peak_mb(*, anew: bool = False) -> float:
    """The most memory that was held since it was asked for anew; only Linux tells."""
    if not Path("/proc/self/clear_refs").exists():
        return 0.0
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def test_nothing_is_built_before_the_headers_were_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(config: Qwen2VLConfig) -> None:
        raise AssertionError(f"built {config}")

    monkeypatch.setattr("eyehand.model.weights.Qwen2VLNetwork", build)
    config(num_hidden_layers=512, vocab_size=4096)(folder)
    with pytest.raises(CheckpointError, match=r"the weights do not fit config\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize("size", ["qwen2vl_2b", "qwen2vl_7b"])
def test_the_shapes_by_arithmetic_are_those_of_the_network(size: str) -> None:
    made: Qwen2VLConfig = getattr(Qwen2VLConfig, size)()
    with torch.device("meta"):
        network = Qwen2VLNetwork(made)
    assert weight_shapes(made) == {n: tuple(p.shape) for n, p in network.named_parameters()}


def test_texts_are_neither_cut_nor_filled_up_by_what_a_trainer_had_set(folder: Path) -> None:
    before = Tokenizer.from_folder(folder).encode_text("click the button now")
    cut = {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0}
    filled = {
        "strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "x",
    }  # fmt: skip
    words(truncation=cut, padding=filled)(folder)
    assert Tokenizer.from_folder(folder).encode_text("click the button now") == before


def test_a_tokenizer_that_transformers_wrote_is_read(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "theirs")
    text = "click the <|im_end|> button 12"
    expected = Tokenizer.from_folder(folder).encode_text(text)
    assert Tokenizer.from_folder(tmp_path / "theirs").encode_text(text) == expected


def test_a_panic_of_the_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """Of this name and kind is what the library raises where its own code fails."""

    class Panicking:
        def encode(self, text: str, **_: object) -> None:
            raise PanicException("byte index 1 is not a char boundary\nat lib.rs:7")

    tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
    monkeypatch.setattr(tokenizer, "_backend", Panicking())
    with pytest.raises(CheckpointError, match=r"cannot read a text: byte index 1 .*\\nat lib"):
        tokenizer.encode_text("é")


def test_the_embedded_checkpoint_itself_passes() -> None:
    loaded = Qwen2VL.load(EMBEDDED_CHECKPOINT, device="cpu")
    session = loaded.session()
    session.append_image(np.zeros((64, 64, 3), np.uint8))
    assert read_config(EMBEDDED_CHECKPOINT) == loaded.network.config
