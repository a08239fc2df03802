import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyehand.agent.cli.main import main
from eyehand.agent.experts import expert_for
from eyehand.agent.policies.registry import check_random
from eyehand.agent.policies.scripted import ScriptedPolicy
from eyehand.envs import make, register_scheme, registry
from eyehand.envs.cards.number_line import NumberLineEnvironment, Plus
from eyehand.envs.suites import Suite, SuiteTask, step_limit, suite_named, suite_specs, suites
from eyehand.errors import UsageError


@pytest.fixture
def own_scheme() -> Iterator[str]:
    name = "own-game"
    yield name
    registry._SCHEMES.pop(name, None)


def test_a_card_game_is_made_by_name() -> None:
    with make("cards:number-line") as environment:
        assert isinstance(environment, NumberLineEnvironment)
        assert environment.spec_uri == "cards:number-line"


def test_a_scheme_is_read_in_any_case() -> None:
    assert isinstance(make("Cards:number-line"), NumberLineEnvironment)


def test_an_unknown_game_names_the_closest() -> None:
    with pytest.raises(UsageError, match="did you mean 'number-line'"):
        make("cards:numberline")


def test_an_unknown_scheme_lists_the_schemes_and_the_closest() -> None:
    with pytest.raises(UsageError, match="did you mean 'cards'") as caught:
        make("card:number-line")
    for example in ("web:https://", "miniwob:click-button", "gym:CartPole-v1"):
        assert example in str(caught.value)


@pytest.mark.parametrize("spec", ["", "cards", "cards:", "number-line", ":x"])
def test_a_spec_that_cannot_be_read_is_the_users_mistake(spec: str) -> None:
    with pytest.raises(UsageError, match="cards:number-line"):
        make(spec)


def test_an_address_without_its_scheme_is_shown_with_it() -> None:
    with pytest.raises(UsageError, match="a page is written http://localhost:8000"):
        make("localhost:8000")


def test_an_option_that_does_not_fit_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="speed"):
        make("cards:number-line", speed=3)


def test_an_unknown_miniwob_task_names_the_closest() -> None:
    with pytest.raises(UsageError, match="did you mean 'click-button'"):
        make("miniwob:click-buton")


def test_a_bare_url_is_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def record(name: str, **options: object) -> NumberLineEnvironment:
        opened.append(name)
        return NumberLineEnvironment()

    web = registry.Scheme("web", record, "web:https://example.org")
    monkeypatch.setitem(registry._SCHEMES, "web", web)
    for spec in ("https://example.org/a?b=c:d", "HTTP://example.org", "web:http://example.org:81/"):
        make(spec)
    assert opened == ["https://example.org/a?b=c:d", "HTTP://example.org", "http://example.org:81/"]


def test_users_add_a_scheme_of_their_own(own_scheme: str) -> None:
    class OwnGame(NumberLineEnvironment):
        spec_uri = ""

        def __init__(self, name: str, level: int = 1) -> None:
            super().__init__()
            self.title = f"{name} {level}"

    register_scheme(own_scheme, OwnGame, "own-game:first")
    environment = make("own-game:first", level=2)
    assert isinstance(environment, OwnGame)
    assert (environment.title, environment.spec_uri) == ("first 2", "own-game:first")
    assert registry.schemes()[-1].example == "own-game:first"
    with pytest.raises(UsageError, match="colour"):
        make("own-game:first", colour="red")


@pytest.mark.parametrize("name", ["web", "https", "Upper", "a:b", "", "a b"])
def test_a_scheme_that_is_taken_or_malformed_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        register_scheme(name, NumberLineEnvironment)


