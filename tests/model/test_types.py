"""What a type checker says to somebody who imports `eyehand.model`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import eyehand.model

SOURCES = Path(__file__).resolve().parents[2] / "src"
GROUND = """from eyehand.model import Qwen2VL
model = Qwen2VL.load("a folder")
reveal_type(model.ground)
"""


def revealed(folder: Path, program: str) -> list[str]:
    """Return what mypy reveals in a file that stands in an empty folder."""
    file = folder / "program.py"
    file.write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", file.name]
    environment = os.environ | {"MYPYPATH": str(SOURCES)}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return re.findall(r'Revealed type is "(.*)"', ended.stdout)


def test_every_public_name_of_the_model_has_its_type(tmp_path: Path) -> None:
    names = eyehand.model.__all__
    lines = [f"reveal_type({name})" for name in names]
    program = GROUND + f"from eyehand.model import {', '.join(names)}\n" + "\n".join(lines)
    ground, *types = revealed(tmp_path, program)
    assert ground == (
        "def (description: str, image: numpy.ndarray[tuple[Any, ...], "
        "numpy.dtype[numpy.unsignedinteger[numpy._typing._nbit_base._8Bit]]] | PIL.Image.Image, "
        "*, max_new_tokens: int =) -> list[eyehand.model.inference.grounding.Box]"
    )
    assert len(types) == len(names)
    assert "Any" not in types
    assert all(getattr(eyehand.model, name) is not None for name in names)
