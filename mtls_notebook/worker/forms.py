"""FormData and Blob of the `workers` module, and multipart/form-data both ways (RFC 7578)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from email import policy
from email.parser import BytesParser


class Blob:
    """Bytes with a media type; `name` is set when it came from, or goes into, a file field."""

    def __init__(self, parts: Iterable[bytes | str] = (), *, content_type: str = "", name: str = "") -> None:
        self.content = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
        self.content_type = content_type
        self.name = name

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return len(self.content)

    async def bytes(self) -> bytes:
        """Return the bytes."""
        return self.content

    async def text(self) -> str:
        """Return the bytes as UTF-8 text."""
        return self.content.decode("utf-8", "replace")


class FormData:
    """Fields in order; a name may occur more than once."""

    def __init__(self, fields: Iterable[tuple[str, str | Blob]] = ()) -> None:
        self._fields = list(fields)

    def append(self, name: str, value: str | bytes | Blob, filename: str = "") -> None:
        """Add a field, whether or not the name exists."""
        self._fields.append((name, _as_field(value, filename)))

    def set(self, name: str, value: str | bytes | Blob, filename: str = "") -> None:
        """Replace every field of that name by one."""
        self.delete(name)
        self.append(name, value, filename)

    def delete(self, name: str) -> None:
        """Remove every field of that name."""
        self._fields = [field for field in self._fields if field[0] != name]

    def get(self, name: str) -> str | Blob | None:
        """Return the first value of `name`, None if absent."""
        return next((value for key, value in self._fields if key == name), None)

    def get_all(self, name: str) -> list[str | Blob]:
        """Return every value of `name`."""
        return [value for key, value in self._fields if key == name]

    def __getitem__(self, name: str) -> str | Blob:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._fields)

    def __iter__(self) -> Iterator[tuple[str, str | Blob]]:
        return iter(self._fields)


def _as_field(value: str | bytes | Blob, filename: str) -> str | Blob:
    if isinstance(value, bytes):
        return Blob([value], content_type="application/octet-stream", name=filename or "blob")
    if isinstance(value, Blob):
        return Blob([value.content], content_type=value.content_type, name=filename or value.name or "blob")
    return value


def encode_multipart(form: FormData) -> tuple[bytes, str]:
    """Return the encoded fields and the Content-Type that names their boundary."""
    boundary = secrets.token_hex(16)
    parts = b"".join(_part(boundary, name, value) for name, value in form)
    return parts + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, value: str | Blob) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, str):
        return f"{head}\r\n\r\n{value}\r\n".encode()
    media_type = value.content_type or "application/octet-stream"
    head += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {media_type}'
    return head.encode() + b"\r\n\r\n" + value.content + b"\r\n"


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def parse_multipart(data: bytes, content_type: str) -> FormData:
    """Return the fields of a multipart body. Raises TypeError when it is none."""
    message = BytesParser(policy=policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + data
    )
    if not message.is_multipart():
        raise TypeError("The body is no multipart/form-data.")
    form = FormData()
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = str(part.get_param("name", "", header="content-disposition"))
        filename = part.get_filename()
        if filename is None:
            form.append(name, content.decode("utf-8", "replace"))
        else:
            form.append(name, Blob([content], content_type=part.get_content_type(), name=filename))
    return form
