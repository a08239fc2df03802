"""What an expert of the phone sees: the hierarchy's nodes, and the actions that touch them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from eyehand.actions import Point
from eyehand.actions.android import LongPress, Tap
from eyehand.envs.env import ScreenGeometry
from eyehand.envs.phone.environment import PhoneEnvironment
from eyehand.errors import ActionHadNoEffect

LEAST_HEIGHT_PX = 14
"""A node of which less is in view counts as out of view."""

_BOUNDS = re.compile(r"\[(-?\d+),(-?\d+)\]\[(-?\d+),(-?\d+)\]")


@dataclass(eq=False)
class Node:
    """One node of the hierarchy.

    Attributes:
        name: Its resource id without the package, such as "save".
        text: The text that it shows.
        clickable: Whether a tap on it does something.
        bounds: Left, top, right, bottom of what is in view, in device pixels.
        parent: The node around it.
        children: The nodes in it, in the order of drawing.
    """

    name: str
    text: str
    clickable: bool
    bounds: tuple[int, int, int, int]
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of what is in view."""
        left, top, right, bottom = self.bounds
        return (left + right) / 2, (top + bottom) / 2

    def walk(self) -> Iterator["Node"]:
        """Yield the node and everything in it, in the order of drawing."""
        yield self
        for child in self.children:
            yield from child.walk()

    def within(self, other: "Node") -> bool:
        """Return whether the node is another one or lies in it."""
        node: Node | None = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    def covers(self, x: float, y: float) -> bool:
        """Return whether a pixel lies in the node."""
        left, top, right, bottom = self.bounds
        return left <= x < right and top <= y < bottom


@dataclass(frozen=True)
class Target:
    """What to look for; every part that is given must fit.

    Attributes:
        name: The resource id without its package.
        text: The whole text.
        row: A text that stands beside it, in the same innermost `row_name`.
        row_name: The resource id of the rows.
    """

    name: str | None = None
    text: str | None = None
    row: str | None = None
    row_name: str | None = None

    def fits(self, node: Node) -> bool:
        """Return whether a node is what is looked for."""
        if self.name is not None and node.name != self.name:
            return False
        if self.text is not None and node.text != self.text:
            return False
        return self.row is None or self._beside(node)

    def _beside(self, node: Node) -> bool:
        around: Node | None = node
        while around is not None and around.name != self.row_name:
            around = around.parent
        return around is not None and any(part.text == self.row for part in around.walk())


class PhoneView:
    """The phone as an expert sees it: by its hierarchy instead of its pixels.

    Args:
        environment: The phone.

    Attributes:
        environment: The phone.
        geometry: How the screen that was observed last lies on the phone.
    """

    def __init__(self, environment: PhoneEnvironment) -> None:
        self.environment = environment
        self.geometry: ScreenGeometry | None = None

    def nodes(self) -> list[Node]:
        """Return the nodes of the window in front, in the order of drawing."""
        root = ElementTree.fromstring(self.environment.screen.hierarchy())
        return [node for child in root for node in _read(child, None).walk()]

    def find(self, target: Target) -> Node | None:
        """Return the first node that fits and that a tap would reach; None where none does."""
        nodes = self.nodes()
        for node in nodes:
            if target.fits(node) and _reachable(node, nodes):
                return node
        return None

    def in_reach(self) -> list[Node]:
        """Return the nodes that a tap would reach, in the order of drawing."""
        nodes = self.nodes()
        return [node for node in nodes if _reachable(node, nodes)]

    def tap(self, target: Target) -> Tap:
        """Return a tap on the middle of a node.

        Raises:
            ActionHadNoEffect: no such node can be reached.
        """
        return self.tap_at(*self._found(target).centre)

    def tap_at(self, x_px: float, y_px: float) -> Tap:
        """Return a tap on a device pixel."""
        return Tap(point=self.point(x_px, y_px))

    def long_press(self, target: Target) -> LongPress:
        """Return a long press on the middle of a node.

        Raises:
            ActionHadNoEffect: no such node can be reached.
        """
        return LongPress(point=self.point(*self._found(target).centre))

    def point(self, x_px: float, y_px: float) -> Point:
        """Return the point of a device pixel.

        Raises:
            ActionHadNoEffect: nothing was observed yet.
        """
        if self.geometry is None:
            raise ActionHadNoEffect("the expert has seen no screen yet")
        return self.geometry.to_point(x_px, y_px)

    def _found(self, target: Target) -> Node:
        node = self.find(target)
        if node is None:
            raise ActionHadNoEffect(f"the expert finds no {target} on the screen")
        return node


def _read(element: ElementTree.Element, parent: Node | None) -> Node:
    """Read an element of uiautomator's XML and everything in it."""
    matched = _BOUNDS.fullmatch(element.get("bounds", ""))
    left, top, right, bottom = (int(part) for part in matched.groups()) if matched else (0,) * 4
    node = Node(
        name=element.get("resource-id", "").rpartition("/")[2],
        text=element.get("text", ""),
        clickable=element.get("clickable") == "true",
        bounds=(left, top, right, bottom),
        parent=parent,
    )
    node.children = [_read(child, node) for child in element]
    return node


def _reachable(node: Node, nodes: list[Node]) -> bool:
    """Return whether enough of a node is in view and nothing that takes taps lies over it."""
    left, top, right, bottom = node.bounds
    if bottom - top < LEAST_HEIGHT_PX or right <= left:
        return False
    after = nodes[nodes.index(node) + 1 :]
    return not any(
        (other.clickable or other.name == "snackbar")
        and other.covers(*node.centre)
        and not other.within(node)
        for other in after
    )
