"""Who decides, as the commands ask for it: the policy, its model, and how that runs."""

import argparse
from typing import Any

from eyehand.agent.cli.arguments import (
    positive_float,
    positive_int,
    price,
    seed,
    share,
    temperature,
)
from eyehand.agent.policies.registry import POLICIES
from eyehand.errors import UsageError

LEAST_RATE = 0.5
"""Share of episodes below which a person is told that the embedded model fails most of them."""
MODEL_OPTIONS = (
    "model", "served_model", "key_env", "dialect", "keyword_mark", "language", "temperature",
    "top_p", "top_k", "repetition_penalty", "max_new_tokens", "device", "device_map", "dtype",
    "min_pixels", "max_pixels", "quantize", "adapter", "grammar", "history", "cache_gb", "prompt",
    "price", "grounder", "served_grounder", "grounder_dialect", "grounder_key_env",
)  # fmt: skip
"""Arguments that only a policy with a model looks at."""


def policy_name(text: str) -> str:
    """Read the name of a policy, or MODULE:CLASS."""
    if text not in POLICIES and ":" not in text:
        known = ", ".join(map(repr, POLICIES))
        raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {known})")
    return text


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
    _add_sampling_arguments(group)
    _add_engine_arguments(group)
    group.add_argument(
        "--prompt", metavar="FILE",
        help="a prompt of your own in the place of the dialect's, such as the published one; "
        "{task}, {actions}, {width} and {height} in it are filled in",
    )  # fmt: skip
    _add_server_arguments(group)
    _add_grounder_arguments(group)


def _add_sampling_arguments(group: argparse._ActionsContainer) -> None:
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


def _add_engine_arguments(group: argparse._ActionsContainer) -> None:
    group.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, ... (default: a GPU)")
    group.add_argument(
        "--device-map", metavar="MAP",
        help="built in: auto: the model's layers over all GPUs by what is free there, and the CPU "
        "for what they have no room for; or devices in order, such as 0,1 or cuda:1,cpu",
    )  # fmt: skip
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
        "--quantize", choices=("int8", "int4"),
        help="built in: keep the layers' weights in 8 bits, or in 4 (5 with their steps)",
    )  # fmt: skip
    group.add_argument(
        "--adapter", metavar="DIR",
        help="built in: a folder with a LoRA adapter for the model, which is merged into it",
    )  # fmt: skip
    group.add_argument(
        "--grammar", choices=("auto", "on", "off"),
        help="built in: hold a call to the permitted actions, their types and bounds, from its "
        "first keyword on. auto (default): in the dialects that have a grammar; on: refuse the "
        "others (see `eyehand models DIALECT`); off: the model writes what it likes",
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
        help="built in: most memory for an episode's history (default: half of what is free, "
        "shared by the episodes that run at once)",
    )  # fmt: skip


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
        "--grounder-key-env", metavar="NAME",
        help="environment variable with its server's key (default: the planner's, where both are "
        "one server, else OPENAI_API_KEY)",
    )  # fmt: skip
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
    from eyehand.model.inference.bounded_history import HistoryRule

    try:
        return str(HistoryRule.named(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `model_policy` that were given."""
    named = {name: getattr(arguments, name) for name in MODEL_OPTIONS}
    return {name: value for name, value in named.items() if value is not None}


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
    """Return the line that warns where little or nothing can be expected of the embedded model.

    Args:
        model: The model that was named; None is the embedded one.
        policy: Name of the policy.
        specs: The environments that it will meet.
    """
    from eyehand.agent.policies.models.checkpoint_files import measured_rates

    if model is not None or policy != "model":
        return None
    rates = measured_rates()
    untried = [spec for spec in specs if spec not in rates]
    weak = [spec for spec in specs if rates.get(spec, 1.0) < LEAST_RATE]
    said = [f"was never tried on {_shortened(untried)}"] if untried else []
    said += [f"fails most episodes of {_shortened(weak)}"] if weak else []
    if not rates or not said:
        return None
    return f"the embedded model {' and '.join(said)}: name a larger checkpoint with --model"


def _shortened(specs: list[str]) -> str:
    return specs[0] if len(specs) == 1 else f"{specs[0]} and {len(specs) - 1} more"
