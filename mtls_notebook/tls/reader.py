"""A bounded reader that returns values and records where they stood, in the same pass.

Every read appends a `Field` with its span, so the typed message and the hex map come from one walk
over the bytes and cannot disagree. The leaves of a finished tree tile the message exactly: no byte
without a name, none with two. A body is cut to its declared length before anything inside is
read, so nothing can claim bytes that are not its own.

What may not live here: anything that knows TLS. Numbers get names from tables passed in.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TypeVar

from mtls_notebook.errors import DecodeError
from mtls_notebook.spans import Field

T = TypeVar("T")
Show = Callable[[bytes], str]

_FORMATS = {1: "B", 2: "H"}


def meaning_of(table: Mapping[int, str] | None, value: int, width: int) -> str:
    """Return the name of `value` in `table`; "unknown(0x…)" when the table has none, "" without a table.

    Units: `width` is the value's length on the wire in bytes.
    """
    if table is None:
        return ""
    return table.get(value) or f"unknown(0x{value:0{2 * width}x})"


class Reader:
    """Reads `data` from `start` up to `end` and never past it; `fields` grows with every read."""

    __slots__ = ("_name", "_parent", "data", "end", "fields", "position")

    def __init__(
        self, data: bytes, name: str, start: int = 0, end: int | None = None, parent: Reader | None = None
    ) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end
        self.fields: list[Field] = []
        self._name = name
        self._parent = parent

    @property
    def remaining(self) -> int:
        """How many bytes are left before the end."""
        return self.end - self.position

    @property
    def path(self) -> str:
        """The dotted path of field names down to this reader."""
        return f"{self._parent.path}.{self._name}" if self._parent else self._name

    def error(self, message: str, field: str = "", offset: int | None = None) -> DecodeError:
        """Return a DecodeError at `field` below this reader's path; the caller raises it."""
        path = f"{self.path}.{field}" if field else self.path
        return DecodeError(message, path, self.position if offset is None else offset)

    def _advance(self, name: str, length: int) -> int:
        """Move past `length` bytes and return where they started."""
        start = self.position
        if length > self.end - start:
            raise self.error(f"needs {_bytes(length)}, {self.end - start} left", name)
        self.position = start + length
        return start

    # Leaves

    def number(self, name: str, width: int, table: Mapping[int, str] | None = None) -> int:
        """Return the next `width` bytes as a big-endian number.

        Source: RFC 8446 §3.3.
        """
        start = self._advance(name, width)
        value = int.from_bytes(self.data[start : self.position], "big")
        self.fields.append(Field(name, (start, self.position), value, (), meaning_of(table, value, width)))
        return value

    def u8(self, name: str, table: Mapping[int, str] | None = None) -> int:
        """Return the next byte as a number."""
        return self.number(name, 1, table)

    def u16(self, name: str, table: Mapping[int, str] | None = None) -> int:
        """Return the next two bytes as a number."""
        return self.number(name, 2, table)

    def u24(self, name: str) -> int:
        """Return the next three bytes as a number."""
        return self.number(name, 3)

    def u32(self, name: str) -> int:
        """Return the next four bytes as a number."""
        return self.number(name, 4)

    def u64(self, name: str) -> int:
        """Return the next eight bytes as a number."""
        return self.number(name, 8)

    def opaque(self, name: str, length: int, show: Show | None = None) -> bytes:
        """Return the next `length` bytes; no bytes leave no field, for a leaf must cover something."""
        start = self._advance(name, length)
        value = self.data[start : self.position]
        if value:
            self.fields.append(Field(name, (start, self.position), value, (), show(value) if show else ""))
        return value

    def rest(self, name: str, show: Show | None = None) -> bytes:
        """Return all bytes up to the end."""
        return self.opaque(name, self.end - self.position, show)

    # Composites

    def vector(
        self, name: str, prefix: int, minimum: int = 0, maximum: int | None = None, show: Show | None = None
    ) -> bytes:
        """Return the bytes of an opaque vector whose length stands in its first `prefix` bytes.

        Source: RFC 8446 §3.4.
        """
        start, begin, length = self._open(name, prefix, minimum, maximum)
        value = self.data[begin : self.position]
        data = (length, Field("data", (begin, self.position), value)) if value else (length,)
        text = show(value) if show and value else ""
        self._close(name, start, value, data, text)
        return value

    def text(self, name: str, prefix: int, minimum: int = 0) -> str:
        """Return an opaque vector that should hold ASCII as text, odd bytes escaped."""
        return ascii_text(self.vector(name, prefix, minimum, show=ascii_text))

    def numbers(
        self,
        name: str,
        prefix: int,
        item: str,
        width: int,
        table: Mapping[int, str] | None = None,
        *,
        minimum: int = 0,
        maximum: int | None = None,
    ) -> tuple[int, ...]:
        """Return a vector of numbers, each `width` bytes (1 or 2) wide and named `item`."""
        start, begin, length = self._open(name, prefix, minimum, maximum)
        count, odd = divmod(self.position - begin, width)
        if odd:
            raise self.error(f"{self.position - begin} bytes do not divide into {width}-byte items", name, begin)
        values: tuple[int, ...] = struct.unpack_from(f">{count}{_FORMATS[width]}", self.data, begin)
        ends = range(begin + width, self.position + 1, width)
        items = tuple(
            Field(item, (end - width, end), value, (), meaning_of(table, value, width))
            for end, value in zip(ends, values, strict=True)
        )
        self._close(name, start, _items(count), (length, *items))
        return values

    def nested(
        self,
        name: str,
        prefix: int,
        parse: Callable[[Reader], T],
        *,
        minimum: int = 0,
        maximum: int | None = None,
        describe: Callable[[T], str] | None = None,
    ) -> T:
        """Return what `parse` makes of a body with a length prefix; it must use up the body."""
        start, begin, length = self._open(name, prefix, minimum, maximum)
        body = Reader(self.data, name, begin, self.position, self)
        value = parse(body)
        body.finish()
        self._close(name, start, None, (length, *body.fields), describe(value) if describe else "")
        return value

    def items(
        self,
        name: str,
        prefix: int,
        item: str,
        parse: Callable[[Reader], T],
        *,
        minimum: int = 0,
        maximum: int | None = None,
        describe: Callable[[T], str] | None = None,
    ) -> tuple[T, ...]:
        """Return a vector of structures named `item`, each read by `parse`, which must use a byte or more."""
        return self.many(
            name,
            prefix,
            lambda body, index: body.struct(item, parse, describe, index),
            minimum=minimum,
            maximum=maximum,
        )

    def many(
        self,
        name: str,
        prefix: int,
        read: Callable[[Reader, int], T],
        *,
        minimum: int = 0,
        maximum: int | None = None,
    ) -> tuple[T, ...]:
        """Return a vector of whatever `read` takes, called with the index until the body is used up.

        `read` must take a byte or more each time.
        """
        start, begin, length = self._open(name, prefix, minimum, maximum)
        body = Reader(self.data, name, begin, self.position, self)
        values: list[T] = []
        while body.position < body.end:
            values.append(read(body, len(values)))
        self._close(name, start, _items(len(values)), (length, *body.fields))
        return tuple(values)

    def vectors(
        self, name: str, prefix: int, item: str, item_prefix: int, *, minimum: int = 0, item_minimum: int = 0
    ) -> tuple[bytes, ...]:
        """Return a vector of opaque vectors named `item`."""
        return self.many(name, prefix, lambda body, _: body.vector(item, item_prefix, item_minimum), minimum=minimum)

    def struct(
        self,
        name: str,
        parse: Callable[[Reader], T],
        describe: Callable[[T], str] | None = None,
        index: int | None = None,
    ) -> T:
        """Return what `parse` makes of the next bytes; it alone decides how many it takes."""
        start = self.position
        inner = Reader(self.data, name if index is None else f"{name}[{index}]", start, self.end, self)
        value = parse(inner)
        self.position = inner.position
        text = describe(value) if describe else ""
        self.fields.append(Field(name, (start, self.position), None, tuple(inner.fields), text))
        return value

    def attempt(self, parse: Callable[[Reader], T]) -> T | None:
        """Return what `parse` makes of the rest; None, with nothing read, when it does not decode.

        For bodies whose inner format is not TLS's own: a peer's odd DER must not hide its message.
        """
        trial = Reader(self.data, self._name, self.position, self.end, self._parent)
        try:
            value = parse(trial)
            trial.finish()
        except DecodeError:
            return None
        self.position = trial.position
        self.fields += trial.fields
        return value

    def finish(self) -> None:
        """Check that nothing is left.

        Raises: DecodeError naming the first byte that no field claims.
        """
        if self.position != self.end:
            raise self.error(f"{_bytes(self.end - self.position)} left over after the last field")

    def _open(self, name: str, prefix: int, minimum: int, maximum: int | None) -> tuple[int, int, Field]:
        """Read and check a length, move past the body; return both starts and the length's field."""
        start = self._advance(name, prefix)
        begin = self.position
        length = int.from_bytes(self.data[start:begin], "big")
        if length < minimum:
            raise self.error(f"length {length} is below the minimum of {minimum}", name, start)
        if maximum is not None and length > maximum:
            raise self.error(f"length {length} is above the maximum of {maximum}", name, start)
        if length > self.end - begin:
            raise self.error(f"declares {_bytes(length)}, {self.end - begin} left", name, start)
        self.position = begin + length
        return start, begin, Field("length", (start, begin), length)

    def _close(
        self,
        name: str,
        start: int,
        value: object,
        children: tuple[Field, ...],
        meaning: str = "",
    ) -> None:
        self.fields.append(Field(name, (start, self.position), value, children, meaning))


def ascii_text(value: bytes) -> str:
    """Return `value` read as ASCII; a byte that is none becomes "\\x…"."""
    return value.decode("ascii", "backslashreplace")


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
