"""Drawn screens with questions about what stands where: pointing and reading, without a browser.

Screen n of a seed is a function of the two numbers. Half are pages of text, half hold what forms
and lists are made of: words, links, buttons, fields and boxes with their labels, coloured squares.
Questions and answers are short, so that almost every token that is learned is a coordinate or a
letter.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from eyehand.model.training.characters import ALPHABET, Character
from eyehand.model.training.documents import Document, DocumentPart
from eyehand.model.training.pages import FONTS, Box, draw_page, set_word, text_font, word_lists

SIZES_PX = ((168, 112), (168, 112), (224, 168), (224, 280), (224, 280), (280, 196))
"""Width and height of the screens; 224 x 280 is a MiniWoB++ screen's size."""

COLORS = (
    "red", "blue", "olive", "lime", "black", "grey", "purple", "orange", "yellow", "cyan",
    "pink", "magenta", "green", "aqua",
)  # fmt: skip
ORDINALS = ("1st", "2nd", "3rd", "4th", "5th")
PAGE_SHARE = 0.4
MOST_WORDS = 20
CODE_SHARE = 0.15
"""Share of the texts of a form that no word list helps to read: "5tA8", "xqLw"."""

_TEXT_SIZES_PX = (12, 13, 14, 14, 15, 16, 18)
_BARS = ("#ffff00", "#3366cc", "#f0f0f0", "#dddddd")
_INKS = ("black", "black", "#333333", "#555555")
_FACES = (("#efefef", "black"), ("#efefef", "black"), ("#3366cc", "white"), ("white", "#1a73e8"))
_CODE = ALPHABET[:62]
_MARGIN_PX = 3
_TRIES = 40
OPENING = (DocumentPart("template", "<|im_start|>user\n"), DocumentPart("screen", screen=0))
QUESTION_END = DocumentPart("template", "<|im_end|>\n<|im_start|>assistant\n")
_ANSWER_END = DocumentPart("template", "<|im_end|>", learned=True)

Question = tuple[str, str]
"""What is asked and the answer."""


@dataclass(frozen=True)
class Item:
    """Something on a drawn screen.

    Attributes:
        text: What stands on it or beside it; empty where nothing does.
        box: Where to point: left, top, right, bottom in pixels.
        name: What a question calls it.
        text_box: Where its text stands, where that is not `box`.
    """

    text: str
    box: Box
    name: str
    text_box: Box | None = None


@dataclass(frozen=True)
class DrawnScreen:
    """A drawn screen.

    Attributes:
        kind: "page" or "form".
        image: RGB uint8 (H, W, 3).
        characters: All characters on it.
        items: What can be asked for.
    """

    kind: str
    image: NDArray[np.uint8]
    characters: list[Character]
    items: list[Item]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.shape[1], self.image.shape[0]


class DrawnScreens:
    """Drawn screens by number: a source of training documents.

    Args:
        seed: 0 to 999,999 in training, 1,000,000 to 1,999,999 in evaluation.
        sizes: Widths and heights in pixels to choose from.
        words: What is written; the training words where nothing is named.
        fonts: Names of TrueType fonts of the system.
    """

    def __init__(
        self, seed: int, sizes: Sequence[tuple[int, int]] = SIZES_PX,
        words: Sequence[str] | None = None, fonts: Sequence[str] = FONTS,
    ) -> None:  # fmt: skip
        self._seed, self._sizes, self._fonts = seed, sizes, fonts
        self._words = word_lists()[0] if words is None else words

    def screen(self, number: int) -> "DrawnScreen":
        """Return screen `number`."""
        draw = random.Random(f"screen/{self._seed}/{number}")
        size = draw.choice(self._sizes)
        if draw.random() < PAGE_SHARE:
            page = draw_page(self._seed, number, size, self._words, self._fonts)
            items = [Item(word.text, word.box, "word") for word in page.words]
            return DrawnScreen("page", page.image, page.characters, items)
        form = _Form(draw, size, self._words, self._fonts)
        form.fill()
        image = np.asarray(form.image, dtype=np.uint8)
        return DrawnScreen("form", image, form.characters, form.items)

    def document(self, number: int) -> Document:
        """Return screen `number` with its questions."""
        screen = self.screen(number)
        questions = ask(screen.items, screen.size)
        draw = random.Random(f"questions/{self._seed}/{number}")
        questions += copying(draw, self._words)
        draw.shuffle(questions)
        return Document(
            source=f"drawn:{screen.kind}",
            seed=number,
            trunk=list(OPENING),
            branches=[as_branch(*question) for question in questions],
            images=[screen.image],
            characters=[screen.characters],
        )


