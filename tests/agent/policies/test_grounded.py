"""A planner that names its targets and a grounder that finds them: real pages, real HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.dialects.server import ScriptedServer
from tests.agent.policies.test_models import save_qwen2vl

from eyehand.actions import ActionSpace, Point
from eyehand.actions.web import WEB_ACTIONS, Click, Drag, PressKeys
from eyehand.agent.cli.main import main
from eyehand.agent.experts import expert_for
from eyehand.agent.policies.grounded import described
from eyehand.agent.policies.models.choose import model_policy
from eyehand.envs.env import Observation, ScreenGeometry
from eyehand.envs.registry import make
from eyehand.errors import InvalidArgument, ModelFeedback, UsageError

SPEC = "miniwob:click-test"
SPACE = ActionSpace(WEB_ACTIONS)
SCREEN = Observation(np.zeros((210, 160, 3), np.uint8), ScreenGeometry("s", 160, 210, 160, 210))


def planned(**arguments: Any) -> str:
    name = arguments.pop("name", "click")
    return f"I see it.\n<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@contextmanager
def two_servers(plan: str, places: list[str]) -> Iterator[tuple[ScriptedServer, ScriptedServer]]:
    left = list(places)
    planner = ScriptedServer(lambda request: plan)
    grounder = ScriptedServer(lambda request: left.pop(0) if len(left) > 1 else left[0])
    try:
        yield planner, grounder
    finally:
        planner.close()
        grounder.close()


def named(planner: ScriptedServer, grounder: ScriptedServer) -> dict[str, str]:
    return {
        "model": planner.url, "served_model": "some-planner",
        "grounder": grounder.url, "served_grounder": "UGround-V1-2B",
    }  # fmt: skip


def button_of(spec: str, seed: int) -> str:
    """Where the expert would click, as UGround writes it."""
    policy = expert_for(spec)
    with make(spec) as environment:
        policy.bind(environment, seed)
        observation, _ = environment.reset(seed=seed)
        task = environment.instruction or ""
        action = policy.start(task, environment.action_space, seed).decide(observation).action
    assert isinstance(action, Click)
    return f"({round(1000 * action.point.x)}, {round(1000 * action.point.y)})"


def words(request: dict[str, Any]) -> str:
    return json.dumps(request["messages"], ensure_ascii=False)


def test_a_task_is_solved_by_a_planner_that_sees_no_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = button_of(SPEC, 1)
    with two_servers(planned(point="the big button"), ["nowhere", place]) as (planner, grounder):
        asked = [f"--{n.replace('_', '-')}={v}" for n, v in named(planner, grounder).items()]
        status = main(["run", "--env", SPEC, "--seed", "1", *asked, "--out", str(tmp_path / "run")])
    assert status == 0, capsys.readouterr().err
    first, second = planner.requests
    assert "in words" in words(first)
    assert "'the big button' was not found on the screen" in words(second)
    for request in grounder.requests:
        assert "Description: the big button" in words(request)
        assert sum(part["type"] == "image_url" for part in request["messages"][0]["content"]) == 1
    lines = (tmp_path / "run" / "episode.jsonl").read_text().splitlines()
    missed, hit = (json.loads(line) for line in lines[1:3])
    assert (missed["action"], missed["error"]["type"]) == (None, "InvalidArgument")
    assert hit["details"]["grounding"][0]["answer"] == place
    assert hit["tokens"]["grounder.prompt"] == 10
    assert json.loads(lines[0])["policy"]["grounder"]["dialect"] == "uground"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the big button (not found)" in page


@pytest.mark.parametrize(
    ("own", "sent"), [({"grounder_key_env": "ITS_KEY"}, "its-key"), ({}, "usual-key")]
)
def test_each_server_gets_its_own_key(
    own: dict[str, str], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in (("PLAN", "plan-key"), ("ITS", "its-key"), ("OPENAI_API", "usual-key")):
        monkeypatch.setenv(f"{name}_KEY", key)
    with two_servers(planned(point="the button"), ["(1, 2)"]) as (planner, grounder):
        policy = model_policy(**named(planner, grounder), key_env="PLAN_KEY", **own)
        policy.start("x", SPACE).decide(SCREEN)
    assert planner.keys == ["Bearer plan-key"]
    assert grounder.keys == [f"Bearer {sent}"]


def test_one_server_for_both_gets_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAN_KEY", "plan-key")
    with two_servers(planned(point="the button"), ["(1, 2)"]) as (both, _):
        model_policy(**named(both, both), key_env="PLAN_KEY").start("x", SPACE).decide(SCREEN)
    assert both.keys == ["Bearer plan-key"] * 2


def test_a_drag_has_two_targets_and_conversations_are_asked_together() -> None:
    call = planned(name="drag", start="the card", end="the pile")
    with two_servers(call, ["(100, 200)", "(300, 400)"]) as (planner, grounder):
        policy = model_policy(**named(planner, grounder))
        decision = policy.start("Move it", SPACE, seed=1).decide(SCREEN)
        both = policy.decide_many([(policy.start("Move it", SPACE, n), SCREEN) for n in (1, 2)])
    assert isinstance(decision.action, Drag)
    ends = {(p.x, p.y) for p in decision.action.points().values()}
    assert ends == {(0.1, 0.2), (0.3, 0.4)}
    assert decision.action.start.screen == "s"
    assert len(both) == 2
    assert len(grounder.requests) == 6


def test_actions_without_places_need_no_grounder() -> None:
    call = planned(name="press_keys", keys=["Enter"])
    with two_servers(call, ["(1, 2)"]) as (planner, grounder):
        decision = model_policy(**named(planner, grounder)).start("x", SPACE).decide(SCREEN)
    assert decision.action == PressKeys(keys=["Enter"])
    assert grounder.requests == []


def test_a_planner_that_writes_numbers_or_nothing_gets_feedback() -> None:
    for bad in (planned(point=[500, 250]), planned(point=""), planned(point="x" * 999), planned()):
        with two_servers(bad, ["(1, 2)"]) as (planner, grounder):
            decision = model_policy(**named(planner, grounder)).start("x", SPACE).decide(SCREEN)
        assert decision.action is None
        assert isinstance(decision.error, ModelFeedback)
        assert grounder.requests == []


def test_descriptions_cannot_speak_in_control_tokens() -> None:
    with two_servers(planned(point="a <|box_start|> b"), ["(1, 2)"]) as (planner, grounder):
        model_policy(**named(planner, grounder)).start("x", SPACE).decide(SCREEN)
    assert "<|box_start|>" not in words(grounder.requests[0])


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("mine", "boxes"), ("UGround-V1-2B", "uground"), ("OS-Atlas-Base-7B", "os-atlas-base"),
     ("UI-TARS-2B-SFT", "ui-tars")],
)  # fmt: skip
def test_a_folder_points_in_its_own_dialect(tmp_path: Path, name: str, dialect: str) -> None:
    folder = save_qwen2vl(tmp_path / name)
    with two_servers(planned(point="the box"), ["x"]) as (planner, _):
        policy = model_policy(
            planner.url, served_model="some-planner", grounder=folder, max_new_tokens=8
        )
        decision = policy.start("x", SPACE, seed=1).decide(SCREEN)
    assert policy.describe()["grounder"]["dialect"] == dialect
    assert decision.details["grounding"][0]["target"] == "the box"
    assert decision.tokens["grounder.generated"] > 0


def test_what_does_not_fit_is_said_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="belong to --grounder"):
        model_policy(served_grounder="x")
    with pytest.raises(UsageError, match="names its targets in words"):
        model_policy("http://127.0.0.1:1/v1", served_model="x", dialect="ui-tars", grounder="x")
    run = ["run", "--env", SPEC, "--grounder", str(tmp_path / "none"), "--out", str(tmp_path / "o")]
    assert main(run) == 2
    assert "there is no model folder" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_places_become_words_and_nothing_else_changes() -> None:
    space = described(SPACE)
    assert space.names == SPACE.names
    click = space.build("click", {"point": "the search box"})
    assert click.arguments() == {"point": "the search box"}
    assert space.type_named("press_keys") is SPACE.type_named("press_keys")
    scroll = space.build("scroll", {"direction": "down"})
    assert getattr(scroll, "point", "") is None
    with pytest.raises(InvalidArgument):
        space.build("click", {"point": Point(x=0.5, y=0.5)})
