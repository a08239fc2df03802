"""The screen's tree of elements as `uiautomator dump` writes it."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Located:
    """Where a part of the screen lies, in device pixels.

    Attributes:
        left: Its whole box, also where that is scrolled out of sight.
        top: See `left`.
        right: See `left`.
        bottom: See `left`.
        point: A point (x, y) where a tap reaches it; None where it is hidden or out of sight.
    """

    left: int
    top: int
    right: int
    bottom: int
    point: tuple[int, int] | None


def to_xml(nodes: list[dict[str, Any]], rotation: int) -> str:
    """Return the XML text of a tree of {attributes, children} nodes."""
    root = ET.Element("hierarchy", rotation=str(rotation))
    _add(root, nodes)
    text = ET.tostring(root, encoding="unicode")
    return f"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>{text}"


def _add(parent: ET.Element, nodes: list[dict[str, Any]]) -> None:
    for index, node in enumerate(nodes):
        values = {name: _text(value) for name, value in node["attributes"].items()}
        _add(ET.SubElement(parent, "node", {"index": str(index), **values}), node["children"])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):  # bounds: [left, top, right, bottom]
        left, top, right, bottom = value
        return f"[{left},{top}][{right},{bottom}]"
    return NOT_XML.sub("", str(value))
