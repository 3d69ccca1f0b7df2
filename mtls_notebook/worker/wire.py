"""One kept HTTP/1.1 connection into a workerd process, for the requests that a worker answers.

Plain and lean, because every run of a worker pays for it. What may not live here: processes, threads,
what a worker's answer means.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
import zlib
from urllib.parse import quote, urlsplit

from ..errors import UsageError
from .bridge import HOP_BY_HOP
from .exchange import Headers, HttpRequest, HttpResponse
from .framing import Inbox, Malformed, head_bytes, value_of

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_AT_ONCE_BYTES = 1 << 16  # a socket's buffer takes that much without a reader
_FRESH_S = 3.0  # workerd closes a connection that was idle for five seconds
_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))
_CF = "cf-blob"  # workerd makes `request.cf` of this header (`cfBlobHeader` in workerd_config)
_OURS = HOP_BY_HOP | {"host", "content-length", _CF}


class BrokenOff(Exception):
    """An answer that did not come to its end; `too_long` when we gave it up ourselves."""

    def __init__(self, message: str, too_long: bool = False) -> None:
        super().__init__(message)
        self.too_long = too_long


class Wire:
    """A connection to the unix socket at `address`: one exchange at a time."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._inbox = Inbox(self._socket.recv)
        self._used = time.monotonic()
        self.reusable = False

    def exchange(self, request: HttpRequest, most_bytes: int) -> HttpResponse:
        """Return the answer to `request`, its body whole.

        Raises: BrokenOff, OSError; UsageError when the request cannot be written as HTTP.
        """
        self.reusable = False
        written = _written(request)
        if len(written) <= _AT_ONCE_BYTES:
            self._socket.sendall(written)
            return self._answer(request.method, most_bytes)
        # A worker may answer while it reads: whoever sends a long request first and listens later can wait forever.
        sender = threading.Thread(target=self._send_long, args=(written,), name="worker-request", daemon=True)
        sender.start()
        try:
            return self._answer(request.method, most_bytes)
        finally:
            self.reusable = False
            self._socket.shutdown(socket.SHUT_RDWR)  # it may have answered without reading the rest
            sender.join()

    def fresh(self) -> bool:
        """Return whether workerd surely still listens to this connection."""
        return time.monotonic() - self._used < _FRESH_S

    def close(self) -> None:
        """Hang up; a worker that is still answering is told so."""
        self._socket.close()

    def _send_long(self, written: bytes) -> None:
        with contextlib.suppress(OSError):  # the answer, or its absence, tells what there is to tell
            self._socket.sendall(written)

    def _answer(self, method: str, most_bytes: int) -> HttpResponse:
        try:
            status, reason, headers = self._head()
            is_bodiless = method == "HEAD" or status in (204, 304)
            self._inbox.expect(() if is_bodiless else headers, 0 if is_bodiless else -1)
            body = self._body(most_bytes)
        except Malformed as error:
            raise BrokenOff("the connection ended too early") from error
        self.reusable = not self._inbox.until_close and value_of(headers, "connection").lower() != "close"
        self._used = time.monotonic()
        return HttpResponse(status, reason, headers, _plain(body, value_of(headers, "content-encoding"), most_bytes))

    def _head(self) -> tuple[int, str, Headers]:
        while (head := self._inbox.head()) is not None:
            version, _, rest = head[0].partition(" ")
            number, _, reason = rest.partition(" ")
            if not version.startswith("HTTP/1.") or not number.isdigit():
                raise Malformed("no status line")
            if int(number) >= 200:  # 1xx: the real answer is still to come (RFC 9110 §15.2)
                return int(number), reason, _decoded(head[1])
        raise BrokenOff("no answer")

    def _body(self, most_bytes: int) -> bytes:
        chunks, length = [], 0
        while (chunk := self._inbox.chunk()) is not None:
            chunks.append(chunk)
            length += len(chunk)
            if length > most_bytes:
                raise BrokenOff(f"The worker's answer is longer than {most_bytes >> 20} MB", too_long=True)
        return b"".join(chunks)


def _written(request: HttpRequest) -> bytes:
    """Return the whole request. Raises UsageError."""
    url = quote(request.url, safe=_URL_CHARACTERS)
    headers = [("Host", urlsplit(url).netloc.rpartition("@")[2])]
    headers += [(name, value) for name, value in request.headers if name.lower() not in _OURS]
    if request.cf:
        headers.append((_CF, json.dumps(request.cf)))
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.body))))
    for word in (request.method, *(name for name, _ in headers)):
        if not _TOKEN.fullmatch(word):
            raise _unsendable(f"{word!r} is no method or header name")
    try:
        # On the wire a header's text is UTF-8, which workers read.
        encoded = tuple((name, value.strip().encode().decode("latin-1")) for name, value in headers)
        return head_bytes(f"{request.method} {url} HTTP/1.1", encoded) + request.body
    except Malformed as error:
        raise _unsendable(str(error)) from error


def _unsendable(why: str) -> UsageError:
    return UsageError(f"this request cannot be sent: {why}", "Check its method, and its headers for line breaks.")


def _plain(body: bytes, coding: str, most_bytes: int) -> bytes:
    """Return the body with its gzip or deflate coding undone; any other as it came.

    Raises: BrokenOff when it unpacks to more than `most_bytes`.
    """
    # RFC 9110 §8.4.1: "deflate" is the zlib format. The host module undoes br, which Python cannot.
    if not body or coding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: either header
    try:
        plain = unpacker.decompress(body, most_bytes)
    except zlib.error:
        return body  # the worker only says that it is packed
    if unpacker.unconsumed_tail:
        raise BrokenOff(f"The worker's answer is longer than {most_bytes >> 20} MB", too_long=True)
    return plain


def _decoded(headers: Headers) -> Headers:
    return tuple((name, value if value.isascii() else _utf8(value)) for name, value in headers)


def _utf8(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "replace")
