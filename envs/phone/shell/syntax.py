"""Command lines, read as the phone's `sh` reads them: quotes, operators, redirections.

What `sh` would run inside a word, `$(...)` and back-ticks, is found and reported, and stands for
nothing. Not read: loops, functions, assignments, here-documents, braces and `$'...'`.
The rules are POSIX's, "Shell Command Language", section 2.
"""

import re
from dataclasses import dataclass, field

OPERATORS = ("&&", "||", ">>", "<<", ";", "|", "&", ">", "<", "(", ")", "\n")
WORD_ENDS = frozenset(" \t\n;|&<>()")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9?$!#@*-]")
ESCAPABLE = tuple('$`"\\\n')  # after a backslash in double quotes
NUMBERED = re.compile(r"[0-9]>>?")


class ShellSyntaxError(Exception):
    """The line is not one that `sh` could run; the message is what `sh` says."""


@dataclass(frozen=True)
class WordPart:
    """A piece of a word: text, or a variable's name.

    Attributes:
        text: The text as it stands, or the name of the variable.
        quoted: Whether quotes keep it from being taken for a pattern.
        variable: Whether `text` names a variable.
    """

    text: str
    quoted: bool = False
    variable: bool = False


Word = tuple[WordPart, ...]


@dataclass(frozen=True)
class Redirect:
    """Where a descriptor goes: a file, or another descriptor (`duplicate`)."""

    descriptor: int
    target: Word = ()
    append: bool = False
    duplicate: int | None = None


@dataclass
class Simple:
    """One command: its words and redirections."""

    words: list[Word] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)


@dataclass
class PipelineStep:
    """A pipeline, and when it runs: ";" always, "&&" after success, "||" after failure."""

    when: str
    pipeline: list[Simple]


@dataclass
class Script:
    """A line that was read.

    Attributes:
        steps: What to run, in order.
        injections: Every `$(...)` and back-tick substitution that `sh` would have run.
    """

    steps: list[PipelineStep]
    injections: list[str]


def read_line(line: str) -> Script:
    """Read a command line.

    Raises:
        ShellSyntaxError: a quote or a bracket is not closed, or an operator is out of place.
    """
    return _Parser(_Lexer(line)).script()


