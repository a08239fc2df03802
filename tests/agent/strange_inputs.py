"""Inputs for the readers that nobody would write by hand, and the readers that they go through.

`benchmarks/fuzz/readers.py` runs them for as long as one likes; `test_strange_inputs.py` for
a moment.
"""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import strategies as st
from tests.agent.strange import ESCAPES, LINE, first, outcome, png, row, screen, step

from eyehand.actions.codecs import make_codec
from eyehand.actions.space import ActionSpace
from eyehand.actions.web import WEB_ACTIONS
from eyehand.agent.evaluation.plan import Plan
from eyehand.agent.report.episode_text import episode_markdown
from eyehand.agent.report.evaluation_tables import csv_text, markdown
from eyehand.agent.report.pages import episode_page
from eyehand.agent.results.compare import compare
from eyehand.agent.results.episodes_csv import write_csv
from eyehand.agent.results.evaluation_result import read_run
from eyehand.agent.results.folder import read_plan
from eyehand.agent.trajectory.reader import read_trajectory
from eyehand.envs.suite_file.load import read_suite
from eyehand.envs.suites import from_declaration
from eyehand.errors import EyehandError

PLAN: dict[str, Any] = {
    "suite": "cards", "specs": [LINE, "cards:blackjack"], "declared": [None, {"name": "x"}],
    "episodes": 2, "first_seed": 1_000_000, "max_steps": None, "time_limit_s": 3.5,
    "max_tokens": 100, "max_cost_usd": 0.5, "keep": "all", "batch": 1,
    "options": {"policy": "model", "blind": False, "temperature": 0.5, "dialect": "keyword"},
    "policies": {LINE: {"name": "model", "model": "m"}},
    "tasks": [{"task": LINE, "ceiling": 0.5, "ceiling_source": "s"}],
}  # fmt: skip

ROWS = [
    {**row(0), "answer_errors": {"illegal": 1}, "tokens": {"prompt": 3}, "steps": 4},
    {**row(1), "verdict": True, "outcome": "succeeded", "timings_s": {"decide": 0.1}},
    {**row(2), "outcome": "environment_fault", "faults": ["BrowserCrashed: x"], "folder": "x/2"},
]

LINES = [
    first(actions=[{"name": "a", "description": "d", "json_schema": {}}], details={"a": [1]}),
    step(
        action={"name": "click", "arguments": {"point": {"x": 0.5, "y": 0.5, "screen": "s"}}},
        timings_s={"decide": 0.5, "perform": 0.1},
        tokens={"prompt": 3},
        details={"downloads": [{"file": "downloads/a", "bytes": 3, "action": 1}]},
    ),
    step(1, error={"type": "Unparsable", "message": "m"}, not_performed=["x"], screen=screen(
        video=["screens/000.png", "screens/001.png"])),
    outcome(screen=screen(), verdict=True, message="done"),
]  # fmt: skip

SUITE: dict[str, Any] = {
    "suite": "mine", "description": "d", "defaults": {"limits": {"steps": 5}},
    "tasks": [
        {"name": "lake", "environment": "FrozenLake-v1", "options": {"is_slippery": False},
         "actions": {"names": {"0": "left"}, "units": ["px"], "bounds": {0: [0, 1]}},
         "success": "terminated and reward_sum > 0", "ends_when": "info.x contains 'y'",
         "screen": {"frames": 4, "show": "tiles", "cameras": [{"name": "top"}]},
         "ceiling": 0.7, "ceiling_source": "s", "instruction": "Walk."},
        {"name": "phone", "environment": "android:", "instruction": "x",
         "start": ["input keyevent 3"],
         "read": {"mode": "settings get global mode"}, "success": "info.mode == 'on'"},
    ],
}  # fmt: skip

ANSWERS = [
    'I click.\n✿FUNCTION✿: click\n✿ARGS✿: {"point": [500, 500]}\n✿RESULT✿',
    '<tool_call>\n{"name": "click", "arguments": {"point": [500, 500]}}\n</tool_call>',
    '*FUNCTION*: type_text\n*ARGS*: {"point": [1, 2], "text": "a\\nb"}',
]

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308, -1e308,
    1e-320, math.nan, math.inf, -math.inf, "", "x", "x" * 5000, ESCAPES, "../../etc/passwd",
    "/etc/passwd", "\0", "\ud83d", "\U0001f600" * 50, "=1+1", "[/x]", "{{7*7}}", "a\nb", "*a", "&a",
    "1" * 5000, "2001-13-45", "!!python/name:os.system", "suite:/etc/passwd#x", "NaN", "yes", "~",
    [], {}, [[]], {"": {}}, [None] * 30, {"x": None}, [[[[[[]]]]]], {"a": {"a": {"a": {"a": {}}}}},
    "info." * 200, "terminated and " * 200, "'" * 999, "(" * 999, "screens/000.png", "android:",
]  # fmt: skip


