"""What experts of cards and grids think before a move is true, and is learned before the move."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.experts import expert_for
from eyehand.agent.experts.minigrid import WAYS
from eyehand.agent.policies.base import Decision
from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
from eyehand.agent.training.collect import Collector
from eyehand.agent.training.texts.questions import questions
from eyehand.agent.training.texts.thoughts import divided
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs import make
from eyehand.model.inputs.tokenizer import Tokenizer
from eyehand.model.training.documents import Document

GRIDS = ("door-key-5x5", "go-to-door", "fetch", "empty-random-6x6")
SEEN = re.compile(
    r"At (\[\d+, \d+\]), look (\w+)\. "
    r"To ([\w ]+) at (\[\d+, \d+\]): ([\w ]+); ([\w ]+)(, beside)?\. Before me ([\w ]+)\."
)


def decisions(spec: str, seed: int, **options: Any) -> Iterator[tuple[Decision, dict[str, str]]]:
    """Yield the expert's decisions in an episode, each with what can be asked there."""
    expert = expert_for(spec)
    with make(spec) as environment:
        expert.bind(environment, seed)
        observation, _ = environment.reset(seed=seed, options=options)
        conversation = expert.start(environment.instruction or "", environment.action_space, seed)
        over = False
        while not over:
            decision = conversation.decide(observation)
            yield decision, dict(questions(environment, observation))
            assert decision.action is not None
            observation, _, terminated, truncated, _ = environment.step(decision.action)
            over = terminated or truncated


def numbers(place: str) -> tuple[int, int]:
    x, y = place.strip("[]").split(", ")
    return int(x), int(y)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_s_expert_says_what_can_be_seen(grid: str) -> None:
    for seed in range(4):
        for decision, asked in decisions(f"minigrid:{grid}", seed):
            found = SEEN.fullmatch(decision.thought)
            assert found, decision.thought
            at, look, aim, place, drawn, _, _, before = found.groups()
            assert at == asked["Where is the agent?"]
            assert look == asked["Which way does the agent look?"]
            assert before == asked["What is before the agent?"]
            assert place == asked.get(f"Where is the {aim}?", place)  # two of a kind are not asked
            (x, y), (aim_x, aim_y) = numbers(at), numbers(place)
            words = set(drawn.split(" and ")) - {"here"}
            assert words == {
                *({"left"} if aim_x < x else {"right"} if aim_x > x else ()),
                *({"up"} if aim_y < y else {"down"} if aim_y > y else ()),
            }


def test_the_side_that_is_named_is_where_the_expert_goes() -> None:
    turned = {"left": "turn_left", "right": "turn_right", "ahead": "forward"}
    for seed in range(10):
        for decision, _ in decisions("minigrid:empty-random-6x6", seed):
            found = SEEN.fullmatch(decision.thought)
            assert found
            assert found[3] == "goal"
            assert decision.action is not None
            side = found[6].split()[0]
            if side == "behind":
                assert decision.action.name in ("turn_left", "turn_right")
                assert "and" not in found[6] or decision.action.name == turned[found[6].split()[2]]
            else:
                assert decision.action.name == turned[side]


def test_the_key_comes_first_then_the_door_then_the_goal() -> None:
    for seed in range(4):
        aims = [
            SEEN.fullmatch(decision.thought)[3].split()[-1]  # type: ignore[index]
            for decision, _ in decisions("minigrid:door-key-5x5", seed)
        ]
        assert list(dict.fromkeys(aims)) == ["key", "door", "goal"]


def test_what_was_to_be_gone_to_may_lie_at_the_agent_s_side() -> None:
    for seed in range(6):
        *_, last = decisions("minigrid:go-to-door", seed)
        found = SEEN.fullmatch(last[0].thought)
        assert found
        assert found[3].endswith("door")
        assert found[7] == ", beside"


def test_the_ways_are_those_of_the_simulator() -> None:
    with make("minigrid:empty-8x8") as environment:
        environment.reset(seed=0)
        world: Any = environment.inner.unwrapped  # type: ignore[attr-defined]
        steps = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}
        for number, way in enumerate(WAYS):
            world.agent_dir = number
            assert tuple(map(int, world.dir_vec)) == steps[way]


@pytest.mark.parametrize(
    ("player", "counted"), [([1, 6], "A: soft 11. 6: soft 17."), ([13, 2], "K: 10. 2: 12.")]
)
def test_a_hand_is_counted_card_by_card_before_the_call(player: list[int], counted: str) -> None:
    decision, _ = next(decisions("cards:blackjack", 1, player=player, dealer=[11]))
    assert decision.thought == f"Mine {counted} Dealer J."


