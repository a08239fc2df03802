"""Action and Point: what can be done, typed, bounded and frozen.

An action type is a frozen pydantic class. Its name, its description and its fields' descriptions
and bounds are the single source of the prompt that a model reads, of the JSON schema and of the
documentation.
"""

import re
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

WRITTEN = "written"
"""Key of a field's JSON schema: a pattern of its JSON text, where a validator of the field's own
says more than the schema."""


class Point(BaseModel):
    """A place on a named screen, normalised: (0, 0) is the top left, (1, 1) the bottom right.

    Attributes:
        x: Horizontal position, 0 to 1 inclusive; 1 is the last pixel.
        y: Vertical position, 0 to 1 inclusive; 1 is the last pixel.
        screen: Name of the screen that the point was read from (`ScreenGeometry.screen`), or
            None when the writer did not look at one. An environment refuses a point whose screen
            is no longer the current one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
    y: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
    screen: str | None = None


class Action(BaseModel):
    """Base of every action type.

    Subclasses get `name` from their class name in snake case unless they set it, and their
    description from the first paragraph of their docstring.

    Example:
        >>> class DoubleTap(Action):
        ...     '''Tap a point twice.'''
        ...     point: Point
        >>> DoubleTap.name, DoubleTap.description()
        ('double_tap', 'Tap a point twice.')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "action"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Derive the action's name from the class name where none is given."""
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def description(cls) -> str:
        """Return the first paragraph of the docstring as one line."""
        paragraph = (cls.__doc__ or cls.name).strip().split("\n\n")[0]
        return " ".join(paragraph.split())

    def points(self) -> dict[str, Point]:
        """Return the action's points by field name, in the order of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Point)}

    def arguments(self) -> dict[str, Any]:
        """Return the arguments as JSON-ready values, without fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)

    def __str__(self) -> str:
        """Return `name(argument=value, ...)`, for people; points with three decimals."""
        shown = []
        for field, value in ((f, getattr(self, f)) for f in type(self).model_fields):
            if isinstance(value, Point):
                shown.append(f"{field}=({value.x:.3f}, {value.y:.3f})")
            elif value is not None:
                shown.append(f"{field}={value!r}")
        return f"{self.name}({', '.join(shown)})"
