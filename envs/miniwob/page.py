"""The protocol of a MiniWoB++ page: load, start an episode from a seed, read its verdict."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Error as PlaywrightError

from eyehand.envs.miniwob.tasks import RELOADED_TASKS, pages_folder
from eyehand.envs.web.episode import EMPTY_CLIPBOARD
from eyehand.envs.web.faults import has_navigated
from eyehand.envs.web.tab import Tab
from eyehand.errors import EnvironmentFault

LOAD_TIMEOUT_S = 20.0

# The episode's own clock never ends it, the runtime's limits do: the longest timer of a page, 24
# days. A longer one would fire at once.
_EPISODE_MS = 2**31 - 1

# Beside the task: a pointer that rests on a button of the next episode would colour it.
_POINTER_AT_REST = (499, 209)

# The caret blinks and the page's scroll bar eats 15 of 160 pixels; the reward display is not part
# of the task.
_STYLE = """
* { caret-color: transparent !important; }
html::-webkit-scrollbar { display: none; }
#reward-display { display: none !important; }
"""

# After the end of an episode the page shows a cover whose click starts the next one and wipes the
# reward. `startEpisode` is silenced once the episode runs, so the verdict stays as it was.
_START = """
([seed, episodeMs]) => {
  if (document.activeElement) document.activeElement.blur();
  core.EPISODE_MAX_TIME = episodeMs;
  WOB_TASK_READY = true;
  Math.seedrandom(seed);
  core.startEpisodeReal();
  core.startEpisode = () => {};
  window.eyehandEpisode = seed;
  return WOB_TASK_READY;
}
"""

# Whether the page, which has loaded, has come to where an episode can start; and its style.
_PREPARE = """
style => {
  document.head.appendChild(document.createElement("style")).textContent = style;
  return Boolean(window.core && core.cover_div !== null);
}
"""

_STATUS = """
() => window.eyehandEpisode === undefined ? null : {
  ended: WOB_DONE_GLOBAL,
  raw_reward: WOB_RAW_REWARD_GLOBAL,
  reason: WOB_REWARD_REASON === null ? null : String(WOB_REWARD_REASON),
}
"""

_UTTERANCE = """
() => {
  window.scrollTo(0, 0);
  const said = core.getUtterance();
  return typeof said === "string" ? said : said.utterance;
}
"""


@dataclass(frozen=True)
class Status:
    """What the page says of its episode.

    Attributes:
        ended: Whether the task reached an end state.
        raw_reward: -1 to 1, without the discount for time; 0 while the episode runs.
        reason: The page's own word on why, where it gives one.
    """

    ended: bool
    raw_reward: float
    reason: str | None


class MiniWobPage:
    """A browser page that shows one MiniWoB++ task; await its methods on the browser's thread.

    Attributes:
        left: The page was replaced by another (a form that was sent, a link); the next start
            loads it again.

    Args:
        tab: The browser's tab.
        task: A name from `task_names()`.
    """

    def __init__(self, tab: Tab, task: str) -> None:
        self.page = tab.page
        self._tab = tab
        self.task = task
        self.scripts: list[str] = []
        self.left = False
        self._fresh = False

    async def load(self) -> None:
        """Go to the task's page and wait until it can start.

        Raises:
            EnvironmentFault: the page did not come up.
        """
        url = (pages_folder() / f"{self.task}.html").as_uri()
        await self.page.goto(url, timeout=LOAD_TIMEOUT_S * 1000)
        # "Back" must not lead to an earlier episode, whose verdict still stands there.
        await (await self._tab.session()).send("Page.resetNavigationHistory")
        if not await self.page.evaluate(_PREPARE, _STYLE):
            await self.page.wait_for_function(
                "() => window.core && core.cover_div !== null", timeout=LOAD_TIMEOUT_S * 1000
            )
        for script in self.scripts:
            await self.page.evaluate(script)
        self._fresh = True

    async def start(self, seed: int) -> str:
        """Start an episode and return its instruction.

        Args:
            seed: An integer; the page's generator is seeded with the number, not with its text.

        Raises:
            EnvironmentFault: the page gives no instruction.
        """
        if (self.task in RELOADED_TASKS or self.left) and not self._fresh:
            await self.load()
        self._fresh = self.left = False
        await self.page.mouse.move(*_POINTER_AT_REST)
        await self.page.evaluate(EMPTY_CLIPBOARD)
        if not await self.page.evaluate(_START, [seed, _EPISODE_MS]):
            await self.page.wait_for_function(
                "() => WOB_TASK_READY", polling="raf", timeout=LOAD_TIMEOUT_S * 1000
            )
        instruction = await self.page.evaluate(_UTTERANCE)
        if not isinstance(instruction, str):
            raise EnvironmentFault(f"{self.task} gave no instruction but {instruction!r}")
        return " ".join(instruction.split())

    async def status(self) -> Status:
        """Read whether the episode has ended, and how.

        An episode whose page was left (a form that was sent, a link) has ended without success:
        nothing of the task is there any more.
        """
        read: dict[str, Any] | None
        try:
            read = await self.page.evaluate(_STATUS)
        except PlaywrightError as error:
            if not has_navigated(error):
                raise
            read = None
        if read is None:
            self.left = True
            return Status(True, -1.0, "the task's page was left")
        return Status(bool(read["ended"]), float(read["raw_reward"]), read["reason"])
