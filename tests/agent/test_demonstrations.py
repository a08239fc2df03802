"""The training data hold exactly the tokens that the runtime reads and writes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from tests.small_embedded import small_config

from eyehand.actions import Action, ActionSpace, Coordinates, Point
from eyehand.actions.web import Click
from eyehand.agent.cli.main import main
from eyehand.agent.outcome import EXIT_INTERRUPTED
from eyehand.agent.policies.base import Conversation, Decision, Policy
from eyehand.agent.policies.models.built_in import VlmPolicy
from eyehand.agent.policies.models.built_in_conversation import VlmConversation
from eyehand.agent.policies.models.checkpoint_files import (
    EMBEDDED_HABITS,
    HABITS_FILE,
    Habits,
    read_habits,
    write_habits,
)
from eyehand.agent.training.collect import (
    DOCUMENTS_IN_TURN,
    SHARD_DOCUMENTS,
    Collector,
    Played,
    collect,
    sources,
)
from eyehand.agent.training.demonstrations import (
    EVALUATION_SEEDS,
    TRAINING_SEEDS,
    DocumentWriter,
    Shown,
    rounded,
)
from eyehand.envs.cards.number_line import NumberLineEnvironment
from eyehand.envs.env import Observation
from eyehand.errors import CheckpointError, EnvironmentFault, ModelFeedback, UsageError
from eyehand.model.inference.decode import generate
from eyehand.model.inference.decoder import GenerationConfig
from eyehand.model.inputs.image_settings import write_image_settings
from eyehand.model.qwen2vl.model import IGNORED_TARGET, Qwen2VLNetwork
from eyehand.model.training.batching import Encoded, Encoder
from eyehand.model.training.characters import ALPHABET
from eyehand.model.training.documents import SHARD_SUFFIX, Document, read_shard
from eyehand.model.training.embedded import SETTINGS, make_tokenizer
from eyehand.model.weights import save_checkpoint

SEED = 2


def collected(spec: str, count: int, folder: Path, first_seed: int = SEED) -> list[Document]:
    collect(folder, count, first_seed=first_seed, only=[spec])
    (path,) = folder.glob(f"*{SHARD_SUFFIX}")
    return list(read_shard(path))


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> VlmPolicy:
    """A network of the embedded model's kind, as small as one may be: only its reading matters."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = make_tokenizer(None, ["Task: Reach the target.\nEarlier: plus {}; minus {}"])
    torch.manual_seed(0)
    save_checkpoint(Qwen2VLNetwork(small_config(tokenizer, 1, 1)).eval(), folder)
    tokenizer.save(folder)
    write_image_settings(folder, SETTINGS)
    write_habits(folder, EMBEDDED_HABITS)
    return VlmPolicy(folder, device="cpu", max_new_tokens=1)


def encoded(policy: VlmPolicy, document: Document) -> Encoded:
    checkpoint = policy.checkpoint
    return Encoder(checkpoint.tokenizer, checkpoint.network.config, SETTINGS).encode(document)


def tokens_of(encoded: Encoded, branch: int) -> list[int]:
    return encoded.ids[(encoded.group == 0) | (encoded.group == branch)].tolist()


def answer_tokens(policy: VlmPolicy, action: Action) -> list[int]:
    codec, tokenizer = policy.layout.codec, policy.checkpoint.tokenizer
    written: list[int] = tokenizer.encode_text(codec.write(action, Coordinates()))
    return written + list(tokenizer.encode_template(codec.before_observation))


def test_every_step_of_an_episode_is_read_token_for_token_as_at_run_time(
    policy: VlmPolicy,
) -> None:
    environment = NumberLineEnvironment()
    observation, _ = environment.reset(seed=SEED)
    writer, task = DocumentWriter(), environment.instruction
    conversation = policy.start(task, environment.action_space)
    assert isinstance(conversation, VlmConversation)
    types = environment.action_space.types
    earlier: list[Action] = []
    for action in (types[0](), types[1](), types[1](), types[0](), types[1]()):
        shown = Shown(
            observation.pixels,
            "\n".join(filter(None, (observation.feedback, observation.text))),
            tuple(earlier),
        )
        document = writer.document(environment, shown, task, action, SEED)
        conversation.read(observation)
        read = conversation.session.token_ids
        of_document = encoded(policy, document)
        assert tokens_of(of_document, 1) == read + answer_tokens(policy, action)
        # What is learned is the answer with the word that ends it, and nothing before.
        kept = of_document.targets[(of_document.group == 0) | (of_document.group == 1)]
        assert kept[kept != IGNORED_TARGET].tolist() == answer_tokens(policy, action)
        answered(conversation, action)
        earlier.append(action)
        observation, _, terminated, _, _ = environment.step(action)
        assert not terminated
    assert conversation.session.num_visuals == 1


