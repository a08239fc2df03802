"""What the trials share: a Ray cluster of two nodes on this machine, and processes to look for."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def two_nodes(cpus: int) -> Iterator[str]:
    """Start a cluster of two nodes with so many CPUs each; yields its address."""
    # Ray's actors give way to other processes by default, which would measure the machine's load.
    os.environ["RAY_worker_niceness"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    small = {"num_cpus": cpus, "object_store_memory": 80_000_000}
    nodes: Any = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        nodes.add_node(**small)
        yield str(nodes.address)
    finally:
        ray.shutdown()
        nodes.shutdown()


def processes(
    is_wanted: Callable[[bytes], bool], ancestor: int, generations: tuple[int, ...]
) -> list[int]:
    """Return the processes below another one whose command line is wanted.

    Args:
        is_wanted: Asked of each command line.
        ancestor: A process.
        generations: How far below it they may be: 1 is a child, 2 a child's child.
    """
    parents, found = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if is_wanted((path / "cmdline").read_bytes()):
                found.append(int(path.name))
        except OSError:  # it has ended in the meantime
            continue
    above = {pid: {1: parents[pid], 2: parents.get(parents[pid])} for pid in found}
    return sorted(pid for pid in found if ancestor in (above[pid][n] for n in generations))
