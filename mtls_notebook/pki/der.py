"""A strict, bounded DER reader that returns values and records where they stood, in the same pass.

Every element (tag, length, contents) becomes a `Field` whose first two children are its tag and its
length; its contents follow. So the leaves of a finished tree tile the bytes exactly. What DER forbids
(indefinite or padded lengths) is refused, and so is what only an attacker would send (very deep or very
large data), always with a `DecodeError`.

What may not live here: any ASN.1 type (`der_types` has those) and anything that knows certificates.
Source: X.690 §8.1, §10.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import DecodeError
from ..spans import Field

LARGEST = 1 << 18
"""The most bytes that are read; the chains of a handshake stay far below."""
DEEPEST = 32
"""The most elements inside one another; a certificate with everything in it has about 15."""

CONSTRUCTED = 0x20
CONTEXT = 0x80
LONG_FORM = 0x80
_HIGH_TAG = 0x1F
_LONGEST_TAG = 4
_LONGEST_LENGTH = 4

# X.680 §8.6, by the identifier octet that DER gives the type.
UNIVERSAL = {
    0x01: "BOOLEAN",
    0x02: "INTEGER",
    0x03: "BIT STRING",
    0x04: "OCTET STRING",
    0x05: "NULL",
    0x06: "OBJECT IDENTIFIER",
    0x0A: "ENUMERATED",
    0x0C: "UTF8String",
    0x12: "NumericString",
    0x13: "PrintableString",
    0x14: "TeletexString",
    0x16: "IA5String",
    0x17: "UTCTime",
    0x18: "GeneralizedTime",
    0x1A: "VisibleString",
    0x1C: "UniversalString",
    0x1E: "BMPString",
    0x30: "SEQUENCE",
    0x31: "SET",
}
_CLASSES = ("UNIVERSAL ", "APPLICATION ", "", "PRIVATE ")


Contents = tuple[object, str]
"""What an element's contents come to: its field's value and meaning."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An ASN.1 type: which identifier octets it may have, and how the contents behind each are read.

    `otherwise` reads the contents behind any other tag; without it, other tags are an error.
    """

    name: str
    readers: Mapping[int, Read]
    otherwise: Read | None = None


class Reader:
    """Reads `data` from `position` up to `end` and never past it; `fields` grows with every read.

    `name` becomes the name of the field around this reader; who learns a better one inside may set it.
    """

    __slots__ = ("_depth", "_parent", "data", "end", "fields", "name", "position", "tag")

    def __init__(self, data: bytes, name: str, start: int, end: int, tag: int = 0, parent: Reader | None = None):
        self.data = data
        self.name = name
        self.position = start
        self.end = end
        self.tag = tag
        self.fields: list[Field] = []
        self._parent = parent
        self._depth: int = parent._depth + 1 if parent else 0

    @property
    def remaining(self) -> int:
        """How many bytes are left before the end."""
        return self.end - self.position

    @property
    def next_tag(self) -> int:
        """The next element's first identifier octet; -1 at the end."""
        return self.data[self.position] if self.position < self.end else -1

    @property
    def path(self) -> str:
        """The dotted path of field names down to this reader."""
        above = self._parent.path if self._parent else ""
        return f"{above}.{self.name}" if above else self.name

    def error(self, message: str, field: str = "", offset: int | None = None) -> DecodeError:
        """Return a DecodeError at `field` below this reader's path; the caller raises it."""
        path = ".".join(part for part in (self.path, field) if part)
        return DecodeError(message, path, self.position if offset is None else offset)

    # Elements

    def element(self, name: str, shape: Shape) -> Field:
        """Return the next element, which must be of `shape` to its last byte.

        Raises: DecodeError.
        """
        start = self.position
        tag, tag_end = self._identifier(name)
        length, begin = self._length(name, tag_end)
        read = shape.readers.get(tag, shape.otherwise)
        if read is None:
            raise self.error(f"is {tag_name(tag)}, not {shape.name}", name, start)
        if self._depth >= DEEPEST:
            raise self.error(f"is more than {DEEPEST} elements deep", name, start)
        end = begin + length
        body = Reader(self.data, name, begin, end, tag, self)
        value, meaning = read(body)
        body.finish()
        self.position = end
        header = (
            Field("tag", (start, tag_end), tag, (), tag_name(tag)),
            Field("length", (tag_end, begin), length),
        )
        field = Field(body.name, (start, end), value, (*header, *body.fields), meaning)
        self.fields.append(field)
        return field

    def optional(self, name: str, shape: Shape) -> Field | None:
        """Return the next element if its tag is one of `shape`, else None and stay."""
        return self.element(name, shape) if self.next_tag in shape.readers else None

    def attempt(self, read: Read) -> Contents:
        """Return what `read` makes of the rest; if it fails, keep the bytes as one leaf that says why."""
        start, known = self.position, len(self.fields)
        try:
            contents = read(self)
            self.finish()
        except DecodeError as error:
            self.position = start
            del self.fields[known:]
            reason = error.message.partition(f" at byte {error.offset}: ")[2]
            meaning = f"does not decode at byte {error.offset}: {reason}"
            return self.rest("undecoded", meaning), meaning
        return contents

    # Leaves

    def octets(self, name: str, length: int, meaning: str = "") -> bytes:
        """Return the next `length` bytes; no bytes leave no field, for a leaf must cover something."""
        start = self._advance(name, length)
        value = self.data[start : self.position]
        if value:
            self.fields.append(Field(name, (start, self.position), value, (), meaning))
        return value

    def rest(self, name: str, meaning: str = "") -> bytes:
        """Return all bytes up to the end."""
        return self.octets(name, self.remaining, meaning)

    def number(self, name: str, width: int, names: Mapping[int, str] | None = None) -> int:
        """Return the next `width` bytes as an unsigned number, with its name in `names` as meaning."""
        start = self._advance(name, width)
        value = int.from_bytes(self.data[start : self.position], "big")
        meaning = names.get(value, f"unknown ({value})") if names else ""
        self.fields.append(Field(name, (start, self.position), value, (), meaning))
        return value

    def contents(self, value: object, meaning: str = "") -> Contents:
        """Name the rest "contents", read as `value`, and return both: how a primitive type ends."""
        if self.position < self.end:
            self.fields.append(Field("contents", (self.position, self.end), value, (), meaning))
        self.position = self.end
        return value, meaning

    def structure(self, name: str, length: int, read: Read) -> Contents:
        """Return what `read` makes of the next `length` bytes, which have no tag of their own."""
        start = self._advance(name, length)
        body = Reader(self.data, name, start, self.position, 0, self)
        value, meaning = read(body)
        body.finish()
        self.fields.append(Field(name, (start, self.position), value, tuple(body.fields), meaning))
        return value, meaning

    def finish(self) -> None:
        """Check that nothing is left.

        Raises: DecodeError naming the first byte that no field claims.
        """
        if self.position != self.end:
            raise self.error(f"{_bytes(self.remaining)} left over")

    def _advance(self, name: str, length: int) -> int:
        """Move past `length` bytes and return where they started."""
        start = self.position
        if length > self.end - start:
            raise self.error(f"needs {_bytes(length)}, {self.end - start} left", name)
        self.position = start + length
        return start

    def _identifier(self, name: str) -> tuple[int, int]:
        """Return the identifier octets as one number, and where they end.

        Source: X.690 §8.1.2.
        """
        start = self.position
        if start >= self.end:
            raise self.error("is missing", name)
        first = self.data[start]
        if first & _HIGH_TAG != _HIGH_TAG:
            return first, start + 1
        end = start + 1
        while end < self.end and self.data[end] & 0x80:
            end += 1
        octets = self.data[start : end + 1]
        # A number below 31 belongs into the first octet, and the next may not start with seven zero bits.
        if not 2 <= len(octets) <= _LONGEST_TAG or end >= self.end or octets[1] == 0x80 or octets[1] < _HIGH_TAG:
            raise self.error("has a tag that DER does not write", name)
        return int.from_bytes(octets, "big"), end + 1

    def _length(self, name: str, at: int) -> tuple[int, int]:
        """Return the length that stands `at`, and where the contents begin.

        Source: X.690 §8.1.3, §10.1.
        """
        if at >= self.end:
            raise self.error("ends before its length", name, at)
        length, begin = self.data[at], at + 1
        if length >= LONG_FORM:
            length, begin = self._long_length(name, at)
        if length > self.end - begin:
            raise self.error(f"declares {_bytes(length)}, {self.end - begin} left", name, at)
        return length, begin

    def _long_length(self, name: str, at: int) -> tuple[int, int]:
        count = self.data[at] - LONG_FORM
        begin = at + 1 + count
        if count == 0:
            raise self.error("has the indefinite length of BER, which DER does not allow", name, at)
        if count > _LONGEST_LENGTH or begin > self.end:
            raise self.error(f"has a length of {_bytes(count)}", name, at)
        length = int.from_bytes(self.data[at + 1 : begin], "big")
        if length < LONG_FORM or self.data[at + 1] == 0:
            raise self.error(f"writes its length {length} in more bytes than DER allows", name, at)
        return length, begin


Read = Callable[[Reader], Contents]
"""Reads the contents of one element, all of them."""


def read(data: bytes, name: str, shape: Shape) -> Field:
    """Return the one element of `shape` that `data` holds.

    Raises: DecodeError when `data` is anything else.
    """
    if len(data) > LARGEST:
        raise DecodeError(f"{len(data):,} bytes are more than the {LARGEST:,} that are read", name, 0)
    reader = Reader(data, "", 0, len(data))
    field = reader.element(name, shape)
    if reader.remaining:
        raise reader.error(f"{_bytes(reader.remaining)} left over", name)
    return field


def tag_name(tag: int) -> str:
    """Return how ASN.1 writes the tag with these identifier octets: "SEQUENCE", "[0] constructed"."""
    if tag in UNIVERSAL:
        return UNIVERSAL[tag]
    octets = tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")
    number = octets[0] & _HIGH_TAG
    if len(octets) > 1:
        number = sum((octet & 0x7F) << 7 * place for place, octet in enumerate(reversed(octets[1:])))
    form = " constructed" if octets[0] & CONSTRUCTED else ""
    return f"[{_CLASSES[octets[0] >> 6]}{number}]{form}"


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
