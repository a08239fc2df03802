"""A user's own prompt in the place of a dialect's: a text with fields, as models publish theirs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.errors import UsageError

LARGEST_PROMPT_BYTES = 200_000
_FIELD = re.compile(r"\{([a-z_]{1,20})\}")


@dataclass(frozen=True)
class OwnPrompt:
    """A prompt whose fields are filled in for each episode.

    All other braces stay as they are: published prompts are full of JSON.

    Attributes:
        text: What the file holds.
        fields: What may stand between braces, with what it becomes. `task` and `instruction` are
            the same.
    """

    text: str

    fields: ClassVar[dict[str, str]] = {
        "task": "what to do",
        "instruction": "what to do",
        "actions": "the names of the permitted actions",
        "language": "English",
        "width": "width of the screen as the model sees it, in pixels",
        "height": "its height",
    }

    @property
    def has_task(self) -> bool:
        """Whether the task stands in it."""
        return any(name in ("task", "instruction") for name in _FIELD.findall(self.text))

    def filled(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Return the text with its fields filled in.

        Args:
            task: What to do, without marks and control tokens.
            space: The permitted actions.
            size_px: Width and height of the screen as the model sees it.
        """
        width, height = map(str, size_px)
        values = {
            "task": task, "instruction": task, "actions": ", ".join(space.names),
            "language": "English", "width": width, "height": height,
        }  # fmt: skip
        return _FIELD.sub(lambda field: values.get(field[1], field[0]), self.text)


def read_prompt(path: str | Path) -> OwnPrompt:
    """Read a prompt from a file.

    Raises:
        UsageError: there is no such file, it is too large, or it is no text in UTF-8.
    """
    file = Path(path).expanduser()
    try:
        if not file.is_file():
            raise UsageError(f"--prompt {path}: there is no such file")
        with file.open("rb") as opened:
            data = opened.read(LARGEST_PROMPT_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompt {path} cannot be read as text: {error}") from None
    if len(data) > LARGEST_PROMPT_BYTES:
        raise UsageError(f"--prompt {path}: expected at most {LARGEST_PROMPT_BYTES:,} bytes")
    if not text.strip():
        raise UsageError(f"--prompt {path} is empty")
    return OwnPrompt(text.strip("\n"))
