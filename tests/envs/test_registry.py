import subprocess
import sys
from collections.abc import Iterator

import pytest

from eyehand.envs import make, register_scheme, registry
from eyehand.envs.cards.number_line import NumberLineEnvironment
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
