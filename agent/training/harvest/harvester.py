"""Harvests documents from web pages: views by chance, and questions about what stands on them."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyehand.agent.training.collect import SHARD_DOCUMENTS
from eyehand.agent.training.demonstrations import TRAINING_SEEDS
from eyehand.agent.training.harvest.pages import EXPECTED, NamedPage, find_pages
from eyehand.agent.training.harvest.questions import questions
from eyehand.agent.training.harvest.views import NoView, View, look
from eyehand.errors import EnvironmentFault, StartUnreachable, UsageError
from eyehand.model.training.documents import SHARD_SUFFIX, Document, ShardWriter
from eyehand.model.training.screens import OPENING, as_branch

SIZES_PX = ((224, 280), (224, 280), (336, 280), (280, 392), (448, 336))
"""Widths and heights of the windows, in multiples of 28; the embedded model sees them unscaled."""
FROM_THE_TOP = 0.25
"""Share of the views that are not scrolled."""
MOST_TRIES = 40
"""Views that are looked at for one document."""

_LOG = logging.getLogger(__name__)


@dataclass
class Harvested:
    """What was found.

    Attributes:
        documents: How many documents.
        pages: Pages that gave one.
        skipped: Pages that gave none, by the reason.
        passed_over: Views that are no training screen, by the reason.
        characters: Characters on all screens.
        questions: Questions by kind.
    """

    documents: int = 0
    pages: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    questions: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return the counts, ready for JSON."""
        counted = {"documents": self.documents, "pages": len(self.pages)}
        return {
            **counted,
            "skipped": dict(self.skipped),
            "views_passed_over": dict(self.passed_over),
            "characters": self.characters,
            "questions": dict(self.questions),
        }


class Harvester:
    """Makes documents of pages; document n is a function of the seed and n.

    Args:
        pages: The pages.
        seed: 0 to 999,999.

    Attributes:
        found: What was found so far.

    Raises:
        UsageError: the seed is kept for evaluation.
    """

    def __init__(self, pages: Sequence[NamedPage], seed: int = 0) -> None:
        _check_seed(seed)
        self._pages, self._seed = pages, seed
        self._failed: set[NamedPage] = set()
        self.found = Harvested()

    def document(self, number: int) -> Document:
        """Return document `number`: the first view of its row that shows words.

        Raises:
            UsageError: every page failed, or no view was found.
        """
        _check_seed(number)
        draw = random.Random(f"harvest/{self._seed}/{number}")
        for _ in range(MOST_TRIES):
            # A page that failed is drawn like the others, so that all else is drawn as before.
            page, size = draw.choice(self._pages), draw.choice(SIZES_PX)
            scrolled = max(0.0, draw.uniform(-FROM_THE_TOP, 1 - FROM_THE_TOP) / (1 - FROM_THE_TOP))
            view = None if page in self._failed else self._view(page, size, scrolled)
            if view is not None:
                return self._document(page, number, view, draw)
            if len(self._failed) == len(self._pages):
                raise UsageError(
                    f"no page could be harvested ({_told(self.found.skipped)}); {EXPECTED}"
                )
        counts = _told(self.found.skipped + self.found.passed_over)
        raise UsageError(f"{MOST_TRIES} views in a row were no training screens ({counts})")

    def _view(self, page: NamedPage, size: tuple[int, int], scrolled: float) -> View | None:
        """Look at a page; None where it failed, or the view is none."""
        try:
            return look(page, size, scrolled)
        except NoView as no_view:
            if not no_view.is_final:
                self.found.passed_over[no_view.reason] += 1
                return None
            self._skip(page, no_view.reason, str(no_view))
        except StartUnreachable as fault:
            self._skip(page, "unreachable", str(fault))
        except EnvironmentFault as fault:
            self._skip(page, "failed", str(fault))
        return None

    def _skip(self, page: NamedPage, reason: str, told: str) -> None:
        _LOG.warning("%s is skipped: %s", page.name, told)
        self._failed.add(page)
        self.found.skipped[reason] += 1

    def _document(self, page: NamedPage, number: int, view: View, draw: random.Random) -> Document:
        asked = questions(view, draw)
        characters = [character for word in view.words for character in word.characters]
        self.found.documents += 1
        self.found.pages.add(page.url)
        self.found.characters += len(characters)
        self.found.questions.update(kind for kind, _, _ in asked)
        return Document(
            source=f"page:{page.name}",
            seed=number,
            trunk=list(OPENING),
            branches=[as_branch(question, answer) for _, question, answer in asked],
            images=[view.pixels],
            characters=[characters],
        )


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in counts.items())


def _check_seed(seed: int) -> None:
    if seed not in TRAINING_SEEDS:
        raise UsageError(
            f"seed {seed} is outside the training seeds 0 to 999,999; the others are kept for "
            "evaluation"
        )


def harvest(
    named: Collection[str], out: Path, count: int, seed: int = 0,
    progress: Callable[[int], None] = lambda harvested: None,
) -> Harvested:  # fmt: skip
    """Write `count` documents of web pages to shards in `out`.

    Args:
        named: Folders of HTML files, HTML files, and addresses.
        out: The folder of the shards; made when it is missing.
        count: How many documents.
        seed: 0 to 999,999; shards of other seeds may lie beside these.
        progress: Called with the number of documents so far.

    Raises:
        UsageError: the seed is kept for evaluation, or no page can be harvested.
    """
    pages, missing = find_pages(named)
    harvester = Harvester(pages, seed)
    if missing:
        harvester.found.skipped["missing"] = len(missing)
    if not pages:
        raise UsageError(f"no page in {', '.join(missing)}; {EXPECTED}")
    out.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, SHARD_DOCUMENTS):
        numbers = range(first, min(first + SHARD_DOCUMENTS, count))
        documents = map(harvester.document, numbers)
        _write(out / f"harvest-{seed:06d}-{first:06d}{SHARD_SUFFIX}", numbers, documents, progress)
    return harvester.found


def _write(
    path: Path, numbers: range, documents: Iterator[Document], progress: Callable[[int], None]
) -> None:
    shard = ShardWriter(path)
    try:
        for number, document in zip(numbers, documents, strict=True):
            shard.add(document)
            progress(number + 1)
    except BaseException:
        shard.discard()  # Ctrl-C, too, leaves complete shards only
        raise
    shard.close()
