"""ASN.1 types as values: the universal ones, and the few ways to put them together.

Each type is a `Shape`: its tag and a function that reads its contents. A primitive checks what DER
demands (one way to write each value) and ends in a leaf called "contents".

What may not live here: names of any one standard's fields or objects.
Source: X.690 §8, §11; X.680.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from ..spans import Field
from .der import CONSTRUCTED, CONTEXT, Contents, Read, Reader, Shape
from .distinguished_name import visible

_LONGEST_NUMBER = 24
"""Integers up to this many bytes become an int (serial numbers may have 20); nobody reads 617 digits."""
_LONGEST_IDENTIFIER = 64
"""Longer object identifiers occur in no registry, and their arithmetic costs time."""

STRING_ENCODINGS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",  # what the world writes into TeletexString, whatever T.61 says
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_UTC_TIME = 0x17
_TIMES = {
    _UTC_TIME: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
    0x18: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
}


# Primitive types


def _boolean(body: Reader) -> Contents:
    octets = _octets(body)
    if octets not in {b"\x00", b"\xff"}:
        raise body.error("is neither 00 (FALSE) nor ff (TRUE)")
    return body.contents(octets == b"\xff", "TRUE" if octets == b"\xff" else "FALSE")


def integer(names: Mapping[int, str]) -> Shape:
    """Return INTEGER whose meaning is looked up in `names`."""

    def read(body: Reader) -> Contents:
        value = _number(body)
        if isinstance(value, bytes):
            return body.contents(value, f"a number of {_bits(value)} bits")
        return body.contents(value, names.get(value, ""))

    return Shape("INTEGER", {0x02: read})


def _number(body: Reader) -> int | bytes:
    """Return the number that the contents are, or their bytes when it is a long one.

    Source: X.690 §8.3.
    """
    octets = _octets(body)
    if not octets:
        raise body.error("is a number without digits")
    if len(octets) > 1 and (octets[0], octets[1] >> 7) in {(0x00, 0), (0xFF, 1)}:
        raise body.error("is a number with more bytes than it needs")
    return octets if len(octets) > _LONGEST_NUMBER else int.from_bytes(octets, "big", signed=True)


def _bits(octets: bytes) -> int:
    """Return how many bits the number in `octets` has without its leading zeros."""
    return int.from_bytes(octets, "big").bit_length()


def bits_of(number: Field) -> int:
    """Return the size of an INTEGER's field in bits."""
    value = number.value
    if isinstance(value, bytes):
        return _bits(value)
    return value.bit_length() if isinstance(value, int) else 0


def _octet_string(body: Reader) -> Contents:
    return body.contents(_octets(body))


def _null(body: Reader) -> Contents:
    return None, ""


def unused_bits(body: Reader) -> int:
    """Return how many bits of the BIT STRING's last byte do not count, checked as DER demands.

    Source: X.690 §8.6, §11.2.
    """
    unused = body.number("unusedBits", 1)
    last = body.data[body.end - 1] if body.remaining else 0
    if unused > 7 or (unused and not body.remaining) or last & ((1 << unused) - 1):
        raise body.error(f"has {unused} unused bits that are not zero bits of its last byte")
    return unused


def _bit_string(body: Reader) -> Contents:
    unused_bits(body)
    return body.contents(_octets(body))


def _string(body: Reader) -> Contents:
    text = _octets(body).decode(STRING_ENCODINGS[body.tag], "backslashreplace")
    return _text(body, text)


def _text(body: Reader, text: str) -> Contents:
    shown = visible(text)
    return body.contents(text, shown if shown != text else "")


def _ia5(body: Reader) -> Contents:
    """Read what is an IA5String under whatever tag it stands."""
    return _text(body, _octets(body).decode("ascii", "backslashreplace"))


def _time(body: Reader) -> Contents:
    """Source: X.690 §11.7, §11.8; the century of two digits: RFC 5280 §4.1.2.5.1."""
    octets = _octets(body)
    parts = _TIMES[body.tag].fullmatch(octets)
    if not parts:
        raise body.error("is no time in seconds that ends in Z")
    year, month, day, hour, minute, second = map(int, parts.groups())
    if body.tag == _UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise body.error("is a time that the calendar does not have") from None
    return body.contents(octets.decode("ascii"), f"{moment:%Y-%m-%d %H:%M:%S} UTC")


def _identifier(names: Mapping[str, str]) -> Read:
    def read(body: Reader) -> Contents:
        dotted = dotted_identifier(_octets(body))
        if not dotted:
            raise body.error("is no object identifier")
        return body.contents(dotted, names.get(dotted, ""))

    return read


