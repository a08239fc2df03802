"""Collects demonstrations from every environment that has an expert into training documents.

Episodes are not only the expert's own: now and then another action is taken, and the expert says
what follows from there. So the model sees how one gets back from a mistake.
"""

import logging
import random
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from eyehand.actions import Action
from eyehand.agent.experts import expert_for
from eyehand.agent.experts import miniwob as miniwob_expert
from eyehand.agent.policies.base import Conversation, Policy
from eyehand.agent.training.demonstrations import (
    MAX_EXPERT_STEPS,
    TRAINING_SEEDS,
    DocumentWriter,
    Shown,
    rounded,
    still,
)
from eyehand.envs import make
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Environment, Observation
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import EnvironmentFault, ModelFeedback, UsageError
from eyehand.model.training.documents import SHARD_SUFFIX, Document, ShardWriter
from eyehand.model.training.pages import Word
from eyehand.model.training.screens import point
from eyehand.prompts.conversation import observation_words

SHARD_DOCUMENTS = 400
DOCUMENTS_IN_TURN = 10
"""Episodes of a source are played until they gave so many documents; then comes the next source."""
EPISODES_IN_TURN = 12
"""At most so many, where the expert knows no way on."""

_LOG = logging.getLogger(__name__)

ASTRAY = 0.12
"""Share of the steps at which another action than the expert's is taken."""
MOST_OTHERS = 6
MOST_READ = 4

CARDS = ("number-line", "ez-points", "blackjack", "points24")
MINIGRID = ("empty", "door-key", "go-to-door", "fetch")


def sources() -> list[str]:
    """Return the environments whose demonstrations are collected where none are named."""
    pages = [f"miniwob:{task}" for task in miniwob_expert.EXPERT_TASKS]
    return [*pages, *(f"cards:{game}" for game in CARDS)]


class Collector:
    """Draws documents from all sources in turn, some episodes of each.

    Args:
        specs: The sources.
        first_seed: The first seed; the i-th episode gets the i-th seed from there.
    """

    def __init__(self, specs: Collection[str], first_seed: int = 0) -> None:
        self._specs = list(specs)
        self._generator = random.Random(first_seed)
        self._writer = DocumentWriter()
        self._seed = first_seed

    def documents(self) -> Generator[Document, None, None]:
        """Yield documents for ever; seeds that the expert cannot solve are passed over.

        Raises:
            UsageError: the seeds have reached those that are kept for evaluation, or a source has
                no expert.
        """
        while True:
            self._generator.shuffle(self._specs)
            for spec in self._specs:
                yield from self._episodes(spec)

    def _episodes(self, spec: str) -> Iterator[Document]:
        expert, given = expert_for(spec), 0
        with make(spec) as environment:
            if isinstance(environment, MiniWobEnvironment):
                miniwob_expert.install(environment)
            for _ in range(EPISODES_IN_TURN):
                if given >= DOCUMENTS_IN_TURN:
                    return
                try:
                    documents = self._episode(environment, expert, self._next_seed())
                except EnvironmentFault as fault:
                    _LOG.warning("%s, seed %d: %s", spec, self._seed - 1, fault)
                    return
                yield from documents
                given += len(documents)

    def _next_seed(self) -> int:
        seed = self._seed
        if seed not in TRAINING_SEEDS:
            raise UsageError(
                f"seed {seed} is outside the training seeds 0 to 999,999; the others are kept for "
                "evaluation"
            )
        self._seed += 1
        return seed

    def _episode(self, environment: Environment, policy: Policy, seed: int) -> list[Document]:
        """Play an episode and return a document a screen, up to where the expert has no way on."""
        policy.bind(environment, seed)
        observation, _ = environment.reset(seed=seed)
        task = environment.instruction or ""
        expert = policy.start(task, environment.action_space, seed)
        documents: list[Document] = []
        earlier: list[Action] = []
        for _ in range(MAX_EXPERT_STEPS):
            step = self._step(environment, expert, observation, task, earlier, seed)
            if step is None:
                break
            document, action, others = step
            documents.append(document)
            if others and self._generator.random() < ASTRAY:
                action = self._generator.choice(others)
            earlier.append(rounded(action))
            try:
                observation, _, terminated, truncated, _ = environment.step(earlier[-1])
            except ModelFeedback:
                break
            if terminated or truncated:
                break
        return documents

    def _step(
        self, environment: Environment, expert: Conversation, observation: Observation,
        task: str, earlier: list[Action], seed: int,
    ) -> tuple[Document, Action, list[Action]] | None:  # fmt: skip
        """Return a document, what the expert does, and what else could be done there."""
        words: list[Word] = []
        others: list[tuple[str, Action]] = []
        read: list[tuple[str, str]] = []
        if isinstance(environment, MiniWobEnvironment):
            found = miniwob_expert.questions(environment)
            if not found or found[0][0] != task:
                return None
            action: Action | None = found[0][1]
            words = miniwob_expert.words(environment)
            others = self._some(found[1:], MOST_OTHERS)
            size = (environment.geometry.width_px, environment.geometry.height_px)
            read = self._some(_questions(words, size), MOST_READ)
        else:
            action = expert.decide(observation).action
            if isinstance(environment, NumberLineEnvironment):
                read = [
                    ("What is Current?", str(environment.current)),
                    ("What is Target?", str(environment.target)),
                ]
        if action is None:
            return None
        said = observation_words(observation.text, observation.feedback)
        shown = Shown(still(observation), said, tuple(earlier), words)
        document = self._writer.document(environment, shown, task, action, seed, others, read)
        return document, action, [other for _, other in others]

    def _some(self, found: list[tuple[str, Any]], most: int) -> list[tuple[str, Any]]:
        return found if len(found) <= most else self._generator.sample(found, most)


def _questions(words: Collection[Word], size: tuple[int, int]) -> list[tuple[str, str]]:
    """Return where words are and what stands at their places, for words that occur once."""
    texts = [word.text.lower() for word in words]
    found: list[tuple[str, str]] = []
    for word in words:
        if texts.count(word.text.lower()) == 1 and len(word.text) > 1:
            place = point(word.box, size)
            found.append((f'Where is "{word.text}"?', place))
            found.append((f"What stands at {place}?", word.text))
    return found


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
        only: Specs of environments that have an expert; `sources()` where it is empty.
        progress: Called with the number of documents so far.

    Raises:
        UsageError: a seed lies outside the training seeds, or a source has no expert.
    """
    for spec in only:
        expert_for(spec)
    out.mkdir(parents=True, exist_ok=True)
    collector = Collector(only or sources(), first_seed)
    collected = 0
    with closing(collector.documents()) as stream:
        while collected < count:
            shard = ShardWriter(out / f"seed-{first_seed:06d}-{collected:06d}{SHARD_SUFFIX}")
            while len(shard) < SHARD_DOCUMENTS and collected < count:
                shard.add(next(stream))
                collected += 1
                progress(collected)
            shard.close()
