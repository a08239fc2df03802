"""The training data hold exactly the tokens that the runtime reads and writes."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eyehand.actions import Action, Coordinates, Point
from eyehand.actions.web import Click
from eyehand.agent.collect import WEIGHTS, Collector, collect, sources
from eyehand.agent.demonstrations import (
    EVALUATION_SEEDS,
    TRAINING_SEEDS,
    DocumentWriter,
    number_line_document,
    rounded,
)
from eyehand.agent.layout import Layout, Piece, Plain, Screen
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Pixels
from eyehand.errors import UsageError
from eyehand.model.config import Qwen2VLConfig
from eyehand.model.qwen2vl import IGNORED_TARGET, Qwen2VL
from eyehand.model.session import Session
from eyehand.model.tokenizer import Tokenizer, train_tokenizer
from eyehand.model.training.batching import Encoded, Encoder
from eyehand.model.training.documents import SHARD_SUFFIX, Document, read_shard
from eyehand.model.training.embedded import SETTINGS, document_texts, embedded_config

SEED = 2


def number_line(whole_episode: bool = True) -> Document:
    """A document of number-line; the generator decides what is shown, so one is looked for."""
    for seed in range(100):
        generator = random.Random(seed)
        document = number_line_document(NumberLineEnvironment(), SEED, DocumentWriter(), generator)
        if whole_episode != bool(document.branches):
            return document
    raise AssertionError("100 generators gave the same kind of document")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(list(document_texts([number_line()])) * 3, 600)


@pytest.fixture(scope="module")
def network(tokenizer: Tokenizer) -> Qwen2VL:
    """A network of the embedded model's kind, as small as one may be: only its reading matters."""
    full = embedded_config(tokenizer)
    text = replace(
        full.text, hidden_size=64, num_hidden_layers=1, num_key_value_heads=2,
        intermediate_size=64, mrope_section=(2, 3, 3),
    )  # fmt: skip
    vision = replace(full.vision, depth=1, embed_dim=64, num_heads=2, hidden_size=64)
    config: Qwen2VLConfig = replace(full, text=text, vision=vision)
    torch.manual_seed(0)
    return Qwen2VL(config).eval()


class Reader:
    """Reads an episode as `VlmPolicy` does, with the answers given instead of generated."""

    def __init__(self, network: Qwen2VL, tokenizer: Tokenizer) -> None:
        self.layout = Layout(DocumentWriter().layout.codec)
        self.tokenizer = tokenizer
        self.session = Session(network, tokenizer, settings=SETTINGS)

    def read(self, pieces: Sequence[Piece], pixels: Pixels) -> None:
        for piece in pieces:
            if isinstance(piece, Screen):
                self.session.append_image(pixels)
            elif isinstance(piece, Plain):
                self.session.append_text(piece.text)
            else:
                self.session.append_template(piece.text)

    def answer(self, action: Action) -> None:
        written = self.layout.codec.write(action, Coordinates())
        self.session.append_template(self.tokenizer.encode_text(written))


def tokens_of(encoded: Encoded, branch: int) -> list[int]:
    return encoded.ids[(encoded.group == 0) | (encoded.group == branch)].tolist()


def test_a_whole_episode_is_read_token_for_token_as_at_run_time(
    network: Qwen2VL, tokenizer: Tokenizer
) -> None:
    document = number_line()
    encoded = Encoder(tokenizer, network.config, SETTINGS).encode(document)
    environment = NumberLineEnvironment()
    observation, _ = environment.reset(seed=SEED)
    reader = Reader(network, tokenizer)
    layout = reader.layout
    opening = [*layout.opening(environment.action_space), *layout.task(environment.instruction)]
    reader.read(opening, observation.pixels)
    written = [p.text for p in document.trunk if p.kind == "plain" and "FUNCTION" in p.text]
    answers = [layout.codec.parse(t, environment.action_space).action for t in written[1:]]
    ended = False
    for action in answers:
        assert action is not None
        assert not ended
        reader.answer(action)
        observation, _, terminated, truncated, _ = environment.step(action)
        ended = terminated or truncated
        if not ended:
            said = "\n".join(filter(None, (observation.feedback, observation.text)))
            reader.read(layout.following(said), observation.pixels)
    assert ended
    assert len(answers) == len(document.images) > 2
    # The runtime stops at the word that the model is trained to write after its call.
    stop = tokenizer.encode_template(layout.codec.before_observation)
    assert encoded.ids.tolist() == reader.session.token_ids + stop


