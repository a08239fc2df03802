"""Models from a Hub: what is wrong with them is said before anything large is fetched."""

import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import huggingface_hub.constants
import pytest

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.errors import BadConfig, CheckpointError, UsageError
from eyehand.model.download import parse_hub_name
from eyehand.model.folder import resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A Hub on loopback that serves folders as repositories, with what was asked of it."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.revisions = {"main", "v2"}
        self.fetched: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self, head=True)

            def do_GET(self) -> None:
                hub.answer(self, head=False)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, head: bool) -> None:
        address = urlparse(request.path)
        words = unquote(address.path).strip("/").split("/")
        if words[:2] == ["api", "models"]:
            self._describe(request, words[2:], parse_qs(address.query))
            return
        name, revision, file = "/".join(words[:2]), words[3], "/".join(words[4:])
        folder = self.repositories.get(name)
        if folder is None:
            _send(request, 401, b"", {"X-Error-Code": "RepoNotFound"}, head)
        elif revision not in self.revisions | {COMMIT}:
            _send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"}, head)
        elif not (folder / file).is_file():
            _send(request, 404, b"", {"X-Error-Code": "EntryNotFound", **_COMMIT}, head)
        else:
            content = (folder / file).read_bytes()
            if not head:
                self.fetched.append(file)
            tag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', **_COMMIT}
            _send(request, 200, content, tag, head)

    def _describe(
        self, request: BaseHTTPRequestHandler, words: list[str], query: dict[str, list[str]]
    ) -> None:
        name, kind = "/".join(words[:2]), words[2] if len(words) > 2 else "revision"
        revision = words[3] if len(words) > 3 else "main"
        folder = self.repositories.get(name)
        if folder is None:
            _send(request, 401, b"", {"X-Error-Code": "RepoNotFound"}, False)
            return
        if revision not in self.revisions | {COMMIT}:
            _send(request, 404, b"", {"X-Error-Code": "RevisionNotFound"}, False)
            return
        files = sorted(path for path in folder.iterdir() if path.is_file())
        listed: object
        if kind == "tree":
            listed = [
                {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0" * 40}
                for f in files
            ]
        else:
            siblings = [{"rfilename": f.name, "size": f.stat().st_size} for f in files]
            listed = {"_id": "1", "id": name, "sha": COMMIT, "siblings": siblings}
        _send(
            request, 200, json.dumps(listed).encode(), {"Content-Type": "application/json"}, False
        )


_COMMIT = {"X-Repo-Commit": COMMIT}


def _send(
    request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], head: bool
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if not head:
        request.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    served = Hub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", served.address)
    # Made of the address when the package is imported.
    template = served.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    yield served
    served.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The embedded checkpoint, without its logs."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"):
        shutil.copy(EMBEDDED_CHECKPOINT / name, folder / name)
    return folder


def test_a_model_is_fetched_whole_and_its_size_is_said(
    hub: Hub, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="eyehand")
    hub.repositories["some/model"] = model
    found = resolve("some/model", cache_dir=tmp_path / "cache")
    assert {path.name for path in found.iterdir()} == {path.name for path in model.iterdir()}
    assert hub.fetched[0] == "config.json"
    assert sorted(hub.fetched) == sorted(path.name for path in model.iterdir())
    (said,) = [record.getMessage() for record in caplog.records]
    size = (model / "model.safetensors").stat().st_size / 1e6
    assert said.startswith("fetching some/model: ")
    assert float(said.split()[2]) == pytest.approx(size, rel=0.1)
    caplog.clear()
    assert resolve("some/model", cache_dir=tmp_path / "cache") == found
    assert not caplog.records
    hub.close()
    assert resolve("some/model", cache_dir=tmp_path / "cache") == found


def test_a_revision_may_be_named(hub: Hub, model: Path, tmp_path: Path) -> None:
    hub.repositories["some/model"] = model
    found = resolve("some/model@v2", cache_dir=tmp_path / "cache")
    assert (found / "config.json").is_file()
    with pytest.raises(UsageError, match="some/model has no branch, tag or commit 'v3'") as caught:
        resolve("some/model@v3", cache_dir=tmp_path / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "qwen2_5_vl"}, "expected 'qwen2_vl', got 'qwen2_5_vl'"),
        ({"num_hidden_layers": None}, "num_hidden_layers"),
    ],
)
def test_a_model_of_another_kind_costs_its_configuration_only(
    hub: Hub, model: Path, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    values = json.loads((model / "config.json").read_text()) | config
    (model / "config.json").write_text(json.dumps(values))
    hub.repositories["some/model"] = model
    with pytest.raises(BadConfig, match=message) as caught:
        resolve("some/model", cache_dir=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert hub.fetched == ["config.json"]


def test_a_repository_without_safetensors_costs_its_configuration_only(
    hub: Hub, model: Path, tmp_path: Path
) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    hub.repositories["some/model"] = model
    with pytest.raises(CheckpointError, match=r"lacks model\.safetensors or"):
        resolve("some/model", cache_dir=tmp_path / "cache")
    assert hub.fetched == ["config.json"]


def adapter(folder: Path) -> Path:
    folder.mkdir()
    base = {"base_model_name_or_path": "Qwen/Qwen2-VL-7B-Instruct", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(base))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def test_an_adapter_is_called_one(hub: Hub, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter")
    expected = r"an adapter \(LoRA\) of Qwen/Qwen2-VL-7B-Instruct, not a model: give it as --ada"
    with pytest.raises(CheckpointError, match=expected) as caught:
        resolve(folder)
    assert "\n" not in str(caught.value)
    hub.repositories["some/adapter"] = folder
    with pytest.raises(CheckpointError, match=expected):
        resolve("some/adapter", cache_dir=tmp_path / "cache")
    assert hub.fetched == ["adapter_config.json"]
    # With the tokenizer and the configuration of its base beside it, it is no model either.
    shutil.copy(EMBEDDED_CHECKPOINT / "tokenizer.json", folder)
    shutil.copy(EMBEDDED_CHECKPOINT / "config.json", folder)
    with pytest.raises(CheckpointError, match=expected):
        resolve(folder)


def test_a_disk_without_room_is_said_before_anything_large_is_fetched(
    hub: Hub, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["some/model"] = model
    full = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(UsageError, match=r"takes 2\d\.\d MB and .* has 1\.0 MB free"):
        resolve("some/model", cache_dir=tmp_path / "cache")
    assert hub.fetched == ["config.json"]


def test_a_repository_that_is_not_there_is_said(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nor such a repository"):
        resolve("some/model", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen2-VL-2B-Instruct", ("Qwen/Qwen2-VL-2B-Instruct", None)),
        ("a/b@main", ("a/b", "main")),
        ("a/b@refs/pr/3", ("a/b", "refs/pr/3")),
        (f"a/b@{COMMIT}", ("a/b", COMMIT)),
        ("a/b@", None),
        ("a/b@-x y", None),
        ("./a/b", None),
        ("a@b", None),
    ],
)
def test_names_of_the_hub(name: str, expected: object) -> None:
    assert parse_hub_name(name) == expected
