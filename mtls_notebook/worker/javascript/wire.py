"""One kept HTTP/1.1 connection into a workerd process, for the requests that a worker answers.

Plain and lean, because every run of a worker pays for it. What may not live here: processes, threads,
what a worker's answer means.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import threading
import time
import zlib
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from ...errors import UsageError
from ..exchange import Headers, HttpRequest, HttpResponse
from .bridge import HOP_BY_HOP
from .framing import LAST_CHUNK, Inbox, Malformed, chunk_bytes, head_bytes, value_of

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


class _NotYet(Exception):
    """Nothing came in the time that was given."""


class Wire:
    """A connection to the unix socket at `address`: one exchange at a time."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise
        self._inbox = Inbox(self._receive)
        self._patience_s: float | None = None
        self._used = time.monotonic()
        self._lock = threading.Lock()  # guards the next two
        self._is_sending = False
        self._is_closed = False
        self._may_last = False
        self.reusable = False

    def exchange(self, request: HttpRequest, most_bytes: int) -> HttpResponse:
        """Return the answer to `request`, its body whole.

        Raises: BrokenOff, OSError; UsageError when the request cannot be written as HTTP.
        """
        head = self.ask(request)
        body = _plain(self.rest(most_bytes), value_of(head.headers, "content-encoding"), most_bytes)
        return HttpResponse(head.status, head.reason, head.headers, body)

    def ask(self, request: HttpRequest, body: Iterable[bytes] | None = None) -> HttpResponse:
        """Return the head of the answer to `request`; its body, still encoded, is for `next_chunk` or `rest`.

        `body` is sent instead of the request's own, as it comes, from another thread.
        Raises: BrokenOff, OSError; UsageError when the request cannot be written as HTTP.
        """
        self.reusable = False
        if body is None and len(request.body) <= _AT_ONCE_BYTES:
            self._socket.sendall(_head_of(request, len(request.body)) + request.body)
        else:
            # A worker may answer while it reads: whoever sends first and listens later can wait for ever.
            length = _length_of(request) if body is not None else len(request.body)
            work = (_head_of(request, length), (request.body,) if body is None else body, length)
            self._is_sending = True
            threading.Thread(target=self._send, args=work, name="worker-request", daemon=True).start()
        try:
            return self._answer(request.method)
        except Malformed as error:
            raise BrokenOff("the connection ended too early") from error

    def next_chunk(self, timeout_s: float | None) -> bytes | None:
        """Return the next bytes of the body as they come, b"" at its end; None when none came in time.

        Raises: BrokenOff, OSError.
        """
        self._patience_s = timeout_s
        try:
            chunk = self._inbox.chunk()
        except _NotYet:
            return None
        except Malformed as error:
            raise BrokenOff("the connection ended too early") from error
        finally:
            self._patience_s = None
        if chunk is None:
            self.reusable = self._may_last
            self._used = time.monotonic()
        return chunk or b""

    def rest(self, most_bytes: int) -> bytes:
        """Return what is left of the body. Raises: BrokenOff, OSError."""
        chunks, length = [], 0
        while chunk := self.next_chunk(None):
            chunks.append(chunk)
            length += len(chunk)
            if length > most_bytes:
                raise BrokenOff(f"The worker's answer is longer than {most_bytes >> 20} MB", too_long=True)
        return b"".join(chunks)

    def fresh(self) -> bool:
        """Return whether workerd surely still listens to this connection."""
        return time.monotonic() - self._used < _FRESH_S

    def close(self) -> None:
        """Hang up; a worker that is still answering is told so."""
        with self._lock:
            self._is_closed = True
            if self._is_sending:  # closed under its sender, the file number could be another's
                self.abort()
            else:
                self._socket.close()

    def abort(self) -> None:
        """Hang up from another thread: the exchange under way breaks off at once."""
        with contextlib.suppress(OSError):  # closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _send(self, head: bytes, body: Iterable[bytes], length: int | None) -> None:
        try:
            self._socket.sendall(head)
            for chunk in body:
                if chunk:
                    self._socket.sendall(chunk_bytes(chunk) if length is None else chunk)
            if length is None:
                self._socket.sendall(LAST_CHUNK)
        except Exception:  # noqa: BLE001 - the answer, or its absence, tells what there is to tell
            self._may_last = False
            self.abort()  # nobody is to take half a body for the whole
        finally:
            with self._lock:
                self._is_sending = False
                if self._is_closed:
                    self._socket.close()

    def _receive(self, most_bytes: int) -> bytes:
        if self._patience_s is not None:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(self._patience_s * 1000):
                raise _NotYet
        return self._socket.recv(most_bytes)

    def _answer(self, method: str) -> HttpResponse:
        status, reason, headers = self._head()
        is_bodiless = method == "HEAD" or status in (204, 304)
        self._inbox.expect(() if is_bodiless else headers, 0 if is_bodiless else -1)
        self._may_last = (
            not self._is_sending and not self._inbox.until_close and value_of(headers, "connection").lower() != "close"
        )
        return HttpResponse(status, reason, headers, b"")

    def _head(self) -> tuple[int, str, Headers]:
        while (head := self._inbox.head()) is not None:
            version, _, rest = head[0].partition(" ")
            number, _, reason = rest.partition(" ")
            if not version.startswith("HTTP/1.") or not number.isdigit():
                raise Malformed("no status line")
            if int(number) >= 200:  # 1xx: the real answer is still to come (RFC 9110 §15.2)
                return int(number), reason, _decoded(head[1])
        raise BrokenOff("no answer")


def _length_of(request: HttpRequest) -> int | None:
    """Return the length that the request's own header gives its body, None where it gives none."""
    length = value_of(request.headers, "content-length")
    return int(length) if length.isdecimal() else None


def _head_of(request: HttpRequest, length: int | None) -> bytes:
    """Return the request's head, for a body of that length (None: one that is as long as it will be).

    Raises UsageError.
    """
    url = quote(request.url, safe=_URL_CHARACTERS)
    headers = [("Host", urlsplit(url).netloc.rpartition("@")[2])]
    headers += [(name, value) for name, value in request.headers if name.lower() not in _OURS]
    if request.cf:
        headers.append((_CF, json.dumps(request.cf)))
    if length is None:
        headers.append(("Transfer-Encoding", "chunked"))
    elif length or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(length)))
    for word in (request.method, *(name for name, _ in headers)):
        if not _TOKEN.fullmatch(word):
            raise _unsendable(f"{word!r} is no method or header name")
    try:
        # On the wire a header's text is UTF-8, which workers read.
        encoded = tuple((name, value.strip().encode().decode("latin-1")) for name, value in headers)
        return head_bytes(f"{request.method} {url} HTTP/1.1", encoded)
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
