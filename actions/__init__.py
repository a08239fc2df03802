"""What can be done, and how it is written."""

from eyehand.actions.action import Action, Point
from eyehand.actions.coordinates import Coordinates
from eyehand.actions.space import ActionSpace, Handler

__all__ = ["Action", "ActionSpace", "Coordinates", "Handler", "Point"]