def ask(items: Sequence[Item], size: tuple[int, int]) -> list[Question]:
    """Return what can be asked about items whose names or places are clear.

    Args:
        items: What is on the screen.
        size: Its width and height in pixels.
    """
    texts = [item.text.lower() for item in items]
    names = [item.name for item in items]
    questions: list[Question] = []
    for item in items:
        if item.text and texts.count(item.text.lower()) == 1:
            place = point(item.text_box or item.box, size)
            questions.append((f'Where is "{item.text}"?', place))
            questions.append((f"What stands at {place}?", item.text))
            if item.text_box:
                asked = f'Where is the {item.name} "{item.text}"?'
                questions.append((asked, point(item.box, size)))
        if names.count(item.name) == 1 and item.name.endswith("box"):
            questions.append((f"Where is the {item.name}?", point(item.box, size)))
    return questions + _by_order(items, size)


def copying(draw: random.Random, words: Sequence[str]) -> list[Question]:
    """Return what is answered from the question alone: words and codes are written again.

    Typing what an instruction names is this skill, and a screen does not teach it.
    """
    few = [draw.choice(words) for _ in range(draw.randint(1, 3))]
    code = "".join(draw.choice(_CODE) for _ in range(draw.randint(2, 8)))
    lone = draw.choice(words)
    lone = lone.capitalize() if draw.random() < 0.5 else lone
    return [
        (f'Write "{" ".join(few)}".', " ".join(few)),
        (f'Write "{code}".', code),
        (f'Write "{lone}" in capitals.', lone.upper()),
        (f'Write "{lone}" in small letters.', lone.lower()),
    ]


def _by_order(items: Sequence[Item], size: tuple[int, int]) -> list[Question]:
    """Ask for fields and marks by their place from the top."""
    questions = []
    for kind in ("field", "checkbox", "radio button"):
        boxes = sorted((i.box for i in items if i.name == kind), key=lambda box: box[1])
        for ordinal, box in zip(ORDINALS, boxes, strict=False):
            questions.append((f"Where is the {ordinal} {kind}?", point(box, size)))
    return questions


def point(box: Box, size: tuple[int, int]) -> str:
    """Return the middle of a box as an answer writes it: thousandths, in tens."""
    x = round((box[0] + box[2]) / 2 / size[0] * 100) * 10
    y = round((box[1] + box[3]) / 2 / size[1] * 100) * 10
    return f"[{min(max(x, 10), 990)}, {min(max(y, 10), 990)}]"


def as_branch(question: str, answer: str) -> list[DocumentPart]:
    """Return a question about a screen and its answer in words as parts of a document."""
    return [
        DocumentPart("plain", question),
        QUESTION_END,
        DocumentPart("plain", answer, learned=True),
        _ANSWER_END,
    ]


