"""BrowserGym's side of `python -m benchmarks`, for a Python interpreter that has BrowserGym.

Run as a script: one JSON request a line on standard input, one JSON answer a line on standard
output, the first of which tells the versions. It imports nothing of eyehand, so the interpreter
needs no more than `browsergym-miniwob`; and it is kept to what that interpreter's Python takes.

A request holds `task`, `seed` (of the page's generator), `clicks` (a point each, in CSS pixels),
`solves` (whether the last click ends the episode with a success; no click may end it otherwise),
`script` (run in the page after the reset), `scale` (of the screenshots; BrowserGym's own where it
is missing), `options` (of BrowserGym's environment); the answer
`reset_s`, `step_s`, `parts_s`, `screen` and `observation`, or `error`.
"""

import json
import os
import platform
import sys
import time
import zlib
from importlib import import_module
from importlib.metadata import version
from typing import Any

# The functions with which BrowserGym makes an observation, by what they are counted as here.
EXTRACTORS = {
    "_pre_extract": "text",
    "extract_dom_snapshot": "text",
    "extract_merged_axtree": "text",
    "extract_focused_element_bid": "text",
    "extract_dom_extra_properties": "text",
    "_post_extract": "text",
    "extract_screenshot": "capture",
}
PACKAGES = ("browsergym-core", "browsergym-miniwob", "playwright")


class Stopwatch:
    """Adds up the seconds of named functions of a module, from outside."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, module: Any, names: dict[str, str]) -> None:
        """Wrap the module's functions; `names` maps each to the part that it counts for."""
        for name, part in names.items():
            setattr(module, name, self._timed(getattr(module, name), part))

    def take(self) -> dict[str, float]:
        """Return the seconds so far and begin anew."""
        taken, self.seconds = self.seconds, {}
        return taken

    def _timed(self, function: Any, part: str) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began_s = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent_s = time.perf_counter() - began_s
                self.seconds[part] = self.seconds.get(part, 0.0) + spent_s

        return timed


def use_chromium(path: str) -> None:
    """Start this Chromium wherever BrowserGym launches one: for the page and for its chat."""
    browser_type = import_module("playwright.sync_api").BrowserType
    launch = browser_type.launch

    def launch_ours(self: Any, **options: Any) -> Any:
        options.setdefault("executable_path", path)
        return launch(self, **options)

    browser_type.launch = launch_ours


def keep_page_size() -> None:
    """Let a page keep its size after a screenshot.

    BrowserGym sets the size anew with each screenshot and then detaches the session that set it,
    at which a current Chromium forgets the size: clicks on the lower third would hit nothing.
    """
    import_module("playwright.sync_api").CDPSession.detach = lambda self: None


def seed_pages() -> None:
    """Seed each page with the environment's own seed, where BrowserGym draws another from it."""
    task_type = import_module("browsergym.miniwob.base").AbstractMiniwobTask
    setup, begin = task_type.setup, task_type.__init__

    def begin_ours(self: Any, seed: int, **options: Any) -> None:
        begin(self, seed, **options)
        self.page_seed = seed

    def setup_ours(self: Any, page: Any) -> Any:
        self.random = PageSeed(self.page_seed)
        return setup(self, page)

    task_type.__init__, task_type.setup = begin_ours, setup_ours


class PageSeed:
    """Stands for a task's generator, of which BrowserGym asks the page's seed alone."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def randint(self, low: int, high: int) -> int:
        """Return the seed, whatever the range."""
        return self.seed


def play(request: dict[str, Any], stopwatch: Stopwatch) -> dict[str, Any]:
    """Run one episode of clicks and return its timings."""
    gymnasium = import_module("gymnasium")
    actions = import_module("browsergym.core.action.highlevel").HighLevelActionSet(["coord"])
    environment = gymnasium.make(
        "browsergym/miniwob." + request["task"],
        action_mapping=actions.to_python_code,
        disable_env_checker=True,
        **request["options"],
    )
    try:
        began_s = time.perf_counter()
        observation, _ = environment.reset(seed=request["seed"])
        reset_s = time.perf_counter() - began_s
        page = environment.unwrapped.page
        page.evaluate(request["script"], request["seed"])
        if "scale" in request:
            page._bgym_scale_factor = request["scale"]
        # BrowserGym's points count in its screenshot's pixels, which it enlarges.
        scale = getattr(page, "_bgym_scale_factor", 1.0)
        stopwatch.take()
        steps = [click(environment, scale * x, scale * y, stopwatch) for x, y in request["clicks"]]
    finally:
        environment.close()
    if len({step.pop("screen") for step in steps}) < len(steps):
        raise RuntimeError("the screen did not change at every step")
    check_rewards([step.pop("reward") for step in steps], request["solves"])
    return {
        "reset_s": reset_s,
        "step_s": [step.pop("total") for step in steps],
        "parts_s": steps,
        "screen": [step.pop("size") for step in steps][-1],
        "observation": sorted(observation),
    }


def check_rewards(rewards: list[Any], solves: bool) -> None:
    """Refuse an episode that went otherwise than asked; None is the reward of no end."""
    if any(reward is not None for reward in rewards[:-1]):
        raise RuntimeError("a click before the last one ended the episode")
    last = rewards[-1]
    if solves and not last:
        raise RuntimeError(f"the last click was to solve the task; its reward is {last}")
    if last is not None and not solves:
        raise RuntimeError("the click ended the episode")


def click(environment: Any, x: float, y: float, stopwatch: Stopwatch) -> dict[str, Any]:
    """Take one step; return its parts in seconds, their total, reward, and the screen's digest."""
    began_s = time.perf_counter()
    observation, reward, terminated, truncated, info = environment.step(f"mouse_click({x}, {y})")
    total_s = time.perf_counter() - began_s
    if observation["last_action_error"]:
        raise RuntimeError(observation["last_action_error"])
    parts = {
        "act": info["action_exec_stop"] - info["action_exec_start"],
        "settle": info["wait_for_page_loading_stop"] - info["wait_for_page_loading_start"],
        **stopwatch.take(),
    }
    parts["other"] = total_s - sum(parts.values())
    screen = observation["screenshot"]
    taken = {"screen": zlib.crc32(screen.tobytes()), "size": [screen.shape[1], screen.shape[0]]}
    ended = terminated or truncated
    return {**parts, **taken, "total": total_s, "reward": reward if ended else None}


def serve() -> int:
    """Answer requests until standard input ends."""
    # Whatever the libraries print goes to standard error: this line is for answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(document: dict[str, Any]) -> None:
        answers.write(json.dumps(document) + "\n")
        answers.flush()

    stopwatch = Stopwatch()
    try:
        import_module("browsergym.miniwob")
        stopwatch.watch(import_module("browsergym.core.env"), EXTRACTORS)
        seed_pages()
        keep_page_size()
        versions = {name: version(name) for name in PACKAGES}
    except ImportError as error:
        answer({"missing": str(error)})
        return 1
    if os.environ.get("PEER_CHROMIUM"):
        use_chromium(os.environ["PEER_CHROMIUM"])
    answer({"versions": {**versions, "python": platform.python_version()}})
    for line in sys.stdin:
        try:
            answer(play(json.loads(line), stopwatch))
        except Exception as error:  # a report to the other process: whatever went wrong is told
            answer({"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"})
    return 0


if __name__ == "__main__":
    sys.exit(serve())