def nested(depth: int, opener: str = "[", closer: str = "]") -> str:
    return opener * depth + closer * depth


PIECES = [
    b"[" * 3000, nested(39).encode(), nested(500).encode(), b'{"a":' * 1000, b"\n" * 50, b"\0",
    b"\xff\xfe", b"\xed\xa0\x80", b"NaN", b"-Infinity", b"1e999", b"9" * 4400, b'"\\ud83d"',
    b"&a [*a]", b"*a", b"<<: *a", b"? ", b"!!binary x", b"!!set", b"--- ", b"...", b"%YAML 9.9\n",
    b": " * 100, b"- " * 200, b"\t", b"|\n", b">-\n", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"{}",
    b"}", b"\x1b[2J", b'"', b"'", b"\\", b",", b"</tool_call>", b"<tool_call>", b"```",
    "✿FUNCTION✿: ".encode(), "✿ARGS✿: ".encode(), b"click", b'{"name": ', b"IDAT", b"tEXt",
    b"zTXt", b"iCCP", b"acTL",
]  # fmt: skip


def edited(document: Any, random: Random) -> Any:
    """Return a document with a few of its parts replaced, removed, added or doubled."""
    document = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        places = [(holder, key) for holder in _holders(document) for key in _keys(holder)]
        if not places:
            return random.choice(ODD)
        holder, key = random.choice(places)
        what = random.randrange(6)
        if what == 0 and len(holder) > 1:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[str(random.choice(ODD))[:100]] = copy.deepcopy(random.choice(ODD))
        elif what == 2 and isinstance(holder, list) and len(holder) < 100:
            holder += [holder[key]] * random.choice((1, 2, 30))
        elif what == 3:
            other, name = random.choice(places)
            holder[key] = copy.deepcopy(other.get(name) if isinstance(other, dict) else document)
        else:
            holder[key] = copy.deepcopy(random.choice(ODD))
    return document


def _holders(document: Any) -> list[Any]:
    found: list[Any] = []
    waiting = [document]
    while waiting and len(found) < 200:
        value = waiting.pop()
        if isinstance(value, dict | list):
            found.append(value)
            waiting += value.values() if isinstance(value, dict) else value
    return found


def _keys(holder: Any) -> list[Any]:
    return list(holder)[:50] if isinstance(holder, dict) else list(range(min(50, len(holder))))