def answered(conversation: VlmConversation, action: Action) -> Decision:
    """Let the conversation conclude a step as if the network had written the action."""
    (generation,) = generate([conversation.session], GenerationConfig(1))
    written = conversation.policy.layout.codec.write(action, Coordinates())
    observation, _ = NumberLineEnvironment().reset(seed=SEED)
    prompt = conversation.read(observation)
    return conversation.conclude(prompt, replace(generation, text=written, stop_reason="stop_word"))


@pytest.mark.parametrize("text", ["", "[]", '{"brief": 1}', '{"prompt": "x"}', "{" * 20_000])
def test_habits_that_are_no_such_json_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / HABITS_FILE).write_text(text)
    with pytest.raises(CheckpointError, match=HABITS_FILE):
        read_habits(tmp_path)


def test_a_folder_without_habits_is_shown_everything(tmp_path: Path) -> None:
    assert read_habits(tmp_path) == Habits(brief=False, newest_only=False)


def test_a_task_is_learned_with_and_without_the_calls_before(tmp_path: Path) -> None:
    first, second, *_ = collected("cards:ez-points", 2, tmp_path)
    texts = [
        ["".join(part.text for part in branch) for branch in d.branches] for d in (first, second)
    ]
    asked = 4  # about the cards
    assert ["Earlier" in text for text in texts[0]] == [False] * (1 + asked)
    assert ["Earlier: write" in text for text in texts[1]] == [True] + [False] * (1 + asked)
    assert texts[1][0].partition("assistant")[2] == texts[1][1].partition("assistant")[2]


def test_a_screen_of_number_line_is_asked_for_the_move_and_for_both_numbers(tmp_path: Path) -> None:
    (document,) = collected("cards:number-line", 1, tmp_path)
    environment = NumberLineEnvironment()
    environment.reset(seed=SEED)
    move = "plus" if environment.target > environment.current else "minus"
    answers = ["".join(p.text for p in branch if p.learned) for branch in document.branches]
    assert len(document.images) == 1
    assert move in answers[0]
    assert answers[1:] == [f"{n}<|im_end|>" for n in (environment.current, environment.target)]


def test_points_are_rounded_to_hundredths_and_keep_off_the_edges() -> None:
    action = rounded(Click(point=Point(x=0.12345, y=0.999)))
    assert isinstance(action, Click)
    assert (action.point.x, action.point.y) == (0.12, 0.99)


def test_seeds_kept_for_evaluation_are_refused() -> None:
    assert not set(TRAINING_SEEDS) & set(EVALUATION_SEEDS)
    for seed in (1_000_000, 1_999_999, -1):
        with pytest.raises(UsageError, match="training seeds"):
            next(Collector(["cards:number-line"], first_seed=seed).documents())


def test_collecting_stops_where_the_training_seeds_end(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="999,999"):
        collect(tmp_path, 10_000, first_seed=999_999, only=["cards:number-line"])


