"""What the browser tells of a tab's screen: that the page painted, and that it looks different.

Two notices, which say whether a picture still holds, so that none is taken in vain:

- The page's renderer tells each time that it painted (the protocol's layer tree). It tells in the
  order in which it answers, so that after any answer it is known what was painted until then:
  a canvas, a shadow tree and a style are seen like everything else that the page's thread draws.
- A screencast of 16x16 pixels sends a frame when anything shown changed, also what the page's
  thread takes no part in (animated images). A frame comes some milliseconds late, whatever its
  size: no frame does not mean no change, so a picture is never made of one.

A page that moves all the time is not listened to for ever: both stop until it is looked at.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from playwright.async_api import CDPSession

from eyehand.envs.env import Pixels

SIGNAL = {"format": "jpeg", "quality": 1, "everyNthFrame": 1, "maxWidth": 16, "maxHeight": 16}
# So many notices are heard after a look; what is shown is known to have changed long before.
FRAMES_HEARD, PAINTS_HEARD = 10, 100

# A page that is out of sight has no frames.
NEXT_FRAME = """new Promise(painted => {
  requestAnimationFrame(() => setTimeout(painted));
  setTimeout(painted, 50);
})"""

# A canvas that a worker draws on, and one of low latency, are shown without the page's paint; see
# watch.py.
MARK_OFFSCREEN = """(() => {
  const name = Symbol.for('eyehand.offscreen'), offscreen = {canvases: 0};
  if (window[name]) return;
  Object.defineProperty(window, name, {value: offscreen});
  const canvases = HTMLCanvasElement.prototype;
  const count = (method, counts) => {
    canvases[method] = new Proxy(canvases[method], {
      apply(original, canvas, args) {
        if (counts(args)) offscreen.canvases += 1;
        return Reflect.apply(original, canvas, args);
      },
    });
  };
  count('getContext', args => args[1]?.desynchronized);
  count('transferControlToOffscreen', () => true);
})()"""


class Mark(NamedTuple):
    """How many notices there were when a picture was asked for."""

    painted: int
    shown: int


class Painting:
    """The notices of one tab, and its last picture.

    Attributes:
        on_paint: Called at the next notice of paint, once.
        drawable: The page had canvases when it was watched last.
    """

    def __init__(self) -> None:
        self.on_paint: Callable[[], None] | None = None
        self.drawable = False
        self._session: CDPSession | None = None
        self._painted = self._shown = 0
        self._looked = -1
        self._heard = Mark(0, 0)
        self._unanswered: list[int] = []
        self._picture: tuple[Pixels, Mark] | None = None

    async def follow(self, session: CDPSession) -> None:
        """Begin to listen to a tab's session."""
        self._session = session
        session.on("LayerTree.layerTreeDidChange", self._note_paint)
        session.on("Page.screencastFrame", self._note_frame)
        await session.send("Page.startScreencast", SIGNAL)

    def mark(self) -> Mark:
        """Return the notices so far; a picture is asked for next, so go on listening."""
        if self._painted - self._heard.painted >= PAINTS_HEARD:
            self._send("LayerTree.enable")
        self._heard = Mark(self._painted, self._shown)
        while self._unanswered:
            self._send("Page.screencastFrameAck", sessionId=self._unanswered.pop())
        return self._heard

    def keep(self, pixels: Pixels, asked: Mark) -> None:
        """Keep a picture; `asked` is what `mark` returned when it was asked for."""
        self._picture = pixels, asked

    def begin_document(self) -> None:
        """Listen to another document, which came just now; every picture is of the one before."""
        self._picture = None
        self._painted += 2  # what is still being taken does not hold either
        self._send("LayerTree.enable")

    @property
    def kept(self) -> Pixels | None:
        """The last picture, where nothing but itself made a notice since it was asked for.

        A picture has the page painted once. It proves that the renderer tells; where it did not
        tell, or of more, there is none. Await `told` first to know what was painted until then.
        """
        if self._picture is None:
            return None
        pixels, asked = self._picture
        return pixels if self.only_once(asked) and self._shown - asked.shown <= 1 else None

    def note_look(self) -> None:
        """Note that a look at the page ends now."""
        self._looked = self._painted

    @property
    def idle(self) -> bool:
        """Whether nothing was painted since the last look ended."""
        return self._painted == self._looked

    def only_once(self, asked: Mark) -> bool:
        """Return whether the page was painted for the picture and not again."""
        return self._painted - asked.painted == 1

    async def painted(self) -> None:
        """Wait until the page has painted what it draws for its next frame."""
        if self._session is not None:
            options = {"expression": NEXT_FRAME, "awaitPromise": True}
            await self._session.send("Runtime.evaluate", options)

    async def told(self) -> None:
        """Wait until everything has been told that was painted before the call."""
        if self._session is not None:
            await self._session.send("Runtime.evaluate", {"expression": "0"})

    def _note_paint(self, _: Any) -> None:
        self._painted += 1
        if self._painted - self._heard.painted == PAINTS_HEARD:
            self._send("LayerTree.disable")
        call, self.on_paint = self.on_paint, None
        if call is not None:
            call()

    def _note_frame(self, event: dict[str, Any]) -> None:
        self._shown += 1
        self._unanswered.append(event["sessionId"])
        if self._shown - self._heard.shown < FRAMES_HEARD:
            self._send("Page.screencastFrameAck", sessionId=self._unanswered.pop())

    def _send(self, method: str, **options: Any) -> None:
        """Send a command whose failure means that the page is gone, which others report."""
        if self._session is not None:
            sent = asyncio.ensure_future(self._session.send(method, options))
            sent.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
