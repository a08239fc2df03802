"""The Python of docs/model.md runs as it stands there, with the model that comes along."""

import re
from pathlib import Path
from typing import Any

from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT

PAGE = Path(__file__).resolve().parents[2] / "docs" / "model.md"


def test_the_page_about_the_model_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, Any] = {"CHECKPOINT": EMBEDDED_CHECKPOINT}
    for block in blocks:
        exec(compile(block, "docs/model.md", "exec"), names)  # our own text, not a model's
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in names["places"])
    assert names["count"].text.isdecimal()
    assert names["session"].num_tokens == names["asked"] + len(names["count"].token_ids)
    assert names["other"].cached_tokens < names["asked"] - 60  # the picture's tokens are gone
