"""From what `--model` names to a policy: built in, through transformers, or behind a server."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eyehand.agent.policies.base import Policy, TokenCallback
from eyehand.agent.policies.models.address import is_address
from eyehand.errors import UsageError
from eyehand.prompts.dialects import make_dialect
from eyehand.prompts.dialects.dialect import Dialect
from eyehand.prompts.dialects.keyword import Keyword

_log = logging.getLogger(__name__)

BUILT_IN = "qwen2_vl"
"""The `model_type` that the built-in network runs."""

BY_SESSION = ("keyword", "tool_call")
"""Dialects whose history the built-in network only ever appends to."""

NAMES: tuple[tuple[str, str], ...] = (
    ("ui-tars-1.5", "ui-tars-1.5"), ("uitars-1.5", "ui-tars-1.5"), ("ui-tars", "ui-tars"),
    ("uitars", "ui-tars"), ("showui", "showui"), ("os-atlas", "os-atlas"), ("osatlas", "os-atlas"),
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
    served_model: str | None = None,
    dialect: str | None = None,
    key_env: str | None = None,
    language: str | None = None,
    keyword_mark: str | None = None,
    on_text: TokenCallback | None = None,
    **sampling: Any,
) -> Policy:
    """Return the policy that asks a model.

    Args:
        model: None is the embedded model; a folder or Hub id; or a server's address.
        served_model: The model's name on the server.
        dialect: How it was taught to act; None looks at its folder and its name.
        key_env: The environment variable that holds the server's key.
        language: Of the prompts of the keyword dialects.
        keyword_mark: Mark of the keyword dialects.
        on_text: Receives each piece of text, where the built-in model writes it.
        **sampling: `max_new_tokens`, `temperature`, `top_p`, `device` and `dtype`.

    Raises:
        UsageError: an option does not fit, or there is no such model.
        CheckpointError: the model's folder cannot be used.
    """
    if is_address(model):
        return _served(str(model), served_model, dialect, key_env, language, keyword_mark, sampling)
    if served_model or key_env:
        raise UsageError("--served-model and --key-env belong to a server: --model http://HOST/v1")
    folder, kind = _folder(model)
    name = dialect or _dialect_of(folder, str(model or ""), kind)
    _check_tokens(name, folder)
    if kind != BUILT_IN:
        from eyehand.agent.policies.models.in_transformers import TransformersPolicy

        _refuse_history(sampling, "transformers")
        known = _made(name, language, keyword_mark)
        return TransformersPolicy(folder, known, **sampling)
    if name in BY_SESSION:
        from eyehand.agent.policies.models.built_in import VlmPolicy

        given = {"language": language, "keyword_mark": keyword_mark, "on_text": on_text}
        kept: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        return VlmPolicy(model, codec=name, **kept, **sampling)
    from eyehand.agent.policies.models.built_in_chat import BuiltInChatPolicy

    _refuse_history(sampling, f"the dialect {name}")
    return BuiltInChatPolicy(folder, _made(name, language, keyword_mark), str(model), **sampling)


def check_named(model: str | Path | None, served_model: str | None, dialect: str | None) -> None:
    """Look at what was named before anything is loaded.

    Raises:
        UsageError: there is no such model or dialect, or an option is missing.
        CheckpointError: the folder cannot be used.
    """
    from eyehand.agent.policies.models.address import checked_url
    from eyehand.model.folder import check_model

    if dialect is not None:
        make_dialect(dialect)
    if is_address(model):
        checked_url(str(model))
        if not served_model:
            raise UsageError(f"which model of {model}? Name it with --served-model NAME")
    elif model is not None:
        folder = Path(model).expanduser()
        kind = _kind(folder)
        if kind in (None, BUILT_IN):
            check_model(model)
        elif dialect is None:
            _found_dialect(folder, str(model), str(kind))


def _served(
    url: str, served_model: str | None, dialect: str | None, key_env: str | None,
    language: str | None, keyword_mark: str | None, sampling: dict[str, Any],
) -> Policy:  # fmt: skip
    from eyehand.agent.policies.models.endpoint import EndpointPolicy

    if not served_model:
        raise UsageError(f"which model of {url}? Name it with --served-model NAME")
    name = dialect or _by_name(served_model)
    if name is None:
        raise UsageError(
            f"the name {served_model!r} does not say how the model was taught to act: name its "
            "dialect with --dialect (see `eyehand models`)"
        )
    if dialect is None:
        _log.info("%s is asked in the dialect %s, by its name", served_model, name)
    _refuse_history(sampling, "a server")
    for option in ("device", "dtype"):
        sampling.pop(option, None)
    return EndpointPolicy(
        url, served_model, _made(name, language, keyword_mark), key_env, **sampling
    )


def _refuse_history(options: Mapping[str, Any], who: str) -> None:
    if options.get("history") or options.get("cache_gb"):
        raise UsageError(
            f"--history and --cache-gb belong to the built-in model in the dialects "
            f"{' and '.join(BY_SESSION)}; {who} has a history of its own"
        )


def _made(name: str, language: str | None, keyword_mark: str | None) -> Dialect:
    dialect = make_dialect(name)
    if isinstance(dialect, Keyword):
        return type(dialect)(language or "en", keyword_mark or "✿")
    if language not in (None, "en") or keyword_mark is not None:
        raise UsageError(f"the dialect {name} has one language and no keyword mark")
    return dialect


def _folder(model: str | Path | None) -> tuple[Path, str]:
    """Return a model's folder and kind; another architecture's Hub id stays a name."""
    from eyehand.agent.policies.models.embedded import EMBEDDED_CHECKPOINT
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
    try:
        with (folder / "config.json").open("rb") as file:
            values = json.loads(file.read(1_000_000))
    except (OSError, ValueError):
        return None
    sees = isinstance(values, dict) and isinstance(values.get("vision_config"), dict)
    kind = values.get("model_type") if sees else None
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


def _dialect_of(folder: Path, model: str, kind: str) -> str:
    """Return a folder's dialect, and say how it was found."""
    if not model:
        return "keyword"
    name, why = _found_dialect(folder, model, kind)
    _log.info("%s is asked in the dialect %s, %s", model, name, why)
    return name


def _found_dialect(folder: Path, model: str, kind: str) -> tuple[str, str]:
    """Find a folder's dialect by its tokens, its name or its kind.

    Raises:
        UsageError: none of them says it.
    """
    if NEEDED_TOKENS["aguvis"][0] in _added_tokens(folder):
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
    found: set[str] = set()
    for name in ("tokenizer.json", "added_tokens.json"):
        try:
            values = json.loads((folder / name).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if not isinstance(values, dict):
            continue
        listed = values.get("added_tokens") if name == "tokenizer.json" else list(values)
        for token in listed if isinstance(listed, list) else ():
            content = token.get("content") if isinstance(token, dict) else token
            found |= {content} if isinstance(content, str) else set()
    return found


def _check_tokens(dialect: str, folder: Path) -> None:
    """Refuse a dialect whose tokens a folder's vocabulary lacks."""
    if not folder.is_dir() or dialect not in NEEDED_TOKENS:
        return
    tokens = _added_tokens(folder)
    missing = [token for token in NEEDED_TOKENS[dialect] if token not in tokens]
    if missing:
        raise UsageError(
            f"{folder} cannot speak the dialect {dialect}: its vocabulary lacks {missing[0]}"
        )
