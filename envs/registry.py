"""make(): an environment from one line, `SCHEME:NAME`; and the table of schemes.

Everything that is known of a family of environments stands in its line of the table: how one is
made, whether something real stands behind it, its suites, its expert. Modules are named, not
imported: a card game needs no browser, and what is above this folder stays above it.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from eyehand.envs.env import Environment
from eyehand.envs.spec import page_meant, split_spec, with_options
from eyehand.envs.suggestions import unknown_name
from eyehand.errors import UsageError

Factory = Callable[..., Environment]
"""Makes an environment: `factory(name, **options)`, `name` being what follows "SCHEME:"."""

Named = Callable[..., Any] | str
"""A function or class, or "module:attribute", which is imported when it is first needed."""

DECLARED_FOLDER = Path(__file__).resolve().parent / "suite_file" / "declared"
"""Each YAML file here is a suite, and its name a scheme."""


@dataclass(frozen=True)
class Scheme:
    """One family of environments.

    Attributes:
        name: What stands before the colon, in lower case.
        make: Makes an environment of the family: `make(name, **options)`.
        example: A complete spec for help texts, or what returns one.
        needs_name: Whether a name has to follow the colon; "desktop:" stands alone.
        real: Whether something real stands behind it (other people's pages, a phone, a robot),
            where nothing may be done at random without permission.
        behind: Where a name decides it: `behind(name)` is the scheme of what it reaches.
        foreign: Whether other people's code runs in the process that makes the environment.
        packaged: Whether a plain name reaches a task of this package and nothing else: no code,
            file or address of the writer's choice.
        suites: Name to what returns the `Suite`: `suite()`.
        expert: Returns the expert of a task, a privileged policy, or None: `expert(spec)`.
    """

    name: str
    make: Named
    example: str | Callable[[], str] = ""
    needs_name: bool = True
    real: bool = True
    behind: Named | None = None
    foreign: bool = False
    packaged: bool = False
    suites: Mapping[str, Named] = field(default_factory=dict)
    expert: Named | None = None


def find(named: Named) -> Callable[..., Any]:
    """Return what a "module:attribute" names, or the function itself."""
    if callable(named):
        return named
    module, _, attribute = named.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def call(factory: Callable[..., Any], name: str, options: Mapping[str, Any]) -> Any:
    """Call a factory; an option that it does not take is the user's mistake.

    Raises:
        UsageError: an option does not fit.
    """
    try:
        inspect.signature(factory).bind(name, **options)
    except TypeError as error:
        raise UsageError(f"options {sorted(options)} do not fit {name!r}: {error}") from None
    return factory(name, **options)


def _declared(suite: str) -> Scheme:
    """Return the scheme of a suite that is declared in a file which comes with the package."""

    def make(name: str, **options: Any) -> Environment:
        task, written = with_options(name)
        make_built_in = find("eyehand.envs.suite_file.make:make_built_in")
        environment: Environment = make_built_in(suite, task, **{**written, **options})
        environment.spec_uri = f"{suite}:{name}"
        return environment

    def read() -> Any:
        return find("eyehand.envs.suites:built_in")(suite)

    return Scheme(
        suite,
        make,
        example=lambda: str(read().tasks[0].spec),
        real=False,
        foreign=True,
        packaged=True,
        suites={suite: read},
        expert="eyehand.agent.experts:declared_expert",
    )


_SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("web", "eyehand.envs.web:WebEnvironment", "web:https://example.org"),
        Scheme(
            "miniwob",
            "eyehand.envs.miniwob.environment:MiniWobEnvironment",
            "miniwob:click-button",
            real=False,
            packaged=True,
            suites={"miniwob": "eyehand.envs.miniwob.tasks:suite"},
            expert="eyehand.agent.experts:miniwob_expert",
        ),
        Scheme(
            "gym",
            "eyehand.envs.gym:make_registered",
            "gym:CartPole-v1",
            real=False,
            foreign=True,
            packaged=True,
        ),
        Scheme(
            "cards",
            "eyehand.envs.cards:make_card_game",
            "cards:number-line",
            real=False,
            packaged=True,
            suites={"cards": "eyehand.envs.cards:suite"},
            expert="eyehand.agent.experts:cards_expert",
        ),
        Scheme(
            "phone",
            "eyehand.envs.phone:PhoneEnvironment",
            "phone:set-alarm",
            real=False,
            packaged=True,
            suites={"phone": "eyehand.envs.phone.tasks:suite"},
            expert="eyehand.agent.experts:phone_expert",
        ),
        *(_declared(path.stem) for path in sorted(DECLARED_FOLDER.glob("*.yaml"))),
        Scheme(
            "suite",
            "eyehand.envs.suite_file.make:make_from_file",
            "suite:my-suite.yaml#my-task",
            behind="eyehand.envs.suite_file.load:scheme_behind",
            foreign=True,
            expert="eyehand.agent.experts:declared_expert",
        ),
        Scheme(
            "android",
            "eyehand.envs.android:AndroidEnvironment",
            "android:SERIAL",
            needs_name=False,
        ),
        Scheme("desktop", "eyehand.envs.desktop:DesktopEnvironment", "desktop:", needs_name=False),
    )
}
SELECTIONS: dict[str, Named] = {
    "embedded": "eyehand.agent.policies.models.checkpoint_files:embedded_suite",
    "number-line": lambda: ["cards:number-line"],
}
"""Suites that pick tasks of others: name to what returns the specs."""

_PAGES = ("http", "https")


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
    name, scheme = split_spec(spec)[1], scheme_of(spec)
    if scheme is None or (scheme.needs_name and not name):
        raise _bad_spec(spec)
    environment: Environment = call(find(scheme.make), name, options)
    environment.spec_uri = environment.spec_uri or spec
    return environment


def make_with_private(spec: str) -> Environment:
    """Make an environment; one of a web page may open addresses of this machine's network.

    Args:
        spec: As `make` takes it.
    """
    return make(spec, allow_private=True) if split_spec(spec)[0] == "web" else make(spec)


def register_scheme(
    name: str,
    factory: Factory,
    example: str = "",
    *,
    real: bool = True,
    suites: Mapping[str, Named] | None = None,
    expert: Named | None = None,
) -> None:
    """Add a scheme: `make("NAME:rest", **options)` calls `factory("rest", **options)`.

    Args:
        name: Letters, digits, "+", "-" and "." as in a URI, in lower case.
        factory: A class or function that makes the environment.
        example: A complete spec for help texts; "NAME:..." by default.
        real: Whether something real stands behind it. Say False where nothing can be lost: the
            random policy then needs no permission.
        suites: Suites that come with it: name to what returns the `Suite`.
        expert: `expert(spec)` returns the policy that knows how to solve a task, or None.

    Raises:
        UsageError: a name is taken, or is no scheme name.
    """
    letters = name.replace("+", "").replace("-", "").replace(".", "")
    if not (letters.isascii() and letters.isalnum()) or name != name.lower():
        raise UsageError(f"a scheme is lower-case letters, digits, '+', '-', '.'; got {name!r}")
    if name in _SCHEMES or name in _PAGES:
        raise UsageError(f"the scheme {name!r} exists already; choose another name")
    known = {*SELECTIONS, *(suite for scheme in schemes() for suite in scheme.suites)}
    if taken := known & set(suites or {}):
        raise UsageError(f"the suite {min(taken)!r} exists already; choose another name")
    shown = example or f"{name}:..."
    _SCHEMES[name] = Scheme(
        name, factory, shown, real=real, suites=dict(suites or {}), expert=expert
    )


def schemes() -> tuple[Scheme, ...]:
    """Return the known schemes, in the order of their registration."""
    return tuple(_SCHEMES.values())


def scheme_of(spec: str) -> Scheme | None:
    """Return the scheme of a spec; None where it is not known."""
    return _SCHEMES.get(split_spec(spec)[0])


def stands_behind(spec: str) -> str:
    """Return the scheme's name of what a spec reaches: a suite's task may reach a phone.

    Raises:
        UsageError: it names a declaration file that cannot be read, or no task of it.
    """
    scheme, (name, rest) = scheme_of(spec), split_spec(spec)
    if scheme is None or scheme.behind is None:
        return name
    return str(find(scheme.behind)(rest))


def is_real(spec: str) -> bool:
    """Return whether something real stands behind a spec.

    Raises:
        UsageError: it names a declaration file that cannot be read, or no task of it.
    """
    scheme = _SCHEMES.get(stands_behind(spec))
    return scheme is not None and scheme.real


def comes_with_the_package(spec: str) -> bool:
    """Return whether a spec names a task of ours, or a registered environment, and nothing else.

    No code, file, address or option that its writer chose is reached by making such a one.

    Args:
        spec: As `make` takes it.
    """
    scheme, name = scheme_of(spec), split_spec(spec)[1]
    return scheme is not None and scheme.packaged and not set(name) & set("?:")


def runs_foreign_code(spec: str) -> bool:
    """Return whether an environment runs other people's code in its process.

    Args:
        spec: As `make` takes it.
    """
    scheme = scheme_of(spec)
    return scheme is not None and scheme.foreign


def expert_of(spec: str) -> Any:
    """Return the expert of a task, a privileged policy; None where nobody wrote one."""
    scheme = scheme_of(spec)
    return None if scheme is None or scheme.expert is None else find(scheme.expert)(spec)


def _bad_spec(spec: str) -> UsageError:
    """Say what is wrong with a spec, and what a right one looks like."""
    shown = (scheme.example for scheme in schemes())
    examples = ", ".join(one if isinstance(one, str) else one() for one in shown)
    name = spec.partition(":")[0]
    if name.lower() in _SCHEMES:
        return UsageError(f"{spec!r} names no environment; expected for example: {examples}")
    if page := page_meant(spec):
        return UsageError(f"{spec!r} names no environment; a page is written {page}")
    return UsageError(
        f"cannot read {spec!r} as SCHEME:NAME: {unknown_name('scheme', name, _SCHEMES)}. "
        f"For example: {examples}; a page is written with http:// or https://"
    )