def test_making_a_card_game_imports_neither_browser_nor_model() -> None:
    code = (
        "import sys; from eyehand.envs import make; make('cards:number-line');"
        "print([m for m in ('playwright', 'torch', 'transformers') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def own_suite() -> Suite:
    task = SuiteTask("own-game:first", "Win.", "the game is won", max_steps=7, ceiling=0.5)
    return Suite("own-games", "Games of one's own.", (task, SuiteTask("own-game:second")))


def own_expert(spec: str) -> ScriptedPolicy | None:
    return ScriptedPolicy([Plus()]) if spec == "own-game:first" else None


def make_own(name: str) -> NumberLineEnvironment:
    return NumberLineEnvironment()


def test_a_scheme_of_ones_own_brings_its_suite_and_its_expert(
    own_scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    register_scheme(own_scheme, make_own, suites={"own-games": own_suite}, expert=own_expert)
    assert suite_specs("own-games") == ["own-game:first", "own-game:second"]
    assert suite_named("own-games") in list(suites())
    assert step_limit("own-game:first?level=2") == 7
    assert isinstance(expert_for("own-game:first"), ScriptedPolicy)
    with pytest.raises(UsageError, match="own-game:second has no expert"):
        expert_for("own-game:second")
    assert main(["suites", "own-games", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["suites"]
    assert [task["expert"] for task in listed["tasks"]] == ["own-game", None]
    with pytest.raises(UsageError, match="did you mean 'own-games'"):
        suite_named("own-game")


def test_a_suite_of_ones_own_is_evaluated_with_its_expert(own_scheme: str, tmp_path: Path) -> None:
    register_scheme(own_scheme, make_own, suites={"own-games": own_suite}, expert=own_expert)
    arguments = ["--policy", "expert", "--episodes", "2", "--out", str(tmp_path / "out")]
    assert main(["eval", "own-game:first", *arguments]) in (0, 1)
    rows = (tmp_path / "out" / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2


@pytest.mark.parametrize("name", ["cards", "embedded", "number-line"])
def test_the_name_of_a_suite_that_exists_is_taken(own_scheme: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"the suite '{name}' exists already"):
        register_scheme(own_scheme, make_own, suites={name: own_suite})


def test_an_expert_that_is_no_policy_is_refused(own_scheme: str) -> None:
    register_scheme(own_scheme, make_own, expert=lambda spec: "clever")
    with pytest.raises(UsageError, match="the expert of own-game:x is 'clever', expected a Policy"):
        expert_for("own-game:x")


def test_what_a_user_registers_is_real_unless_it_is_said_not_to_be(
    own_scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    register_scheme(own_scheme, make_own)
    assert registry.is_real("own-game:x")
    with pytest.raises(UsageError, match=r"own-game:x is real: .* --allow-random"):
        check_random("random", ["own-game:x"], allowed=False)
    check_random("random", ["own-game:x"], allowed=True)
    assert main(["run", "Win", "--env", "OWN-game:x", "--policy", "random"]) == 2
    assert "--allow-random" in capsys.readouterr().err
    registry._SCHEMES.pop(own_scheme)
    register_scheme(own_scheme, make_own, real=False)
    check_random("random", ["own-game:x"], allowed=False)


def test_a_users_scheme_is_not_taken_for_one_of_the_package(own_scheme: str) -> None:
    register_scheme(own_scheme, make_own, real=False)
    assert not registry.comes_with_the_package("own-game:x")
    assert not registry.runs_foreign_code("own-game:x")


@pytest.mark.parametrize(
    ("spec", "packaged", "foreign", "real"),
    [
        ("cards:blackjack", True, False, False),
        ("cards:blackjack?x=1", False, False, False),
        ("miniwob:click-tab", True, False, False),
        ("phone:wifi", True, False, False),
        ("atari:pong", True, True, False),
        ("gym:CartPole-v1", True, True, False),
        ("gym:somebodys_module:Arm-v0", False, True, False),
        ("web:https://example.org", False, False, True),
        ("https://example.org", False, False, True),
        ("android:", False, False, True),
        ("desktop:", False, False, True),
        ("nothing:x", False, False, False),
        ("cards", False, False, False),
    ],
)
def test_the_table_says_what_may_be_done(
    spec: str, packaged: bool, foreign: bool, real: bool
) -> None:
    assert registry.comes_with_the_package(spec) is packaged
    assert registry.runs_foreign_code(spec) is foreign
    assert registry.is_real(spec) is real


def test_every_scheme_says_by_itself_what_it_is() -> None:
    """What the table names exists; a new line of it is real until it says otherwise."""
    for scheme in registry.schemes():
        assert callable(registry.find(scheme.make))
        assert scheme.expert is None or callable(registry.find(scheme.expert))
        assert [suite.name for suite in map(made, scheme.suites.values())] == list(scheme.suites)
    assert registry.Scheme("new", make_own).real


def made(named: registry.Named) -> Suite:
    suite = registry.find(named)()
    assert isinstance(suite, Suite)
    return suite


def test_every_suites_tasks_are_made_by_their_scheme() -> None:
    for suite in suites():
        for task in suite.tasks:
            assert task.spec.partition(":")[0] == suite.name
            assert registry.scheme_of(task.spec) is not None


def test_limits_of_tasks_are_known_without_their_experts() -> None:
    code = (
        "import sys; from eyehand.envs.suites import step_limit;"
        "print(step_limit('cards:number-line'), step_limit('miniwob:click-tab'));"
        "print([m for m in sys.modules if m.startswith('eyehand.agent') or m == 'playwright'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["10 None", "[]"]