def test_collected_documents_lie_in_a_shard(tmp_path: Path) -> None:
    seen: list[int] = []
    collect(tmp_path, 3, first_seed=40, only=["cards:blackjack"], progress=seen.append)
    (path,) = tmp_path.glob(f"*{SHARD_SUFFIX}")
    documents = list(read_shard(path))
    assert {document.source for document in documents} == {"cards:blackjack"}
    assert documents[0].seed == 40
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("source", "first", "number"),
    [
        ("cards:number-line", SHARD_DOCUMENTS, signal.SIGINT),
        ("miniwob:click-test", 0, signal.SIGTERM),
    ],
)
def test_who_is_stopped_keeps_what_was_collected_and_says_how_to_go_on(
    tmp_path: Path, source: str, first: int, number: int
) -> None:
    asked = ["--only", source, "--documents", "1000000", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "eyehand", "train", "collect", "--out", tmp_path, *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    partial = tmp_path / f"seed-000000-{first:06d}{SHARD_SUFFIX}.partial"
    end_s = time.monotonic() + 120
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < end_s:
        time.sleep(0.05)
    os.killpg(process.pid, number)  # the browser gets it, too
    said = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == EXIT_INTERRUPTED
    documents = [d for path in tmp_path.glob(f"*{SHARD_SUFFIX}") for d in read_shard(path)]
    assert len(documents) == said["documents"] > first
    assert said["stopped"]
    assert said["next_seed"] > max(document.seed for document in documents)
    assert not list(tmp_path.glob("*.partial"))


def test_what_fails_at_its_end_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(environment: NumberLineEnvironment) -> None:
        raise EnvironmentFault("the browser died")

    monkeypatch.setattr(NumberLineEnvironment, "close", dies)
    collector = Collector(["cards:number-line"], first_seed=SEED)
    assert len(list(islice(collector.documents(), 3 * DOCUMENTS_IN_TURN))) > 2 * DOCUMENTS_IN_TURN


class Stubborn(Policy):
    """A student that takes one and the same move, and says nothing of use at every third step."""

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        return StubbornConversation(action_space.types[0]())


class StubbornConversation(Conversation):
    def __init__(self, action: Action) -> None:
        self._action, self._steps = action, 0

    def decide(self, observation: Observation) -> Decision:
        self._steps += 1
        if self._steps % 3 == 0:
            return Decision(error=ModelFeedback("expected a call, got a poem"))
        return Decision(action=self._action)


class Ahead(Stubborn):
    """A student that always walks on."""

    def start(self, task: str, action_space: ActionSpace, seed: int | None = None) -> Conversation:
        (forward,) = (kind for kind in action_space.types if kind.name == "forward")
        return AheadConversation(forward())


class AheadConversation(StubbornConversation):
    def decide(self, observation: Observation) -> Decision:
        return Decision(action=self._action)


def test_a_student_acts_and_the_expert_says_what_should_have_followed() -> None:
    collector = Collector(["cards:number-line"], first_seed=SEED, student=Stubborn())
    stream = collector.documents()
    documents = [next(stream) for _ in range(60)]
    stream.close()
    environment = NumberLineEnvironment()
    moves = [kind.__name__.lower() for kind in environment.action_space.types]
    answers, strayed = set(), 0
    for document in documents:
        told, _, answer = "".join(p.text for p in document.branches[0]).partition("assistant")
        earlier = told.partition("Earlier: ")[2]
        assert moves[1] not in earlier  # only its own moves were made
        wanted = next(move for move in moves if move in answer)
        answers.add(wanted)
        strayed += moves[0] in earlier and wanted == moves[1]
    assert answers == set(moves)
    assert strayed > 5  # it went the wrong way, and is told the right one from there
    assert any("got a poem" in p.text for d in documents for p in d.branches[0])
    played = collector.played["cards:number-line"]
    assert 0 < played.successes < played.episodes


def test_a_student_that_walks_against_a_wall_is_led_back_there_and_not_for_ever() -> None:
    collector = Collector(["minigrid:empty-5x5"], first_seed=SEED, student=Ahead())
    documents = list(islice(collector.documents(), 8))
    first = [d for d in documents if d.seed == SEED]
    texts = ["".join(part.text for part in document.branches[0]) for document in first]
    assert ["Nothing visible changed." in text for text in texts] == [False] * 3 + [True]
    assert ["FUNCTION✿: turn_right" in text for text in texts] == [False] * 2 + [True] * 2
    assert documents[len(first)].seed == SEED + 1


def test_a_checkpoint_acts_as_a_student_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "collect", "--student", "embedded", "--only", "cards:number-line", "--json"]
    assert main([*asked, "--documents", "6", "--out", str(tmp_path)]) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"].values()
    assert source["successes"] == source["episodes"] > 0
    (path,) = tmp_path.glob(f"*{SHARD_SUFFIX}")
    assert len(list(read_shard(path))) == 6


def test_sources_in_which_a_student_fails_come_more_often() -> None:
    collector = Collector(["cards:blackjack", "cards:number-line"], student=Stubborn())
    collector.played["cards:blackjack"] = Played(episodes=99, successes=99)
    collector.played["cards:number-line"] = Played(episodes=99, successes=0)
    drawn = Counter(document.source for document in islice(collector.documents(), 100))
    assert drawn["cards:number-line"] > 9 * drawn["cards:blackjack"]


def test_a_source_without_an_expert_is_refused(tmp_path: Path) -> None:
    for source in ("miniwob:drag-cube", "web:https://example.org", "cards:poker"):
        with pytest.raises(UsageError, match="expert"):
            collect(tmp_path, 1, only=[source])


def test_a_source_without_an_expert_is_refused_before_a_student_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "collect", "--student", str(tmp_path / "gone"), "--only", "miniwob:drag-cube"]
    assert main([*asked, "--out", str(tmp_path)]) == 2
    assert "miniwob:drag-cube has no expert" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("browser_ends")
def test_a_page_is_collected_with_its_characters_and_what_is_typed(tmp_path: Path) -> None:
    assert "miniwob:login-user" in sources()
    documents = collected("miniwob:login-user", 4, tmp_path, first_seed=7)
    assert {document.source for document in documents} == {"miniwob:login-user"}
    for document in documents:
        (image,), (characters,) = document.images, document.characters
        height_px, width_px = image.shape[:2]
        assert len(characters) > 60  # the instruction alone has as many
        for character in characters:
            assert 0 <= character.x_px < width_px
            assert 0 <= character.y_px < height_px
        # Ink lies around the middle of nearly every character that the network can name.
        named = [c for c in characters if c.text in ALPHABET]
        inked = sum(
            int(
                image[int(c.y_px) - 7 : int(c.y_px) + 7, int(c.x_px) - 4 : int(c.x_px) + 5].std()
                > 5
            )
            for c in named
        )
        assert inked >= 0.98 * len(named)
    asked = ["".join(part.text for part in branch) for branch in documents[0].branches]
    assert any("Where is" in text for text in asked)
    assert any("What stands at" in text for text in asked)
