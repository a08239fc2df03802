"""What a plan and a summary on disk may hold, whoever wrote them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from eyehand.agent.trajectory.records import first_fault
from eyehand.errors import UsageError

MOST_EPISODES = 500_000
"""Episodes of a plan, all tasks together: as many rows are read."""

MOST_TASKS = 10_000
MOST_FIELDS = 200
LONGEST_NAME = 10_000


def _few(given: Any) -> Any:
    if isinstance(given, dict) and len(given) > MOST_TASKS:
        raise ValueError(f"expected at most {MOST_TASKS} entries, got {len(given)}")
    return given


def _short(given: str) -> str:
    # Pydantic's own bound refuses half of a surrogate pair, which names may hold.
    if len(given) > LONGEST_NAME:
        raise ValueError(f"expected at most {LONGEST_NAME} characters, got {len(given)}")
    return given


Whole = Annotated[StrictInt, Field(ge=1, le=2**53)]
Name = Annotated[str, AfterValidator(_short)]


class _Document(BaseModel):
    """Fields of later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Task(_Document):
    """A task of the summary: what is read of it."""

    task: Name
    ceiling: Annotated[float, Field(ge=0, le=1)] | None = None
    ceiling_source: Name | None = None


Price = Annotated[float, Field(ge=0, le=1e9)]
"""US dollars a million tokens."""


class _Options(_Document):
    """How the policy was asked for; options of later versions are looked at where they are used."""

    policy: Name = "model"
    blind: StrictBool = False
    model: Name | None = None
    dialect: Name | None = None
    served_model: Name | None = None
    key_env: Name | None = None
    keyword_mark: Name | None = None
    language: Name | None = None
    temperature: Annotated[float, Field(ge=0, le=1e6)] | None = None
    max_new_tokens: Whole | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=0, le=2**31)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=1e6)] | None = None
    device: Name | None = None
    device_map: Name | None = None
    dtype: Name | None = None
    min_pixels: Whole | None = None
    max_pixels: Whole | None = None
    quantize: Name | None = None
    adapter: Name | None = None
    grammar: Name | None = None
    history: Name | None = None
    cache_gb: Annotated[float, Field(gt=0, le=1e6)] | None = None
    prompt: Name | None = None
    grounder: Name | None = None
    served_grounder: Name | None = None
    grounder_dialect: Name | None = None
    grounder_key_env: Name | None = None
    price: Annotated[list[Price], Field(min_length=2, max_length=2)] | None = None
    allow_private: StrictBool = False


class _Plan(_Document):
    """The fields of `plan.json` and `evaluation.json` that are read; each may be missing."""

    suite: Name = ""
    specs: Annotated[list[Name], Field(max_length=MOST_TASKS, fail_fast=True)] = Field(
        default_factory=list
    )
    declared: Annotated[
        list[dict[str, Any] | None], Field(max_length=MOST_TASKS, fail_fast=True)
    ] = Field(default_factory=list)
    episodes: Whole = 1
    first_seed: Annotated[StrictInt, Field(ge=0, lt=2**63)] = 0
    max_steps: Whole | None = None
    time_limit_s: Annotated[float, Field(gt=0, le=1e12)] | None = None
    max_tokens: Whole | None = None
    max_cost_usd: Annotated[float, Field(gt=0, le=1e9)] | None = None
    keep: Literal["all", "failures", "none"] = "all"
    batch: Whole = 1
    options: _Options = Field(default_factory=_Options)
    policies: Annotated[dict[str, dict[str, Any]], BeforeValidator(_few)] = Field(
        default_factory=dict
    )
    policy: Name | dict[str, Any] = ""
    policy_details: dict[str, Any] = Field(default_factory=dict)
    tasks: Annotated[list[_Task], Field(max_length=MOST_TASKS, fail_fast=True)] = Field(
        default_factory=list
    )


def check_plan(document: Any, path: Path) -> dict[str, Any]:
    """Return a plan or a summary as it was read, after its fields have been looked at.

    Args:
        document: What the file holds.
        path: The file, for messages.

    Raises:
        UsageError: a field is not what it should be, or it asks for too much.
    """
    if not isinstance(document, dict) or len(document) > MOST_FIELDS:
        raise UsageError(f"{path} is no plan or summary of eyehand: expected a mapping")
    try:
        plan = _Plan.model_validate(document)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_fault(error)}") from None
    if len(plan.declared) > len(plan.specs):
        raise UsageError(f"{path}: declared: expected no more entries than there are specs")
    if len(plan.specs) * plan.episodes > MOST_EPISODES:
        raise UsageError(f"{path} asks for more than {MOST_EPISODES:,} episodes")
    return document
