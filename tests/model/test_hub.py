import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from tests.model.replies import reply

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.folder import resolve
from eyehand.model.hub import Qwen2VL
from eyehand.model.inputs.tokenizer import train_tokenizer
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.qwen2vl.model import Qwen2VLNetwork
from eyehand.model.weights import save_checkpoint


@pytest.fixture(scope="module")
def folder(tiny_config: Qwen2VLConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small but whole model folder."""
    path = tmp_path_factory.mktemp("hub") / "model"
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
    save_checkpoint(Qwen2VLNetwork(config), path, dtype=torch.bfloat16)
    limits = {"min_pixels": 4 * 784, "max_pixels": 16 * 784}
    (path / "preprocessor_config.json").write_text(json.dumps(limits))
    return path


def test_folder_resolves_to_itself(folder: Path) -> None:
    assert resolve(folder) == folder
    assert resolve(str(folder)) == folder


def test_loaded_model_answers_about_a_screen(folder: Path) -> None:
    loaded = Qwen2VL.load(folder, device="cpu")
    assert loaded.network.dtype == torch.float32
    assert (loaded.settings.min_pixels, loaded.settings.max_pixels) == (4 * 784, 16 * 784)
    for _ in range(2):
        session = loaded.session()
        session.append_image(np.zeros((560, 560, 3), dtype=np.uint8))
        assert len(session.token_ids) == 2 + 16
        assert len(reply(session, 3).token_ids) <= 3
    assert (loaded.encoder.hits, loaded.encoder.misses) == (1, 1)


def test_stored_dtype_is_kept_on_request(folder: Path) -> None:
    assert Qwen2VL.load(folder, dtype=torch.bfloat16, device="cpu").network.dtype == torch.bfloat16


def test_incomplete_folder_names_all_missing_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        CheckpointError,
        match=r"lacks model\.safetensors or model\.safetensors\.index\.json, tokenizer\.json or",
    ):
        resolve(tmp_path)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "nowhere", "a/b/c", "", "../x/y"])
def test_missing_folder_is_never_looked_up_on_the_hub(name: str) -> None:
    if name == "":  # the current folder, which is no model
        with pytest.raises(CheckpointError, match="lacks"):
            resolve(name)
        return
    with pytest.raises(UsageError, match="no model folder"):
        resolve(name)


def test_missing_path_object_is_never_looked_up_on_the_hub() -> None:
    with pytest.raises(UsageError, match="no model folder"):
        resolve(Path("Qwen/Qwen2-VL-2B-Instruct"))


def test_without_network_the_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="the Hub cannot be reached") as caught:
        resolve("Qwen/Qwen2-VL-2B-Instruct", cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_downloaded_model_is_found_without_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    revision = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / revision).symlink_to(folder)
    found = resolve("someone/tiny", cache_dir=tmp_path)
    assert (found / "config.json").read_text() == (folder / "config.json").read_text()


@pytest.fixture(params=["RepoNotFound", "GatedRepo", None])
def answering_hub(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str | None]:
    """A Hub on loopback that refuses every request in the Hub's own way."""
    code: str | None = request.param

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"RepoNotFound": 401, "GatedRepo": 403, None: 410}[code])
            if code is not None:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(
        huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}"
    )
    yield code
    server.shutdown()
    thread.join()
    server.server_close()


def test_refusals_of_the_hub_are_explained(
    answering_hub: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    expected = {
        "RepoNotFound": "nor such a repository",
        "GatedRepo": "terms to be accepted",
        None: "cannot be reached",
    }[answering_hub]
    with pytest.raises(UsageError, match=expected):
        resolve("someone/tiny", cache_dir=tmp_path)
