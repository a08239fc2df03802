"""Collects demonstrations from every environment that has an expert into training documents.

Episodes are not only the expert's own: now and then another action is taken, and the expert says
what follows from there. So the model sees how one gets back from a mistake. Where a student is
given, its own actions are taken and the expert says what should have followed (DAgger, Ross et al.
2011, arXiv 1011.0686): so it learns what to do where it gets to by itself.

Where experts think, some documents are texts alone: what follows in a thought is cheap to learn
there.
"""

import logging
import random
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eyehand.actions import Action, ActionSpace
from eyehand.agent.ending import judge
from eyehand.agent.experts import expert_for
from eyehand.agent.experts import miniwob as miniwob_expert
from eyehand.agent.experts.astray import other_actions
from eyehand.agent.policies.base import Conversation, Policy
from eyehand.agent.training.demonstrations import (
    MAX_STEPS,
    TRAINING_SEEDS,
    DocumentWriter,
    Shown,
    rounded,
    still,
)
from eyehand.agent.training.texts.questions import questions
from eyehand.agent.training.texts.thoughts import ThoughtTexts
from eyehand.envs import make
from eyehand.envs.env import Environment, Observation
from eyehand.envs.miniwob.environment import MiniWobEnvironment
from eyehand.errors import EnvironmentFault, ModelFeedback, UsageError
from eyehand.model.training.documents import SHARD_SUFFIX, Document, ShardWriter
from eyehand.model.training.pages import Word
from eyehand.model.training.screens import Item, ask
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
MOST_READ = 12
"""Questions of a screen about words on it: what makes the model spell what it sees."""

CARDS = ("number-line", "ez-points", "blackjack", "points24")
MINIGRID = ("empty", "door-key", "go-to-door", "fetch")


def sources() -> list[str]:
    """Return the environments whose demonstrations are collected where none are named."""
    pages = [f"miniwob:{task}" for task in miniwob_expert.EXPERT_TASKS]
    return [*pages, *(f"cards:{game}" for game in CARDS)]


@dataclass
class Played:
    """How many episodes of a source were played, and how many of them succeeded."""

    episodes: int = 0
    successes: int = 0

    @property
    def failing(self) -> float:
        """The share of failures, 0 to 1, as if one more episode had failed."""
        return (self.episodes - self.successes + 1) / (self.episodes + 1)


@dataclass
class Collected:
    """What lies in the shards.

    Attributes:
        documents: How many documents.
        next_seed: The first seed that no episode had, to go on from.
        played: What became of the episodes that were played, by source.
        stopped: Whether a person stopped it before all documents were there.
    """

    documents: int
    next_seed: int
    played: dict[str, Played]
    stopped: bool = False


