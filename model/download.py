"""From the Hugging Face Hub: what is small first, so that gigabytes are never fetched in vain.

Only weights in safetensors and text files are downloaded: nothing that could run code.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from eyehand.errors import CheckpointError, UsageError
from eyehand.model.units import size_text

DOWNLOADED = ("*.safetensors", "*.json", "*.txt", "*.jinja")
"""What is fetched of a repository."""

_NAMED = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-][\w./-]*))?"
)
_log = logging.getLogger(__name__)


def parse_hub_name(name: str) -> tuple[str, str | None] | None:
    """Read `OWNER/MODEL` or `OWNER/MODEL@REVISION` (a branch, a tag or a commit).

    Returns:
        The repository's id and the revision, or None where it is no such name.
    """
    found = _NAMED.fullmatch(name)
    return (found["id"], found["revision"]) if found else None


def download(
    hub_id: str,
    revision: str | None,
    cache_dir: Path | None,
    check: Callable[[Path], object],
    missing: Callable[[set[str]], list[str]],
) -> Path:
    """Fetch a model, unless it is already here.

    Args:
        hub_id: The repository's id.
        revision: A branch, a tag or a commit; None: the main branch.
        cache_dir: Where downloads are kept; None: Hugging Face's usual place.
        check: Called with the folder when `config.json` (or, without one, an adapter's
            `adapter_config.json`) is there and nothing large is; raises what is wrong with it.
        missing: From the names of a repository's files to what a model needs beside them.

    Returns:
        The folder.

    Raises:
        UsageError: No such repository or revision, no network, terms that were not accepted, or
            no room on the disk.
        CheckpointError: The repository holds no model that can be used.
    """
    name = hub_id if revision is None else f"{hub_id}@{revision}"
    with _explained(name, hub_id):
        planned = _planned(hub_id, revision, cache_dir)
        if planned is not None:
            names = {file for file, _ in planned}
            check(_small_file(hub_id, revision, cache_dir, names))
            lacks = missing(names)
            if lacks:
                raise CheckpointError(f"{name} is no complete model: it lacks {', '.join(lacks)}")
            _announce(name, sum(size for _, size in planned), cache_dir)
        return Path(
            huggingface_hub.snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=list(DOWNLOADED),
                cache_dir=cache_dir,
            )
        )


def _planned(
    hub_id: str, revision: str | None, cache_dir: Path | None
) -> list[tuple[str, int]] | None:
    """Names of all files, with the bytes that are still to be fetched; None without network."""
    try:
        files = huggingface_hub.snapshot_download(
            hub_id,
            revision=revision,
            allow_patterns=list(DOWNLOADED),
            cache_dir=cache_dir,
            dry_run=True,
        )
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise
    except (OSError, EntryNotFoundError):
        return None  # what is here already may be enough
    return [(file.filename, file.file_size if file.will_download else 0) for file in files]


def _small_file(hub_id: str, revision: str | None, cache_dir: Path | None, names: set[str]) -> Path:
    """Fetch what tells whether this is a model at all; returns the folder."""
    small = next((name for name in _TELLING if name in names), None)
    if small is None:
        raise CheckpointError(f"{hub_id} holds no model: it has no config.json")
    found = huggingface_hub.hf_hub_download(
        hub_id,
        small,
        revision=revision,
        cache_dir=cache_dir,
    )
    return Path(found).parent


_TELLING = ("config.json", "adapter_config.json")


def _announce(name: str, size: int, cache_dir: Path | None) -> None:
    if not size:
        return
    place = cache_dir or Path(huggingface_hub.constants.HF_HUB_CACHE)
    held = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(held).free
    if size > free:
        raise UsageError(
            f"{name} takes {size_text(size)} and {held} has {size_text(free)} free; make room, or "
            "name another disk in HF_HOME"
        )
    _log.info("fetching %s: %s into %s", name, size_text(size), place)


@contextmanager
def _explained(name: str, hub_id: str) -> Iterator[None]:
    """Say in one line what the Hub refuses."""
    try:
        yield
    except GatedRepoError as error:
        raise UsageError(
            f"{hub_id} asks for its terms to be accepted on the Hub, and for a login"
        ) from error
    except RevisionNotFoundError as error:
        revision = name.partition("@")[2] or "main"
        raise UsageError(
            f"{hub_id} has no branch, tag or commit {revision!r} on the Hub"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UsageError(
            f"there is neither a folder {name} here nor such a repository on the Hub "
            "(or it is private and you are not logged in)"
        ) from error
    except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UsageError(
            f"{name} is not downloaded yet and the Hub cannot be reached; connect to the "
            f"network, or give a folder ({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