class _Form:
    """A screen on which items are placed where there is room."""

    def __init__(
        self, draw: random.Random, size: tuple[int, int], words: Sequence[str],
        fonts: Sequence[str],
    ) -> None:  # fmt: skip
        self._random, self._words, self._fonts = draw, words, fonts
        self._width, self._height = size
        self.image = Image.new("RGB", size, draw.choice(("white",) * 4 + ("#f0f0f0", "#f8f9fa")))
        self._draw = ImageDraw.Draw(self.image)
        self.items: list[Item] = []
        self.characters: list[Character] = []
        self._taken: list[Box] = []

    def fill(self) -> None:
        """Place items of a few kinds; more on a larger screen."""
        if self._random.random() < 0.4:
            self._bar()
        kinds = (self._word, self._word, self._button, self._button, self._field, self._mark,
                 self._square)  # fmt: skip
        chosen = self._random.sample(kinds, self._random.randint(1, 4))
        most = max(4, round(MOST_WORDS * self._width * self._height / (224 * 280)))
        for _ in range(self._random.randint(2, most)):
            self._random.choice(chosen)()

    def _bar(self) -> None:
        """A coloured bar with a line of text at the top, as an instruction or a title has."""
        size_px, font = self._font()
        color = self._random.choice(_BARS)
        height = size_px * self._random.choice((1.5, 2, 3))
        self._draw.rectangle((0, 0, self._width, height), fill=color)
        ink, x = "white" if color == "#3366cc" else "black", 4.0
        for _ in range(self._random.randint(1, 4)):
            word = self._text()
            if x + font.getlength(word) > self._width - 2:
                break
            box = self._write(word, x, 3.0, size_px, font, ink)
            self.items.append(Item(word, box, "word"))
            x = box[2] + font.getlength(" ")
        self._taken.append((0, 0, self._width, height))

    def _word(self) -> None:
        size_px, font = self._font()
        word = self._text()
        box = self._place(font.getlength(word) + 2, size_px * 1.15)
        if box is None:
            return
        is_link = self._random.random() < 0.4
        ink = "#0000ff" if is_link else self._random.choice(_INKS)
        written = self._write(word, box[0], box[1], size_px, font, ink)
        if is_link:
            self._draw.line((written[0], written[3], written[2], written[3]), fill=ink)
        self.items.append(Item(word, written, "link" if is_link else "word"))

    def _button(self) -> None:
        size_px, font = self._font()
        word = self._text()
        pad_x, pad_y = self._random.randint(3, 14), self._random.randint(1, 6)
        box = self._place(font.getlength(word) + 2 * pad_x, size_px * 1.2 + 2 * pad_y)
        if box is None:
            return
        face, ink = self._random.choice(_FACES)
        self._draw.rounded_rectangle(
            box, self._random.choice((0, 3, 6)), fill=face, outline="#767676"
        )
        self._write(word, box[0] + pad_x, box[1] + pad_y, size_px, font, ink)
        self.items.append(Item(word, box, "button"))

    def _field(self) -> None:
        """A text field, with a label beside or above it, or without; maybe with a text in it."""
        size_px, font = self._font()
        width = self._random.uniform(40, max(41.0, self._width * 0.55))
        label = self._text() if self._random.random() < 0.6 else ""
        beside = self._random.random() < 0.5
        label_px = font.getlength(label) + 4 if label else 0.0
        height = size_px * 1.6
        box = self._place(
            width + label_px if beside else max(width, label_px),
            height if beside or not label else height + size_px * 1.3,
        )
        if box is None:
            return
        left = box[0] + (label_px if beside else 0)
        top = box[3] - height
        field = (left, top, left + width, box[3])
        self._draw.rectangle(field, fill="white", outline="#767676")
        text_box = None
        if label:
            y = top + size_px * 0.2 if beside else box[1]
            text_box = self._write(label, box[0], y, size_px, font, "black")
        self.items.append(Item(label, field, "field", text_box))

    def _mark(self) -> None:
        """A check box or a radio button, most often with a label to its right."""
        size_px, font = self._font()
        label = self._text() if self._random.random() < 0.7 else ""
        side = self._random.randint(10, 16)
        box = self._place(side + 4 + font.getlength(label), max(side, size_px * 1.2))
        if box is None:
            return
        mark = (box[0], box[1], box[0] + side, box[1] + side)
        is_round, is_set = self._random.random() < 0.4, self._random.random() < 0.3
        shape = self._draw.ellipse if is_round else self._draw.rectangle
        shape(mark, fill="#1a73e8" if is_set and not is_round else "white", outline="#767676")
        if is_set and is_round:
            shape((mark[0] + 3, mark[1] + 3, mark[2] - 3, mark[3] - 3), fill="#1a73e8")
        text_box = None
        if label:
            text_box = self._write(label, mark[2] + 4, box[1], size_px, font, "black")
        self.items.append(Item(label, mark, "radio button" if is_round else "checkbox", text_box))

    def _square(self) -> None:
        color = self._random.choice(COLORS)
        box = self._place(self._random.randint(10, 50), self._random.randint(10, 50))
        if box is not None:
            self._draw.rectangle(box, fill=color, outline="black")
            self.items.append(Item("", box, f"{color} box"))

    def _text(self) -> str:
        word = self._random.choice(self._words)
        kind = self._random.random()
        if kind < 0.08:
            return str(self._random.randint(0, 999))
        if kind < 0.08 + CODE_SHARE:
            return "".join(self._random.choices(_CODE, k=self._random.randint(2, 8)))
        return word.capitalize() if kind < 0.55 else word

    def _font(self) -> tuple[int, ImageFont.FreeTypeFont]:
        size_px = self._random.choice(_TEXT_SIZES_PX)
        return size_px, text_font(self._random.choice(self._fonts), size_px)

    def _write(
        self, text: str, x: float, y: float, size_px: int, font: ImageFont.FreeTypeFont, ink: str
    ) -> Box:
        word = set_word(self._draw, text, x, y, font, size_px, ink)
        self.characters += word.characters
        return word.box

    def _place(self, width: float, height: float) -> Box | None:
        """Return a free box of that size, or None where the screen is full."""
        if width > self._width - 4 or height > self._height - 4:
            return None
        for _ in range(_TRIES):
            left = self._random.uniform(2, self._width - width - 2)
            top = self._random.uniform(2, self._height - height - 2)
            box = (left, top, left + width, top + height)
            if not any(_touch(box, taken) for taken in self._taken):
                self._taken.append(box)
                return box
        return None


def _touch(a: Box, b: Box) -> bool:
    apart = a[2] + _MARGIN_PX < b[0] or b[2] + _MARGIN_PX < a[0]
    return not (apart or a[3] + _MARGIN_PX < b[1] or b[3] + _MARGIN_PX < a[1])
