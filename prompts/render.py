"""Renders the system prompt from an ActionSpace, and the text that follows the first screen."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eyehand.actions import Action, ActionSpace
from eyehand.actions.codecs.table import CODEC_NAMES
from eyehand.errors import UsageError
from eyehand.prompts.parameters import PHRASES, Parameter, parameters

if TYPE_CHECKING:
    from jinja2 import Template

LANGUAGES = tuple(PHRASES)

_TASK = {"en": "Task: {task}", "zh": "任务：{task}"}
_EARLIER = {"en": "Earlier: {calls}", "zh": "此前：{calls}"}


def render_system(
    space: ActionSpace, codec_name: str, language: str = "en", keyword_mark: str = "✿"
) -> str:
    """Render the system prompt: the permitted actions one by one, and how a call is written.

    Args:
        space: The permitted actions, listed in their order.
        codec_name: "keyword" or "tool_call".
        language: "en" or "zh".
        keyword_mark: What surrounds the keywords of the keyword codec.

    Returns:
        Text without trailing spaces; the same arguments always give the same text.

    Raises:
        UsageError: no template for that codec and language.
    """
    if codec_name not in CODEC_NAMES or language not in LANGUAGES:
        raise UsageError(
            f"no system prompt for codec {codec_name!r} in {language!r}: there are codecs "
            f"{', '.join(CODEC_NAMES)} and languages {', '.join(LANGUAGES)}"
        )
    described = [_described(action_type, language) for action_type in space.types]
    text = _template(codec_name, language).render(actions=described, mark=keyword_mark)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def render_brief(space: ActionSpace) -> str:
    """Render a system prompt of one line: the names of the permitted actions, in their order.

    It is for a model that was trained with it and knows the actions; it costs a tenth of the
    whole prompt's tokens or less.
    """
    return f"Actions: {', '.join(action_type.name for action_type in space.types)}"


def render_task(
    task: str, observation_text: str = "", language: str = "en", earlier: Sequence[str] = ()
) -> str:
    """Render what follows the first screen: what the environment says, then the task.

    Args:
        task: What to do, in words.
        observation_text: What the environment says beside the screen; empty for nothing.
        language: "en" or "zh".
        earlier: The last calls before this screen, the newest last, where their screens are no
            longer shown.

    Raises:
        UsageError: no such language.
    """
    if language not in _TASK:
        raise UsageError(f"no prompts in {language!r}: there are {', '.join(_TASK)}")
    said = observation_text.strip()
    text = _TASK[language].format(task=task.strip())
    if earlier:
        text += "\n" + _EARLIER[language].format(calls="; ".join(earlier))
    return f"{said}\n{text}" if said else text


def _described(action_type: type[Action], language: str) -> dict[str, str]:
    """Return an action's name, description and parameters as the templates print them."""
    translation = _translations(language).get(action_type.name, {})
    description = translation.get("description") or action_type.description()
    found = parameters(action_type, translation.get("fields"), language)
    return {
        "name": action_type.name,
        "description": description,
        "parameters": _parameter_list(found),
        "tool": json.dumps(_tool(action_type.name, description, found), ensure_ascii=False),
    }


def _parameter_list(found: list[Parameter]) -> str:
    """Write the parameters as the paper does: JSON, but for Python's True and False."""
    items = [
        f'{{"name": {json.dumps(item.name)}, '
        f'"description": {json.dumps(item.description, ensure_ascii=False)}, '
        f'"required": {item.required}}}'
        for item in found
    ]
    return f"[{', '.join(items)}]"


def _tool(name: str, description: str, found: list[Parameter]) -> dict[str, Any]:
    """Declare one action as a function, in JSON schema."""
    properties = {item.name: {**item.schema, "description": item.description} for item in found}
    required = [item.name for item in found if item.required]
    schema = {"type": "object", "properties": properties, "required": required}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


@cache
def _template(codec_name: str, language: str) -> "Template":
    """Load and compile one template file."""
    # Imported here: a help text needs no templates.
    from jinja2 import Environment, StrictUndefined

    text = _resource(f"{codec_name}.{language}.txt")
    # The output is plain text for a model, never HTML: escaping would change what it reads.
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    return environment.from_string(text)


@cache
def _translations(language: str) -> Mapping[str, Any]:
    """Load the descriptions of the vocabularies' actions; English ones are in the code."""
    if language == "en":
        return {}
    loaded: Mapping[str, Any] = json.loads(_resource(f"actions.{language}.json"))
    return loaded


def _resource(name: str) -> str:
    return files("eyehand.prompts").joinpath("templates", name).read_text(encoding="utf-8")
