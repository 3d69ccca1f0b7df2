"""A message's span tree as plain data for the byte view: names, spans, words, and where they come from.

`Glossary` keeps each word and each explanation once, however many fields share it; a tree is a flat list of
numbers that point into it. A certificate inside a message continues as its own DER tree. What may not live
here: layout, widgets, and any knowledge of what a field means (`tls.prose` and `pki.certificate_prose` have it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import DecodeError
from ..pki import certificate_prose
from ..pki.certificate_tree import tree as certificate_tree
from ..tls import prose
from ..tls.messages import Message, Undecoded
from .text import counted, shortened, visible

_RFC = re.compile(r"RFC (\d+)(?: §([\w.]+))?")
_WORDS_LIMIT = 96
_BYTES_SHOWN = 4
# A vector of length and data is told by its own line; a long list is opened by whoever wants it.
_OPENED = range(3, 17)
# The field that holds a certificate's DER, and what it is called inside (TLS 1.3, TLS 1.2).
_HOLDS_CERTIFICATE = {("cert_data", "data"), ("ASN.1Cert", "data")}

Path = tuple[str, ...]
Node = list[int]
"""[level, name, start, end, value, explanation, open]: level counts from 1, name and value index
`Glossary.words`, explanation indexes `Glossary.pages`, open is 0 or 1. A node's children follow it."""


class Explained(Protocol):
    """Words about a field and the section that defines it."""

    @property
    def text(self) -> str: ...
    @property
    def source(self) -> str: ...


class FieldLike(Protocol):
    """A node of a span tree, of a TLS message or of a certificate."""

    @property
    def name(self) -> str: ...
    @property
    def span(self) -> tuple[int, int]: ...
    @property
    def value(self) -> object: ...
    @property
    def children(self) -> Sequence[FieldLike]: ...
    @property
    def meaning(self) -> str: ...


Explain = Callable[[Path], Explained]


