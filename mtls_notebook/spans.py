"""What a decoder leaves behind: a tree of named spans over the bytes, and the words that explain a field.

TLS messages and certificates share these two values, so that a view draws and explains either. How bytes
become a tree is the decoders' business (`tls.reader`, `pki.der`), which fields there are and what they mean, too.
"""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]
"""Start and end offset in the bytes; the end is exclusive."""


@dataclass(frozen=True, slots=True)
class Field:
    """A node of the span tree.

    A leaf's `value` is an int, bool, bytes or str; a composite's is the bytes it carries, a count such as
    "17 items", or None. `meaning` is the value in words, or "" when the value speaks for itself.
    """

    name: str
    span: Span
    value: object
    children: tuple[Field, ...] = ()
    meaning: str = ""


def leaves(field: Field) -> list[Field]:
    """Return the leaves below `field`, in the order of their bytes."""
    found: list[Field] = []
    waiting = [field]
    while waiting:
        node = waiting.pop()
        if node.children:
            waiting.extend(reversed(node.children))
        else:
            found.append(node)
    return found


@dataclass(frozen=True, slots=True)
class Explanation:
    """Words about a field, and the section that defines it ("RFC 8446 §4.4.2")."""

    text: str
    source: str


UNEXPLAINED = Explanation("", "")
"""What an explanation of a path that leads to no field is."""
