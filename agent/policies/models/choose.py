"""From what `--model` names to a policy: built in, through transformers, or behind a server."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eyehand.agent.policies.base import Policy, TokenCallback
from eyehand.agent.policies.models.address import is_address
from eyehand.errors import CheckpointError, UsageError
from eyehand.prompts.dialects import make_dialect
from eyehand.prompts.dialects.dialect import Dialect
from eyehand.prompts.dialects.keyword import Keyword
from eyehand.prompts.own_prompt import read_prompt

_log = logging.getLogger(__name__)

BUILT_IN = "qwen2_vl"
"""The `model_type` that the built-in network runs."""

BY_SESSION = ("keyword", "tool_call")
"""Dialects whose history the built-in network only ever appends to."""

PLANNING = ("tool_call", "keyword", "qwen")
"""Dialects in which a target can be named in words."""

ONLY_BY_SESSION = ("history", "cache_gb", "top_k", "repetition_penalty")
"""Options of these alone."""
ONLY_BUILT_IN = ("device_map", "quantize", "adapter", "grammar", *ONLY_BY_SESSION)
"""Options of the built-in network, in any dialect or in these alone."""

NAMES: tuple[tuple[str, str], ...] = (
    ("ui-tars-1.5", "ui-tars-1.5"), ("uitars-1.5", "ui-tars-1.5"), ("ui-tars", "ui-tars"),
    ("uitars", "ui-tars"), ("showui", "showui"), ("uground", "uground"),
    ("os-atlas-base", "os-atlas-base"), ("os-atlas", "os-atlas"), ("osatlas", "os-atlas"),
    ("aguvis", "aguvis"), ("gui-owl-1.5", "gui-owl"), ("gui-owl", "qwen2.5-vl"), ("fara", "fara"),
    ("holo", "holo"), ("autoglm", "autoglm"), ("qwen3", "qwen3-vl"), ("qwen2.5-vl", "qwen2.5-vl"),
    ("qwen2-vl", "keyword"),
)  # fmt: skip
"""Part of a model's name to its dialect; the first one that is found holds."""

KINDS: Mapping[str, str] = {
    BUILT_IN: "keyword", "qwen2_5_vl": "qwen2.5-vl", "qwen3_vl": "qwen3-vl",
    "qwen3_vl_moe": "qwen3-vl",
}  # fmt: skip
"""`model_type` to the dialect of the plain models of that kind."""

NEEDED_TOKENS: Mapping[str, tuple[str, ...]] = {
    "aguvis": ("<|recipient|>", "<|diff_marker|>"),
    "ui-tars": ("<|box_start|>", "<|box_end|>"),
}
"""Dialect to tokens that a folder's vocabulary must have."""


def model_policy(
    model: str | Path | None = None,
    *,
    dialect: str | None = None,
    grounder: str | Path | None = None,
    served_grounder: str | None = None,
    grounder_dialect: str | None = None,
    grounder_key_env: str | None = None,
    **options: Any,
) -> Policy:
    """Return the policy that asks a model, or two: one that plans, and one that finds its targets.

    Args:
        model: None is the embedded model; a folder or Hub id; or a server's address.
        dialect: How it was taught to act; None looks at its folder and its name.
        grounder: A second model, which says where the first one's targets are.
        served_grounder: Its name on its server.
        grounder_dialect: How it was taught to act.
        grounder_key_env: Name of the variable with its server's key; None is the planner's where
            both are one server.
        **options: `served_model`, `key_env`, `language`, `keyword_mark`, `on_text`, `prompt`,
            `price`, and for sampling `max_new_tokens`, `temperature`, `top_p`, `top_k`,
            `repetition_penalty`, `device`, `device_map`, `dtype`, `min_pixels`, `max_pixels`,
            `quantize`, `adapter`, `grammar`, `history` and `cache_gb`.

    Raises:
        UsageError: an option does not fit, or there is no such model.
        CheckpointError: a model's folder cannot be used.
    """
    if grounder is None:
        if served_grounder or grounder_dialect or grounder_key_env:
            raise UsageError(
                "--served-grounder, --grounder-dialect and --grounder-key-env belong to --grounder"
            )
        return _one_model(model, dialect=dialect, **options)
    from eyehand.agent.policies.grounded import GroundedPolicy
    from eyehand.agent.policies.models.chat import ChatPolicy

    planner_dialect = dialect or PLANNING[0]
    if planner_dialect not in PLANNING:
        raise UsageError(
            f"with a grounder the model names its targets in words, which the dialect {dialect} "
            f"cannot: --dialect is one of {', '.join(PLANNING)}"
        )
    kept = {name: options[name] for name in ("device", "dtype") if name in options}
    if grounder_key_env is None and is_address(grounder) and str(grounder) == str(model):
        grounder_key_env = options.get("key_env")
    finds = _one_model(
        grounder, served_model=served_grounder, dialect=grounder_dialect, pointing=True,
        key_env=grounder_key_env, **kept,
    )  # fmt: skip
    plans = _one_model(model, dialect=planner_dialect, **options)
    bare = isinstance(finds, ChatPolicy) and finds.dialect.points_only
    return GroundedPolicy(plans, finds, bare)


