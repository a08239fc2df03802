"""How two readers compare on one answer, and the table of it."""

from collections import Counter
from dataclasses import dataclass, field

SAME, BOTH_REFUSE, OURS, THEIRS, OTHER = (
    "same", "neither reads it", "only ours reads it", "only theirs reads it", "read otherwise",
)  # fmt: skip
COLUMNS = (SAME, BOTH_REFUSE, OURS, THEIRS, OTHER)
MOST_EXAMPLES = 5


@dataclass
class Compared:
    """What came of many answers, by their kind.

    Attributes:
        title: What was compared.
        counts: Verdicts by kind.
        examples: A few answers that were not read alike, by kind and verdict.
    """

    title: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, answer: str, ours: object, theirs: object) -> None:
        """Count one answer; None stands for one that was refused.

        Args:
            kind: What is odd about the answer.
            answer: Its text.
            ours: What we read.
            theirs: What they read.
        """
        verdict = _verdict(ours, theirs)
        self.counts.setdefault(kind, Counter())[verdict] += 1
        if verdict not in (SAME, BOTH_REFUSE):
            shown = self.examples.setdefault(f"{kind}: {verdict}", [])
            if len(shown) < MOST_EXAMPLES:
                shown.append(f"{answer!r}: ours {ours!r}, theirs {theirs!r}")

    def table(self) -> str:
        """Return a Markdown table: a kind a line."""
        lines = [f"{self.title}\n", f"| kind | answers | {' | '.join(COLUMNS)} |",
                 f"|---|{'---|' * (len(COLUMNS) + 1)}"]  # fmt: skip
        total: Counter[str] = Counter()
        for kind, found in sorted(self.counts.items()):
            total.update(found)
            lines.append(_row(kind, found))
        return "\n".join([*lines, _row("all", total)])

    def as_json(self) -> dict[str, object]:
        """Return the counts and the examples."""
        counts = {kind: dict(found) for kind, found in sorted(self.counts.items())}
        return {"title": self.title, "counts": counts, "examples": self.examples}


def _verdict(ours: object, theirs: object) -> str:
    if ours is None or theirs is None:
        return BOTH_REFUSE if ours is theirs else (OURS if theirs is None else THEIRS)
    return SAME if ours == theirs else OTHER


def _row(kind: str, found: Counter[str]) -> str:
    cells = (str(found[column] or "") for column in COLUMNS)
    return f"| {kind} | {found.total()} | {' | '.join(cells)} |"
