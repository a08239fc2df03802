"""Argument types and groups that several commands share."""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from eyehand.agent.policies.registry import POLICIES
from eyehand.agent.printable import printable, printable_lines
from eyehand.errors import UsageError

MODEL_OPTIONS = (
    "model", "served_model", "key_env", "dialect", "keyword_mark", "language", "temperature",
    "top_p", "top_k", "repetition_penalty", "max_new_tokens", "device", "dtype", "min_pixels",
    "max_pixels", "quantize", "history", "cache_gb", "prompt", "price", "grounder",
    "served_grounder", "grounder_dialect",
)  # fmt: skip
"""Arguments that only a policy with a model looks at."""

LONGEST_LINE = 4_000
"""Characters of a line on standard error."""


def positive_int(text: str) -> int:
    """Read a whole number of at least 1."""
    return _whole(text, 1)


def seed(text: str) -> int:
    """Read a whole number of at least 0."""
    return _whole(text, 0)


def positive_float(text: str) -> float:
    """Read a finite number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def share(text: str) -> float:
    """Read a number above 0 and at most 1."""
    number = _number(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, got {text!r}")
    return number


def share_or_none(text: str) -> float:
    """Read a number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return number


def temperature(text: str) -> float:
    """Read a finite number of at least 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a temperature of at least 0, got {text!r}")
    return number


def price(text: str) -> list[float]:
    """Read two prices in US dollars a million tokens, IN,OUT."""
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"expected two prices such as 2.5,10, got {text!r}")
    prices = [_number(part) for part in parts]
    if min(prices) < 0:
        raise argparse.ArgumentTypeError(f"expected prices of at least 0, got {text!r}")
    return prices


def policy_name(text: str) -> str:
    """Read the name of a policy, or MODULE:CLASS."""
    if text not in POLICIES and ":" not in text:
        known = ", ".join(map(repr, POLICIES))
        raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {known})")
    return text


def size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT in pixels."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 1288x728, got {text!r}")
    return int(width), int(height)


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare who decides: the policy, and how a model is loaded and sampled."""
    group = parser.add_argument_group("policy")
    group.add_argument(
        "--policy",
        type=policy_name,
        metavar="P",
        default="model",
        help="model (default); random: the floor; expert: a scripted demonstrator; MODULE:CLASS: "
        "a policy of your own, in the current folder or installed",
    )
    add_model_arguments(group)
    group.add_argument(
        "--allow-random",
        action="store_true",
        help="let --policy random act on web:, android: and desktop:, which are real",
    )


def add_model_arguments(group: argparse._ActionsContainer) -> None:
    """Declare which model it is, and how it is asked and sampled.

    Args:
        group: A parser, or a group of one.
    """
    group.add_argument(
        "--model",
        metavar="M",
        help="a folder or a Hub id such as Qwen/Qwen2-VL-2B-Instruct, to which @REVISION may be "
        "added; Qwen2-VL runs built in, other kinds through transformers; or a server's address "
        "such as http://localhost:8000/v1 (default: the small one that comes with eyehand)",
    )
    group.add_argument(
        "--dialect", metavar="NAME", type=_dialect,
        help="how the model was taught to act (default: by its folder and name; see "
        "`eyehand models`)",
    )  # fmt: skip
    group.add_argument("--keyword-mark", choices=("✿", "*"), help="mark of the keyword dialects")
    group.add_argument("--language", choices=("en", "zh"), help="language of the prompts")
    group.add_argument(
        "--temperature",
        type=temperature,
        metavar="T",
        help="sampling temperature (default: as the model's folder or dialect says, else 0)",
    )
    group.add_argument(
        "--top-p", type=share, metavar="P", help="share of the likeliest tokens that are drawn from"
    )
    group.add_argument(
        "--top-k", type=seed, metavar="N",
        help="built in: so many of the likeliest tokens are drawn from; 0: all",
    )  # fmt: skip
    group.add_argument(
        "--repetition-penalty", type=positive_float, metavar="F",
        help="built in: above 1 makes tokens less likely that occurred",
    )  # fmt: skip
    group.add_argument(
        "--max-new-tokens", type=positive_int, metavar="N", help="most tokens an answer"
    )
    group.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, ... (default: a GPU)")
    group.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"),
        help="of a model that runs here; auto (default): as it is stored on a GPU; on a CPU "
        "float32, unless bfloat16 alone fits, or the model is large and bfloat16 is faster",
    )  # fmt: skip
    group.add_argument(
        "--min-pixels", type=positive_int, metavar="N",
        help="smallest area at which the model sees a screen (default: the model's own)",
    )  # fmt: skip
    group.add_argument(
        "--max-pixels", type=positive_int, metavar="N",
        help="largest area; smaller screens cost less and show less (default: the model's own)",
    )  # fmt: skip
    group.add_argument(
        "--quantize", choices=("int8",),
        help="built in: keep the layers' weights in 8 bits, a quarter of float32",
    )  # fmt: skip
    group.add_argument(
        "--history", type=_history, metavar="H",
        help="built in: what stays of an episode. evict: all that there is room for, then old "
        "screens go first and old turns second; window:N: the N newest screens; full: everything, "
        "and the episode's prompt begins anew where there is no room (default: as the model was "
        "trained, else evict)",
    )  # fmt: skip
    group.add_argument(
        "--cache-gb", type=positive_float, metavar="GB",
        help="built in: most memory for an episode's history (default: half of what is free)",
    )  # fmt: skip
    group.add_argument(
        "--prompt", metavar="FILE",
        help="a prompt of your own in the place of the dialect's, such as the published one; "
        "{task}, {actions}, {width} and {height} in it are filled in",
    )  # fmt: skip
    _add_server_arguments(group)
    _add_grounder_arguments(group)


