"""Downloads go into the episode's folder, under a name that cannot leave it; none is lost.

A link with a `download` attribute makes no request that Chromium tells of until its server begins
to send. A script in every page therefore counts the clicks on such links, and `watch.py` reads it;
`waiting.py` does at the end of an episode. The count only grows: a watch that is given up, because
the page is busy, takes none away.
"""

import asyncio
import os
import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Download
from playwright.async_api import Error as PlaywrightError

from eyehand.envs.web.faults import first_line
from eyehand.envs.web.tab import leave_running, quietly

MAX_NAME_LENGTH = 120
# A server that has not begun to send what was asked for by then is not expected to any more.
ASKED_TIMEOUT_S = 15.0
FOLDER = "downloads"
MAX_DOWNLOADS = 50
"""How many downloads of an episode are kept."""
MAX_BYTES = 200_000_000
"""How large they may be together."""
TOO_LARGE = f"this episode's downloads are larger than {MAX_BYTES // 1_000_000} MB; it was stopped"
TOO_MANY = f"This episode has begun {MAX_DOWNLOADS} downloads; no further one is kept."

# Counts the clicks on links with a `download` attribute, made by a person or by a script; a link
# that is not in the document tells nobody else of its click.
COUNT_CLICKS = """(() => {
  const name = Symbol.for('eyehand.downloads');
  const downloads = {asked: 0, document: String(Math.random())};
  if (window[name]) return;  // a frame's first, empty document may share it with the next one
  Object.defineProperty(window, name, {value: downloads});
  const asks = e => e instanceof HTMLAnchorElement && e.hasAttribute('download') &&
    /^https?:$/.test(e.protocol) && e.origin === location.origin;
  const count = event =>
    setTimeout(() => { if (!event.defaultPrevented) downloads.asked += 1; });
  addEventListener('click', event => { if (event.composedPath().some(asks)) count(event); }, true);
  const counting = {apply(original, link, args) {
    const click = !args.length || (args[0] && args[0].type === 'click');
    if (click && asks(link) && !link.isConnected)
      link.addEventListener('click', count, {once: true});
    return Reflect.apply(original, link, args);
  }};
  const elements = HTMLElement.prototype, targets = EventTarget.prototype;
  elements.click = new Proxy(elements.click, counting);
  targets.dispatchEvent = new Proxy(targets.dispatchEvent, counting);
})()"""

# Returns the document's name and how many such clicks there were in it.
CLICKS = """() => {
  const downloads = window[Symbol.for('eyehand.downloads')] || {asked: 0, document: ''};
  return [String(downloads.document), Number(downloads.asked) || 0];
}"""


