"""Scene: what one action works on, and what it says about itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from eyehand.actions import Point
from eyehand.envs.env import ScreenGeometry
from eyehand.envs.web.elements import Element
from eyehand.envs.web.tab import Tab
from eyehand.envs.web.tabs import Tabs


@dataclass
class ActionContext:
    """What an action works on.

    Attributes:
        tabs: All tabs.
        tab: The tab that the model saw.
        geometry: The screen that the model saw.
        began_s: Loop time at which the action began.
        permitted: Names of the permitted actions.
        uploads: Files that may be uploaded, by name.
        load_s: How long an address may take to answer.
        effect: What the action does, set before it is done, so that it is known when a dialog
            interrupts it.
        before: What was done before that, as a part of the same action.
        feedback: What the model should know beside the next screen.
        failed: The action did not do what it says.
        lingers: A field that suggests something was touched: it is given time to.
        under: The element under the action's point.
        hints: What the next screen cannot show (a list's options).
        afterwards: Looks at what the action did once the page has settled.
    """

    tabs: Tabs
    tab: Tab
    geometry: ScreenGeometry
    began_s: float = 0.0
    permitted: tuple[str, ...] = ()
    uploads: dict[str, Path] = field(default_factory=dict)
    load_s: float = 10.0
    effect: str = ""
    before: str = ""
    feedback: str = ""
    failed: bool = False
    lingers: bool = False
    under: Element | None = None
    hints: list[str] = field(default_factory=list)
    afterwards: Callable[[], Awaitable[None]] | None = None

    @property
    def said(self) -> str:
        """What the whole action did, in words."""
        return ", then ".join(filter(None, (self.before, self.effect)))

    def place(self, point: Point) -> tuple[float, float]:
        """Return a point in CSS pixels of the viewport.

        Raises:
            StaleScreen: the point belongs to another screen.
        """
        return self.geometry.to_device(point)
