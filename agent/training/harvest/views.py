"""Views of web pages: a picture of a part of a page, and what the page says stands there."""

import asyncio
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from playwright.async_api import Page

from eyehand.actions import ActionSpace
from eyehand.actions.web import Wait
from eyehand.agent.reading import as_words, reading_script
from eyehand.agent.training.demonstrations import still
from eyehand.agent.training.harvest.pages import NamedPage
from eyehand.envs.env import Pixels
from eyehand.envs.web.environment import WebEnvironment
from eyehand.errors import EnvironmentFault, StartUnreachable
from eyehand.model.training.pages import Box, Word

OPEN_TIMEOUT_S = 12.0
LOAD_TIMEOUT_S = 4.0
"""How long a view waits for what a page that has come still loads: servers of fonts may be away."""
ASK_TIMEOUT_S = 10.0
SETTLE_S = 0.1
LEAST_CONTRAST = 16
"""Levels of 255 by which a character differs from what is around it, at least."""
MOST_OVERLAP = 0.35
"""Share of the smaller of two words' places that both have; beyond it neither can be read."""
FRAME_SHARE = 0.02
"""Share of a view that a frame or a canvas, whose text nobody reads, may take."""

_WORLD = "eyehand-reading"

_LOOK = """(() => {
  const {width, height} = visualViewport;  // without scroll bars
  const seen = box => Math.max(0, Math.min(box.right, innerWidth) - Math.max(box.left, 0))
    * Math.max(0, Math.min(box.bottom, innerHeight) - Math.max(box.top, 0));
  const closed = Array.from(document.querySelectorAll('iframe, frame, object, embed, canvas'));
  return {
    words: eyehandCharacters(width, height), controls: eyehandControls(width, height),
    unread: closed.filter(e => e.checkVisibility()).reduce(
      (sum, e) => sum + seen(e.getBoundingClientRect()), 0),
  };
})()"""

# The page's own way to scroll, or that of the largest part that scrolls by itself.
_SCROLL = """(share => {
  const rolls = e => e.scrollHeight > e.clientHeight + 1
    && /auto|scroll/.test(getComputedStyle(e).overflowY);
  const page = document.scrollingElement || document.documentElement;
  const parts = Array.from(document.querySelectorAll('*')).filter(rolls)
    .sort((a, b) => b.clientWidth * b.clientHeight - a.clientWidth * a.clientHeight);
  const part = page.scrollHeight > page.clientHeight + 1 || !parts.length ? page : parts[0];
  part.scrollTo({top: Math.round(share * (part.scrollHeight - part.clientHeight)),
                 behavior: 'instant'});
  const answered = performance.getEntriesByType('navigation')[0];
  return {status: answered ? answered.responseStatus || 0 : 0,
          is_empty: !document.body || !document.body.innerText.trim()};
})(SHARE)"""


