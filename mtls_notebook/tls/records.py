"""Byte stream → records → whole handshake messages, and what a stream that is no TLS may be.

Cutting and joining only: no message is read here, and nothing is decrypted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from mtls_notebook.errors import DecodeError
from mtls_notebook.tls.names import CONTENT_TYPES

HEADER_LENGTH = 5
LARGEST_FRAGMENT = (1 << 14) + 2048
"""Bytes; what TLS 1.2 allows an encrypted record, TLS 1.3 less. Source: RFC 5246 §6.2.3."""

Protocol = Literal["tls", "http", "ssh", "smtp", "unknown"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `offset` is where its header starts in the stream."""

    content_type: int
    legacy_version: int
    fragment: bytes
    offset: int

    @property
    def end(self) -> int:
        """The offset in the stream where the next record starts."""
        return self.offset + HEADER_LENGTH + len(self.fragment)


def iter_records(stream: bytes) -> Iterator[Record]:
    """Yield the records of `stream`, what one side sent; stop before one that has not arrived whole.

    Raises: DecodeError at a header that is no TLS record's, the offset counted from the stream's start.
    Source: RFC 8446 §5.1.
    """
    offset = 0
    while offset + HEADER_LENGTH <= len(stream):
        record = _record(stream, offset)
        if record is None:
            return
        yield record
        offset = record.end


def bytes_left(stream: bytes) -> int:
    """Return how many bytes of `stream` stand after its last whole record."""
    end = 0
    for record in iter_records(stream):
        end = record.end
    return len(stream) - end


def _record(stream: bytes, offset: int) -> Record | None:
    content_type, version = stream[offset], int.from_bytes(stream[offset + 1 : offset + 3], "big")
    begin = offset + HEADER_LENGTH
    length = int.from_bytes(stream[begin - 2 : begin], "big")
    if content_type not in CONTENT_TYPES:
        raise DecodeError(f"content type {content_type} is no TLS record's", "TLSPlaintext.type", offset)
    if version >> 8 != 3:
        raise DecodeError(f"version 0x{version:04x} is no TLS", "TLSPlaintext.legacy_record_version", offset + 1)
    if length > LARGEST_FRAGMENT:
        raise DecodeError(f"{length} bytes are more than a record holds", "TLSPlaintext.length", offset + 3)
    if begin + length > len(stream):
        return None
    return Record(content_type, version, stream[begin : begin + length], offset)


def handshake_messages(fragments: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole handshake messages, headers included, from the fragments of handshake records in order.

    A message may span records and a record may hold many; one that has not arrived whole is not yielded.
    Source: RFC 8446 §5.1.
    """
    waiting = bytearray()
    for fragment in fragments:
        waiting += fragment
        yield from _take_whole(waiting)


def _take_whole(waiting: bytearray) -> Iterator[bytes]:
    start = 0
    while len(waiting) - start >= 4:
        end = start + 4 + int.from_bytes(waiting[start + 1 : start + 4], "big")
        if end > len(waiting):
            break
        yield bytes(waiting[start:end])
        start = end
    del waiting[:start]


def looks_like(first_bytes: bytes) -> Protocol:
    """Return what a peer speaks, judged by the first bytes it sent; "unknown" when they do not tell.

    Source: RFC 8446 §5.1, RFC 9112 §4, RFC 4253 §4.2, RFC 5321 §4.2.
    """
    if len(first_bytes) >= 3 and 20 <= first_bytes[0] <= 23 and first_bytes[1] == 3 and first_bytes[2] <= 4:
        return "tls"
    if first_bytes[:4] in (b"220 ", b"220-"):  # FTP greets with 220 too; mail servers name themselves
        return "smtp" if b"SMTP" in first_bytes.upper() else "unknown"
    start = first_bytes.lstrip().upper()
    return next((protocol for opening, protocol in OPENINGS if start.startswith(opening)), "unknown")


OPENINGS: tuple[tuple[bytes, Protocol], ...] = (
    (b"HTTP/", "http"),
    (b"<HTML", "http"),
    (b"<!DOCTYPE HTML", "http"),
    (b"SSH-", "ssh"),
)
"""How an answer starts, in capitals."""
