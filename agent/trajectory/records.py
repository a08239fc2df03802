"""The lines of `episode.jsonl`: what is kept of an episode, typed.

A trajectory is one `episode` line, one `step` line a step and one `outcome` line. The format is
versioned; readers refuse a version that they do not know. A record may come from anybody: its
numbers and collections have bounds, and its texts are cut where they are written.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

from eyehand.actions import Action, ActionSpace
from eyehand.agent.outcome import Outcome

FORMAT: Literal[1] = 1
"""Version of the line format."""


MOST_PARTS = 200
"""Entries of a mapping of numbers."""

MOST_FRAMES = 4096
"""Frames of a video."""

LONGEST_TEXT = 50_000
"""Characters of a text that a page, an environment or a model wrote."""

LONGEST_SAID = 2_000
"""Characters of what is said in a sentence: an error, an effect, an action in words."""

MOST_CALLS = 20
"""Further calls of an answer that are named."""


def cut(text: str, most: int = LONGEST_TEXT) -> str:
    """Return a text, or its beginning with a note of what was left out.

    Example:
        >>> cut("abcdef", 3)
        'abc [3 more characters]'
    """
    return text if len(text) <= most else f"{text[:most]} [{len(text) - most} more characters]"


def cut_calls(calls: Sequence[str]) -> list[str]:
    """Return the first of an answer's further calls, each cut, and how many more there are."""
    named = [cut(call, LONGEST_SAID) for call in calls[:MOST_CALLS]]
    more = len(calls) - MOST_CALLS
    return [*named, f"{more} more calls"] if more > 0 else named


def _few(given: Any) -> Any:
    """Refuse a mapping of too many entries, before each of them is looked at."""
    if isinstance(given, dict) and len(given) > MOST_PARTS:
        raise ValueError(f"expected at most {MOST_PARTS} entries, got {len(given)}")
    return given


Count = Annotated[int, Field(ge=0, le=2**53)]
Counts = Annotated[dict[str, Count], BeforeValidator(_few)]
Seconds = Annotated[float, Field(ge=-1e12, le=1e12)]
Timings = Annotated[dict[str, Seconds], BeforeValidator(_few)]
Pixel = Annotated[int, Field(ge=1, le=1_000_000)]
Length = Annotated[float, Field(gt=0, le=1e9)]
"""A width or a height in a device's units."""


class Record(BaseModel):
    """Base of every record: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, given: Any) -> Any:
        return _few(given)


class ScreenRecord(Record):
    """A screen that was seen: its file and its geometry (see `ScreenGeometry`).

    Attributes:
        file: Path relative to the trajectory's folder; None where nothing is written to disk.
        name: Name of the screen, as points refer to it.
        width_px: Width of the picture in pixels.
        height_px: Height of the picture in pixels.
        device_width: Width in the device's input units.
        device_height: Height in the device's input units.
        left: Device x of the left edge.
        top: Device y of the top edge.
        video: Files of the video's frames, the oldest first and `file` last, most of them files
            of earlier screens; None, and not written, where the screen is a still picture.
    """

    file: str | None
    name: str
    width_px: Pixel
    height_px: Pixel
    device_width: Length
    device_height: Length
    left: float = 0.0
    top: float = 0.0
    video: (
        Annotated[list[str], Field(min_length=1, max_length=MOST_FRAMES, fail_fast=True)] | None
    ) = None

    @model_serializer(mode="wrap")
    def _without_a_video_where_there_is_none(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        if self.video is None:
            fields.pop("video", None)
        return fields


class ActionRecord(Record):
    """An action by name, with its JSON-ready arguments; points are normalised, 0 to 1."""

    name: str
    arguments: dict[str, Any]
    shown: str = ""

    @classmethod
    def of(cls, action: Action) -> "ActionRecord":
        """Record an action."""
        shown = cut(str(action), LONGEST_SAID)
        return cls(name=action.name, arguments=action.arguments(), shown=shown)

    def build(self, space: ActionSpace) -> Action:
        """Build the action again, for replay and training.

        Raises:
            ModelFeedback: the space does not permit it any longer.
        """
        return space.build(self.name, self.arguments_as_points(space))

    def arguments_as_points(self, space: ActionSpace) -> dict[str, Any]:
        """Return the arguments with every recorded point as a `Point`."""
        fields = space.type_named(self.name).model_validate(self.arguments).points()
        return {**self.arguments, **fields}


class ErrorRecord(Record):
    """A refused answer, a refused action or a fault: the error's class and its message."""

    type: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> "ErrorRecord":
        """Record an exception."""
        return cls(type=type(error).__name__, message=cut(str(error), LONGEST_SAID))


