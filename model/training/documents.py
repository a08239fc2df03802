"""Packed training documents: one screen (or several) with the text around them.

A shard is a zip file with `documents.jsonl`, a document a line, and `images/N.png`. A document has
a trunk and branches. The trunk is a conversation, part by part; each branch is a question about
the trunk's screens with its answer, and sees the trunk and itself but no other branch. So one
screen, encoded once, supervises many answers, each under exactly the context that it has at run
time.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eyehand.errors import UsageError
from eyehand.model.training.characters import Character

Kind = Literal["template", "plain", "screen"]

SHARD_SUFFIX = ".shard.zip"


@dataclass(frozen=True)
class DocumentPart:
    """A piece of a document.

    Attributes:
        kind: "template" (control tokens are live), "plain" (they are not) or "screen".
        text: The text; empty for a screen.
        screen: Index of the screen among the document's images; -1 for text.
        learned: Whether the model is trained to write this text.
    """

    kind: Kind
    text: str = ""
    screen: int = -1
    learned: bool = False


@dataclass
class Document:
    """One training example.

    Attributes:
        source: Where it comes from, such as "miniwob:click-button".
        seed: The episode's seed.
        trunk: What every branch sees.
        branches: Questions with their answers.
        images: The screens, RGB uint8 (H, W, 3).
        characters: For each screen the characters on it, in its own pixels; empty where they are
            not known, and then nothing is learned from them.
    """

    source: str
    seed: int
    trunk: list[DocumentPart]
    branches: list[list[DocumentPart]] = field(default_factory=list)
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    characters: list[list[Character]] = field(default_factory=list)


class ShardWriter:
    """Writes documents into one shard. The file appears under its name when it is complete.

    Args:
        path: The shard's path, ending in `SHARD_SUFFIX`.
    """

    def __init__(self, path: Path) -> None:
        if not path.name.endswith(SHARD_SUFFIX):
            raise UsageError(f"a shard's name ends in {SHARD_SUFFIX}; got {path.name}")
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._zip = zipfile.ZipFile(self._partial, "w", zipfile.ZIP_STORED)
        self._lines: list[str] = []
        self._images = 0

    def add(self, document: Document) -> None:
        """Append a document and its images."""
        first = self._images
        for image in document.images:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG", compress_level=3)
            self._zip.writestr(f"images/{self._images}.png", buffer.getvalue())
            self._images += 1
        line = {
            "source": document.source,
            "seed": document.seed,
            "images": list(range(first, self._images)),
            "trunk": [_to_json(part) for part in document.trunk],
            "branches": [[_to_json(part) for part in branch] for branch in document.branches],
        }
        if document.characters:
            line["characters"] = [list(map(_rounded, screen)) for screen in document.characters]
        self._lines.append(json.dumps(line, ensure_ascii=False))

    def __len__(self) -> int:
        """Return the number of documents so far."""
        return len(self._lines)

    def close(self) -> None:
        """Complete the shard."""
        self._zip.writestr("documents.jsonl", "\n".join(self._lines), zipfile.ZIP_DEFLATED)
        self._zip.close()
        self._partial.rename(self._path)

    def end(self) -> None:
        """Complete the shard with what there is so far; leave nothing of an empty one."""
        if self._lines:
            self.close()
        else:
            self.discard()

    def discard(self) -> None:
        """Leave nothing of a shard that will not be complete."""
        self._zip.close()
        self._partial.unlink(missing_ok=True)


class Shard:
    """A shard whose documents are read one by one.

    Args:
        path: The shard's path.

    Raises:
        UsageError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self._lines = self._archive.read("documents.jsonl").decode("utf-8").splitlines()
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} cannot be read as a shard: {error}") from None

    def __reduce__(self) -> tuple[type["Shard"], tuple[Path]]:
        """Another process opens the file itself: a file's place is not shared."""
        return Shard, (self._path,)

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self._lines)

    def sources(self) -> list[str]:
        """Return where each document comes from, without its pictures being read."""
        return [str(json.loads(line)["source"]) for line in self._lines]

    def document(self, index: int) -> Document:
        """Return a document."""
        loaded = json.loads(self._lines[index])
        return Document(
            source=loaded["source"],
            seed=loaded["seed"],
            trunk=[_from_json(part) for part in loaded["trunk"]],
            branches=[[_from_json(p) for p in branch] for branch in loaded["branches"]],
            images=[_read_image(self._archive, index) for index in loaded["images"]],
            characters=[[Character(*c) for c in screen] for screen in loaded.get("characters", ())],
        )

    def close(self) -> None:
        """Close the file."""
        self._archive.close()


def read_shard(path: Path) -> Iterator[Document]:
    """Yield the documents of a shard, in order."""
    shard = Shard(path)
    try:
        yield from map(shard.document, range(len(shard)))
    finally:
        shard.close()


def shards(folder: Path) -> list[Path]:
    """Return the complete shards of a folder, in order of their names.

    Raises:
        UsageError: there is none.
    """
    found = sorted(folder.glob(f"*{SHARD_SUFFIX}"))
    if not found:
        raise UsageError(f"no shards in {folder}; make some: eyehand train collect")
    return found


def documents_by_source(folder: Path) -> dict[str, list[tuple[Shard, int]]]:
    """Return where the documents of each source lie: their shards, and their places in them.

    Raises:
        UsageError: there is no shard, or one cannot be read.
    """
    found: dict[str, list[tuple[Shard, int]]] = {}
    for shard in map(Shard, shards(folder)):
        for index, source in enumerate(shard.sources()):
            found.setdefault(source, []).append((shard, index))
    return found


def _read_image(archive: zipfile.ZipFile, index: int) -> NDArray[np.uint8]:
    png = io.BytesIO(archive.read(f"images/{index}.png"))
    with Image.open(png, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _rounded(character: Character) -> list[Any]:
    return [character.text, round(character.x_px, 1), round(character.y_px, 1)]


def _to_json(part: DocumentPart) -> list[Any]:
    return [part.kind, part.screen if part.kind == "screen" else part.text, part.learned]


def _from_json(part: list[Any]) -> DocumentPart:
    kind, value, learned = part
    if kind == "screen":
        return DocumentPart("screen", screen=value)
    return DocumentPart(kind, text=value, learned=learned)
