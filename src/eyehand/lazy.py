"""Names of a package that are imported on first use: `import eyehand` stays quick."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Beside it the package imports the same names under `TYPE_CHECKING`, so that they have types.

    Args:
        package: Its `__name__`.
        homes: Name to the module below the package that defines it, as `{"Agent": "agent.agent"}`.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return find