class Collector:
    """Draws documents from all sources in turn, some episodes of each.

    Args:
        specs: The sources.
        first_seed: The first seed; the i-th episode gets the i-th seed from there.
        student: Whose actions are taken; None for the expert's. Sources in which the student
            fails come more often then.

    Attributes:
        next_seed: The next episode's seed.
        played: What became of the episodes so far, by source.
    """

    def __init__(
        self, specs: Collection[str], first_seed: int = 0, student: Policy | None = None
    ) -> None:
        self._specs = list(specs)
        self._generator = random.Random(first_seed)
        self._writer = DocumentWriter()
        self.next_seed = first_seed
        self._student = student
        self._thoughts = ThoughtTexts()
        self.played = {spec: Played() for spec in specs}

    def documents(self) -> Generator[Document, None, None]:
        """Yield documents for ever; seeds that the expert cannot solve are passed over.

        Raises:
            UsageError: the seeds have reached those that are kept for evaluation, or a source has
                no expert.
        """
        while True:
            for spec in self._turn():
                yield from self._episodes(spec)

    def _turn(self) -> list[str]:
        """Return the next sources: all of them in a new order, or as often as a student fails."""
        if self._student is None or not all(self.played[spec].episodes for spec in self._specs):
            self._generator.shuffle(self._specs)
            return list(self._specs)
        failing = [self.played[spec].failing for spec in self._specs]
        return self._generator.choices(self._specs, failing, k=len(self._specs))

    def _episodes(self, spec: str) -> Iterator[Document]:
        expert, environment, given = expert_for(spec), make(spec), 0
        try:
            with environment:
                if isinstance(environment, MiniWobEnvironment):
                    miniwob_expert.install(environment)
                for _ in range(EPISODES_IN_TURN):
                    if given >= DOCUMENTS_IN_TURN:
                        return
                    documents = self._episode(spec, environment, expert, self._next_seed())
                    yield from documents
                    given += len(documents)
        except EnvironmentFault as fault:
            _LOG.warning("%s, seed %d: %s", spec, self.next_seed - 1, fault)

    def _next_seed(self) -> int:
        seed = self.next_seed
        if seed not in TRAINING_SEEDS:
            raise UsageError(
                f"seed {seed} is outside the training seeds 0 to 999,999; the others are kept for "
                "evaluation"
            )
        self.next_seed += 1
        return seed

    def _episode(
        self, spec: str, environment: Environment, policy: Policy, seed: int
    ) -> list[Document]:
        """Play an episode and return a document a screen, up to where the expert has no way on."""
        policy.bind(environment, seed)
        observation, _ = environment.reset(seed=seed)
        task = environment.instruction or ""
        actions = environment.action_space
        expert = policy.start(task, actions, seed)
        student = self._student_conversation(task, actions, seed)
        documents: list[Document] = []
        earlier: list[Action] = []
        tried: set[tuple[bytes, str, str]] = set()
        succeeded = False
        for _ in range(MAX_STEPS):
            step = self._step(environment, expert, observation, task, earlier, seed)
            if step is None:
                break
            shown, action, others = step
            documents += shown
            try:
                taken = self._taken(action, others, student, observation)
                if student and not _is_new(tried, observation, str(taken)):
                    del documents[-len(shown)]  # it stood there before
                    break
                earlier.append(taken)
                observation, _, terminated, truncated, info = environment.step(taken)
            except ModelFeedback as feedback:
                if student is None:
                    break
                if not _is_new(tried, observation, str(feedback)):
                    del documents[-len(shown)]
                    break
                observation = observation.with_pixels(environment.render(), str(feedback))
                expert = policy.start(task, actions, seed)
                continue
            if ending := judge(taken, info.get("verdict"), terminated, truncated):
                succeeded = ending.verdict is True
                break
            if taken != rounded(action):
                expert = policy.start(task, actions, seed)  # its plan led from elsewhere
        self.played[spec].episodes += 1
        self.played[spec].successes += succeeded
        return documents

    def _student_conversation(
        self, task: str, actions: ActionSpace, seed: int
    ) -> Conversation | None:
        return None if self._student is None else self._student.start(task, actions, seed)

    def _taken(
        self, action: Action, others: list[Action], student: Conversation | None,
        observation: Observation,
    ) -> Action:  # fmt: skip
        """Return what is done: the student's action, or the expert's and now and then another.

        Raises:
            ModelFeedback: the student's answer holds no action.
        """
        if student is not None:
            decision = student.decide(observation)
            if decision.action is None:
                raise decision.error or ModelFeedback("the answer held no action")
            return decision.action
        if others and self._generator.random() < ASTRAY:
            action = self._generator.choice(others)
        return rounded(action)

    def _step(
        self, environment: Environment, expert: Conversation, observation: Observation,
        task: str, earlier: list[Action], seed: int,
    ) -> tuple[list[Document], Action, list[Action]] | None:  # fmt: skip
        """Return documents, what the expert does, and what else could be done there."""
        words: list[Word] = []
        others: list[tuple[str, Action]] = []
        read: list[tuple[str, str]] = []
        if isinstance(environment, MiniWobEnvironment):
            found = miniwob_expert.questions(environment)
            if not found or found[0][0] != task:
                return None
            action: Action | None = found[0][1]
            thought = ""  # a page's thoughts are not learned: they cost successes, as measured
            words = miniwob_expert.words(environment)
            others = self._some(found[1:], MOST_OTHERS)
            size = (environment.geometry.width_px, environment.geometry.height_px)
            read = self._some(_questions(words, size), MOST_READ)
        else:
            decision = expert.decide(observation)
            action, thought = decision.action, decision.thought
            read = self._some(questions(environment, observation), MOST_READ)
        if action is None:
            return None
        said = observation_words(observation.text, observation.feedback)
        shown = Shown(still(observation), said, tuple(earlier), words)
        document = self._writer.document(
            environment, shown, task, action, seed, others, read, thought
        )
        if isinstance(environment, MiniWobEnvironment):
            return [document], action, [other for _, other in others]
        texts = self._thoughts.add(document, thought)
        documents = [document] if texts is None else [document, texts]
        return documents, action, other_actions(environment, self._generator)

    def _some(self, found: list[tuple[str, Any]], most: int) -> list[tuple[str, Any]]:
        return found if len(found) <= most else self._generator.sample(found, most)


def _is_new(tried: set[tuple[bytes, str, str]], observation: Observation, answer: str) -> bool:
    """Note what a student answers to what it sees; tell whether it never did so before."""
    before = len(tried)
    tried.add((still(observation).tobytes(), observation.feedback, answer))
    return len(tried) > before


def _questions(words: Collection[Word], size: tuple[int, int]) -> list[tuple[str, str]]:
    """Return where words are and what stands at their places, for words that occur once."""
    return ask([Item(word.text, word.box, "word") for word in words if len(word.text) > 1], size)


def check_sources(only: Collection[str]) -> None:
    """Look whether all of some environments have an expert.

    Raises:
        UsageError: one has none.
    """
    for spec in only:
        expert_for(spec)


def collect(
    out: Path,
    count: int,
    first_seed: int = 0,
    only: Collection[str] = (),
    progress: Callable[[int], None] = lambda collected: None,
    student: Policy | None = None,
) -> Collected:
    """Write `count` documents to shards in `out`; Ctrl-C ends it, and what is there is kept.

    Args:
        out: The folder of the shards; made when it is missing.
        count: How many documents.
        first_seed: The first training seed; shards of other first seeds may lie beside these.
        only: Specs of environments that have an expert; `sources()` where it is empty.
        progress: Called with the number of documents so far.
        student: Whose actions are taken; None for the expert's.

    Returns:
        What was collected.

    Raises:
        UsageError: a seed lies outside the training seeds, or a source has no expert.
    """
    check_sources(only)
    out.mkdir(parents=True, exist_ok=True)
    collector = Collector(only or sources(), first_seed, student)
    collected = 0
    with closing(collector.documents()) as stream:
        while collected < count:
            shard = ShardWriter(out / f"seed-{first_seed:06d}-{collected:06d}{SHARD_SUFFIX}")
            try:
                for document in islice(stream, min(SHARD_DOCUMENTS, count - collected)):
                    shard.add(document)
                    collected += 1
                    progress(collected)
            except KeyboardInterrupt:
                return Collected(collected, collector.next_seed, collector.played, stopped=True)
            finally:
                shard.end()
    return Collected(collected, collector.next_seed, collector.played)