class NoView(EnvironmentFault):
    """This part of a page is no training screen; another may be one.

    Args:
        reason: Why, in a few words.
        is_final: No part of the page will be one.
    """

    def __init__(self, reason: str, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


@dataclass(frozen=True)
class Control:
    """A text field, checkbox or radio button.

    Attributes:
        kind: "field", "checkbox" or "radio button".
        names: What it may be called, the best first.
        box: Its visible part, in pixels.
        is_ticked: Whether a checkbox is ticked; None where that cannot be told.
    """

    kind: str
    names: tuple[str, ...]
    box: Box
    is_ticked: bool | None


@dataclass(frozen=True)
class View:
    """What a window shows of a page.

    Attributes:
        pixels: The picture.
        words: The words on it.
        controls: What can be filled in.
        cut: Those of the words of which some characters cannot be seen.
    """

    pixels: Pixels
    words: list[Word]
    controls: list[Control]
    cut: list[Word]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def look(page: NamedPage, size: tuple[int, int], scrolled: float) -> View:
    """Open a page in a window, scroll, and say what is shown.

    Args:
        page: The page.
        size: Width and height of the window in pixels.
        scrolled: How far down, 0 to 1.

    Raises:
        NoView: nothing to learn from is shown.
        EnvironmentFault: the page failed.
    """
    environment = WebEnvironment(
        page.url, size, step_timeout_s=OPEN_TIMEOUT_S, action_space=ActionSpace([Wait])
    )
    environment.limits = replace(environment.limits, load_s=LOAD_TIMEOUT_S)
    with closing(environment):
        environment.reset()
        return _seen(environment, scrolled)


def _seen(environment: WebEnvironment, scrolled: float) -> View:
    _scroll(environment, scrolled)
    environment.step(Wait(seconds=SETTLE_S))
    before = _asked(environment, _LOOK)
    observation = environment.step(Wait(seconds=SETTLE_S))[0]
    # A picture holds only where the page said the same before and after it.
    if _asked(environment, _LOOK) != before:
        raise NoView("the page moves")
    pixels = still(observation)
    height_px, width_px = pixels.shape[:2]
    if before["unread"] > FRAME_SHARE * width_px * height_px:
        raise NoView("a frame or a canvas")
    read = zip(as_words(before["words"]), before["words"], strict=True)
    inked = [(word, found[3]) for word, found in read if _is_inked(word, pixels)]
    words, cut = [word for word, _ in inked], [word for word, is_whole in inked if not is_whole]
    if not words:
        raise NoView("no word is seen")
    if any(_overlap(a.box, b.box) > MOST_OVERLAP for a, b in combinations(words, 2)):
        raise NoView("words lie on words")
    return View(pixels, words, [_control(found) for found in before["controls"]], cut)


def _scroll(environment: WebEnvironment, scrolled: float) -> None:
    """Scroll a page.

    Raises:
        NoView: the page is a server's refusal, or holds no text.
    """
    found = _asked(environment, _SCROLL.replace("SHARE", f"{scrolled:.4f}"))
    if found["status"] >= 400:
        raise StartUnreachable(f"the server answered {found['status']}")
    if found["is_empty"]:
        raise NoView("no words", is_final=True)


def _asked(environment: WebEnvironment, expression: str) -> Any:
    """Evaluate an expression in a world of its own, where no script of the page has its hands.

    Raises:
        EnvironmentFault: the page did not answer.
    """
    answer = environment.page_call(_ask, expression, timeout_s=ASK_TIMEOUT_S)
    if answer is None:
        raise EnvironmentFault("a dialog came between")
    if "exceptionDetails" in answer:
        thrown = answer["exceptionDetails"].get("exception", {})
        raise EnvironmentFault(f"the page cannot be read: {thrown.get('description', '')[:200]}")
    return answer["result"]["value"]


async def _ask(page: Page, expression: str) -> dict[str, Any]:
    session = await page.context.new_cdp_session(page)
    try:
        frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        world = await session.send(
            "Page.createIsolatedWorld", {"frameId": frame, "worldName": _WORLD}
        )
        asked = {"contextId": world["executionContextId"], "returnByValue": True}
        await session.send("Runtime.evaluate", {**asked, "expression": reading_script()})
        asked_for: dict[str, Any] = {**asked, "expression": expression}
        return await asyncio.wait_for(session.send("Runtime.evaluate", asked_for), ASK_TIMEOUT_S)
    finally:
        await session.detach()


def _control(found: list[Any]) -> Control:
    kind, names, box, is_ticked = found
    left, top, right, bottom = box
    return Control(kind, tuple(names), (left, top, right, bottom), is_ticked)


def _overlap(a: Box, b: Box) -> float:
    """Return what two boxes share, as a share of the smaller one."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(across, 0.0) * max(down, 0.0) / max(smaller, 1.0)


def _is_inked(word: Word, pixels: Pixels) -> bool:
    """Tell whether every character of a word is drawn; the page cannot know of all that hides."""
    top, bottom = max(int(word.box[1]), 0), int(word.box[3]) + 1
    for character in word.characters:
        left = max(int(character.x_px) - 4, 0)
        patch = pixels[top:bottom, left : left + 9]
        if not patch.size or int(np.ptp(patch, axis=(0, 1)).max()) < LEAST_CONTRAST:
            return False
    return True