@pytest.mark.parametrize("game", ["ez-points", "points24"])
def test_the_formula_goes_on_from_what_is_written(game: str) -> None:
    for decision, asked in decisions(f"cards:{game}", 3):
        assert decision.action is not None
        written = asked["What is the formula?"]
        cards, stands, whole = re.fullmatch(  # type: ignore[union-attr]
            r"Cards (.+)\. Written (.+)\. To write: (.+ =)", decision.thought
        ).groups()
        assert cards == asked["What do they count?"]
        assert stands == written
        before = [] if written == "nothing" else written.split()
        token = decision.action.token  # type: ignore[attr-defined]
        assert whole.split()[: len(before) + 1] == [*before, token]


def test_a_robot_s_expert_says_where_each_camera_shows_gripper_and_ball() -> None:
    pytest.importorskip("gymnasium_robotics")
    for decision, asked in islice(decisions("robot:fetch-reach", 2), 4):
        left, right = re.findall(r"gripper (\[.+?\]), red ball (\[.+?\])\.", decision.thought)
        assert asked["Where is the gripper in the left picture?"] == left[0]
        assert asked["Where is the red ball in the right picture?"] == right[1]
        assert decision.thought.startswith("Left gripper ")
        assert " Right gripper " in decision.thought


def learned(document: Document, branch: int = 0) -> str:
    return "".join(part.text for part in document.branches[branch] if part.learned)


def collected(spec: str, count: int) -> list[Document]:
    stream = Collector([spec]).documents()
    documents = list(islice(stream, count))
    stream.close()
    return documents


def test_a_thought_is_learned_before_its_call_with_and_without_the_calls_before() -> None:
    documents = collected("minigrid:door-key-5x5", 6)
    for document in documents:
        thought, call = learned(document).split("\n", 1)
        assert SEEN.fullmatch(thought)
        assert call.startswith("✿FUNCTION✿: ")
    told = documents[1]  # a screen with a call before it
    assert "Earlier" in told.branches[0][0].text
    assert "Earlier" not in told.branches[1][0].text
    assert learned(told, 1) == learned(told, 0)


@pytest.mark.parametrize("spec", ["minigrid:go-to-door", "cards:blackjack", "cards:ez-points"])
def test_what_follows_in_a_thought_is_also_learned_from_text_alone(spec: str) -> None:
    documents = collected(spec, 33)
    texts = [document for document in documents if document.source == f"text:{spec}"]
    shown = [document for document in documents if document.source == spec]
    assert len(texts) == len(shown) // 10 == 3
    whole = ["".join(part.text for part in d.branches[0]) for d in shown]
    for number, text in enumerate(texts):
        assert text.images[0].shape == (14, 14, 3)
        said = ["".join(part.text for part in branch) for branch in text.branches]
        assert said == whole[number * 10 : number * 10 + 10]
        for branch in text.branches:
            given = "".join(part.text for part in branch if not part.learned)
            follows = "".join(part.text for part in branch if part.learned)
            assert given.count(":") >= 2  # of "Task:", and of what is seen
            assert follows.startswith(" ")
            assert "\n✿FUNCTION✿: " in follows


def test_text_is_cut_into_tokens_as_in_the_answer_that_is_written() -> None:
    tokenizer = Tokenizer.from_folder(EMBEDDED_CHECKPOINT)
    for spec in ("minigrid:fetch", "cards:blackjack", "cards:ez-points"):
        *shown, text = collected(spec, 11)
        for document, branch in zip(shown, text.branches, strict=True):
            whole = tokenizer.encode_text(document.branches[0][2].text)
            pieces = [part for part in branch[2:] if part.kind == "plain"]
            assert [t for part in pieces for t in tokenizer.encode_text(part.text)] == whole


def test_a_thought_is_divided_where_its_sentences_have_colons() -> None:
    sums = [("Mine K:", False), (" 10.", True), (" 2:", False), (" 12.", True)]
    assert divided("Mine K: 10. 2: 12. Dealer 5.") == [*sums, (" Dealer 5.", False)]
    assert divided("Cards 3, 4. Written 3. To write: 3 * 4 =")[-1] == (" 3 * 4 =", True)
    assert divided("It is on the left.") == [("It is on the left.", False)]
    assert divided("") == []


@pytest.mark.usefixtures("browser_ends")
def test_a_page_s_calls_are_learned_without_thoughts() -> None:
    for document in collected("miniwob:click-test-2", 2):
        assert learned(document).startswith("✿FUNCTION✿: ")


def test_an_expert_s_record_shows_its_thoughts(tmp_path: Path) -> None:
    asked = ["eval", "minigrid:empty-5x5", "--policy", "expert", "--episodes", "1"]
    assert main([*asked, "--out", str(tmp_path / "run")]) == 0
    (record,) = (tmp_path / "run").rglob("episode.jsonl")
    steps = read_trajectory(record.parent).steps
    assert steps
    assert all(SEEN.fullmatch(step.thought) for step in steps)