def _add_server_arguments(group: argparse._ActionsContainer) -> None:
    group.add_argument("--served-model", metavar="NAME", help="the model's name on the server")
    group.add_argument(
        "--key-env", metavar="NAME", help="environment variable with the server's key "
        "(default: OPENAI_API_KEY)",
    )  # fmt: skip
    group.add_argument(
        "--price", type=price, metavar="IN,OUT",
        help="what a million tokens cost on the server in US dollars, read and written: 2.5,10",
    )  # fmt: skip


def _add_grounder_arguments(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--grounder", metavar="M",
        help="a second model that says where targets are, such as osunlp/UGround-V1-2B: the first "
        "one then names them in words",
    )  # fmt: skip
    group.add_argument(
        "--served-grounder", metavar="NAME", help="the grounder's name, where M is a server"
    )
    group.add_argument(
        "--grounder-dialect", metavar="NAME", type=_dialect,
        help="how the grounder is asked (default: by its folder and name)",
    )  # fmt: skip


def _dialect(text: str) -> str:
    from eyehand.prompts.dialects import DIALECTS

    if text not in DIALECTS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(DIALECTS)}, got {text!r}")
    return text


def _history(text: str) -> str:
    from eyehand.model.inference.bounded_history import History

    try:
        return str(History.named(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `model_policy` that were given."""
    named = {name: getattr(arguments, name) for name in MODEL_OPTIONS}
    return {name: value for name, value in named.items() if value is not None}


def add_limit_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare what ends an episode at the latest.

    Args:
        parser: A parser, or a group of one.
    """
    parser.add_argument(
        "--max-steps",
        type=positive_int,
        metavar="N",
        help="most steps an episode (default: the task's own limit, 30 where it has none)",
    )
    parser.add_argument(
        "--time-limit",
        type=positive_float,
        metavar="S",
        help="most seconds an episode (default: none)",
    )
    parser.add_argument(
        "--max-tokens-episode",
        type=positive_int,
        metavar="N",
        help="most tokens an episode that the model reads anew and writes",
    )
    parser.add_argument(
        "--max-cost",
        type=positive_float,
        metavar="USD",
        help="most US dollars an episode; needs --price where the server does not say what it "
        "costs",
    )


def add_private_argument(group: argparse._ActionsContainer) -> None:
    """Declare what lets a web page's episode reach this machine and its network."""
    group.add_argument(
        "--allow-private",
        action="store_true",
        help="web pages: let addresses of this machine and its network be opened (default: only "
        "where the start page is one)",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document; all else goes to stderr"
    )


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    from eyehand.agent.cli.streams import result_stream
    from eyehand.agent.trajectory.json_text import json_text

    result = result_stream()
    result.write(json_text(document, indent=2) + "\n")
    result.flush()


def say(line: str) -> None:
    """Print one line on standard error; control characters in it become blanks."""
    shown = printable(line, LONGEST_LINE)
    sys.stderr.write(shown.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stderr.flush()


def print_text(text: str) -> None:
    """Print a result of several lines on standard output, without other control characters."""
    sys.stdout.write(printable_lines(text) + "\n")


def ignored_notice(policy: str, options: dict[str, Any]) -> str | None:
    """Return the line that names options of a model which another policy does not look at.

    Args:
        policy: Name of the policy.
        options: What `model_options` returned.
    """
    given = [f"--{name.replace('_', '-')}" for name in MODEL_OPTIONS if name in options]
    if policy == "model" or not given:
        return None
    return f"--policy {policy} has no model: {', '.join(given)} changes nothing"


def outside_card_notice(model: str | None, policy: str, specs: list[str]) -> str | None:
    """Return the line that warns where the embedded model leaves what it was trained for.

    Args:
        model: The model that was named; None is the embedded one.
        policy: Name of the policy.
        specs: The environments that it will meet.
    """
    from eyehand.agent.policies.models.checkpoint_files import trained_for

    if model is not None or policy != "model":
        return None
    known = trained_for()
    outside = [spec for spec in specs if spec not in known]
    if not known or not outside:
        return None
    unknown = outside[0] if len(outside) == 1 else f"{outside[0]} and {len(outside) - 1} more"
    return (
        f"the embedded model was trained only for {', '.join(known)}; expect nothing of it on "
        f"{unknown}: name a larger checkpoint with --model"
    )


def out_folder(text: str) -> Path:
    """Read a folder's path."""
    return Path(text).expanduser()


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"expected at least {least}, got {text!r}")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return number
