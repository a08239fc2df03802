"""Drawn screens with questions about what stands where: the first stage of training.

Pointing has to be learned before tasks can be: the network's positions are relative, so it must
find out for itself where on the screen a token lies. Drawn screens are unlimited, need no browser
and answer a dozen questions each. The questions and answers are short, so that almost every token
that is learned is a coordinate.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eyehand.model.training.documents import Document, Part

SIZE = (224, 280)
"""Width and height in pixels: those of a MiniWoB screen."""

COLORS = (
    "red", "blue", "olive", "lime", "black", "grey", "purple", "orange", "yellow", "cyan",
    "pink", "magenta", "green", "aqua",
)  # fmt: skip
FONTS = ("LiberationSans-Regular.ttf", "DejaVuSans.ttf")
ORDINALS = ("1st", "2nd", "3rd", "4th", "5th")

MOST_ITEMS = 14
_BAR_HEIGHT = 66
_MARGIN = 3
_TRIES = 60
_OPEN = (Part("template", "<|im_start|>user\n"), Part("screen", screen=0))
_ASK_END = Part("template", "<|im_end|>\n<|im_start|>assistant\n")
_ANSWER_END = Part("template", "<|im_end|>", learned=True)

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Item:
    """Something on a drawn screen.

    Attributes:
        name: What it is called in a question.
        box: Left, top, right and bottom in pixels.
        ordered: Whether it is asked for by its place from the top among its kind.
    """

    name: str
    box: Box
    ordered: bool = False


class Screen:
    """A screen on which items are placed where there is room.

    Args:
        generator: Source of randomness.
        words: Words to write on buttons and pages.
    """

    def __init__(self, generator: random.Random, words: list[str]) -> None:
        self.generator = generator
        self.words = words
        self.image = Image.new("RGB", SIZE, "white")
        self.draw = ImageDraw.Draw(self.image)
        self.items: list[Item] = []
        if generator.random() < 0.7:
            self.draw.rectangle((0, 0, SIZE[0], _BAR_HEIGHT - 1), fill="#ffff00")
            self.draw.rectangle((213, 0, SIZE[0], SIZE[1]), fill="#555555")
        self._top = _BAR_HEIGHT

    def place(self, width: int, height: int) -> Box | None:
        """Return a free box of that size, or None where the screen is full."""
        for _ in range(_TRIES):
            left = self.generator.randint(2, 212 - width)
            top = self.generator.randint(self._top, SIZE[1] - height - 2)
            box = (left, top, left + width, top + height)
            if not any(_touch(box, item.box) for item in self.items):
                return box
        return None

    def colored_box(self) -> None:
        """Draw a filled box of a named colour."""
        color = self.generator.choice(COLORS)
        side = self.generator.randint(10, 60)
        box = self.place(side, self.generator.randint(10, 60))
        if box:
            self.draw.rectangle(box, fill=color, outline="black")
            self.items.append(Item(f"the {color} box", box))

    def button(self) -> None:
        """Draw a button with a word on it."""
        word, font = self._word(self.generator.choice((13, 15, 18)))
        left, top, right, bottom = (round(n) for n in font.getbbox(word))
        width, height = right - left + self.generator.randint(8, 22), bottom - top + 12
        box = self.place(min(width, 200), height)
        if box:
            self.draw.rounded_rectangle(box, 3, fill="#efefef", outline="#767676")
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            self.draw.text(middle, word, fill="black", font=font, anchor="mm")
            self.items.append(Item(f'the button "{word}"', box))

    def word(self) -> None:
        """Write a word, now and then as a link."""
        word, font = self._word(self.generator.choice((12, 13, 14)))
        left, top, right, bottom = (round(n) for n in font.getbbox(word))
        box = self.place(min(right - left + 2, 200), bottom - top + 3)
        if box:
            link = self.generator.random() < 0.5
            color = "#0000ff" if link else "black"
            self.draw.text((box[0] - left, box[1] - top), word, fill=color, font=font)
            if link:
                self.draw.line((box[0], box[3], box[2], box[3]), fill=color)
            self.items.append(Item(f'the word "{word}"', box))

    def field(self) -> None:
        """Draw an empty text field."""
        box = self.place(self.generator.randint(60, 165), self.generator.randint(16, 26))
        if box:
            self.draw.rectangle(box, fill="white", outline="#767676")
            self.items.append(Item("field", box, ordered=True))

    def mark(self) -> None:
        """Draw a check box or a radio button."""
        side = self.generator.randint(12, 17)
        box = self.place(side, side)
        if box:
            round_one = self.generator.random() < 0.5
            shape = self.draw.ellipse if round_one else self.draw.rectangle
            shape(box, fill="white", outline="#767676")
            self.items.append(Item("radio button" if round_one else "checkbox", box, ordered=True))

    def _word(self, size: int) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
        word = self.generator.choice(self.words)
        if self.generator.random() < 0.4:
            word = word.capitalize()
        return word, _font(self.generator.choice(FONTS), size)

    def questions(self) -> list[tuple[str, Box]]:
        """Return what can be asked: names that only one item has, and places in an order."""
        names = [item.name for item in self.items]
        asked = [(f"Where is {i.name}?", i.box) for i in self.items if names.count(i.name) == 1]
        for kind in {item.name for item in self.items if item.ordered}:
            boxes = sorted((i.box for i in self.items if i.name == kind), key=lambda box: box[1])
            named = zip(ORDINALS, boxes, strict=False)
            asked += [(f"Where is the {ordinal} {kind}?", box) for ordinal, box in named]
        return asked


def synthetic_documents(seed: int, words: list[str], items_every: int = 0) -> Iterator[Document]:
    """Yield drawn documents for ever.

    Args:
        seed: Fixes them.
        words: Words to write on the screens.
        items_every: For a start from nothing: the first screens hold one item, and one more is
            permitted after each so many documents. 0 begins with full screens.
    """
    generator = random.Random(seed)
    count = 0
    while True:
        most = 1 + count // items_every if items_every else MOST_ITEMS
        document = _document(Screen(generator, words), generator, count, min(most, MOST_ITEMS))
        count += 1
        if document.branches:
            yield document


def _document(screen: Screen, generator: random.Random, number: int, most: int) -> Document:
    kinds: list[Callable[[], None]] = [
        screen.colored_box, screen.button, screen.button, screen.word, screen.word, screen.field,
        screen.mark,
    ]  # fmt: skip
    chosen = generator.sample(kinds, generator.randint(1, 4))
    for _ in range(generator.randint(min(2, most), most)):
        generator.choice(chosen)()
    return Document(
        source="synthetic",
        seed=number,
        trunk=list(_OPEN),
        branches=[_branch(question, box) for question, box in screen.questions()],
        images=[np.asarray(screen.image, dtype=np.uint8)],
    )


def _branch(question: str, box: Box) -> list[Part]:
    x = round((box[0] + box[2]) / 2 / SIZE[0] * 100) * 10
    y = round((box[1] + box[3]) / 2 / SIZE[1] * 100) * 10
    answer = Part("plain", f"[{x}, {y}]", learned=True)
    return [Part("plain", question), _ASK_END, answer, _ANSWER_END]


def _touch(a: Box, b: Box) -> bool:
    apart = a[2] + _MARGIN < b[0] or b[2] + _MARGIN < a[0]
    return not (apart or a[3] + _MARGIN < b[1] or b[3] + _MARGIN < a[1])


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of the system, or Pillow's own where the system has none of that name."""
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return ImageFont.load_default(size)
