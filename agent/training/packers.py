"""Processes that draw, read and encode documents and pack them for the pools of a run.

Each one takes every n-th page, text, screen and shard, so that together they make each once.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from eyehand.agent.training.survey import Grid, grid_of, some_branches
from eyehand.agent.training.texts.copying import SOURCE, CopyingTexts
from eyehand.agent.training.texts.wordings import in_other_words
from eyehand.model.inputs.image_settings import ImageSettings
from eyehand.model.qwen2vl.config import Qwen2VLConfig
from eyehand.model.training.batching import Encoder
from eyehand.model.training.documents import Document, Shard
from eyehand.model.training.packing import Packed, Size, pack, pack_page
from eyehand.model.training.pages import draw_page, word_lists
from eyehand.model.training.reading import PAGE_SIZES_PX
from eyehand.model.training.screens import DrawnScreens

PAGE_PX = PAGE_SIZES_PX[0]
DRAWN_PX = (224, 280)
"""Width and height of drawn screens, those of a MiniWoB screen."""
PAGE_SOURCE = "page"

_IN_A_PORTION = 16


@dataclass(frozen=True)
class PackingPlan:
    """What a run's packers make together.

    Attributes:
        seed: Of all that is drawn.
        shards: Demonstrations.
        weights: Sources of weight 0 are left out.
        screens: Sizes of screens by their grids.
        page: Size of the pages.
        text: Size of the texts.
        pages: How many pages.
        texts: How many texts.
        drawn: How many drawn screens.
        other_words: Share of the demonstrations' instructions that are said otherwise, 0 to 1.
    """

    seed: int
    shards: Sequence[Path]
    weights: Mapping[str, float]
    screens: Mapping[Grid, Size]
    page: Size
    text: Size
    pages: int
    texts: int
    drawn: int
    other_words: float = 0.0


@dataclass(frozen=True)
class Portion:
    """Packed documents of one size, and where each comes from."""

    size: Size
    documents: list[Packed]
    sources: list[str]


@dataclass(frozen=True)
class PackerNotice:
    """What a packer says beside its portions.

    Attributes:
        read: It has sent all its demonstrations.
        ended: It has sent everything.
        failure: What went wrong; empty for nothing.
    """

    read: bool = False
    ended: bool = False
    failure: str = ""


class Packer:
    """Makes one process's part of a packing plan.

    Args:
        packing: What all of them make.
        encoder: Encodes documents.
        settings: How the model sees a screen.
        config: The model's.
        index: This one's number, from 0.
        count: How many there are.
    """

    def __init__(
        self, packing: PackingPlan, encoder: Encoder, settings: ImageSettings,
        config: Qwen2VLConfig, index: int = 0, count: int = 1,
    ) -> None:  # fmt: skip
        self._packing, self._encoder = packing, encoder
        self._settings, self._config = settings, config
        self._index, self._count = index, count
        self._draw = random.Random(f"packer/{packing.seed}/{index}")
        self._texts = CopyingTexts(packing.seed)
        self._screens = DrawnScreens(packing.seed, (DRAWN_PX,))

    def all(self) -> Iterator[Portion | PackerNotice]:
        """Yield some of each kind, then pages, demonstrations, and what is left to be drawn."""
        pages = self._pages(self._numbers(self._packing.pages))
        texts = self._drawn_texts(self._numbers(self._packing.texts))
        screens = self._drawn_screens(self._numbers(self._packing.drawn))
        for kind in (pages, texts, screens):
            yield from (portion for portion in (next(kind, None),) if portion)
        yield from pages
        yield from self._demonstrations()
        yield PackerNotice(read=True)
        for portion in screens:
            yield portion
            yield from (text for text in (next(texts, None),) if text)
        yield from texts
        yield PackerNotice(ended=True)

    def _numbers(self, total: int) -> Iterator[range]:
        """Yield this process's numbers out of so many, some at a time."""
        step = _IN_A_PORTION
        for first in range(self._index * step, total, self._count * step):
            yield range(first, min(first + step, total))

    def _pages(self, numbers: Iterator[range]) -> Iterator[Portion]:
        words, _ = word_lists()
        for some in numbers:
            pages = [draw_page(self._packing.seed, number, PAGE_PX, words) for number in some]
            packed = [pack_page(page, self._config.vision) for page in pages]
            yield Portion(self._packing.page, packed, [PAGE_SOURCE] * len(packed))

    def _drawn_texts(self, numbers: Iterator[range]) -> Iterator[Portion]:
        for some in numbers:
            packed = [self._packed(self._texts.document(n), self._packing.text) for n in some]
            fitting = [document for document in packed if document is not None]
            if fitting:
                yield Portion(self._packing.text, fitting, [SOURCE] * len(fitting))

    def _drawn_screens(self, numbers: Iterator[range]) -> Iterator[Portion]:
        for some in numbers:
            yield from self._portions(self._screens.document(number) for number in some)

    def _demonstrations(self) -> Iterator[Portion]:
        for path in self._packing.shards[self._index :: self._count]:
            shard = Shard(path)
            kept = (
                index
                for index, source in enumerate(shard.sources())
                if self._packing.weights.get(source, 1.0) > 0
            )
            share = self._packing.other_words
            told = (in_other_words(shard.document(index), share, self._draw) for index in kept)
            yield from self._portions(told)
            shard.close()

    def _portions(self, documents: Iterator[Document]) -> Iterator[Portion]:
        """Pack documents, and yield them by their size; those of other sizes are left out."""
        waiting: dict[Size, Portion] = {}
        for document in documents:
            encoded = self._encoder.encode(some_branches(document, self._draw))
            grid = grid_of(encoded)
            size = None if grid is None else self._packing.screens.get(grid)
            packed = size and pack(encoded, size, self._settings, self._config.image_token_id)
            if not size or not packed:
                continue
            portion = waiting.setdefault(size, Portion(size, [], []))
            portion.documents.append(packed)
            portion.sources.append(document.source)
            if len(portion.documents) == _IN_A_PORTION:
                yield waiting.pop(size)
        yield from waiting.values()

    def _packed(self, document: Document, size: Size) -> Packed | None:
        encoded = self._encoder.encode(some_branches(document, self._draw))
        return pack(encoded, size, self._settings, self._config.image_token_id)


def work(packer: Packer, connection: Connection) -> None:
    """Send all that a packer makes; the whole life of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(5)
    torch.set_num_threads(1)
    try:
        for message in packer.all():
            connection.send(message)
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody listens any more
    except Exception as error:
        connection.send(PackerNotice(failure=str(error) or "it gave no reason"))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