def dotted_identifier(octets: bytes) -> str:
    """Return the dotted form of an object identifier's contents; "" if they are none.

    Source: X.690 §8.19.
    """
    if not 0 < len(octets) <= _LONGEST_IDENTIFIER or octets[-1] & 0x80:
        return ""
    arcs: list[int] = []
    arc, starts = 0, True
    for octet in octets:
        if starts and octet == 0x80:
            return ""
        arc = arc << 7 | octet & 0x7F
        starts = not octet & 0x80
        if starts:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _octets(body: Reader) -> bytes:
    return body.data[body.position : body.end]


BOOLEAN = Shape("BOOLEAN", {0x01: _boolean})
INTEGER = integer({})
BIT_STRING = Shape("BIT STRING", {0x03: _bit_string})
OCTET_STRING = Shape("OCTET STRING", {0x04: _octet_string})
NULL = Shape("NULL", {0x05: _null})
STRING = Shape("a string", dict.fromkeys(STRING_ENCODINGS, _string))
IA5_STRING = Shape("IA5String", {0x16: _ia5})
TIME = Shape("UTCTime or GeneralizedTime", dict.fromkeys(_TIMES, _time))
GENERALIZED_TIME = Shape("GeneralizedTime", {0x18: _time})


def identifier(names: Mapping[str, str]) -> Shape:
    """Return OBJECT IDENTIFIER whose meaning is looked up in `names`, by dotted form."""
    return Shape("OBJECT IDENTIFIER", {0x06: _identifier(names)})


def named_bits(names: Sequence[str]) -> Shape:
    """Return BIT STRING whose set bits are called `names`, bit 0 first.

    Shape: the value is the set bits' names joined by ", "; a bit without a name is "bit 9".
    """

    def read(body: Reader) -> Contents:
        unused_bits(body)
        found = ", ".join(names[bit] if bit < len(names) else f"bit {bit}" for bit in _set_bits(_octets(body)))
        return body.contents(found, found or "no bit is set")

    return Shape("BIT STRING", {0x03: read})


def _set_bits(octets: bytes) -> Iterable[int]:
    return (8 * at + bit for at, octet in enumerate(octets) for bit in range(8) if octet & (0x80 >> bit))


# Putting types together


def sequence(name: str, read: Read) -> Shape:
    """Return SEQUENCE with the components that `read` reads."""
    return Shape(name, {0x30: read})


def sequence_of(name: str, item: str, shape: Shape, tag: int = 0x30) -> Shape:
    """Return SEQUENCE OF (or SET OF) `shape`, each called `item`; it means its items in words."""
    return Shape(name, {tag: lambda body: listed(body, lambda: body.element(item, shape))})


def listed(body: Reader, read_item: Callable[[], Field]) -> Contents:
    """Read items to the end; return their number and what they say, separated by commas."""
    items = []
    while body.remaining:
        items.append(words(read_item()))
    return counted(len(items)), ", ".join(filter(None, items))


def explicit(number: int, name: str, shape: Shape) -> Shape:
    """Return `shape` inside an element with the tag [`number`]; the inner element is called `name`."""

    def read(body: Reader) -> Contents:
        inner = body.element(name, shape)
        return inner.value, inner.meaning

    return Shape(f"[{number}] {shape.name}", {CONTEXT | CONSTRUCTED | number: read})


def implicit(number: int, shape: Shape) -> Shape:
    """Return `shape` with the tag [`number`] in place of its own; `shape` must have one tag only."""
    ((tag, read),) = shape.readers.items()
    return Shape(f"[{number}] {shape.name}", {CONTEXT | tag & CONSTRUCTED | number: read})


def either(shape: Shape, other: Shape) -> Shape:
    """Return the CHOICE between two types."""
    return Shape(
        f"{shape.name} or {other.name}", {**other.readers, **shape.readers}, shape.otherwise or other.otherwise
    )


def _any(body: Reader) -> Contents:
    if not body.tag & CONSTRUCTED or body.tag > 0xFF:
        return body.contents(_octets(body))
    return listed(body, lambda: body.element("element", ANY))


ANY = Shape(
    "any type",
    {
        tag: read
        for shape in (BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, identifier({}), STRING, TIME)
        for tag, read in shape.readers.items()
    },
    _any,
)
"""Whatever stands there, taken apart as far as its universal tags tell."""


def words(field: Field | None) -> str:
    """Return a field's value in words; "" when there is none."""
    if field is None:
        return ""
    return field.meaning or (str(field.value) if isinstance(field.value, str | int) else "")


def counted(items: int) -> str:
    """Return "1 item", "2 items"."""
    return "1 item" if items == 1 else f"{items} items"