def _one_model(
    model: str | Path | None,
    *,
    served_model: str | None = None,
    dialect: str | None = None,
    key_env: str | None = None,
    language: str | None = None,
    keyword_mark: str | None = None,
    on_text: TokenCallback | None = None,
    prompt: str | Path | None = None,
    price: Sequence[float] | None = None,
    pointing: bool = False,
    **sampling: Any,
) -> Policy:
    """Return the policy that asks one model, wherever it runs; see `model_policy`.

    One that is `pointing` is asked for places only: a plain Qwen2-VL then writes its own boxes.
    """
    if is_address(model):
        name = _served_dialect(str(model), served_model, dialect)
        from eyehand.agent.policies.models.endpoint import EndpointPolicy

        _refuse(sampling, ONLY_BUILT_IN, "a server")
        spoken = _made(name, language, keyword_mark, prompt)
        drawn = {n: value for n, value in sampling.items() if n not in ("device", "dtype")}
        return EndpointPolicy(str(model), str(served_model), spoken, key_env, price=price, **drawn)
    if served_model or key_env or price:
        raise UsageError(
            "--served-model, --key-env and --price belong to a server: --model http://HOST/v1"
        )
    folder, kind = _folder(model)
    tokens = _added_tokens(folder)
    name = dialect or _dialect_of(str(model or ""), kind, tokens)
    if dialect is None and pointing and (name, kind) == ("keyword", BUILT_IN):
        name = "boxes"
    _check_tokens(name, folder, tokens)
    if kind != BUILT_IN:
        from eyehand.agent.policies.models.in_transformers import TransformersPolicy

        _refuse(sampling, ONLY_BUILT_IN, "a model in transformers")
        known = _made(name, language, keyword_mark, prompt)
        return TransformersPolicy(folder, known, **sampling)
    if name in BY_SESSION and prompt is None:
        from eyehand.agent.policies.models.built_in import VlmPolicy

        given = {"language": language, "keyword_mark": keyword_mark, "on_text": on_text}
        kept: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        return VlmPolicy(model, codec=name, **kept, **sampling)
    from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy

    _refuse(sampling, ONLY_BY_SESSION, f"the dialect {name}")
    spoken = _made(name, language, keyword_mark, prompt)
    return BuiltInChatPolicy(folder, spoken, str(model or "embedded"), **sampling)


def check_named(
    model: str | Path | None, served_model: str | None, dialect: str | None,
    prompt: str | Path | None = None, grounder: str | Path | None = None,
    served_grounder: str | None = None, adapter: str | Path | None = None,
) -> None:  # fmt: skip
    """Look at what was named before anything is loaded.

    Raises:
        UsageError: there is no such model or dialect, or an option is missing.
        CheckpointError: the folder cannot be used.
    """
    from eyehand.agent.policies.models.address import checked_url
    from eyehand.model.folder import check_adapter, check_model

    if dialect is not None:
        make_dialect(dialect)
    if prompt is not None:
        read_prompt(prompt)
    if adapter is not None:
        check_adapter(adapter)
    if grounder is not None:
        check_named(grounder, served_grounder, None)
    if is_address(model):
        _named_there(checked_url(str(model)), served_model)
    elif model is not None:
        folder = Path(model).expanduser()
        kind = _kind(folder)
        if kind in (None, BUILT_IN):
            check_model(model)
        elif dialect is None:
            _found_dialect(str(model), str(kind), _added_tokens(folder))


def _served_dialect(url: str, served_model: str | None, dialect: str | None) -> str:
    served_model = _named_there(url, served_model)
    name = dialect or _by_name(served_model)
    if name is None:
        raise UsageError(
            f"the name {served_model!r} does not say how the model was taught to act: name its "
            "dialect with --dialect (see `eyehand models`)"
        )
    if dialect is None:
        _log.info("%s is asked in the dialect %s, by its name", served_model, name)
    return name


def _refuse(options: Mapping[str, Any], others: Sequence[str], who: str) -> None:
    given = [name for name in others if options.get(name) is not None]
    if given:
        spoken = f" in the dialects {' and '.join(BY_SESSION)}"
        where = spoken if given[0] in ONLY_BY_SESSION else ""
        raise UsageError(
            f"--{given[0].replace('_', '-')} belongs to the built-in model{where}, and not to {who}"
        )


