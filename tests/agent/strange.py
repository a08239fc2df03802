"""Run folders as a stranger would make them: written by hand, not by the code that reads them."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.cli.main import main

LINE = "cards:number-line"

ESCAPES = "\x1b[2J\x1b]0;owned\x07 \x9b31m \x08\x7f\r \u202etxt.exe"
"""What a terminal would act on."""

ACTED_ON = ("\x1b", "\x07", "\x9b", "\x08", "\x7f", "\r", "\u202e")


def png(width: int, height: int) -> bytes:
    """Return a PNG of one colour, small however many pixels it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = b"\0" * (1 + (width + 7) // 8)
    pixels = zlib.compressobj()
    data = b"".join([*(pixels.compress(row) for _ in range(height)), pixels.flush()])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def screen(file: str | None = "screens/000.png", **fields: Any) -> dict[str, Any]:
    sizes = {"width_px": 64, "height_px": 64, "device_width": 64, "device_height": 64}
    return {"file": file, "name": "s", **sizes, **fields}


def first(**fields: Any) -> dict[str, Any]:
    return {
        "type": "episode",
        "format": 1,
        "eyehand": "0",
        "started_at": "now",
        "task": "t",
        "spec": LINE,
        "seed": 1,
        "policy": {"name": "p"},
        "max_steps": 3,
        **fields,
    }


def step(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "step", "index": index, "screen": screen(), **fields}


def outcome(**fields: Any) -> dict[str, Any]:
    return {"type": "outcome", "outcome": "claimed", "steps": 1, "seconds": 1.0, **fields}


def write_lines(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def episode(folder: Path, *lines: dict[str, Any]) -> Path:
    """Write an episode's folder, with one screen."""
    (folder / "screens").mkdir(parents=True)
    (folder / "screens" / "000.png").write_bytes(png(64, 64))
    write_lines(folder / "episode.jsonl", list(lines) or [first(), step(), outcome()])
    return folder


def row(index: int = 0, **fields: Any) -> dict[str, Any]:
    ours = {"index": index, "spec": LINE, "seed": 1_000_000 + index, "task": "t"}
    return {**ours, "outcome": "failed", **fields}


def evaluation(folder: Path, *rows: dict[str, Any], **plan: Any) -> Path:
    """Write an evaluation's folder."""
    folder.mkdir(parents=True)
    write_lines(folder / "episodes.jsonl", list(rows))
    if plan:
        (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def begun(folder: Path, **changed: Any) -> Path:
    """Write an evaluation of the command's own that has not run an episode, its plan changed."""
    words = ["eval", LINE, "--policy", "random", "--episodes", "1", "--max-steps", "2"]
    assert main([*words, "--out", str(folder)]) == 0
    plan = json.loads((folder / "plan.json").read_text())
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "plan.json").write_text(json.dumps({**plan, **changed}))
    (folder / "episodes.jsonl").write_text("")
    return folder


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on standard error: no traceback, no class of an exception."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("eyehand:")]
    assert len(lines) == 1
    assert "Traceback" not in lines[0]
    return lines[0]