class ActionTypeRecord(Record):
    """A permitted action: enough to read the record without the code that wrote it."""

    name: str
    description: str
    json_schema: dict[str, Any]

    @classmethod
    def of(cls, action_type: type[Action]) -> "ActionTypeRecord":
        """Record an action type."""
        return cls(
            name=action_type.name,
            description=action_type.description(),
            json_schema=action_type.model_json_schema(),
        )


class EpisodeRecord(Record):
    """The first line: what was asked, of whom, where."""

    type: Literal["episode"] = "episode"
    format: Literal[1] = FORMAT
    eyehand: str
    started_at: str
    task: str
    spec: str
    seed: int | None
    policy: dict[str, Any]
    actions: Annotated[list[ActionTypeRecord], Field(max_length=10_000, fail_fast=True)] = Field(
        default_factory=list
    )
    max_steps: int
    time_limit_s: float | None = None
    unused_task: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class StepRecord(Record):
    """One step: the screen that was seen, what was decided, what became of it.

    Attributes:
        screen: The screen that the decision was made on.
        text: The observation's text.
        feedback: What the policy was told about its previous decision.
        error: Why there is no action, why it was refused, or the fault that it met.
        effect: What the environment says that the action did.
        timings_s: Seconds: "record" (the screen to disk), "decide", "perform".
        policy_timings_s: The policy's own parts of "decide".
        environment_timings_s: The environment's own parts of "perform".
    """

    type: Literal["step"] = "step"
    index: Count
    screen: ScreenRecord
    text: str = ""
    feedback: str = ""
    thought: str = ""
    raw_text: str = ""
    action: ActionRecord | None = None
    error: ErrorRecord | None = None
    not_performed: Annotated[list[str], Field(max_length=10_000, fail_fast=True)] = Field(
        default_factory=list
    )
    effect: str = ""
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    verdict: bool | None = None
    timings_s: Timings = Field(default_factory=dict)
    policy_timings_s: Timings = Field(default_factory=dict)
    environment_timings_s: Timings = Field(default_factory=dict)
    tokens: Counts = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)


class OutcomeRecord(Record):
    """The last line: how the episode ended, and the last screen where there is one."""

    type: Literal["outcome"] = "outcome"
    outcome: Outcome
    message: str = ""
    verdict: bool | None = None
    steps: Count
    seconds: Seconds
    reward: float = 0.0
    screen: ScreenRecord | None = None
    details: dict[str, Any] = Field(default_factory=dict)


AnyRecord = EpisodeRecord | StepRecord | OutcomeRecord

RECORD: TypeAdapter[AnyRecord] = TypeAdapter(Annotated[AnyRecord, Field(discriminator="type")])
"""Reads one line of `episode.jsonl` into its record."""


def first_fault(error: ValidationError) -> str:
    """Return what is wrong with a record or a row, in one sentence: the field and what came."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part)[:60] for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    came = repr(fault["input"])[:80] if isinstance(fault["input"], str | int | float) else ""
    said = f"{message[:1].lower()}{message[1:]}" + (f", got {came}" if came else "")
    return f"{place}: {said}" if place else said
