"""The keyboard's map: which key gives which character, and spare keys for those that none gives.

A character that is on no key of the person's layout is bound to a key code that the layout leaves
free, typed, and the key code is freed again. Programs read the changed map before they read the
key press, because both come in order; but a program that is slow would read a *later* map if the
key code were bound again too soon. `Keyboard` therefore waits for the program between bindings.
"""

from typing import Any, NamedTuple

from eyehand.envs.desktop.keysyms import keysym_of_character, keysyms_of_key

_GROUP_SHIFT, _GROUP_MASK = 13, 3
# Key code 8 is the kernel's "no key"; toolkits may drop it.
_FIRST_SPARE = 9


class Stroke(NamedTuple):
    """A key and whether Shift is held with it.

    Attributes:
        keycode: The key.
        shift: Whether Shift is held.
    """

    keycode: int
    shift: bool


class Keymap:
    """The layout as it was when this was made, and what is bound to its spare keys.

    Args:
        connection: An X connection.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        first, last = connection.display.info.min_keycode, connection.display.info.max_keycode
        rows = connection.get_keyboard_mapping(first, last - first + 1)
        self._rows = {first + index: list(row) for index, row in enumerate(rows)}
        modifiers = {code for row in connection.get_modifier_mapping() for code in row}
        self._spare = [
            code
            for code, row in self._rows.items()
            if not any(row) and code >= _FIRST_SPARE and code not in modifiers
        ]
        self._bound: dict[int, int] = {}
        self._touched: set[int] = set()
        self._strokes = self._strokes_of_group(self._group())

    @property
    def spare_count(self) -> int:
        """How many characters can be bound at once."""
        return len(self._spare)

    def keycode(self, key: str) -> int | None:
        """Return the key with a name of `eyehand.actions.keys`; None where there is none."""
        for keysym in keysyms_of_key(key):
            found = self._strokes.get(keysym) or self._anywhere(keysym)
            if found is not None:
                return found.keycode
        return None

    def stroke(self, character: str) -> Stroke | None:
        """Return how to type a character with the map as it is now; None where nothing does."""
        keysym = keysym_of_character(character)
        if keysym is None:
            return None
        if keysym in self._bound:
            return Stroke(self._bound[keysym], False)
        return self._strokes.get(keysym)

    def on_layout(self, character: str) -> bool:
        """Return whether the person's own layout has the character."""
        return keysym_of_character(character) in self._strokes

    def can_type(self, character: str) -> bool:
        """Return whether the character is on the layout, or can be bound to a spare key."""
        bindable = keysym_of_character(character) is not None and self.spare_count > 0
        return bindable or self.on_layout(character)

    def bind(self, characters: list[str]) -> None:
        """Bind characters to spare keys, in place of what was bound before.

        Args:
            characters: At most `spare_count` of them, each with a keysym.
        """
        self._bound = {}
        for code, character in zip(self._spare, characters, strict=False):
            keysym = keysym_of_character(character)
            if keysym is None:
                continue
            # In every column, so that neither Shift nor the chosen layout changes what it gives.
            self._touched.add(code)
            self._connection.change_keyboard_mapping(code, [[keysym] * len(self._rows[code])])
            self._bound[keysym] = code
        self._connection.sync()

    def restore(self) -> None:
        """Free every spare key again."""
        for code in self._touched:
            self._connection.change_keyboard_mapping(code, [self._rows[code]])
        self._bound, self._touched = {}, set()
        self._connection.sync()

    def _group(self) -> int:
        """Return the number of the layout that is chosen, 0 to 3 (XKB, "effective group")."""
        mask: int = self._connection.screen().root.query_pointer().mask
        return mask >> _GROUP_SHIFT & _GROUP_MASK

    def _strokes_of_group(self, group: int) -> dict[int, Stroke]:
        """Map each keysym of a layout to its key. The core map holds two layouts, two columns each.

        With a third or fourth layout every character is bound to a spare key instead.
        """
        strokes: dict[int, Stroke] = {}
        if group > 1:
            return strokes
        for shift in (False, True):
            for code, row in self._rows.items():
                column = 2 * group + shift
                keysym = row[column] if column < len(row) else 0
                if not keysym and group:
                    keysym = row[int(shift)]  # a key with one layout keeps it (Return, Tab)
                if keysym:
                    strokes.setdefault(keysym, Stroke(code, shift))
        return strokes

    def _anywhere(self, keysym: int) -> Stroke | None:
        """Return the first key that has a keysym in any column."""
        codes = (code for code, row in self._rows.items() if keysym in row)
        code = next(codes, None)
        return None if code is None else Stroke(code, False)
