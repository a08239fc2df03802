"""Where training documents come from: document n of a source is a function of the source and n.

So a run that was interrupted goes on with the documents that it would have had, and any document
can be looked at again.
"""

import random
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from eyehand.errors import UsageError
from eyehand.model.training.documents import Document, documents_by_source


class DocumentSource(Protocol):
    """Gives documents by number."""

    def document(self, number: int) -> Document:
        """Return document `number`, from 0, without end."""
        ...


class ShardSource:
    """The documents of a folder's shards, drawn at random with replacement.

    First the source is drawn, then one of its documents, so that long episodes do not crowd out
    short ones.

    Args:
        folder: The shards; those that appear later are not seen.
        seed: Fixes which document each number is.
        only: Sources of documents to take; all where it is empty.
        weights: Share of a source beside the others, 1 where it is not named.

    Raises:
        UsageError: the folder holds no shard, none of the sources, or all weigh nothing.
    """

    def __init__(
        self, folder: Path, seed: int, only: Collection[str] = (),
        weights: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self._seed = seed
        found = documents_by_source(folder)
        self._places = {name: found[name] for name in found if not only or name in only}
        if not self._places:
            raise UsageError(f"{folder} holds no document of {', '.join(sorted(only))}")
        self._names = sorted(self._places)
        self._shares = [(weights or {}).get(name, 1.0) for name in self._names]
        if not any(self._shares):
            raise UsageError(f"all documents in {folder} have the weight 0: nothing is left")

    def __len__(self) -> int:
        """Return the number of different documents."""
        return sum(map(len, self._places.values()))

    def document(self, number: int) -> Document:
        """Return the document that `number` stands for."""
        draw = random.Random(f"shards/{self._seed}/{number}")
        source = draw.choices(self._names, self._shares)[0]
        shard, index = draw.choice(self._places[source])
        return shard.document(index)


class Mixture:
    """Documents of several sources, each by its share.

    Args:
        sources: Each source with its share, above 0.
        seed: Fixes which source each number comes from.
    """

    def __init__(self, sources: Mapping[DocumentSource, float], seed: int) -> None:
        self._sources, self._shares = list(sources), list(sources.values())
        self._seed = seed

    def document(self, number: int) -> Document:
        """Return document `number`: document `number` of the source that is drawn for it."""
        drawn = random.Random(f"mixture/{self._seed}/{number}").choices(self._sources, self._shares)
        return drawn[0].document(number)
