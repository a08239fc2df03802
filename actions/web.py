"""The web vocabulary: what can be done on a page, with a description and bounds for every field."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from eyehand.actions.action import WRITTEN, Action, Point
from eyehand.actions.keys import WRITTEN_COMBINATION, check_combination, split_combination
from eyehand.actions.urls import WRITTEN_FILES, WRITTEN_URL, check_file_names, check_url

MAX_TEXT_LENGTH = 10_000
"""Most characters that one `type_text`, `answer` or dialog text may hold."""

ScrollDirection = Literal["up", "down", "left", "right"]
FinishStatus = Literal["success", "failure"]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_LENGTH)]


class Click(Action):
    """Click a point."""

    point: Point = Field(description="where to click")


class DoubleClick(Action):
    """Click a point twice in quick succession."""

    point: Point = Field(description="where to click")


class RightClick(Action):
    """Click a point with the right mouse button."""

    point: Point = Field(description="where to click")


class Hover(Action):
    """Move the mouse to a point without clicking."""

    point: Point = Field(description="where to move")


class Drag(Action):
    """Press the mouse at one point and release it at another."""

    start: Point = Field(description="where to press")
    end: Point = Field(description="where to release")


class TypeText(Action):
    """Type text into the element that has the focus."""

    text: Text = Field(description="what to type, any characters")
    press_enter: bool | None = Field(default=None, description="press Enter afterwards")
    point: Point | None = Field(default=None, description="where to click first")


class ReplaceText(Action):
    """Replace all text of the field that has the focus."""

    text: str = Field(
        max_length=MAX_TEXT_LENGTH, description="what the field holds then; empty to clear it"
    )
    press_enter: bool | None = Field(default=None, description="press Enter afterwards")
    point: Point | None = Field(default=None, description="where to click first")


class PressKeys(Action):
    """Press one key, or one combination of modifiers and a key."""

    keys: Annotated[
        list[str],
        BeforeValidator(split_combination),
        AfterValidator(check_combination),
        Field(
            min_length=1,
            max_length=5,
            description='key names, modifiers first, such as ["Enter"] or ["Control", "a"]',
            examples=[["Enter"], ["Tab"], ["Escape"], ["ArrowDown"], ["Control", "a"], ["x"]],
            json_schema_extra={WRITTEN: WRITTEN_COMBINATION},
        ),
    ]


class Scroll(Action):
    """Scroll the page, or the area under a point."""

    direction: ScrollDirection = Field(description="where to look next")
    amount: int = Field(
        default=5, ge=1, le=20, description="how far, in tenths of the visible screen"
    )
    point: Point | None = Field(
        default=None, description="inside the area to scroll, else the screen's middle"
    )


class SelectOption(Action):
    """Choose an option of a drop-down list or a value of a picker."""

    point: Point = Field(description="where the list or picker is")
    option: str = Field(min_length=1, max_length=500, description="the option's text or value")


class GoTo(Action):
    """Open an address in the current tab."""

    url: Annotated[str, AfterValidator(check_url)] = Field(
        max_length=2048,
        description="the address, beginning with http:// or https://",
        examples=["https://example.org/", "http://example.com/search?q=1"],
        json_schema_extra={WRITTEN: WRITTEN_URL},
    )


class Back(Action):
    """Go back to the previous page of this tab."""


class Forward(Action):
    """Go forward to the next page of this tab."""


class Reload(Action):
    """Load the current page again."""


class NewTab(Action):
    """Open an empty tab and show it."""


class SwitchTab(Action):
    """Show another tab."""

    index: int = Field(ge=0, le=99, description="the tab's number, counted from 0")


class CloseTab(Action):
    """Close the current tab."""


class AnswerDialog(Action):
    """Answer the open dialog."""

    accept: bool = Field(description="true for OK, false for Cancel")
    text: str | None = Field(
        default=None, max_length=MAX_TEXT_LENGTH, description="what to enter where it asks for text"
    )


class UploadFile(Action):
    """Give a file, or several, to a file picker or a place where files are dropped."""

    point: Point = Field(description="where the picker or the place is")
    file: Annotated[str | list[str], AfterValidator(check_file_names)] = Field(
        description="the name of one of the files given for this task, or a list of names",
        examples=["photo.png", "report.pdf", ["photo.png", "report.pdf"]],
        json_schema_extra={WRITTEN: WRITTEN_FILES},
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The names, whether one was given or several."""
        return (self.file,) if isinstance(self.file, str) else tuple(self.file)


class Wait(Action):
    """Wait for the screen to change."""

    seconds: float = Field(ge=0.1, le=30.0, description="how long, in seconds")


class Answer(Action):
    """Give the answer to a question that the task asks."""

    text: Text = Field(description="the answer")


class Finish(Action):
    """End the task."""

    status: FinishStatus = Field(description="whether the task is completed")
    message: str | None = Field(
        default=None, max_length=2000, description="a few words for the user"
    )


WEB_ACTIONS: tuple[type[Action], ...] = (
    Click,
    DoubleClick,
    RightClick,
    Hover,
    Drag,
    TypeText,
    ReplaceText,
    PressKeys,
    Scroll,
    SelectOption,
    GoTo,
    Back,
    Forward,
    Reload,
    NewTab,
    SwitchTab,
    CloseTab,
    AnswerDialog,
    UploadFile,
    Wait,
    Answer,
    Finish,
)
"""Every action of the web vocabulary, in the order in which a prompt lists them."""
