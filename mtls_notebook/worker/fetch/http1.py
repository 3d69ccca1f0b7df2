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
from dataclasses import dataclass, field

import h11

from ...pki.sensitive import Sensitive
from ...recorder.tap import TappedStream
from .carrier import (
    LARGEST_HEAD_BYTES,
    READ_TIMEOUT_S,
    SENT_AT_ONCE_BYTES,
    WRITE_TIMEOUT_S,
    AnswerHead,
    BodyFailed,
    Garbled,
    Head,
    NoAnswer,
    Pairs,
    Truncated,
    pieces,
)

READ_BYTES = 256 * 1024
_MOST_TAKEN_BYTES = 1 << 20  # of a body at once: whoever reads it may have to change threads for each piece
_FLOWING_BYTES = 64 * 1024  # who has got so much finds more


@dataclass(frozen=True, slots=True)
class Forward:
    """How a proxy is asked to forward plain HTTP: the target starts with `prefix` (RFC 9112 §3.2.2)."""

    prefix: bytes
    authorization: Sensitive | None = field(default=None, repr=False)

    def head(self, head: Head) -> Head:
        """Return the head as the proxy wants it."""
        headers: Pairs = [pair for pair in head.headers if pair[0].lower() != b"proxy-authorization"]
        if self.authorization is not None:
            headers.append((b"Proxy-Authorization", bytes(self.authorization)))
        return Head(head.method, self.prefix + head.target, headers)


class Http1:
    """A connection that carries one exchange at a time; `is_reusable` says whether it may carry another."""

    def __init__(self, stream: TappedStream, forward: Forward | None = None) -> None:
        self.stream = stream
        self._forward = forward
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        self._lock = threading.Lock()  # h11 keeps both directions' state in one place
        self._sender: _Sender | None = None
        self._ended = False
        self._next_up: object | None = None  # what h11 told behind the chunk that was returned last

    def ask(self, head: Head, body: bytes | Iterable[bytes]) -> AnswerHead:
        """Return the answer's head; the request's body may still be on its way. Raises OSError and Carrier's."""
        if isinstance(body, bytes) and len(body) <= SENT_AT_ONCE_BYTES:
            self.begin(head, body)
        else:
            self._send(self._request(head))
            self._sender = _Sender(self, pieces(body))
        response = self.response(READ_TIMEOUT_S)
        assert response is not None  # only a wait of no time at all ends without one
        return response

    def begin(self, head: Head, body: bytes) -> None:
        """Send a whole request; `response` and `next_chunk` tell what comes back. Raises OSError."""
        with self._lock:
            data = self._http.send(self._request(head)) or b""
            if body:
                data += self._http.send(h11.Data(data=body)) or b""
            data += self._http.send(h11.EndOfMessage()) or b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.stream.write(data, WRITE_TIMEOUT_S)  # why it would not listen, its answer or alert will say

    def response(self, timeout_s: float) -> AnswerHead | None:
        """Return the answer's head, None when it is not there yet and `timeout_s` is 0."""
        while True:
            event = self._next(NoAnswer, timeout_s)
            if event is None:
                return None
            if isinstance(event, h11.Response):
                return AnswerHead(event.status_code, bytes(event.reason), event.headers.raw_items())
            # 1xx: the real answer is still to come (RFC 9110 §15.2)

    def next_chunk(self, timeout_s: float) -> bytes | None:
        """Return the next raw bytes of the body, b"" at its end; None when not there yet and `timeout_s` is 0."""
        event = self._next(Truncated, timeout_s)
        if isinstance(event, h11.Data):
            return self._with_what_is_there(bytes(event.data))
        return None if event is None else b""

    def body(self) -> Iterator[bytes]:
        """Yield the answer's raw body. Raises Truncated, OSError."""
        while chunk := self.next_chunk(READ_TIMEOUT_S):
            yield chunk

    @property
    def is_reusable(self) -> bool:
        """Return whether both sides are done and neither wants to close; it is made ready then."""
        if not self._is_sent:
            return False
        with self._lock:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return False
            if self._http.trailing_data[0]:
                return False  # an answer to what was never asked
            self._http.start_next_cycle()
        self._sender = self._next_up = None
        return True

    def close(self) -> None:
        """Close the connection; a sender that is still at it gives up."""
        if not self._is_sent:
            self.stream.abort()
        self.stream.close()

    def _request(self, head: Head) -> h11.Request:
        if self._forward is not None:
            head = self._forward.head(head)
        return h11.Request(method=head.method, target=head.target, headers=head.headers)

    def _send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        with self._lock:
            data = self._http.send(event)
        if data:
            self.stream.write(data, WRITE_TIMEOUT_S)

    def _next(self, at_end: type[NoAnswer | Truncated], timeout_s: float) -> object:
        """Return the next event, reading as needed; `at_end` is raised when the connection ends instead.

        None: nothing is there yet, and `timeout_s` is 0.
        """
        while True:
            try:
                event = self._told()
            except h11.RemoteProtocolError as error:
                raise (at_end if self._ended else Garbled)(str(error)) from error
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.ConnectionClosed):
                    raise at_end("the connection was closed")
                if isinstance(event, h11.Data) and not event.data:
                    continue
                return event
            try:
                data = self._read(timeout_s)
            except BlockingIOError:
                return None
            if not data and at_end is NoAnswer:
                raise NoAnswer("the connection was closed before an answer")
            self._hear(data)

    def _told(self) -> object:
        """Return h11's next event. Raises h11.RemoteProtocolError, and what broke a reading ahead (OSError)."""
        event, self._next_up = self._next_up, None
        if isinstance(event, Exception):
            raise event
        if event is not None:
            return event
        with self._lock:
            return self._http.next_event()

    def _with_what_is_there(self, chunk: bytes) -> bytes:
        """Return `chunk` with what has come of the body behind it; nothing is waited for.

        What follows it instead, be it an error, is told by the next call.
        """
        chunks, length = [chunk], len(chunk)
        try:
            while length < _MOST_TAKEN_BYTES:
                event = self._told()
                if event is h11.NEED_DATA and length >= _FLOWING_BYTES and self._is_sent:
                    self._hear(self._read(0))
                elif isinstance(event, h11.Data):
                    chunks.append(bytes(event.data))
                    length += len(event.data)
                else:
                    self._next_up = None if event is h11.NEED_DATA else event
                    break
        except BlockingIOError:
            pass
        except (h11.RemoteProtocolError, OSError) as error:
            self._next_up = error
        return b"".join(chunks) if len(chunks) > 1 else chunk

    @property
    def _is_sent(self) -> bool:
        """Return whether no thread writes: the time limit is the socket's, and a writer needs its own."""
        return self._sender is None or self._sender.is_done

    def _hear(self, data: bytes) -> None:
        self._ended = not data
        with self._lock:
            self._http.receive_data(data)

    def _read(self, timeout_s: float) -> bytes:
        while True:
            try:
                return self.stream.read(READ_BYTES, timeout_s)
            except TimeoutError:
                # Silence is no fault of the origin's while the request is still being sent.
                if self._is_sent:
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