def _named_there(url: str, served_model: str | None) -> str:
    if not served_model:
        raise UsageError(f"which model of {url}? Name it with --served-model NAME")
    return served_model


def _made(
    name: str, language: str | None, keyword_mark: str | None, prompt: str | Path | None = None
) -> Dialect:
    dialect = make_dialect(name)
    if isinstance(dialect, Keyword):
        dialect = type(dialect)(language or "en", keyword_mark or "✿")
    elif language not in (None, "en") or keyword_mark is not None:
        raise UsageError(f"the dialect {name} has one language and no keyword mark")
    if prompt is not None:
        dialect.prompt = read_prompt(prompt)
        if dialect.task_in_rules and not dialect.prompt.has_task:
            raise UsageError(f"--prompt {prompt}: expected {{task}} or {{instruction}} in it")
    return dialect


def _folder(model: str | Path | None) -> tuple[Path, str]:
    """Return a model's folder and kind; another architecture's Hub id stays a name."""
    from eyehand.agent.policies.models.checkpoint_files import EMBEDDED_CHECKPOINT
    from eyehand.errors import BadConfig
    from eyehand.model.folder import resolve

    if model is None:
        return EMBEDDED_CHECKPOINT, BUILT_IN
    kind = _kind(Path(model).expanduser())
    if kind is not None and kind != BUILT_IN:
        return Path(model).expanduser(), kind
    try:
        return resolve(model), BUILT_IN
    except BadConfig:  # a Hub id of another architecture
        kind = _hub_kind(str(model))
        if kind is None:
            raise
        return Path(str(model)), kind


def _kind(folder: Path) -> str | None:
    """Return the `model_type` of a folder whose model sees pictures; None for any other."""
    values = _values(folder / "config.json")
    kind = values.get("model_type") if isinstance(values.get("vision_config"), dict) else None
    return kind if isinstance(kind, str) else None


def _hub_kind(name: str) -> str | None:
    from transformers import AutoConfig

    try:
        kind = AutoConfig.from_pretrained(name).model_type
    except (OSError, ValueError, KeyError):
        return None
    return str(kind)


def _by_name(name: str) -> str | None:
    plain = name.lower().replace("_", "-")
    return next((dialect for part, dialect in NAMES if part in plain), None)


def _dialect_of(model: str, kind: str, tokens: set[str]) -> str:
    """Return a folder's dialect, and say how it was found."""
    if not model:
        return "keyword"
    name, why = _found_dialect(model, kind, tokens)
    _log.info("%s is asked in the dialect %s, %s", model, name, why)
    return name


def _found_dialect(model: str, kind: str, tokens: set[str]) -> tuple[str, str]:
    """Find a folder's dialect by its tokens, its name or its kind.

    Raises:
        UsageError: none of them says it.
    """
    if NEEDED_TOKENS["aguvis"][0] in tokens:
        return "aguvis", "by its added tokens"
    if found := _by_name(Path(model).name):
        return found, "by its name"
    if kind in KINDS:
        return KINDS[kind], "as models of its kind are"
    raise UsageError(
        f"{model}: expected {BUILT_IN!r}, got {kind!r}, whose way to act is not known: name its "
        "dialect with --dialect (see `eyehand models`)"
    )


def _added_tokens(folder: Path) -> set[str]:
    """Return the control tokens of a folder's vocabulary; none where there is no folder."""
    listed = _values(folder / "tokenizer.json").get("added_tokens")
    entries = listed if isinstance(listed, list) else []
    contents = (entry.get("content") for entry in entries if isinstance(entry, dict))
    found = {content for content in contents if isinstance(content, str)}
    return found | set(_values(folder / "added_tokens.json"))


def _values(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; empty where it is missing or cannot be read."""
    from eyehand.model.inputs.tokenizer_files import MAX_BYTES
    from eyehand.model.json_object import read_object

    try:
        return read_object(path, max_bytes=MAX_BYTES)
    except CheckpointError:
        return {}


def _check_tokens(dialect: str, folder: Path, tokens: set[str]) -> None:
    """Refuse a dialect whose tokens a folder's vocabulary lacks."""
    if not folder.is_dir() or dialect not in NEEDED_TOKENS:
        return
    missing = [token for token in NEEDED_TOKENS[dialect] if token not in tokens]
    if missing:
        raise UsageError(
            f"{folder} cannot speak the dialect {dialect}: its vocabulary lacks {missing[0]}"
        )
