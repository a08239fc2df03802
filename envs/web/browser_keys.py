"""Keys that a person presses for the browser, not for the page; here they reach the page only."""

from collections.abc import Sequence

# By the keys, modifiers in alphabetical order: what a person wants, and the action that does it.
_MEANT: dict[tuple[str, ...], tuple[str, str]] = {
    ("F5",): ("load the page again", "reload"),
    ("Control", "F5"): ("load the page again", "reload"),
    ("Control", "r"): ("load the page again", "reload"),
    ("Control", "Shift", "r"): ("load the page again", "reload"),
    ("Alt", "ArrowLeft"): ("go back", "back"),
    ("Meta", "["): ("go back", "back"),
    ("Alt", "ArrowRight"): ("go forward", "forward"),
    ("Meta", "]"): ("go forward", "forward"),
    ("Control", "t"): ("open a tab", "new_tab"),
    ("Control", "n"): ("open a window", "new_tab"),
    ("Control", "Shift", "n"): ("open a window", "new_tab"),
    ("Control", "w"): ("close the tab", "close_tab"),
    ("Control", "F4"): ("close the tab", "close_tab"),
    ("Alt", "F4"): ("close the window", "close_tab"),
    ("Control", "Tab"): ("show another tab", "switch_tab"),
    ("Control", "Shift", "Tab"): ("show another tab", "switch_tab"),
    ("Control", "PageDown"): ("show another tab", "switch_tab"),
    ("Control", "PageUp"): ("show another tab", "switch_tab"),
    **{("Control", str(n)): ("show another tab", "switch_tab") for n in range(1, 10)},
    ("Control", "Shift", "t"): ("open a closed tab again", "go_to"),
    ("Control", "l"): ("write an address", "go_to"),
    ("Alt", "d"): ("write an address", "go_to"),
    ("Alt", "Home"): ("open the home page", "go_to"),
    ("F6",): ("write an address", "go_to"),
    ("Control", "f"): ("search in the page", ""),
    ("Control", "g"): ("search in the page", ""),
    ("F3",): ("search in the page", ""),
    ("Control", "p"): ("print", ""),
    ("Control", "s"): ("save the page", ""),
    ("Control", "o"): ("open a file", ""),
    ("Control", "u"): ("see the source", ""),
    ("Control", "d"): ("keep a bookmark", ""),
    ("Control", "h"): ("see the history", ""),
    ("Control", "j"): ("see the downloads", ""),
    ("Control", "+"): ("enlarge the page", ""),
    ("Control", "="): ("enlarge the page", ""),
    ("Control", "-"): ("shrink the page", ""),
    ("Control", "0"): ("see the page at its size", ""),
    ("F11",): ("fill the screen", ""),
    ("F12",): ("open the developer tools", ""),
    ("Control", "Shift", "i"): ("open the developer tools", ""),
}


def meant_for_the_browser(keys: Sequence[str], permitted: Sequence[str]) -> str:
    """Return what to do instead of keys that the browser would take; "" for all others.

    Args:
        keys: Modifiers and a key, under Playwright's names.
        permitted: Names of the permitted actions.

    Example:
        >>> meant_for_the_browser(["Control", "r"], ["reload"])
        'The page alone got Control+r; to load the page again use reload.'
    """
    *held, last = keys
    named = ["Control" if key in ("ControlOrMeta", "Meta") else key for key in held]
    last = last.lower() if len(last) == 1 else last
    known = _MEANT.get((*sorted(named), last)) or _MEANT.get((*sorted(held), last))
    if known is None:
        return ""
    wish, action = known
    if action in permitted:
        return f"The page alone got {'+'.join(keys)}; to {wish} use {action}."
    return f"The page alone got {'+'.join(keys)}; no keys {wish} here."
