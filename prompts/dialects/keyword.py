"""The paper's keyword pattern (arXiv 2409.12191, section 2.2.1), with our own prompts.

The embedded model is asked in it, briefly and with the newest screen only.
"""

from collections.abc import Sequence
from typing import ClassVar

from eyehand.actions import ActionSpace
from eyehand.actions.codecs.codec import Codec
from eyehand.actions.codecs.keyword import KeywordCodec
from eyehand.prompts.conversation import MOST_EARLIER, call_words
from eyehand.prompts.dialects.dialect import Dialect, Message, Picture, Turn
from eyehand.prompts.render import render_brief, render_system, render_task


class Keyword(Dialect):
    """Screens and results follow each other, in turns of the user where a chat is asked for.

    Args:
        language: Of the prompts, "en" or "zh".
        mark: What surrounds the keywords.
        brief: Whether the system prompt only names the actions.
        newest_only: Whether the model sees the newest screen, with the last calls as text.
    """

    name: ClassVar[str] = "keyword"
    about: ClassVar[str] = "Qwen2-VL as its paper has it, and the embedded model"
    window: ClassVar[int | None] = None
    in_one_turn: ClassVar[bool] = True
    """Whether results and further calls stand in the model's first turn, as it was trained."""

    def __init__(
        self, language: str = "en", mark: str = "✿", brief: bool = False, newest_only: bool = False
    ) -> None:
        self.language, self.mark, self.brief, self.newest_only = language, mark, brief, newest_only
        self.codec: Codec = self.make_codec()

    def make_codec(self) -> Codec:
        """Return the grammar of the calls."""
        return KeywordCodec(self.mark)

    def pictures(self, turns: Sequence[Turn]) -> range:
        """Return the steps whose screens are shown."""
        return range(len(turns) - 1 if self.newest_only else 0, len(turns))

    def messages(self, task: str, space: ActionSpace, turns: Sequence[Turn]) -> list[Message]:
        """Begin with the first screen and the task; each result is a turn of the user."""
        system = Message("system", (self.rules(task, space, turns[-1].size_px),))
        if self.newest_only:
            acted = [turn.action for turn in turns[:-1] if turn.action is not None]
            told = [self.codec.neutral(call_words(action)) for action in acted[-MOST_EARLIER:]]
            words = self._task(task, turns[-1].said, told)
            return [system, Message("user", (Picture(len(turns) - 1), words))]
        chat = [system, Message("user", (Picture(0), self._task(task, turns[0].said, ())))]
        for step, turn in enumerate(turns):
            if step:
                said = self.codec.neutral(turn.said)
                result = self.result(Picture(step), said)
                chat.append(Message("user", (*result,), continues=self.in_one_turn))
            if turn.answer is not None:
                chat.append(Message("assistant", (turn.answer,)))
        return chat

    def result(self, screen: Picture, said: str) -> tuple[str | Picture, ...]:
        """Return a result between the keywords."""
        return (
            f"{self.mark}RESULT{self.mark}: ", screen, said, f"\n{self.mark}RETURN{self.mark}: ",
        )  # fmt: skip

    def own_rules(self, task: str, space: ActionSpace, size_px: tuple[int, int]) -> str:
        """Describe the actions, or only name them."""
        if self.brief:
            return render_brief(space)
        return render_system(space, self.codec.name, self.language, self.mark)

    def _task(self, task: str, said: str, told: Sequence[str]) -> str:
        neutral = self.codec.neutral
        return render_task(neutral(task), neutral(said), self.language, told)


DIALECT = Keyword