def test_a_screen_with_its_first_question_is_read_as_at_run_time(
    network: Qwen2VL, tokenizer: Tokenizer
) -> None:
    environment = NumberLineEnvironment()
    observation, _ = environment.reset(seed=SEED)
    types = environment.action_space.types
    asked = [("Reach the target.", types[0]()), ("Move on.", types[1]())]
    document = DocumentWriter().one_screen(environment, observation.pixels, asked, SEED)
    encoded = Encoder(tokenizer, network.config, SETTINGS).encode(document)
    for branch, (task, action) in enumerate(asked, start=1):
        reader = Reader(network, tokenizer)
        layout = reader.layout
        opening = [*layout.opening(environment.action_space), *layout.task(task)]
        reader.read(opening, observation.pixels)
        asked_tokens = len(reader.session.token_ids)
        reader.answer(action)
        stop = tokenizer.encode_template(layout.codec.before_observation)
        assert tokens_of(encoded, branch) == reader.session.token_ids + stop
        # What is learned is the answer with the word that ends it, and nothing before.
        kept = encoded.targets[(encoded.group == 0) | (encoded.group == branch)]
        learned = kept[kept != IGNORED_TARGET].tolist()
        assert learned == tokens_of(encoded, branch)[asked_tokens:]


def test_the_first_screen_is_asked_for_the_move_and_for_both_numbers() -> None:
    document = number_line(whole_episode=False)
    environment = NumberLineEnvironment()
    environment.reset(seed=SEED)
    move = "plus" if environment.target > environment.current else "minus"
    answers = ["".join(p.text for p in branch if p.learned) for branch in document.branches]
    assert len(document.images) == 1
    assert move in answers[0]
    assert answers[1:] == [f"{n}<|im_end|>" for n in (environment.current, environment.target)]


def test_a_mistake_put_in_on_purpose_is_not_learned() -> None:
    document = number_line()
    calls = [p for p in document.trunk if p.kind == "plain" and "ARGS" in p.text][1:]
    assert any(p.learned for p in calls)
    assert not all(p.learned for p in calls)


def test_points_are_rounded_to_hundredths_and_keep_off_the_edges() -> None:
    action = rounded(Click(point=Point(x=0.12345, y=0.999)))
    assert isinstance(action, Click)
    assert (action.point.x, action.point.y) == (0.12, 0.99)


def test_seeds_kept_for_evaluation_are_refused() -> None:
    assert not set(TRAINING_SEEDS) & set(EVALUATION_SEEDS)
    for seed in (1_000_000, 1_999_999, -1):
        collector = Collector({"cards:number-line": 1.0}, first_seed=seed)
        with pytest.raises(UsageError, match="training seeds"):
            next(collector.documents())
        collector.close()


def test_collecting_stops_where_the_training_seeds_end(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="999,999"):
        collect(tmp_path, 3, first_seed=999_998, only=["cards:number-line"])


def test_collected_documents_lie_in_a_shard(tmp_path: Path) -> None:
    seen: list[int] = []
    collect(tmp_path, 2, first_seed=40, only=["cards:number-line"], progress=seen.append)
    (path,) = tmp_path.glob(f"*{SHARD_SUFFIX}")
    assert [document.seed for document in read_shard(path)] == [40, 41]
    assert seen == [1, 2]


def test_a_source_without_an_expert_is_refused() -> None:
    for source in ("miniwob:drag-cube", "web:https://example.org", "cards:poker"):
        with pytest.raises(UsageError, match="expert"):
            next(Collector({source: 1.0}).documents())


@pytest.mark.usefixtures("browser_ends")
def test_every_task_with_an_expert_can_be_collected_by_its_name(tmp_path: Path) -> None:
    assert set(WEIGHTS) < set(sources())
    collect(tmp_path, 1, first_seed=7, only=["miniwob:click-option"])
    (path,) = tmp_path.glob(f"*{SHARD_SUFFIX}")
    (document,) = read_shard(path)
    assert document.source == "miniwob:click-option"
    assert len(document.images) == 2  # the option, then Submit
