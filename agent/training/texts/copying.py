"""Documents without a screen that teach to write what the instruction names.

Typing a name, a password or a number that stands in the task is one skill, whatever the screen.
It is learned where nothing else has to be: from the instruction alone, with the calls before.
"""

import json
import random
from collections.abc import Callable, Sequence

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.web import WEB_ACTIONS, Click, SelectOption, TypeText
from eyehand.agent.training.demonstrations import DocumentWriter, words_answer
from eyehand.model.training.characters import ALPHABET
from eyehand.model.training.documents import Document, DocumentPart
from eyehand.model.training.pages import word_lists
from eyehand.prompts.conversation import ScreenSlot

SOURCE = "text:copy"
QUESTIONS = 16
"""Questions of a document; each sees the opening and itself."""

_CODE = ALPHABET[:62]
_SPACES = (("click", "type_text", "scroll"), ("click", "scroll"))
_TASKS = 0.55
_SELECTIONS = 0.75
_SELECT = (
    "Select {} from the list and click Submit.",
    "Select {} and click Submit.",
    "Choose {} from the list.",
)

Task = tuple[str, list[Action], str]
"""An instruction, the actions so far, and the text that is to be typed now."""


class CopyingTexts:
    """Instructions whose answer stands in them, by number: a source of training documents.

    Args:
        seed: 0 to 999,999 in training.
        words: What is written; the training words where nothing is named.
    """

    def __init__(self, seed: int, words: Sequence[str] | None = None) -> None:
        self._seed = seed
        self._words = list(word_lists()[0] if words is None else words)
        self._writer = DocumentWriter()
        self._openings = [self._opening(names) for names in _SPACES]

    def document(self, number: int) -> Document:
        """Return document `number`: an opening without a screen, and its questions."""
        draw = _Draw(random.Random(f"text/{self._seed}/{number}"), self._words)
        return Document(
            source=SOURCE,
            seed=number,
            trunk=list(draw.choice(self._openings)),
            branches=[self._branch(draw) for _ in range(QUESTIONS)],
        )

    def _opening(self, names: Sequence[str]) -> list[DocumentPart]:
        by_name = {action.name: action for action in WEB_ACTIONS}
        space = ActionSpace([by_name[name] for name in names])
        pieces = self._writer.layout.opening(space)
        return self._writer.parts([p for p in pieces if not isinstance(p, ScreenSlot)])

    def _branch(self, draw: "_Draw") -> list[DocumentPart]:
        kind = draw.random()
        if kind < _TASKS:
            task, earlier, text = draw.choice(_DRAWN_TASKS)(draw)
            asked = self._writer.parts(self._writer.layout.task(task, "", earlier))
            return [*asked, *self._writer.answer(TypeText(text=text))]
        if kind < _SELECTIONS:
            return self._selection(draw)
        text = draw.text()
        question = self._writer.layout.task(f'Write "{text}".')
        return [*self._writer.parts(question), *words_answer(text)]

    def _selection(self, draw: "_Draw") -> list[DocumentPart]:
        """Ask for an option; where the list lies is given, for there is no screen to see it on."""
        option = draw.option()
        action = SelectOption(point=draw.point(), option=option)
        written = self._writer.layout.codec.write(action, Coordinates())
        place = written.rindex(json.dumps(option, ensure_ascii=False))
        return [
            *self._writer.parts(self._writer.layout.task(draw.choice(_SELECT).format(option))),
            DocumentPart("plain", written[:place]),
            DocumentPart("plain", written[place:], learned=True),
        ]


class _Draw:
    """Words, codes and places by chance."""

    def __init__(self, generator: random.Random, words: Sequence[str]) -> None:
        self._generator, self._words = generator, words
        self._names = [word for word in words if word[0].isupper()] or list(words)
        self.random, self.choice = generator.random, generator.choice
        self.whole = generator.randint

    def word(self) -> str:
        return self.choice(self._words)

    def words(self, least: int, most: int) -> str:
        return " ".join(self.word() for _ in range(self.whole(least, most)))

    def name(self) -> str:
        name = self.choice(self._names)
        return name[:1].upper() + name[1:]

    def code(self, least: int = 2, most: int = 8) -> str:
        return "".join(self.choice(_CODE) for _ in range(self.whole(least, most)))

    def date(self) -> str:
        return f"{self.whole(1, 12):02d}/{self.whole(1, 31):02d}/{self.whole(1990, 2020)}"

    def text(self) -> str:
        """Return what one types into a field."""
        kinds: dict[Callable[[], str], float] = {
            self.code: 0.25,
            self.name: 0.25,
            self.word: 0.15,
            lambda: self.words(2, 4): 0.2,
            lambda: str(self.whole(0, 99_999)): 0.08,
            self.date: 0.06,
            lambda: f"{self.word()} {self.code(1, 4)}": 0.06,
        }
        return self._generator.choices(list(kinds), list(kinds.values()))[0]()

    def option(self) -> str:
        return self.choice((self.name, self.name, self.code, self.word))()

    def point(self) -> Point:
        return Point(x=self.whole(1, 99) / 100, y=self.whole(1, 99) / 100)

    def clicks(self, count: int = 1) -> list[Action]:
        return [Click(point=self.point()) for _ in range(count)]


def _enter(draw: _Draw) -> Task:
    text = draw.text()
    return f'Enter "{text}" into the text field and press Submit.', draw.clicks(), text


def _enter_sentence(draw: _Draw) -> Task:
    text = draw.words(1, 5).capitalize() + "."
    return f'Enter "{text}" and press Submit', draw.clicks(), text


def _enter_password(draw: _Draw) -> Task:
    code = draw.code()
    before = [*draw.clicks(), TypeText(text=code)] if draw.random() < 0.5 else []
    task = f'Enter the password "{code}" into both text fields and press submit.'
    return task, [*before, *draw.clicks()], code


def _log_in(draw: _Draw) -> Task:
    user = draw.choice((draw.name().lower(), draw.code(), draw.name()))
    code = draw.code()
    task = (
        f'Enter the username "{user}" and the password "{code}" into the text fields and '
        "press login."
    )
    if draw.random() < 0.5:
        return task, draw.clicks(), user
    return task, [*draw.clicks(), TypeText(text=user), *draw.clicks()], code


def _forward(draw: _Draw) -> Task:
    sender, reader = draw.name(), draw.name()
    task = f"Find the email by {sender} and forward that email to {reader}."
    return task, draw.clicks(3), reader


def _reply(draw: _Draw) -> Task:
    sender, text = draw.name(), draw.text()
    task = f'Find the email by {sender} and reply to them with the text "{text}".'
    return task, draw.clicks(3), text


def _search(draw: _Draw) -> Task:
    text = draw.text()
    task = (
        f'Use the textbox to enter "{text}" and press "Search", then find and click the '
        f"{draw.whole(1, 9)}th search result."
    )
    return task, draw.clicks(), text


def _type(draw: _Draw) -> Task:
    text = draw.text()
    return f'Type "{text}".', draw.clicks(), text


_DRAWN_TASKS: Sequence[Callable[[_Draw], Task]] = (
    _enter, _enter_sentence, _enter_password, _log_in, _forward, _reply, _search, _type,
)  # fmt: skip
