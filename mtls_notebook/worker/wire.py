"""One kept HTTP/1.1 connection into a workerd process, for the requests that a worker answers.

Plain and lean, because every run of a worker pays for it. What may not live here: processes, threads,
what a worker's answer means.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

import h11

from ..errors import UsageError
from .bridge import HOP_BY_HOP
from .exchange import Headers, HttpRequest, HttpResponse

_READ_BYTES = 1 << 16
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
        self._http = h11.Connection(h11.CLIENT)
        self._used = time.monotonic()
        self.reusable = False

    def exchange(self, request: HttpRequest, most_bytes: int) -> HttpResponse:
        """Return the answer to `request`, its body whole.

        Raises: BrokenOff, OSError; UsageError when the request cannot be written as HTTP.
        """
        self.reusable = False
        written = self._written(request)
        if len(written) <= _AT_ONCE_BYTES:
            self._socket.sendall(written)
            return self._answer(most_bytes)
        # A worker may answer while it reads: whoever sends a long request first and listens later can wait forever.
        sender = threading.Thread(target=self._send_long, args=(written,), name="worker-request", daemon=True)
        sender.start()
        try:
            return self._answer(most_bytes)
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

    def _written(self, request: HttpRequest) -> bytes:
        url = quote(request.url, safe=_URL_CHARACTERS)
        headers = [("Host", urlsplit(url).netloc.rpartition("@")[2])]
        headers += [(name, value) for name, value in request.headers if name.lower() not in _OURS]
        if request.cf:
            headers.append((_CF, json.dumps(request.cf)))
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(request.body))))
        try:
            head = h11.Request(method=request.method, target=url, headers=_encoded(headers))
            parts = [self._http.send(head), self._http.send(h11.Data(data=request.body)) if request.body else b""]
            return b"".join(part for part in (*parts, self._http.send(h11.EndOfMessage())) if part)
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise UsageError(
                f"this request cannot be sent: {error}", "Check its method, and its headers for line breaks."
            ) from error

    def _answer(self, most_bytes: int) -> HttpResponse:
        head = self._head()
        body = bytearray()
        while isinstance(event := self._event(), h11.Data):
            body += event.data
            if len(body) > most_bytes:
                raise BrokenOff(f"The worker's answer is longer than {most_bytes >> 20} MB", too_long=True)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.reusable = True
        self._used = time.monotonic()
        headers = _decoded(head.headers.raw_items())
        coding = _header(headers, "content-encoding")
        return HttpResponse(
            head.status_code, head.reason.decode("latin-1"), headers, _plain(bytes(body), coding, most_bytes)
        )

    def _head(self) -> h11.Response:
        while not isinstance(event := self._event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise BrokenOff("no answer")
        return event

    def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self._socket.recv(_READ_BYTES))
        except h11.RemoteProtocolError as error:
            raise BrokenOff("the connection ended too early") from error
        return event


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


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in headers)
