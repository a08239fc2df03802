"""`eyehand models`: the dialects, and what each of them can say where."""

import argparse
from typing import TYPE_CHECKING, Any

from eyehand.agent.cli import arguments as shared

if TYPE_CHECKING:
    from eyehand.actions import ActionSpace

NAME = "models"
SUMMARY = "list the dialects of models, or what one of them can say"
EXAMPLES = """\
examples:
  eyehand models                  every dialect, and the models that speak it
  eyehand models ui-tars          its numbers, its pictures, and what it cannot say where
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dialect", metavar="DIALECT", nargs="?", help="a dialect's name")
    shared.add_json_argument(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the dialects, or one."""
    from eyehand.agent.outcome import EXIT_SUCCESS
    from eyehand.prompts.dialects import DIALECTS, make_dialect

    names = [arguments.dialect] if arguments.dialect else list(DIALECTS)
    found = [_described(make_dialect(name)) for name in names]
    if arguments.json:
        shared.print_json({"dialects": found})
    elif arguments.dialect:
        _print_one(found[0])
    else:
        for one in found:
            shared.print_text(f"{one['name']:13} {one['about']}")
    return EXIT_SUCCESS


def _described(dialect: Any) -> dict[str, Any]:
    bounds = dialect.bounds
    return {
        "name": dialect.name, "about": dialect.about, "coordinates": dialect.codec.unit,
        "pictures_kept": dialect.window, "picture_factor_px": bounds.factor,
        "picture_pixels": [bounds.min_pixels, bounds.max_pixels],
        "temperature": dialect.temperature, "max_tokens": dialect.max_tokens,
        "stop_words": list(dialect.codec.stop_words),
        "cannot_say": {
            where: [t.name for t in space.types if not dialect.codec.can_say(t)]
            for where, space in _spaces().items()
        },
        "grammar": dialect.codec.grammar(_spaces()["web"]) is not None,
        "own_actions": "by their own names" if dialect.codec.says_own_names else "cannot be said",
    }  # fmt: skip


def _spaces() -> dict[str, "ActionSpace"]:
    from eyehand.actions import ActionSpace
    from eyehand.actions.android import ANDROID_ACTIONS
    from eyehand.actions.desktop import DESKTOP_ACTIONS
    from eyehand.actions.web import WEB_ACTIONS

    return {
        "web": ActionSpace(WEB_ACTIONS), "phone": ActionSpace(ANDROID_ACTIONS),
        "desktop": ActionSpace(DESKTOP_ACTIONS),
    }  # fmt: skip


def _print_one(one: dict[str, Any]) -> None:
    kept = "all" if one["pictures_kept"] is None else one["pictures_kept"]
    shared.print_text(f"{one['name']}: {one['about']}")
    shared.print_text(f"places: {one['coordinates']}; pictures kept: {kept}")
    low, high = one["picture_pixels"]
    shared.print_text(f"a picture: {low:,} to {high:,} pixels, sides by {one['picture_factor_px']}")
    for where, names in one["cannot_say"].items():
        shared.print_text(f"cannot say on {where}: {', '.join(names) or 'nothing is missing'}")
    held = "held to the permitted actions while it is written, by the built-in model"
    shared.print_text(f"a call: {held if one['grammar'] else 'has no grammar: read as it comes'}")
    shared.print_text(f"actions of games and of your own: {one['own_actions']}")
