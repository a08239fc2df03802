"""Where training documents come from: document n of a source is a function of the source and n.

So a run that was interrupted goes on with the documents that it would have had, and any document
can be looked at again.
"""

import random
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from eyehand.errors import UsageError
from eyehand.model.training.documents import Document, Shard, shards


class DocumentSource(Protocol):
    """Gives documents by number."""

    def document(self, number: int) -> Document:
        """Return document `number`, from 0, without end."""
        ...


class ShardSource:
    """The documents of a folder's shards, drawn at random with replacement.

    Args:
        folder: The shards; those that appear later are not seen.
        seed: Fixes which document each number is.
        only: Sources of documents to take; all where it is empty.

    Raises:
        UsageError: the folder holds no shard, or none of the sources.
    """

    def __init__(self, folder: Path, seed: int, only: Collection[str] = ()) -> None:
        self._seed = seed
        self._shards = [Shard(path) for path in shards(folder)]
        if not self._shards:
            raise UsageError(f"no shards in {folder}; make some: eyehand train collect")
        self._places = [
            (shard, index)
            for shard in self._shards
            for index in range(len(shard))
            if not only or shard.source(index) in only
        ]
        if not self._places:
            raise UsageError(f"{folder} holds no document of {', '.join(sorted(only))}")

    def __len__(self) -> int:
        """Return the number of different documents."""
        return len(self._places)

    def document(self, number: int) -> Document:
        """Return the document that `number` stands for."""
        shard, index = random.Random(f"shards/{self._seed}/{number}").choice(self._places)
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
