"""HTTP/1.1 between us and workerd: heads and bodies, in and out, with nothing that this pair does not need.

Every fetch of a worker passes here twice, so it is lean: no states, no events, text only where it is read.
Origins speak HTTP through h11, which forgives more and refuses more; here the peer is always workerd.
What may not live here: sockets (a `receive` function is handed in), and what a message means.
Source: RFC 9112 §2, §6, §7.
"""

from __future__ import annotations

from collections.abc import Callable

from ..exchange import Headers

READ_BYTES = 1 << 16
LAST_CHUNK = b"0\r\n\r\n"
_MOST_HEAD_BYTES = 1 << 20  # workerd allows its workers far less
_MOST_LINE_BYTES = 1 << 12
_UNBOUNDED = 1 << 62


class Malformed(Exception):
    """What came is no HTTP/1.1, or ended within a message."""


class Inbox:
    """Messages as `receive` brings their bytes (b"" at the end). One message after another, one reader at a time."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._held = b""
        self._left = 0  # bytes of the body, or of its chunk, that are still to come
        self._is_chunked = False
        self._in_chunk = False
        self._in_trailers = False
        self.until_close = False

    def head(self) -> tuple[str, Headers] | None:
        """Return the next message's first line and its headers; None when the peer has ended instead.

        Raises: Malformed, OSError.
        """
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > _MOST_HEAD_BYTES:
                raise Malformed("the head has no end")
            if not self._more():
                if self._held:
                    raise Malformed("the connection ended within a head")
                return None
        first, *lines = self._held[:end].decode("latin-1").split("\r\n")
        self._held = self._held[end + 4 :]
        return first, tuple(map(_header, lines))

    def expect(self, headers: Headers, otherwise: int = 0) -> None:
        """Begin the body that `headers` announce; else one of `otherwise` bytes (-1: until the end).

        Raises: Malformed.
        """
        self._in_chunk, self._in_trailers, self.until_close = False, False, False
        self._is_chunked = value_of(headers, "transfer-encoding").lower() == "chunked"
        length = value_of(headers, "content-length")
        if self._is_chunked:
            self._left = 0
        elif length:
            self._left = _number(length, 10)
        else:
            self.until_close = otherwise < 0
            self._left = _UNBOUNDED if self.until_close else otherwise

    def chunk(self) -> bytes | None:
        """Return the next bytes of the body, None at its end. Raises: Malformed, OSError.

        Whatever `receive` raises leaves all as it was: one may call again.
        """
        if self._is_chunked and self._left == 0:
            self._begin_chunk()
        if self._left == 0:
            return None
        if not self._held and not self._more():
            if not self.until_close:
                raise Malformed("the connection ended within a body")
            self._left = 0
            return None
        data, self._held = self._held[: self._left], self._held[self._left :]
        self._left -= len(data)
        return data

    def _begin_chunk(self) -> None:
        if self._in_chunk:
            if self._line() != b"":
                raise Malformed("a chunk is longer than it says")
            self._in_chunk = False
        if not self._in_trailers:
            self._left = _number(self._line().partition(b";")[0].decode("latin-1").strip(), 16)
            self._in_chunk, self._in_trailers = self._left > 0, self._left == 0
        if self._in_trailers:
            while self._line():
                pass
            self._is_chunked = False

    def _line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            if len(self._held) > _MOST_LINE_BYTES or not self._more():
                raise Malformed("a chunk has no length")
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    def _more(self) -> bool:
        data = self._receive(READ_BYTES)
        self._held += data
        return bool(data)


def value_of(headers: Headers, wanted: str) -> str:
    """Return the first value of `wanted` (in lower case), "" if there is none."""
    return next((value for name, value in headers if name.lower() == wanted), "")


def head_bytes(first: str, headers: Headers) -> bytes:
    """Return a message's head. Raises Malformed when a line break in it would make another of it."""
    lines = [first, *[f"{name}: {value}" for name, value in headers], "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise Malformed("a header holds a line break")
    return head


def chunk_bytes(data: bytes) -> bytes:
    """Return `data`, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise Malformed("a header has no name")
    return name, value.strip(" \t")


def _number(text: str, base: int) -> int:
    digits = "0123456789abcdef"[:base]
    if not text or len(text) > 16 or text.lower().strip(digits):
        raise Malformed("a length is no number")
    return int(text, base)
