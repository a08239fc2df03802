"""make(): an environment from one line, `SCHEME:NAME`, and how to add a scheme of one's own.

A scheme's module is imported when the first environment of that scheme is made, so that a card
game needs no browser and a page needs no game library.
"""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from eyehand.envs.env import Environment
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import UsageError

Factory = Callable[..., Environment]
"""Makes an environment: `factory(name, **options)`, `name` being what follows "SCHEME:"."""


@dataclass(frozen=True)
class Scheme:
    """One family of environments.

    Attributes:
        name: What stands before the colon, in lower case.
        factory: Makes an environment of the family.
        example: A complete spec, for help texts.
        needs_name: Whether a name has to follow the colon; "desktop:" stands alone.
        foreign: Whether other people's code runs in the process that makes the environment.
    """

    name: str
    factory: Factory
    example: str
    needs_name: bool = True
    foreign: bool = False


def _lazy(module: str, attribute: str) -> Factory:
    """Return a factory that imports its class or function when it is first called."""

    def factory(name: str, **options: Any) -> Environment:
        return _call(getattr(import_module(module), attribute), name, options)

    return factory


def _call(factory: Factory, name: str, options: dict[str, Any]) -> Environment:
    """Call a factory; an option that it does not take is the user's mistake."""
    try:
        inspect.signature(factory).bind(name, **options)
    except TypeError as error:
        raise UsageError(f"options {sorted(options)} do not fit {name!r}: {error}") from None
    return factory(name, **options)


def _make_miniwob(name: str, **options: Any) -> Environment:
    """Make a MiniWoB++ task; its name is checked before a browser starts."""
    known = import_module("eyehand.envs.miniwob.tasks").task_names()
    if name not in known:
        raise unknown_name("MiniWoB++ task", name, known)
    environment = import_module("eyehand.envs.miniwob.environment").MiniWobEnvironment
    return _call(environment, name, options)


def _make_phone(name: str, **options: Any) -> Environment:
    """Make a task of the simulated phone; its name is checked before adb is looked for."""
    known = import_module("eyehand.envs.phone.tasks").PHONE_TASKS
    if name not in known:
        raise unknown_name("phone task", name, known)
    environment = import_module("eyehand.envs.phone.environment").PhoneEnvironment
    return _call(environment, name, options)


def _make_gym(name: str, **options: Any) -> Environment:
    """Make a Gymnasium environment; "?key=value&..." after its id gives further options."""
    environment_id, written = _with_options(name)
    gym = import_module("eyehand.envs.gym.environment")
    environment = _call(gym.GymEnvironment, environment_id, {**written, **options})
    environment.spec_uri = f"gym:{name}"
    return environment


def _with_options(name: str) -> tuple[str, dict[str, Any]]:
    """Take "?key=value&..." off a name."""
    bare, mark, query = name.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(mark))
    except ValueError as error:
        raise UsageError(f"{name!r}: after '?' expected KEY=VALUE&KEY=VALUE; {error}") from None
    return bare, {key: _value(text) for key, text in pairs}


def _declared(suite: str) -> Factory:
    """Return the factory of a suite that is declared in a file which comes with the package."""

    def factory(name: str, **options: Any) -> Environment:
        task, written = _with_options(name)
        module = import_module("eyehand.envs.suite_file.make")
        environment: Environment = module.make_built_in(suite, task, **{**written, **options})
        environment.spec_uri = f"{suite}:{name}"
        return environment

    return factory


