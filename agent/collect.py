"""Collects demonstrations from every source into shards of training documents."""

import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from eyehand.agent.demonstrations import (
    TRAINING_SEEDS,
    DocumentWriter,
    miniwob_document,
    number_line_document,
)
from eyehand.agent.experts import miniwob as miniwob_expert
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Environment
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import UsageError
from eyehand.model.training.documents import SHARD_SUFFIX, Document, ShardWriter

SHARD_DOCUMENTS = 400

WEIGHTS: dict[str, float] = {
    "cards:number-line": 0.8,
    "miniwob:click-button": 2.0,
    "miniwob:click-collapsible-nodelay": 0.5,
    "miniwob:click-color": 1.0,
    "miniwob:click-dialog": 0.6,
    "miniwob:click-dialog-2": 1.0,
    "miniwob:click-link": 1.2,
    "miniwob:click-shape": 1.0,
    "miniwob:click-tab": 0.4,
    "miniwob:click-test": 0.4,
    "miniwob:click-test-2": 1.2,
    "miniwob:click-widget": 1.3,
    "miniwob:count-sides": 0.8,
    "miniwob:drag-box": 0.6,
    "miniwob:enter-text": 0.8,
    "miniwob:focus-text": 0.4,
    "miniwob:focus-text-2": 1.0,
    "miniwob:grid-coordinate": 0.4,
    "miniwob:identify-shape": 1.0,
}
"""The embedded model's sources, by the share of documents that each gets."""


def sources() -> list[str]:
    """Return the environments whose experts' demonstrations can be collected, in order."""
    pages = [f"miniwob:{task}" for task in miniwob_expert.EXPERT_TASKS]
    return sorted([NumberLineEnvironment.spec_uri, *pages])


class Collector:
    """Draws documents from all sources; environments stay open between them.

    Args:
        weights: Source to share of documents.
        first_seed: The first seed; the i-th document gets the i-th seed from there.

    Raises:
        UsageError: a seed lies outside the training seeds, or a source has no expert.
    """

    def __init__(self, weights: dict[str, float], first_seed: int = 0) -> None:
        self._names, self._shares = list(weights), list(weights.values())
        self._generator = random.Random(first_seed)
        self._writer = DocumentWriter()
        self._seed = first_seed
        self._open: dict[str, Environment] = {}

    def documents(self) -> Iterator[Document]:
        """Yield documents for ever; seeds that the expert cannot solve are passed over."""
        while True:
            if self._seed not in TRAINING_SEEDS:
                raise UsageError(
                    f"seed {self._seed} is outside the training seeds 0 to 999,999; the others are "
                    "kept for evaluation"
                )
            source = self._generator.choices(self._names, self._shares)[0]
            document = self._document(source)
            self._seed += 1
            if document is not None:
                yield document

    def close(self) -> None:
        """Close every environment."""
        while self._open:
            self._open.popitem()[1].close()

    def _document(self, source: str) -> Document | None:
        if source not in self._open:
            self._open[source] = _make(source)
        environment = self._open[source]
        if isinstance(environment, NumberLineEnvironment):
            return number_line_document(environment, self._seed, self._writer, self._generator)
        if isinstance(environment, MiniWobEnvironment):
            return miniwob_document(environment, self._seed, self._writer)
        raise UsageError(f"{source} has no expert")


def _make(source: str) -> Environment:
    scheme, _, name = source.partition(":")
    if source == NumberLineEnvironment.spec_uri:
        return NumberLineEnvironment()
    if scheme == "miniwob" and name in miniwob_expert.EXPERT_TASKS:
        environment = MiniWobEnvironment(name)
        miniwob_expert.install(environment)
        return environment
    raise UsageError(f"{source} has no expert; there are: {', '.join(sources())}")


def collect(
    out: Path,
    count: int,
    first_seed: int = 0,
    only: Collection[str] = (),
    progress: Callable[[int], None] = lambda collected: None,
) -> None:
    """Write `count` documents to shards in `out`.

    Args:
        out: The folder of the shards; made when it is missing.
        count: How many documents.
        first_seed: The first training seed; shards of other first seeds may lie beside these.
        only: Sources of `sources()` to take, with a share of 1 where `WEIGHTS` gives none; those
            of `WEIGHTS` where it is empty.
        progress: Called with the number of documents so far.

    Raises:
        UsageError: a seed lies outside the training seeds, or a source has no expert.
    """
    known = sources()
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise UsageError(f"no expert for {', '.join(unknown)}; there are: {', '.join(known)}")
    out.mkdir(parents=True, exist_ok=True)
    collector = Collector({name: WEIGHTS.get(name, 1.0) for name in only or WEIGHTS}, first_seed)
    stream = collector.documents()
    collected = 0
    try:
        while collected < count:
            shard = ShardWriter(out / f"seed-{first_seed:06d}-{collected:06d}{SHARD_SUFFIX}")
            while len(shard) < SHARD_DOCUMENTS and collected < count:
                shard.add(next(stream))
                collected += 1
                progress(collected)
            shard.close()
    finally:
        collector.close()
