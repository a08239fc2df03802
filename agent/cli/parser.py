"""An argument parser that names what was meant, from the command's own words."""

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from eyehand.agent.printable import printable_lines

_CHOICE = re.compile(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<known>.*)\)")


class Parser(argparse.ArgumentParser):
    """As argparse's, but an unknown word is refused by the command that it was meant for.

    argparse itself lets the outermost parser complain, whose usage shows none of the options.
    """

    _words: Sequence[str] = ()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read the words; nothing may be left over."""
        self._words = args or ()
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            unknown = self._unknown(rest) or rest
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print the usage and one line with what may have been meant, and exit with status 2."""
        choice = _CHOICE.search(message)
        if choice:
            known = re.findall(r"[^\s',]+", choice["known"])
            hints = _hints([choice["given"]], known)
        else:
            hints = _hints(self._unknown(self._words), list(self._option_string_actions))
        super().error("; ".join([message, *hints]))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print; a word may be the name of a file that somebody else chose."""
        super()._print_message(printable_lines(message or ""), file)

    def _unknown(self, words: Sequence[str]) -> list[str]:
        """Options among the words that this parser does not have, without their values."""
        given = (word.partition("=")[0] for word in words if word.startswith("--") and word != "--")
        known = self._option_string_actions
        return [word for word in given if not any(option.startswith(word) for option in known)]


def _hints(given: Sequence[str], known: Sequence[str]) -> list[str]:
    near = [(word, get_close_matches(word, known, n=1)) for word in given]
    return [f"did you mean {match[0]} for {word}?" for word, match in near if match]
