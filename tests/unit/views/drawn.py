"""A drawn field tree as the front end reads it: numbers looked up in the state's words and explanations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Node:
    """One field as drawn; `path` holds the names from the root down, its own last."""

    path: tuple[str, ...]
    value: str
    span: tuple[int, int]
    text: str
    source: str
    open: bool


def nodes(glossary: Mapping[str, Any], anatomy: Mapping[str, Any]) -> list[Node]:
    """Return the nodes of an anatomy in order; `glossary` is the state that holds its words."""
    above: list[str] = []
    found = []
    for level, name, start, end, value, page, is_open in anatomy["fields"]:
        assert 1 <= level <= len(above) + 1, "a child follows its parent"
        above[level - 1 :] = [glossary["words"][name]]
        text, source = glossary["prose"][page]
        name_of_source = glossary["sources"][source]["name"]
        found.append(Node(tuple(above), glossary["words"][value], (start, end), text, name_of_source, bool(is_open)))
    return found


def children(found: list[Node], parent: Node) -> list[Node]:
    """Return the nodes right below `parent`."""
    place = found.index(parent)
    depth = len(parent.path)
    below: list[Node] = []
    for node in found[place + 1 :]:
        if len(node.path) <= depth:
            break
        if len(node.path) == depth + 1:
            below.append(node)
    return below