class Downloads:
    """The downloads of one episode: asked for, running, kept.

    Args:
        folder: The episode's folder, which gets a folder "downloads" and a list; None keeps none.
        tell: Called with one sentence for each download that ended, and with "" at other news.
    """

    def __init__(self, folder: Path | None, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._running: dict[asyncio.Task[None], tuple[str, int]] = {}
        self._awaited: set[asyncio.Task[None]] = set()
        self._asked: list[tuple[float, int]] = []
        self._unasked: list[int] = []
        self._clicks: dict[str, float] = {}
        self._count = 0
        self._ended: list[dict[str, Any]] = []
        self._begun = 0
        self._bytes: dict[str, int] = {}
        self._stopped: set[str] = set()

    async def bound(self, session: CDPSession, context_id: str, folder: Path) -> None:
        """Stop what grows too large, from now on.

        Args:
            session: A session of the whole browser's, for this alone.
            context_id: The context of the episode, as Chromium names it.
            folder: Where the browser keeps what it downloads.
        """

        def begin(event: dict[str, Any]) -> None:
            self._bytes[event["guid"]] = 0
            addresses[event["guid"]] = event["url"]

        def grow(event: dict[str, Any]) -> None:
            guid = event["guid"]
            size = max(event["receivedBytes"], event["totalBytes"], self._bytes.get(guid, 0))
            self._bytes[guid] = int(size)
            running = event["state"] == "inProgress"
            if running and sum(self._bytes.values()) > MAX_BYTES and guid in addresses:
                self._bytes[guid] = 0  # it frees its place
                self._stopped.add(addresses.pop(guid))
                named = {"guid": guid, "browserContextId": context_id}
                leave_running(asyncio.ensure_future(session.send("Browser.cancelDownload", named)))

        addresses: dict[str, str] = {}
        session.on("Browser.downloadWillBegin", begin)
        session.on("Browser.downloadProgress", grow)
        # As Playwright set it; a session is told of what it asked for itself only.
        await session.send(
            "Browser.setDownloadBehavior",
            {
                "behavior": "allowAndName",
                "browserContextId": context_id,
                "downloadPath": str(folder),
                "eventsEnabled": True,
            },
        )

    @property
    def awaited(self) -> bool:
        """Whether a download runs that no step has waited for in vain."""
        return bool(self._awaited)

    def give_up_waiting(self) -> None:
        """Wait for what runs at the end of the episode only; it goes on."""
        self._awaited.clear()

    @property
    def pending(self) -> bool:
        """Whether a download runs, or one was asked for that may still begin."""
        now_s = asyncio.get_running_loop().time()
        self._asked = [(at, by) for at, by in self._asked if now_s - at < ASKED_TIMEOUT_S]
        return bool(self._running or self._asked)

    def ask(self, document: str, clicks: float, action: int) -> None:
        """Expect downloads whose servers have not begun to send.

        Args:
            document: Names the document that asked for them.
            clicks: How many it has asked for so far; those that are known count once.
            action: Number of the action that asked for the latest.
        """
        known = self._clicks.get(document, 0)
        # A page can write into its count: what no click makes is not waited for.
        count = int(clicks - known) if 0 < clicks - known <= MAX_DOWNLOADS else 0
        self._clicks[document] = max(known, clicks) if isfinite(clicks) else known
        for _ in range(count):
            # A quick server begins to send before the page is asked what was clicked.
            if action in self._unasked:
                self._unasked.remove(action)
            elif self._folder is not None:
                self._asked.append((asyncio.get_running_loop().time(), action))

    def expected(self, since_s: float) -> bool:
        """Return whether one that was asked for since that loop time has not begun."""
        return any(at_s >= since_s for at_s, _ in self._asked)

    def begin(self, download: Download, action: int) -> None:
        """Keep a download that has begun.

        Args:
            download: The download.
            action: Number of the latest action; an earlier one may have asked for it.
        """
        if self._asked:
            asked = self._asked.pop(0)[1]
        else:
            asked = action
            self._unasked.append(action)
        self._begun += 1
        if self._begun > MAX_DOWNLOADS:
            leave_running(asyncio.ensure_future(quietly(download.cancel)))
            if self._begun == MAX_DOWNLOADS + 1:
                self._tell(TOO_MANY)
            return
        task = asyncio.ensure_future(self._keep(download, asked))
        self._running[task] = (safe_name(download.suggested_filename), asked)
        self._awaited.add(task)

    def take_ended(self) -> list[dict[str, Any]]:
        """Return what ended since this was asked last, JSON-ready.

        Returns:
            For each one "file" (in the episode's folder), "bytes", and "action", the number from
            1 of the action that asked for it; "problem" instead of "bytes" where it failed.
        """
        ended, self._ended = self._ended, []
        return ended

    async def finish(self, timeout_s: float) -> None:
        """Wait for what is pending, and give up what takes longer."""
        clock = asyncio.get_running_loop().time
        end_s = clock() + timeout_s
        while self.pending and clock() < end_s:
            # What was only asked for is no task yet.
            work = set(self._running) or {asyncio.ensure_future(asyncio.sleep(0.05))}
            await asyncio.wait(work, timeout=end_s - clock(), return_when=asyncio.FIRST_COMPLETED)
        for task, (name, action) in list(self._running.items()):
            task.cancel()
            self._end(name, action, f"not finished after another {timeout_s:g} s")

    async def _keep(self, download: Download, action: int) -> None:
        name = safe_name(download.suggested_filename)
        try:
            if self._folder is None:
                await download.cancel()
                self._tell(
                    f"The page offered the download {name!r}; this episode keeps no downloads."
                )
                return
            path = await self._save(download, self._folder / FOLDER, name)
            size = path.stat().st_size
            self._ended.append({"file": f"{FOLDER}/{path.name}", "bytes": size, "action": action})
            self._tell(f"Downloaded {path.name!r} ({size} bytes).")
        except (PlaywrightError, OSError) as error:
            stopped = download.url in self._stopped
            said = first_line(error).removeprefix("Download.save_as: ")
            self._end(name, action, TOO_LARGE if stopped else said)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._running.pop(task, None)
                self._awaited.discard(task)
            self._tell("")

    async def _save(self, download: Download, folder: Path, name: str) -> Path:
        """Save under a name of its own: a name that is free now may be taken at the end."""
        self._count += 1
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{self._count}.part"
        try:
            await download.save_as(partial)
            path = claim_path(folder, name)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def _end(self, name: str, action: int, problem: str) -> None:
        if self._folder is not None:
            self._ended.append({"file": name, "problem": problem, "action": action})
        self._tell(f"The download {name!r} failed: {problem}")


def safe_name(suggested: str) -> str:
    """Return a page's suggestion as a plain file name: no folders, no control characters."""
    name = re.sub(r"[\x00-\x1f\x7f/\\:]", "_", suggested).strip(". ")
    name = name.encode("utf-8", "replace").decode("utf-8")
    return name[-MAX_NAME_LENGTH:] or "download"


def claim_path(folder: Path, name: str) -> Path:
    """Make an empty file in `folder` and return its path: name, then "name (2)" and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    path, number = folder / name, 2
    while True:
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            path = folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
            number += 1
        else:
            return path
