"""The command line: `eyehand COMMAND ...`. Errors become one line and an exit status."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress

from eyehand.agent.cli.arguments import print_json, say
from eyehand.agent.cli.commands import commands
from eyehand.agent.cli.parser import Parser
from eyehand.agent.cli.signals import end_as_by_ctrl_c
from eyehand.agent.cli.streams import (
    ReaderGone,
    end_of_result,
    guard_standard_streams,
    only_the_result,
    result_flushed,
)
from eyehand.agent.outcome import (
    EXIT_FAULT,
    EXIT_INTERRUPTED,
    EXIT_NO_READER,
    EXIT_NO_SUCCESS,
    EXIT_USAGE,
)
from eyehand.errors import (
    CheckpointError,
    EnvironmentFault,
    EyehandError,
    GuardRefusal,
    NotEnoughMemory,
    UsageError,
)
from eyehand.version import __version__

EPILOG = """\
first steps:
  eyehand doctor                                 is everything here?
  eyehand run --env miniwob:click-tab --seed 7   the embedded model, in real Chromium
  eyehand COMMAND --help                         the options of a command, with examples
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="eyehand",
        description="A visual agent: it looks at screens and acts on them until a task ends.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"eyehand {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands():
        subparser = subparsers.add_parser(
            command.NAME,
            help=command.SUMMARY,
            description=f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}.",
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(execute=command.execute, command=command.NAME)
    return parser


def main(
    argv: Sequence[str] | None = None,
    make_parser: Callable[[], argparse.ArgumentParser] = build_parser,
) -> int:
    """Run a command and return its exit status.

    Args:
        argv: The words after `eyehand`; the process's own by default.
        make_parser: Makes the parser, whose `execute` takes the arguments and returns the status.
    """
    if argv is None:
        guard_standard_streams()
        end_as_by_ctrl_c()
    _write_utf8()
    _show_news()
    arguments: argparse.Namespace | None = None
    try:
        with result_flushed():
            arguments = make_parser().parse_args(argv)
            if _may_name_code(arguments):
                _import_from_here()
            status: int = _executed(arguments)
        return status
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return EXIT_INTERRUPTED
    except ReaderGone:
        return EXIT_NO_READER
    except EyehandError as error:
        return _complain(error, as_json=bool(getattr(arguments, "json", False)))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        most = UsageError(f"too many files are open at once ({error.strerror}): see `ulimit -n`")
        return _complain(most, as_json=bool(getattr(arguments, "json", False)))
    except MemoryError:
        full = NotEnoughMemory("too little memory to go on; end other programs")
        return _complain(full, as_json=bool(getattr(arguments, "json", False)))
    finally:
        if argv is None and getattr(arguments, "json", False):
            end_of_result()


def _executed(arguments: argparse.Namespace) -> int:
    """Execute a command; where one JSON document was asked for, nothing else gets to its stream."""
    with only_the_result() if getattr(arguments, "json", False) else nullcontext():
        status: int = arguments.execute(arguments)
    return status


def _may_name_code(arguments: argparse.Namespace) -> bool:
    """Return whether the command line may name modules of the current folder.

    What reads records names none, and may stand in a folder that somebody else has filled.
    """
    if arguments.command in ("view", "compare", "score", "doctor"):
        return False
    named = getattr(arguments, "suite", None) or ":" in (getattr(arguments, "policy", None) or "")
    return bool(named) or getattr(arguments, "resume", None) is None


def _import_from_here() -> None:
    """Let modules of the current folder be imported, after everything that is installed.

    The whole path: an environment may change the working directory.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current folder was deleted; go to another one first") from None
    if here not in sys.path:
        sys.path.append(here)


def exit_status(error: EyehandError) -> int:
    """Return the exit status for an error that ended a command."""
    if isinstance(error, UsageError | CheckpointError):
        return EXIT_USAGE
    if isinstance(error, EnvironmentFault):
        return EXIT_FAULT
    return EXIT_NO_SUCCESS


def _complain(error: EyehandError, as_json: bool) -> int:
    """Say what is wrong in one line, and as JSON where that was asked for."""
    status = exit_status(error)
    kind = "refused" if isinstance(error, GuardRefusal) else "error"
    message = " ".join(str(error).split())
    say(f"eyehand: {kind}: {message}")
    if as_json:
        named = {"type": type(error).__name__, "message": message}
        with suppress(ReaderGone, EnvironmentFault):  # it may be what could not be written
            print_json({"error": named, "exit_status": status})
    return status


class _News(logging.Handler):
    """Prints what takes long, such as loading a model, as lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def _show_news() -> None:
    logger = logging.getLogger("eyehand")
    if not any(isinstance(handler, _News) for handler in logger.handlers):
        logger.addHandler(_News())
        logger.setLevel(logging.INFO)


def _write_utf8() -> None:
    """Print any text whatever the locale: what cannot be written becomes an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
