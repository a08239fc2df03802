"""Suites by name, as lists of environment specs; `suite_catalogue` says what each task is."""

import json
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from eyehand.envs.suite_file.load import built_in_suite, is_declaration_path, read_suite
from eyehand.errors import BadConfig, UsageError

EMBEDDED_CHECKPOINT = Path(__file__).resolve().parent.parent / "model" / "checkpoints" / "embedded"
"""The folder of the checkpoint that comes with the package."""


def suite_specs(name: str) -> list[str]:
    """Return the specs of a suite, of one spec, or of a list with commas of either.

    Args:
        name: "miniwob", "cards", "minigrid", "robot", "atari", "phone", "number-line",
            "embedded", the path of a declaration file, a spec such as "miniwob:click-tab", or
            several of them with commas between.

    Raises:
        UsageError: a part names neither a suite nor a spec, or a file that cannot be used.
    """
    parts = [part.strip() for part in name.split(",") if part.strip()]
    if not parts:
        raise UsageError(f"no suite is named; there are: {', '.join(SUITES)}")
    specs = [spec for part in parts for spec in _one(part)]
    return list(dict.fromkeys(specs))


def _one(part: str) -> list[str]:
    if part in SUITES:
        return SUITES[part]()
    if is_declaration_path(part) and (":" not in part or Path(part).is_file()):
        return [f"suite:{part}#{task.name}" for task in read_suite(Path(part)).tasks]
    if ":" in part:
        return [part]
    close = get_close_matches(part, SUITES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise UsageError(
        f"no suite is called {part!r}{hint}; there are {', '.join(SUITES)}, and any spec such as "
        "miniwob:click-tab, or a declaration file such as my-suite.yaml"
    )


def model_card(folder: Path = EMBEDDED_CHECKPOINT) -> dict[str, Any]:
    """Return the model card of a checkpoint folder; empty where it has none.

    Raises:
        BadConfig: the card is not JSON, or no mapping.
    """
    path = folder / "model_card.json"
    if not path.exists():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadConfig(f"{path} is not JSON: {error}") from None
    if not isinstance(card, dict):
        raise BadConfig(f"{path} holds a {type(card).__name__}, expected a mapping")
    return card


def trained_for(folder: Path = EMBEDDED_CHECKPOINT) -> list[str]:
    """Return the specs that a checkpoint's card lists under "suites"; empty where it has none."""
    suites = model_card(folder).get("suites", [])
    return [str(spec) for spec in suites]


def _miniwob() -> list[str]:
    from eyehand.envs.miniwob.tasks import task_names

    return [f"miniwob:{task}" for task in task_names()]


def _cards() -> list[str]:
    from eyehand.envs.cards import CARD_GAMES

    return [f"cards:{game}" for game in CARD_GAMES]


def _phone() -> list[str]:
    from eyehand.envs.phone.tasks import PHONE_TASKS

    return [f"phone:{task}" for task in PHONE_TASKS]


def _declared(name: str) -> Callable[[], list[str]]:
    return lambda: [f"{name}:{task.name}" for task in built_in_suite(name).tasks]


def _embedded() -> list[str]:
    specs = trained_for()
    if not specs:
        raise UsageError(f"{EMBEDDED_CHECKPOINT} has no model card that lists its suites")
    return specs


SUITES: dict[str, Callable[[], list[str]]] = {
    "embedded": _embedded,
    "miniwob": _miniwob,
    "number-line": lambda: ["cards:number-line"],
    "cards": _cards,
    "minigrid": _declared("minigrid"),
    "robot": _declared("robot"),
    "atari": _declared("atari"),
    "phone": _phone,
}
"""Suite name to what lists its specs."""
