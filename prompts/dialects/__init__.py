"""The dialects, by name. A new one is a file beside these and a line here."""

from importlib import import_module

from eyehand.errors import UsageError
from eyehand.prompts.dialects.dialect import Dialect

DIALECTS: dict[str, str] = {
    "keyword": "keyword",
    "qwen": "qwen",
    "tool_call": "tool_call",
    "ui-tars": "ui_tars",
    "ui-tars-1.5": "ui_tars_15",
    "showui": "showui",
    "os-atlas": "os_atlas",
    "aguvis": "aguvis",
    "qwen2.5-vl": "qwen25_vl",
    "qwen3-vl": "qwen3_vl",
    "gui-owl": "gui_owl",
    "fara": "fara",
    "holo": "holo",
    "autoglm": "autoglm",
    "uground": "uground",
    "os-atlas-base": "os_atlas_base",
    "boxes": "boxes",
}
"""Name to the module that has it as `DIALECT`."""


def make_dialect(name: str) -> Dialect:
    """Return the dialect called `name`.

    Raises:
        UsageError: there is none; the message names the closest.
    """
    from difflib import get_close_matches

    if name not in DIALECTS:
        close = get_close_matches(name, DIALECTS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"no dialect {name!r}: there are {', '.join(DIALECTS)}{hint}")
    dialect: Dialect = import_module(f"{__name__}.{DIALECTS[name]}").DIALECT()
    return dialect
