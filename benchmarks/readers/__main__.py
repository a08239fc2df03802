"""`python -m benchmarks.readers`: answers that the makers' own packages and ours read and write.

python -m benchmarks.readers --peer-python peers/bin/python --json readers.json
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.readers import qwen_agent, sizes, ui_tars
from benchmarks.readers.interpreter import HOW_TO_GET_IT, Peer
from benchmarks.readers.verdicts import Compared
from eyehand.errors import EnvironmentFault, UsageError

Compare = Callable[[Peer, int, int], Compared]

COMPARISONS: dict[str, Compare] = {
    **{name: partial(lambda d, peer, n, seed: ui_tars.compare(peer, d, n, seed), name)
       for name in ui_tars.KINDS},
    **{f"{name}: {what.__name__}": partial(lambda d, w, p, n, s: w(p, d, n, s), name, what)
       for name in qwen_agent.TEMPLATES
       for what in (qwen_agent.written_by_us, qwen_agent.written_by_them, qwen_agent.laid_out)},
    "smart_resize": lambda peer, n, seed: sizes.compare(peer, 5 * n, seed),
}  # fmt: skip


def main() -> int:
    """Compare, and print a table each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__)
    parser.add_argument("--peer-python", required=True, metavar="PATH", help=HOW_TO_GET_IT)
    parser.add_argument("--answers", type=int, default=2000, help="a reader; sizes: five times")
    parser.add_argument("--seed", type=int, default=0, help="fixes every answer")
    parser.add_argument("--json", type=Path, help="keep the counts, and examples of differences")
    arguments = parser.parse_args()
    found: list[Compared] = []
    try:
        peer = Peer(arguments.peer_python)
        for compare in COMPARISONS.values():
            found.append(compare(peer, arguments.answers, arguments.seed))
            print(f"{found[-1].table()}\n", flush=True)
    except (UsageError, EnvironmentFault) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    print(", ".join(f"{name} {version}" for name, version in peer.versions.items()))
    if arguments.json:
        document = [one.as_json() for one in found]
        arguments.json.write_text(json.dumps(document, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