def mangled(data: bytes, random: Random) -> bytes:
    """Return bytes with a few stretches removed, doubled, changed, or replaced by odd ones."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        begin = random.randrange(len(changed) + 1)
        end = min(len(changed), begin + random.choice((0, 1, 1, 4, 30, 300)))
        what = random.randrange(5)
        if what == 0:
            del changed[begin:end]
        elif what == 1:
            changed[begin:begin] = changed[begin:end] * random.choice((1, 2, 50))
        elif what == 2:
            changed[begin:end] = random.randbytes(end - begin)
        else:
            changed[begin:end] = random.choice(PIECES)
    return bytes(changed[:1_000_000])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
"""JSON of any shape."""


def as_json(document: Any) -> bytes:
    try:
        return json.dumps(document).encode("ascii")
    except ValueError:  # a number of more digits than Python writes
        return b"{}"


def as_lines(documents: Any) -> bytes:
    lines = documents if isinstance(documents, list) else [documents]
    return b"".join(as_json(line) + b"\n" for line in lines)


def as_yaml(document: Any) -> bytes:
    try:
        return yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, ValueError):
        return b"a: 1"


class Reader:
    """One of the readers, with a folder to read in.

    Attributes:
        name: What it reads.
    """

    name = ""
    seed: Any = None
    written: Callable[[Any], bytes] = staticmethod(as_json)

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.prepare()

    def prepare(self) -> None:
        """Write what stands beside what is read."""

    def use(self, data: bytes) -> None:
        """Read it, and do with it what the commands do."""
        raise NotImplementedError

    def try_one(self, data: bytes) -> bool:
        """Return whether it was read; any exception but ours goes on."""
        try:
            self.use(data)
        except EyehandError:
            return False
        return True

    def example(self) -> bytes:
        """Return what it reads as it should be."""
        return self.written(self.seed)

    def mutated(self, random: Random) -> bytes:
        """Return the example with parts of it changed, or its bytes, or both."""
        what = random.randrange(3)
        document = self.seed if what == 0 else edited(self.seed, random)
        data = self.written(document)
        return data if what == 1 else mangled(data, random)

    def shapes(self) -> st.SearchStrategy[bytes]:
        """Draw documents of any shape."""
        return VALUES.map(self.written)

    def inputs(self) -> st.SearchStrategy[bytes]:
        """Draw either."""
        return st.one_of(st.integers(0, 2**63).map(Random).map(self.mutated), self.shapes())


class PlanReader(Reader):
    name = "plan"
    seed = PLAN

    def prepare(self) -> None:
        (self.folder / "episodes.jsonl").write_bytes(as_lines(ROWS))

    def use(self, data: bytes) -> None:
        (self.folder / "plan.json").write_bytes(data)
        run = read_run(self.folder)
        markdown([run])
        csv_text([run])
        plan = Plan.from_json(read_plan(self.folder), self.folder)
        assert sum(1 for _ in plan.jobs()) <= 500_000


class RowsReader(Reader):
    name = "rows"
    seed = ROWS
    written = staticmethod(as_lines)

    def use(self, data: bytes) -> None:
        (self.folder / "episodes.jsonl").write_bytes(data)
        run = read_run(self.folder)
        markdown([run])
        csv_text([run])
        write_csv(self.folder, run.rows)
        compare(run.rows, run.rows)


class TrajectoryReader(Reader):
    name = "trajectory"
    seed = LINES
    written = staticmethod(as_lines)

    def prepare(self) -> None:
        (self.folder / "screens").mkdir()
        for name in ("000", "001"):
            (self.folder / "screens" / f"{name}.png").write_bytes(png(64, 64))

    def use(self, data: bytes) -> None:
        (self.folder / "episode.jsonl").write_bytes(data)
        trajectory = read_trajectory(self.folder)
        episode_markdown(trajectory)
        episode_page(trajectory)


class SuiteReader(Reader):
    name = "yaml"
    seed = SUITE
    written = staticmethod(as_yaml)

    def use(self, data: bytes) -> None:
        path = self.folder / f"{self._count}.yaml"
        path.unlink(missing_ok=True)
        self._count += 1
        path = self.folder / f"{self._count}.yaml"  # one that has not changed is not read again
        path.write_bytes(data)
        from_declaration(read_suite(path), "suite:x#")

    def prepare(self) -> None:
        self._count = 0


class PictureReader(Reader):
    name = "picture"
    seed = None

    def prepare(self) -> None:
        (self.folder / "screens").mkdir()
        (self.folder / "episode.jsonl").write_bytes(as_lines([first(), step()]))
        self._trajectory = read_trajectory(self.folder)

    def use(self, data: bytes) -> None:
        (self.folder / "screens" / "000.png").write_bytes(data)
        self._trajectory.pixels(self._trajectory.steps[0].screen)

    def example(self) -> bytes:
        """Return a screen."""
        return png(90, 70)

    def mutated(self, random: Random) -> bytes:
        """Return a screen with bytes of it changed."""
        return mangled(png(90, 70), random)

    def shapes(self) -> st.SearchStrategy[bytes]:
        """Draw bytes that begin as a screen does."""
        return st.binary(max_size=200).map(lambda data: png(90, 70)[:40] + data)


class CodecReader(Reader):
    name = "codec"
    seed = ANSWERS

    def prepare(self) -> None:
        self._space = ActionSpace(WEB_ACTIONS)
        self._codecs = [make_codec("keyword"), make_codec("tool_call")]

    def use(self, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for codec in self._codecs:
            parsed = codec.parse(text, self._space)
            assert (parsed.action is None) != (parsed.error is None)

    def example(self) -> bytes:
        """Return an answer."""
        return ANSWERS[0].encode()

    def mutated(self, random: Random) -> bytes:
        """Return an answer with stretches of it changed."""
        return mangled(random.choice(ANSWERS).encode(), random)

    def shapes(self) -> st.SearchStrategy[bytes]:
        """Draw texts of any kind."""
        return st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))


READERS: tuple[type[Reader], ...] = (
    PlanReader, RowsReader, TrajectoryReader, SuiteReader, PictureReader, CodecReader,
)  # fmt: skip
