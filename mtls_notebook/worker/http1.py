"""One HTTP/1.1 connection to an origin: h11 over a tapped stream, both directions at once.

A streamed request body is sent by a thread of its own while the answer is read, so an origin that
answers before it has read everything, or echoes while it reads, cannot deadlock us. That is why this is
not httpcore, which sends first and reads then. Which connection a request takes is `connections`' business.
Source: RFC 9112.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import h11

from ..recorder.tap import TappedStream

READ_BYTES = 64 * 1024
LARGEST_HEAD_BYTES = 256 * 1024
READ_TIMEOUT_S = 60.0
WRITE_TIMEOUT_S = 60.0

Pairs = list[tuple[bytes, bytes]]


class NoAnswer(Exception):
    """The connection ended before an answer began."""


class Garbled(Exception):
    """What came is no HTTP/1.1."""


class Truncated(Exception):
    """The body ended before its declared end."""


class BodyFailed(Exception):
    """The request's own body could not be produced; `__cause__` says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body: `headers` are complete (Host, framing)."""

    method: str
    target: bytes
    headers: Pairs


class Http1:
    """A connection that carries one exchange at a time; `is_reusable` says whether it may carry another."""

    def __init__(self, stream: TappedStream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        self._lock = threading.Lock()  # h11 keeps both directions' state in one place
        self._sender: _Sender | None = None
        self._ended = False

    def ask(self, head: Head, body: bytes | Iterable[bytes]) -> h11.Response:
        """Return the answer's head; the request's body may still be on its way. Raises OSError and the above."""
        request = h11.Request(method=head.method, target=head.target, headers=head.headers)
        if isinstance(body, bytes):
            self._send_whole(request, body)
        else:
            self._send(request)
            self._sender = _Sender(self, body)
        while not isinstance(event := self._next(NoAnswer), h11.Response):
            pass  # 1xx: the real answer is still to come (RFC 9110 §15.2)
        return event

    def body(self) -> Iterator[bytes]:
        """Yield the answer's raw body. Raises Truncated, OSError."""
        while isinstance(event := self._next(Truncated), h11.Data):
            yield bytes(event.data)

    @property
    def is_reusable(self) -> bool:
        """Return whether both sides are done and neither wants to close; it is made ready then."""
        if self._sender is not None and not self._sender.is_done:
            return False
        with self._lock:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return False
            self._http.start_next_cycle()
        self._sender = None
        return True

    def close(self) -> None:
        """Close the connection; a sender that is still at it gives up."""
        if self._sender is not None and not self._sender.is_done:
            self.stream.abort()
        self.stream.close()

    def _send_whole(self, request: h11.Request, body: bytes) -> None:
        with self._lock:
            events = (request, h11.Data(data=body), h11.EndOfMessage()) if body else (request, h11.EndOfMessage())
            data = b"".join(self._http.send(event) or b"" for event in events)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.stream.write(data, WRITE_TIMEOUT_S)  # why it would not listen, its answer or alert will say

    def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        with self._lock:
            data = self._http.send(event)
        if data:
            self.stream.write(data, WRITE_TIMEOUT_S)

    def _next(self, at_end: type[NoAnswer | Truncated]) -> object:
        """Return the next event, reading as needed; `at_end` is raised when the connection ends instead."""
        while True:
            try:
                with self._lock:
                    event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise (at_end if self._ended else Garbled)(str(error)) from error
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.ConnectionClosed):
                    raise at_end("the connection was closed")
                return event
            data = self._read()
            self._ended = not data
            if self._ended and at_end is NoAnswer:
                raise NoAnswer("the connection was closed before an answer")
            with self._lock:
                self._http.receive_data(data)

    def _read(self) -> bytes:
        while True:
            try:
                return self.stream.read(READ_BYTES, READ_TIMEOUT_S)
            except TimeoutError:
                # Silence is no fault of the origin's while the request is still being sent.
                if self._sender is None or self._sender.is_done:
                    raise
            except OSError:
                if self._sender is not None and self._sender.failure is not None:
                    raise BodyFailed("the request's body could not be read") from self._sender.failure
                raise


class _Sender(threading.Thread):
    """Sends a streamed body. `failure` is set when the body itself failed, not when the origin hung up."""

    def __init__(self, connection: Http1, body: Iterable[bytes]) -> None:
        super().__init__(name="request-body", daemon=True)
        self.is_done = False
        self.failure: BaseException | None = None
        self._connection = connection
        self._body = body
        self.start()

    def run(self) -> None:
        """Send every chunk; a body that fails ends the connection, so that nobody takes half of it for all."""
        try:
            for chunk in self._body:
                self._connection._send(h11.Data(data=chunk))
            self._connection._send(h11.EndOfMessage())
            self.is_done = True
        except (OSError, h11.LocalProtocolError):
            return  # the origin stopped listening; its answer, if it gives one, says why
        except BaseException as error:  # noqa: BLE001 - it is told to whoever waits for the answer
            self.failure = error
            self._connection.stream.abort()
