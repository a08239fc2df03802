"""Past closed shadow roots, and who listens to keys: what no script of the page can be asked.

Chromium's protocol can. Its objects and Playwright's handles cannot be exchanged, so an element is
handed over in a global of its page, which is gone with the next call.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from playwright.async_api import CDPSession, ElementHandle, Frame, Page
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.tab import quietly

MAX_DEPTH = 8
KEY_EVENTS = frozenset({"keydown", "keypress", "keyup"})

PLACE = "globalThis[Symbol.for('eyehand.handed-over')]"
"""Where an element is left for the protocol, and by it."""

_LEAVE = f"e => {{ {PLACE} = e; }}"
_TAKE = f"(() => {{ const e = {PLACE}; delete {PLACE}; return e; }})()"
_sessions: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()
# An element, everything around it, and the window: where its keys are heard.
_AROUND = """function() {
  const all = [];
  for (let n = this; n; n = n.parentNode || n.host) all.push(n);
  return [...all, window];
}"""


@dataclass(frozen=True)
class _Node:
    """An object of the page, as Chromium's protocol names it."""

    session: CDPSession
    object_id: str

    async def ask(self, function: str, *args: float) -> "_Node | None":
        """Call `function` on the object; return the object it returns, or None."""
        arguments = [{"value": value} for value in args]
        asked = {"functionDeclaration": function, "arguments": arguments}
        answer = await self.session.send(
            "Runtime.callFunctionOn", {**asked, "objectId": self.object_id}
        )
        return _node(self.session, answer["result"])

    async def closed_root(self) -> "_Node | None":
        """Return the closed shadow root of an element, or None."""
        asked = {"objectId": self.object_id, "pierce": True, "depth": 0}
        node = (await self.session.send("DOM.describeNode", asked))["node"]
        for root in node.get("shadowRoots", ()):
            if root["shadowRootType"] == "closed":
                found = await self.session.send(
                    "DOM.resolveNode", {"backendNodeId": root["backendNodeId"]}
                )
                return _node(self.session, found["object"])
        return None

    async def listens(self) -> bool:
        """Return whether the object hears keys."""
        asked = {"objectId": self.object_id}
        answer = await self.session.send("DOMDebugger.getEventListeners", asked)
        return any(listener["type"] in KEY_EVENTS for listener in answer["listeners"])

    async def items(self) -> "list[_Node]":
        """Return the objects that an array holds."""
        asked = {"objectId": self.object_id, "ownProperties": True}
        answer = await self.session.send("Runtime.getProperties", asked)
        found = [item for item in answer["result"] if item["name"].isdigit()]
        return [node for item in found if (node := _node(self.session, item["value"]))]


async def inside(frame: Frame, find: str, *args: float) -> ElementHandle | None:
    """Return what `find` finds inside the closed shadow root of the element left at `PLACE`.

    Args:
        frame: The element's frame.
        find: A function that is called on a shadow root with `args`, and returns an element; it
            is called again on the closed root of that element, if it has one.
        args: Numbers.

    Returns:
        A handle; None where the element has no closed root, or nothing is found in it.
    """
    async with _left(frame) as node:
        found = None
        for _ in range(MAX_DEPTH):
            root = await node.closed_root() if node is not None else None
            node = await root.ask(find, *args) if root is not None else None
            if node is None:
                break
            found = node
        if found is None:
            return None
        await found.ask(f"function() {{ {PLACE} = this; }}")
        return (await frame.evaluate_handle(_TAKE)).as_element()


async def hears_keys(element: ElementHandle, frame: Frame) -> bool:
    """Return whether the page has a script that hears keys while the element has the focus."""
    await element.evaluate(_LEAVE)
    async with _left(frame) as node:
        around = await node.ask(_AROUND) if node is not None else None
        if around is None:
            return False
        return any(await asyncio.gather(*(item.listens() for item in await around.items())))


@asynccontextmanager
async def _left(frame: Frame) -> AsyncIterator[_Node | None]:
    """Take what was left at `PLACE` in a frame, as an object that holds inside the block."""
    top, session = await _session(frame)
    try:
        # A frame of the page's own process shares the page's session, and has its own world.
        alone = top is frame
        contexts: list[dict[str, Any]] = [{}] if alone else await _contexts(session)
        yield await _taken(session, contexts)
    finally:
        if session is not _sessions.get(frame.page):
            await quietly(session.detach)


async def _taken(session: CDPSession, contexts: list[dict[str, Any]]) -> _Node | None:
    for context in contexts:
        answer = await session.send("Runtime.evaluate", {"expression": _TAKE, **context})
        if (node := _node(session, answer["result"])) is not None:
            return node
    return None


async def _session(frame: Frame) -> tuple[Frame, CDPSession]:
    """Return a session that reaches the frame, and the frame that the session belongs to."""
    page = frame.page
    if frame.parent_frame is None:
        if page not in _sessions:
            _sessions[page] = await page.context.new_cdp_session(page)
        return frame, _sessions[page]
    try:
        return frame, await page.context.new_cdp_session(frame)
    except PlaywrightError as error:
        if "separate CDP session" not in str(error):
            raise
    return await _session(frame.parent_frame)


async def _contexts(session: CDPSession) -> list[dict[str, Any]]:
    """Return the worlds in which a session's pages run their own scripts."""
    found: list[dict[str, Any]] = []

    def add(event: dict[str, Any]) -> None:
        if event["context"].get("auxData", {}).get("isDefault"):
            found.append({"contextId": event["context"]["id"]})

    session.on("Runtime.executionContextCreated", add)
    await session.send("Runtime.enable")
    await session.send("Runtime.disable")
    return found


def _node(session: CDPSession, answer: dict[str, Any]) -> _Node | None:
    object_id = answer.get("objectId")
    return _Node(session, object_id) if object_id else None
