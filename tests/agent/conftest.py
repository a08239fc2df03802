"""What tests of the agent share: a page read as a browser reads it, and a Ray cluster."""

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest


class Tags(HTMLParser):
    """Reads a page as a browser does: its elements, addresses, handlers and words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def read_page() -> Callable[[str], Tags]:
    """Reads the text of a page: `read_page(text).words`."""
    return Tags


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def cluster(module_patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start two nodes with two CPUs each; returns the address."""
    # Ray's actors would give way to whatever else runs on this machine.
    module_patch.setenv("RAY_worker_niceness", "0")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes: Any = None
    try:
        for tries_left in (2, 1, 0):
            try:
                nodes = start_cluster(Cluster)
                break
            except Exception as error:  # Ray gives a node 30 s, which a busy machine may exceed
                if not tries_left or "timed out during startup" not in str(error):
                    raise
        yield str(nodes.address)
    finally:
        ray.shutdown()
        if nodes is not None:
            nodes.shutdown()


def start_cluster(cluster_class: Any) -> Any:
    """Start two nodes; what had started is ended where the rest does not."""
    small = {"num_cpus": 2, "object_store_memory": 80_000_000}
    nodes = cluster_class()
    try:
        nodes.add_node(**small, include_dashboard=False)
        nodes.add_node(**small)
        nodes.wait_for_nodes()
    except BaseException:
        nodes.shutdown()
        raise
    return nodes
