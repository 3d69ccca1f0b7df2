"""FormData, Blob and File of the `workers` module, and multipart/form-data both ways (RFC 7578).

What may not live here: requests and responses, and where their bodies come from.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Union
from urllib.parse import parse_qsl

Part = Union[str, bytes, bytearray, memoryview, "Blob"]
_BINARY = "application/octet-stream"


class Blob:
    """Bytes with a media type, from one part or several. Raises TypeError for a part that is neither text nor bytes."""

    content_type: str

    def __init__(self, parts: Part | Iterable[Part] = (), content_type: str | None = None) -> None:
        single = isinstance(parts, str | bytes | bytearray | memoryview | Blob)
        listed: Any = [parts] if single else parts
        self.content = b"".join(_as_bytes(part) for part in listed)
        self.content_type = content_type or (parts.content_type if isinstance(parts, Blob) else "")

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return len(self.content)

    async def bytes(self) -> bytes:
        """Return the bytes."""
        return self.content

    async def text(self) -> str:
        """Return the bytes as UTF-8 text."""
        return self.content.decode("utf-8-sig", "replace")

    def slice(self, start: int | None = None, end: int | None = None, content_type: str | None = None) -> Blob:
        """Return a part of it; negative positions count from the end."""
        return Blob(self.content[start:end], content_type)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size} bytes, content_type={self.content_type!r})"


class File(Blob):
    """A Blob with a name, as a file field of a form holds it."""

    def __init__(self, parts: Part | Iterable[Part], filename: str, content_type: str | None = None) -> None:
        super().__init__(parts, content_type)
        self.name = filename


Value = str | Blob


class FormData:
    """Fields in order, a name as often as you like. Reads like a dict: iterating yields names.

    `data[name]` is the first value; `items()` has them all.
    """

    def __init__(self, fields: Mapping[str, Value | bytes] | Iterable[tuple[str, Value | bytes]] | None = None) -> None:
        self._fields: list[tuple[str, Value]] = []
        pairs: Any = fields.items() if isinstance(fields, Mapping | FormData) else fields or ()
        for name, value in pairs:
            self.append(name, value)

    def append(self, name: str, value: Value | bytes, filename: str | None = None) -> None:
        """Add a field, whether or not the name exists."""
        self._fields.append((str(name), _as_field(value, filename)))

    def set(self, name: str, value: Value | bytes, filename: str | None = None) -> None:
        """Replace every field of that name by one, where the first one stood."""
        at = next((at for at, (key, _) in enumerate(self._fields) if key == name), len(self._fields))
        kept = [field for field in self._fields[at:] if field[0] != name]
        self._fields[at:] = [(str(name), _as_field(value, filename)), *kept]

    def delete(self, name: str) -> None:
        """Remove every field of that name."""
        self._fields = [field for field in self._fields if field[0] != name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of `name`, `default` if absent."""
        return next((value for key, value in self._fields if key == name), default)

    def get_all(self, name: str) -> list[Value]:
        """Return every value of `name`."""
        return [value for key, value in self._fields if key == name]

    def keys(self) -> Iterator[str]:
        """Yield the name of every field."""
        return (name for name, _ in self._fields)

    def values(self) -> Iterator[Value]:
        """Yield the value of every field."""
        return (value for _, value in self._fields)

    def items(self) -> Iterator[tuple[str, Value]]:
        """Yield every field."""
        return iter(tuple(self._fields))

    def __getitem__(self, name: str) -> Value:
        for key, value in self._fields:
            if key == name:
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: Value | bytes) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._fields)

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"FormData({self._fields!r})"


def _as_bytes(part: Part) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, Blob):
        return part.content
    if isinstance(part, bytes | bytearray | memoryview):
        return bytes(part)
    raise TypeError(f"A Blob is made of text and bytes, not of {type(part).__name__}")


def _as_field(value: Value | bytes, filename: str | None) -> Value:
    match value:
        case bytes() | bytearray() | memoryview():
            return File(value, filename or "blob", _BINARY)
        case Blob():
            return File(value, filename or _filename(value))
    return str(value)


def _filename(value: Blob) -> str:
    return value.name if isinstance(value, File) else "blob"


def encode_multipart(form: FormData) -> tuple[bytes, str]:
    """Return the encoded fields and the Content-Type that names their boundary.

    Source: RFC 7578 §4; names and line breaks escaped as browsers do (HTML, multipart/form-data encoding).
    """
    boundary = secrets.token_hex(16)
    parts = b"".join(_part(boundary, name, value) for name, value in form.items())
    return parts + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, value: Value) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, str):
        return f"{head}\r\n\r\n{_with_crlf(value)}\r\n".encode()
    head += f'; filename="{_quoted(_filename(value))}"\r\nContent-Type: {value.content_type or _BINARY}'
    return head.encode() + b"\r\n\r\n" + value.content + b"\r\n"


def _quoted(text: str) -> str:
    return _with_crlf(text).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _with_crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def parse_form(data: bytes, content_type: str) -> FormData:
    """Return the fields of a form's body. Raises TypeError for another media type, or a body that is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return parse_multipart(data, content_type)
    if kind == "application/x-www-form-urlencoded":
        return FormData(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))
    raise TypeError(f"Unrecognized Content-Type for form data: {content_type!r}")


def parse_multipart(data: bytes, content_type: str) -> FormData:
    """Return the fields of a multipart body. Raises TypeError when it is none, or breaks off.

    Source: RFC 7578 §4, RFC 2046 §5.1.
    """
    boundary = _parameters(content_type).get("boundary", "")
    if not boundary:
        raise TypeError("The body is no multipart/form-data: its Content-Type names no boundary.")
    sections = (b"\r\n" + data).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise TypeError("The body is no multipart/form-data, or it breaks off.")
    return FormData(_field(section) for section in sections[1:-1])


def _field(section: bytes) -> tuple[str, Value]:
    head, blank, content = section.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    disposition = _parameters(headers.get("content-disposition", ""))
    if not blank or "name" not in disposition:
        raise TypeError("A part of the multipart/form-data body has no name.")
    name = _unquoted(disposition["name"])
    if "filename" not in disposition:
        return name, content.decode("utf-8", "replace")
    return name, File(content, _unquoted(disposition["filename"]), headers.get("content-type", "text/plain"))


_PARAMETER = re.compile(r';\s*([\w*-]+)=(?:"([^"]*)"|([^;\s]*))')


def _parameters(header: str) -> dict[str, str]:
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(header)}


def _unquoted(text: str) -> str:
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