def _value(text: str) -> Any:
    """Read an option's value: JSON where it is JSON (1, true, null), else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


_SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("web", _lazy("eyehand.envs.web", "WebEnvironment"), "web:https://example.org"),
        Scheme("miniwob", _make_miniwob, "miniwob:click-button"),
        Scheme("gym", _make_gym, "gym:CartPole-v1", foreign=True),
        Scheme("cards", _lazy("eyehand.envs.cards", "make_card_game"), "cards:number-line"),
        Scheme("phone", _make_phone, "phone:set-alarm"),
        Scheme("minigrid", _declared("minigrid"), "minigrid:door-key-5x5", foreign=True),
        Scheme("robot", _declared("robot"), "robot:fetch-reach", foreign=True),
        Scheme("atari", _declared("atari"), "atari:pong", foreign=True),
        Scheme(
            "suite",
            _lazy("eyehand.envs.suite_file.make", "make_from_file"),
            "suite:my-suite.yaml#my-task",
            foreign=True,
        ),
        Scheme(
            "android",
            _lazy("eyehand.envs.android", "AndroidEnvironment"),
            "android:SERIAL",
            needs_name=False,
        ),
        Scheme("desktop", _lazy("eyehand.envs.desktop", "DesktopEnvironment"), "desktop:", False),
    )
}
_WEB_SCHEMES = ("http", "https")


def make(spec: str, **options: Any) -> Environment:
    """Make an environment.

    Args:
        spec: `SCHEME:NAME`, such as "miniwob:click-tab"; a bare http or https URL is a page;
            options of a Gymnasium environment may follow, as in
            "gym:FrozenLake-v1?is_slippery=false".
        **options: Arguments of the environment's class.

    Raises:
        UsageError: the spec, its scheme, its name or an option is not known; the message lists
            what exists and the closest match.

    Example:
        >>> with make("cards:number-line") as environment:
        ...     environment.reset(seed=1)[0].pixels.shape
        (300, 300, 3)
    """
    scheme_name, colon, name = spec.partition(":")
    if scheme_name.lower() in _WEB_SCHEMES:
        scheme_name, name = "web", spec
    scheme = _SCHEMES.get(scheme_name.lower())
    if not colon or scheme is None or (scheme.needs_name and not name):
        raise _bad_spec(spec, scheme_name)
    environment = _call(scheme.factory, name, options)
    environment.spec_uri = environment.spec_uri or spec
    return environment


def make_with_private(spec: str) -> Environment:
    """Make an environment; one of a web page may open addresses of this machine's network.

    Args:
        spec: As `make` takes it.
    """
    page = spec.partition(":")[0].lower() in ("web", *_WEB_SCHEMES)
    return make(spec, allow_private=True) if page else make(spec)


def register_scheme(name: str, factory: Factory, example: str = "") -> None:
    """Add a scheme: `make("NAME:rest", **options)` calls `factory("rest", **options)`.

    Args:
        name: Letters, digits, "+", "-" and "." as in a URI, in lower case.
        factory: A class or function that makes the environment.
        example: A complete spec for help texts; "NAME:..." by default.

    Raises:
        UsageError: the name is taken, or is no scheme name.
    """
    letters = name.replace("+", "").replace("-", "").replace(".", "")
    if not (letters.isascii() and letters.isalnum()) or name != name.lower():
        raise UsageError(f"a scheme is lower-case letters, digits, '+', '-', '.'; got {name!r}")
    if name in _SCHEMES or name in _WEB_SCHEMES:
        raise UsageError(f"the scheme {name!r} exists already; choose another name")
    _SCHEMES[name] = Scheme(name, factory, example or f"{name}:...")


def schemes() -> tuple[Scheme, ...]:
    """Return the known schemes, in the order of their registration."""
    return tuple(_SCHEMES.values())


_SITE = re.compile(r"(?:[\w-]+\.)+(?P<end>[^\W\d_]{2,})(?::\d{1,5})?(?:[/?#].*)?")
_THIS_MACHINE = re.compile(r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?(?:[/?#].*)?")
_FILE_ENDS = ("yaml", "yml", "json", "toml", "py", "txt")


def _address(spec: str) -> str:
    """Return the address of the page that was meant, for "example.org/a" or "localhost:8000"."""
    if _THIS_MACHINE.fullmatch(spec):
        return f"http://{spec}"
    site = _SITE.fullmatch(spec)
    return f"https://{spec}" if site and site["end"].lower() not in _FILE_ENDS else ""


_OURS = ("miniwob", "cards", "phone", "minigrid", "robot", "atari")


def comes_with_the_package(spec: str) -> bool:
    """Return whether a spec names a task of ours, or a registered environment, and nothing else.

    No code, file, address or option that its writer chose is reached by making such a one.

    Args:
        spec: As `make` takes it.
    """
    scheme, _, name = spec.partition(":")
    if "?" in name:
        return False
    return scheme in _OURS or (scheme == "gym" and ":" not in name)


def runs_foreign_code(spec: str) -> bool:
    """Return whether an environment runs other people's code in its process.

    Args:
        spec: As `make` takes it.
    """
    scheme = _SCHEMES.get(spec.partition(":")[0].lower())
    return scheme is not None and scheme.foreign


def _bad_spec(spec: str, scheme_name: str) -> UsageError:
    """Say what is wrong with a spec, and what a right one looks like."""
    examples = ", ".join(scheme.example for scheme in schemes())
    if scheme_name.lower() in _SCHEMES:
        return UsageError(f"{spec!r} names no environment; expected for example: {examples}")
    address = _address(spec)
    if address:
        return UsageError(f"{spec!r} names no environment; a page is written {address}")
    error = unknown_name("scheme", scheme_name, _SCHEMES)
    return UsageError(
        f"cannot read {spec!r} as SCHEME:NAME: {error}. For example: {examples}; "
        "a page is written with http:// or https://"
    )
