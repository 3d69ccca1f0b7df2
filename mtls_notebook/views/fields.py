"""A message's span tree as plain data for the byte view: names, spans, words, and where they come from.

`Pages` keeps each explanation once, however many fields share it. What may not live here: layout, widgets,
and any knowledge of what a message means (that is `tls.prose`).
"""

from __future__ import annotations

import re
from typing import Any

from ..tls import prose
from ..tls.messages import Message, Undecoded
from ..tls.reader import Field
from .text import counted, shortened, visible

_RFC = re.compile(r"RFC (\d+)(?: §([\w.]+))?")
_WORDS_LIMIT = 96
_BYTES_SHOWN = 4
# A vector of length and data is told by its own line; a long list is opened by whoever wants it.
_OPENED = range(3, 17)


class Pages:
    """The explanations used so far, each once; an index stands for it in the tree."""

    def __init__(self) -> None:
        self.texts: list[dict[str, str]] = []
        self._known: dict[tuple[str, str], int] = {}

    def index(self, explanation: prose.Explanation) -> int:
        """Return the number of `explanation` in `texts`."""
        key = (explanation.text, explanation.source)
        if key not in self._known:
            self._known[key] = len(self.texts)
            text, source = key
            self.texts.append({"text": text, "source": source, "link": rfc_link(source)})
        return self._known[key]


def rfc_link(source: str) -> str:
    """Return where the RFC section named first in `source` can be read, "" if none is named."""
    found = _RFC.search(source)
    if not found:
        return ""
    number, section = found.groups()
    anchor = f"#{'appendix' if section[0].isalpha() else 'section'}-{section.rstrip('.')}" if section else ""
    return f"https://www.rfc-editor.org/rfc/rfc{number}{anchor}"


def anatomy(message: Message | Undecoded, pages: Pages, max_fields: int, max_bytes: int) -> dict[str, Any]:
    """Return a message's bytes and field tree, cut to `max_fields` nodes and `max_bytes` bytes.

    Shape: {"hex", "length", "fields": [node…], "hidden": fields left out, "error": why it does not decode}.
    """
    shown = {"hex": message.raw[:max_bytes].hex(), "length": len(message.raw), "hidden": 0, "error": ""}
    if isinstance(message, Undecoded):
        return shown | {"fields": [], "error": visible(str(message.error))}
    tree = _Tree(message, pages, max_fields)
    fields = tree.nodes(message.field.children, ())
    return shown | {"fields": fields, "hidden": tree.hidden}


class _Tree:
    """One walk over a span tree, breadth cut when the allowance of nodes is used up."""

    def __init__(self, message: Message, pages: Pages, allowance: int) -> None:
        self._message = message
        self._pages = pages
        self._left = allowance
        self.hidden = 0

    def nodes(self, fields: tuple[Field, ...], path: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the nodes for `fields`; what the allowance does not cover is counted in `hidden`."""
        taken = fields[: self._left]
        self._left -= len(taken)
        self.hidden += sum(count(field) for field in fields[len(taken) :])
        return [self._node(field, (*path, field.name)) for field in taken]

    def _node(self, field: Field, path: tuple[str, ...]) -> dict[str, Any]:
        return {
            "name": visible(field.name),
            "span": list(field.span),
            "value": value_text(field, self._message.raw),
            "prose": self._pages.index(prose.explain(self._message.kind, path)),
            "open": len(path) == 1 and len(field.children) in _OPENED,
            "children": self.nodes(field.children, path),
        }


def count(field: Field) -> int:
    """Return how many nodes the tree below `field` has, itself included."""
    total = 0
    waiting = [field]
    while waiting:
        total += 1
        waiting.extend(waiting.pop().children)
    return total


def value_text(field: Field, raw: bytes) -> str:
    """Return a field's value in a few words: its bytes when they are few, and what they say."""
    start, end = field.span
    words = _words(field)
    if field.children:
        return shortened(visible(words or counted(end - start, "byte")), _WORDS_LIMIT)
    few = raw[start:end].hex(" ") if end - start <= _BYTES_SHOWN else ""
    parts = [part for part in (few, words) if part] or [counted(end - start, "byte")]
    return shortened(visible(" · ".join(parts)), _WORDS_LIMIT)


def _words(field: Field) -> str:
    if field.meaning:
        return field.meaning
    return str(field.value) if isinstance(field.value, str | int) else ""