class Glossary:
    """The words and explanations used so far, each once; its index stands for it in the tree.

    A page is an explanation's text and the index of its source.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.pages: list[tuple[str, int]] = []
        self.sources: list[dict[str, Any]] = []
        self._known_words: dict[str, int] = {}
        self._known_pages: dict[tuple[str, str], int] = {}
        self._known_sources: dict[str, int] = {}

    def word(self, text: str) -> int:
        """Return the number of `text` in `words`."""
        if text not in self._known_words:
            self._known_words[text] = len(self.words)
            self.words.append(text)
        return self._known_words[text]

    def page(self, explanation: Explained) -> int:
        """Return the number of `explanation` in `pages`."""
        key = (explanation.text, explanation.source)
        if key not in self._known_pages:
            self._known_pages[key] = len(self.pages)
            self.pages.append((explanation.text, self._source(explanation.source)))
        return self._known_pages[key]

    def _source(self, name: str) -> int:
        if name not in self._known_sources:
            self._known_sources[name] = len(self.sources)
            self.sources.append({"name": name, "parts": [[part, rfc_link(part)] for part in name.split(", ")]})
        return self._known_sources[name]

    def state(self) -> dict[str, Any]:
        """Return all of it as plain data, for the front end to look up."""
        pages = [list(page) for page in self.pages]
        return {"words": self.words, "prose": pages, "sources": self.sources}


def rfc_link(source: str) -> str:
    """Return where the RFC section named first in `source` can be read, "" if none is named."""
    found = _RFC.search(source)
    if not found:
        return ""
    number, section = found.groups()
    anchor = f"#{'appendix' if section[0].isalpha() else 'section'}-{section.rstrip('.')}" if section else ""
    return f"https://www.rfc-editor.org/rfc/rfc{number}{anchor}"


def anatomy(message: Message | Undecoded, glossary: Glossary, max_fields: int, max_bytes: int) -> dict[str, Any]:
    """Return a message's bytes and field tree, cut to `max_fields` nodes and `max_bytes` bytes.

    Shape: {"hex", "length", "fields": [Node…], "hidden": fields left out, "error": why it does not decode}.
    """
    shown = {"hex": message.raw[:max_bytes].hex(), "length": len(message.raw), "hidden": 0, "error": ""}
    if isinstance(message, Undecoded):
        return shown | {"fields": [], "error": visible(str(message.error))}

    def explain(path: Path) -> Explained:
        return prose.explain(message.kind, path)

    walk = _Walk(message.raw, glossary, max_fields)
    walk.nodes(message.field.children, _Place((), 0, 1, explain))
    return shown | {"fields": walk.found, "hidden": walk.hidden}


def certificate_anatomy(der: bytes, glossary: Glossary, max_fields: int, max_bytes: int) -> dict[str, Any]:
    """Return a certificate's bytes and field tree in the shape of `anatomy`."""
    shown = {"hex": der[:max_bytes].hex(), "length": len(der), "hidden": 0, "error": ""}
    try:
        root = certificate_tree(der)
    except DecodeError as error:
        return shown | {"fields": [], "error": visible(str(error))}
    walk = _Walk(der, glossary, max_fields)
    walk.nodes(root.children, _Place((), 0, 1, certificate_prose.explain))
    return shown | {"fields": walk.found, "hidden": walk.hidden}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a tree a walk stands: the path from its root, what spans count from, how deep, who explains."""

    path: Path
    base: int
    level: int
    explain: Explain


class _Walk:
    """One walk over a span tree; once the allowance is used up, siblings are counted in `hidden` instead.

    What stands nearer the root goes first: each list of children gets its rows before any of them is entered.
    """

    def __init__(self, raw: bytes, glossary: Glossary, allowance: int) -> None:
        self._raw = raw
        self._glossary = glossary
        self._left = allowance
        self.found: list[Node] = []
        self.hidden = 0

    def nodes(self, fields: Sequence[FieldLike], place: _Place) -> None:
        """Append the nodes of `fields` and of all below them."""
        taken = fields[: self._left]
        self._left -= len(taken)
        self.hidden += sum(count(field) for field in fields[len(taken) :])
        for field in taken:
            self._node(field, place)

    def _node(self, field: FieldLike, above: _Place) -> None:
        path = (*above.path, field.name)
        start, end = (above.base + at for at in field.span)
        inner, place = _inside(field, above, self._raw[start:end])
        is_open = above.level == 1 and len(inner) in _OPENED
        self.found.append(
            [
                above.level,
                self._glossary.word(visible(field.name)),
                start,
                end,
                self._glossary.word(value_text(field, self._raw[start:end])),
                self._glossary.page(above.explain(path)),
                int(is_open),
            ]
        )
        self.nodes(inner, place)


def _inside(field: FieldLike, above: _Place, raw: bytes) -> tuple[Sequence[FieldLike], _Place]:
    """Return what stands below a field and where: a certificate's DER goes on as a tree of its own."""
    level = above.level + 1
    place = _Place((*above.path, field.name), above.base, level, above.explain)
    if (*above.path[-1:], field.name) not in _HOLDS_CERTIFICATE:
        return field.children, place
    try:
        certificate = certificate_tree(raw)
    except DecodeError:
        return field.children, place
    return certificate.children, _Place((), above.base + field.span[0], level, certificate_prose.explain)


def count(field: FieldLike) -> int:
    """Return how many nodes the tree below `field` has, itself included."""
    total = 0
    waiting = [field]
    while waiting:
        total += 1
        waiting.extend(waiting.pop().children)
    return total


def value_text(field: FieldLike, raw: bytes) -> str:
    """Return a field's value in a few words: its bytes (`raw`) when they are few, and what they say."""
    words = _words(field)
    if field.children:
        return shortened(visible(words or counted(len(raw), "byte")), _WORDS_LIMIT)
    few = raw.hex(" ") if len(raw) <= _BYTES_SHOWN else ""
    parts = [part for part in (few, words) if part] or [counted(len(raw), "byte")]
    return shortened(visible(" · ".join(parts)), _WORDS_LIMIT)


def _words(field: FieldLike) -> str:
    if field.meaning:
        return field.meaning
    return str(field.value) if isinstance(field.value, str | int) else ""