class _Lexer:
    """Cuts a line into operators (str) and words."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0
        self.injections: list[str] = []

    def tokens(self) -> list[str | Word]:
        found: list[str | Word] = []
        while (token := self._next()) is not None:
            found.append(token)
        return found

    def _next(self) -> str | Word | None:
        self._skip_blanks()
        if self.at >= len(self.line):
            return None
        numbered = NUMBERED.match(self.line, self.at)
        if numbered is not None:
            self.at = numbered.end()
            return numbered.group()
        for operator in OPERATORS:
            if self.line.startswith(operator, self.at):
                self.at += len(operator)
                return operator
        return self._word()

    def _skip_blanks(self) -> None:
        while self.at < len(self.line):
            if self.line.startswith("\\\n", self.at):
                self.at += 2
            elif self.line[self.at] in " \t":
                self.at += 1
            elif self.line[self.at] == "#":
                end = self.line.find("\n", self.at)
                self.at = len(self.line) if end < 0 else end
            else:
                return

    def _word(self) -> Word:
        parts: list[WordPart] = []
        while self.at < len(self.line) and self.line[self.at] not in WORD_ENDS:
            character = self.line[self.at]
            self.at += 1
            if character == "'":
                parts.append(WordPart(self._until("'"), quoted=True))
            elif character == '"':
                parts.extend(self._double_quoted())
            elif character == "\\":
                parts.extend(self._escaped())
            elif character in "$`":
                parts.append(self._substitution(character, quoted=False))
            else:
                parts.append(WordPart(character))
        return tuple(parts)

    def _until(self, closing: str) -> str:
        end = self.line.find(closing, self.at)
        if end < 0:
            raise ShellSyntaxError("no closing quote")
        text = self.line[self.at : end]
        self.at = end + len(closing)
        return text

    def _escaped(self) -> list[WordPart]:
        character = self.line[self.at : self.at + 1]
        self.at += 1
        return [] if character == "\n" else [WordPart(character or "\\", quoted=True)]

    def _double_quoted(self) -> list[WordPart]:
        parts = [WordPart("", quoted=True)]
        while self.at < len(self.line):
            character = self.line[self.at]
            self.at += 1
            if character == '"':
                return parts
            if character == "\\" and self.line[self.at : self.at + 1] in ESCAPABLE:
                parts.extend(self._escaped())
            elif character in "$`":
                parts.append(self._substitution(character, quoted=True))
            else:
                parts.append(WordPart(character, quoted=True))
        raise ShellSyntaxError("no closing quote")

    def _substitution(self, character: str, quoted: bool) -> WordPart:
        if character == "`":
            self.injections.append("`" + self._until("`") + "`")
            return WordPart("", quoted)
        if self.line.startswith("(", self.at):
            self.injections.append("$" + self._bracketed("(", ")"))
            return WordPart("", quoted)
        if self.line.startswith("{", self.at):
            return WordPart(self._bracketed("{", "}")[1:-1], quoted, variable=True)
        name = NAME.match(self.line, self.at)
        if name is None:
            return WordPart("$", quoted)
        self.at = name.end()
        return WordPart(name.group(), quoted, variable=True)

    def _bracketed(self, opening: str, closing: str) -> str:
        start, depth = self.at, 0
        while self.at < len(self.line):
            depth += {opening: 1, closing: -1}.get(self.line[self.at], 0)
            self.at += 1
            if depth == 0:
                return self.line[start : self.at]
        raise ShellSyntaxError(f"no closing '{closing}'")


class _Parser:
    """Puts tokens together to pipelines."""

    def __init__(self, lexer: _Lexer) -> None:
        self.tokens = lexer.tokens()
        self.injections = lexer.injections
        self.at = 0

    def script(self) -> Script:
        steps: list[PipelineStep] = []
        when = ";"
        while self.at < len(self.tokens):
            pipeline = self._pipeline()
            if pipeline is not None:
                steps.append(PipelineStep(when, pipeline))
            when = self._connector(empty=pipeline is None)
        return Script(steps, self.injections)

    def _connector(self, empty: bool) -> str:
        """Take the operator after a pipeline; "&" would run it aside, here it runs first."""
        if self.at >= len(self.tokens):
            return ";"
        token = self.tokens[self.at]
        self.at += 1
        if token == "\n" or (token in (";", "&", "&&", "||") and not empty):
            return token if token in ("&&", "||") else ";"
        raise ShellSyntaxError(f"unexpected '{token}'")

    def _pipeline(self) -> list[Simple] | None:
        commands = [self._simple()]
        while self.at < len(self.tokens) and self.tokens[self.at] == "|":
            self.at += 1
            commands.append(self._simple())
        if commands == [Simple()]:
            return None
        if any(not command.words for command in commands[1:]):
            raise ShellSyntaxError("unexpected '|'")
        return commands

    def _simple(self) -> Simple:
        command = Simple()
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if isinstance(token, tuple):
                command.words.append(token)
            elif token.endswith((">", "<")) and token != "<<":
                command.redirects.append(self._redirect(token))
                continue
            else:
                break
            self.at += 1
        return command

    def _redirect(self, operator: str) -> Redirect:
        descriptor = int(operator[0]) if operator[0].isdigit() else int(operator != "<")
        self.at += 1
        target = self._take()
        if target == "&":
            digit = "".join(part.text for part in self._take() if isinstance(part, WordPart))
            if not digit.isdigit():
                raise ShellSyntaxError(f"bad file descriptor '{digit}'")
            return Redirect(descriptor, duplicate=int(digit))
        if isinstance(target, str):
            raise ShellSyntaxError(f"unexpected '{target}'")
        return Redirect(descriptor, target, append=operator.endswith(">>"))

    def _take(self) -> str | Word:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else "newline"
