"""GUI-Owl 1.5 (Qwen3-VL): the tool of Qwen3-VL, an `Action:` line before the call, five screens.

Source: X-PLUG/MobileAgent, Mobile-Agent-v3.5. GUI-Owl 7B and 32B, which are Qwen2.5-VL's, answer
in the dialect `qwen2.5-vl`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.actions.codecs.verbs import Verb, verb
from eyehand.actions.codecs.writing import clean_thought
from eyehand.prompts.dialects.dialect import Message, Picture, PictureBounds, Turn, told_steps
from eyehand.prompts.dialects.function_call import (
    MEANINGS,
    FunctionCallCodec,
    FunctionCallDialect,
)


class GuiOwlCodec(FunctionCallCodec):
    """Also `interact`, which asks the user."""

    name: ClassVar[str] = "gui-owl"
    verbs: ClassVar[tuple[Verb, ...]] = (
        *FunctionCallCodec.verbs,
        verb("interact", "finish", {"text": "message"}, means={"status": "failure"}, shown="text"),
    )

    def with_thought(self, call: str, thought: str) -> str:
        """Write what is done on the `Action:` line."""
        plain = " ".join(clean_thought(thought).split())
        return f"Action: {plain}\n{call}" if plain else call


class GuiOwl(FunctionCallDialect):
    """Past the window, what was done is told in words."""

    name: ClassVar[str] = "gui-owl"
    about: ClassVar[str] = "GUI-Owl 1.5 (Qwen3-VL)"
    window: ClassVar[int | None] = 5
    bounds: ClassVar[PictureBounds] = PictureBounds(32, 4 * 32 * 32, 16384 * 32 * 32)
    thinks: ClassVar[str] = "Write Action: and the step in a short imperative, then the tool call."
    meanings: ClassVar[Mapping[str, str]] = {**MEANINGS, "interact": "ask the user"}

    def __init__(self) -> None:
        self.codec = GuiOwlCodec()

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Show the newest screens in turns of their own, with the answers between."""
        neutral, shown = self.codec.neutral, self.pictures(turns)
        told = told_steps(turns)[: shown.start]
        past = " ".join(f"Step{n}: {neutral(step)}." for n, step in enumerate(told, 1))
        first = (
            f"Please generate the next move for the instruction and the actions so far.\n\n"
            f"Instruction: {neutral(task)}\n\nPrevious actions:\n{past or 'No previous action.'}"
        )
        chat = [Message("system", (self.rules(task, space, turns[-1].size_px),))]
        for step in shown:
            said = neutral(turns[step].said)
            words = "\n".join(part for part in (first if step == shown.start else "", said) if part)
            chat.append(Message("user", (*([words] if words else []), Picture(step))))
            answer = turns[step].answer
            if answer is not None:
                chat.append(Message("assistant", (answer,)))
        return chat


DIALECT = GuiOwl
