"""One HTTP/2 connection to an origin, shared by many exchanges: h2 over a tapped stream.

An exchange is a stream of HTTP/2; what it shares with the others is in `http2_core`. The pool owns the connection:
one that is forgotten ends too. What may not live here: which connection a request takes (`connections`).
Source: RFC 9113.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import h11

from ...recorder.events import Status
from ...recorder.tap import Exchange, TappedStream
from .carrier import (
    READ_TIMEOUT_S,
    SENT_AT_ONCE_BYTES,
    WRITE_TIMEOUT_S,
    AnswerHead,
    BodyFailed,
    GivenUp,
    Head,
    NoAnswer,
    NotProcessed,
    Pairs,
    Truncated,
    pieces,
)
from .http2_core import STREAM_WINDOW_BYTES, UNPROCESSED, Core, Place, code_name

# RFC 9113 §8.2.2: they speak about a connection of HTTP/1.1.
_CONNECTION_SPECIFIC = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"host"}


class Http2:
    """A shared connection. `open` gives room for one exchange; `close` lets those under way come to their end."""

    def __init__(self, stream: TappedStream) -> None:
        self._core = Core(stream)
        # No lock may be taken in there: a finalizer runs anywhere, perhaps where the lock is held.
        weakref.finalize(self, self._core.leave).atexit = False

    def open(self, exchange: Exchange) -> Http2Carrier | None:
        """Return what carries one exchange, once the origin has room for it; None: the connection takes no more.

        Raises TimeoutError, ConnectionAbortedError.
        """
        return Http2Carrier(self._core, exchange) if self._core.reserve(exchange) else None

    @property
    def stream(self) -> TappedStream:
        """Return the connection below."""
        return self._core.stream

    def close(self) -> None:
        """Take no more; an idle connection is over when this returns, another when its last exchange is."""
        self._core.leave()
        self._core.wait_if_idle()


class Http2Carrier:
    """One exchange on a shared connection (see carrier.Carrier): a stream of HTTP/2."""

    def __init__(self, core: Core, exchange: Exchange) -> None:
        self.stream = core.stream
        self.place = Place()
        self._core = core
        # As above without a lock: an answer that nobody reads or closes may be dropped anywhere.
        weakref.finalize(self, core.forgotten, self.place).atexit = False
        self._exchange = exchange
        self._ordinal = 0
        self._changed = threading.Condition(core.lock)
        self._head: AnswerHead | None = None
        self._chunks: deque[bytes] = deque()
        self._unopened_bytes = 0  # read by now, not yet given back to the origin's window
        self._is_answered = False
        self._is_asked = False
        self._failure: Exception | None = None
        self._sender: _Sender | None = None

    # -- what fetch does with it -------------------------------------------------------------

    def ask(self, head: Head, body: bytes | Iterable[bytes]) -> AnswerHead:
        """Return the answer's head; the body may still be on its way. Raises OSError and Carrier's."""
        headers = _fields(head)
        at_once = body if isinstance(body, bytes) and len(body) <= SENT_AT_ONCE_BYTES else None
        with self._core.lock:
            self._begin(headers, at_once)
        if not self._is_asked:
            self._sender = _Sender(self, pieces(body))
        with self._core.lock:
            self._wait_for(lambda: self._head is not None)
            assert self._head is not None
            return self._head

    def next_chunk(self, timeout_s: float) -> bytes | None:
        """Return the next raw bytes of the body, b"" at its end; None when not there yet and `timeout_s` is 0."""
        with self._core.lock:
            if not timeout_s and not (self._chunks or self._is_answered or self._failure):
                return None
            self._wait_for(lambda: bool(self._chunks) or self._is_answered)
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._open_window(len(data))
            return data

    def body(self) -> Iterator[bytes]:
        """Yield the answer's raw body. Raises Truncated, OSError."""
        while chunk := self.next_chunk(READ_TIMEOUT_S):
            yield chunk

    def close(self) -> None:
        """End the exchange, with RST_STREAM where it is not over; the connection goes on."""
        self._end(NoAnswer("the exchange was closed"))

    def abort(self) -> None:
        """As `close`, from any thread: whoever waits gets an error."""
        self._end(ConnectionAbortedError("the exchange was abandoned"))

    # -- asking; the lock is held ---------------------------------------------------------------

    def _begin(self, headers: Pairs, body: bytes | None) -> None:
        if self._failure is not None:
            raise self._failure
        self._core.begin(self, headers, ends=body == b"")
        self._ordinal = self.stream.carry(self._exchange, self)
        self._is_asked = body == b""
        if body and len(body) <= self._core.window(self.place.number):
            self._core.send_body(self.place.number, body)
            self._is_asked = True
        self._core.push()

    def send_chunk(self, data: bytes) -> None:
        """Send a piece of the body, waiting for the origin to take it. Raises TimeoutError, _Stopped."""
        rest = memoryview(data)
        while rest:
            with self._core.lock:
                room = self._wait_for_room()
                self._core.send_body(self.place.number, bytes(rest[:room]), ends=False)
                self._core.push()
            rest = rest[room:]

    def finish(self) -> None:
        """End the body."""
        with self._core.lock:
            if self._failure is None:
                self._core.send_body(self.place.number, b"")
                self._is_asked = True
                self._core.push()
                self._leave_if_over()

    def body_failed(self, cause: BaseException) -> None:
        """End the exchange: half of a body must not be taken for all of it."""
        failure = BodyFailed("the request's body could not be read")
        failure.__cause__ = cause
        self._end(failure)

    def _wait_for_room(self) -> int:
        until = time.monotonic() + WRITE_TIMEOUT_S
        while True:
            if self._failure is not None:
                raise _Stopped
            room = self._core.room_for(self.place.number)
            if room > 0:
                return room
            if not self._changed.wait(until - time.monotonic()):
                raise TimeoutError("the origin takes no more of the body")

    def _open_window(self, read_bytes: int) -> None:
        self._unopened_bytes += read_bytes
        if self._unopened_bytes >= STREAM_WINDOW_BYTES // 2 and not self._is_answered and self._failure is None:
            self._core.open_window(self.place.number, self._unopened_bytes)
            self._unopened_bytes = 0

    def _wait_for(self, is_there: Callable[[], bool]) -> None:
        while not is_there():
            if self._failure is not None:
                raise self._failure
            # Silence is no fault of the origin's while the request is still being sent.
            if not self._changed.wait(READ_TIMEOUT_S) and (self._sender is None or self._sender.is_done):
                raise TimeoutError("no answer in time")

    def _end(self, failure: Exception) -> None:
        with self._core.lock:
            self._core.cancel(self.place)
            self.fail(failure)

    # -- what the connection's thread tells; the lock is held -------------------------------------

    def answered(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the answer's head."""
        pairs = [(bytes(name), bytes(value)) for name, value in headers]
        code = next(int(value) for name, value in pairs if name == b":status")
        fields = [pair for pair in pairs if not pair[0].startswith(b":")]
        self._head = AnswerHead(Status(code, self._ordinal), b"", fields)
        self._changed.notify_all()

    def received(self, data: bytes, padding_bytes: int) -> None:
        """Take a piece of the answer's body."""
        self._unopened_bytes += padding_bytes
        if data:
            self._chunks.append(data)
            self._changed.notify_all()

    def ended(self) -> None:
        """The answer is whole."""
        self._is_answered = True
        self._leave_if_over()
        self._changed.notify_all()

    def was_reset(self, code: int) -> None:
        """The origin ended the stream; after a whole answer that only means: send no more (RFC 9113 §8.1)."""
        if self._head is not None:
            self.fail(Truncated("the stream was reset"))
        else:
            kind = UNPROCESSED.get(code, GivenUp)
            self.fail(kind(f"the stream was reset ({code_name(code)})"))

    def fail(self, failure: Exception) -> None:
        """End the exchange; who waits for it is told, the first reason counts. An answer that is whole stays."""
        if self._failure is None:
            is_late = self._head is not None and isinstance(failure, NoAnswer | NotProcessed)
            self._failure = Truncated(str(failure)) if is_late else failure
        self._core.release(self.place)
        self._changed.notify_all()

    def wake(self) -> None:
        """Look again: the window, or the backlog, has changed."""
        self._changed.notify_all()

    def _leave_if_over(self) -> None:
        if self._is_answered and self._is_asked:
            self._core.release(self.place)


class _Stopped(Exception):
    """The exchange is over: nobody wants the rest of the body."""


class _Sender(threading.Thread):
    """Sends a body that is long or comes in pieces, while the answer is read."""

    def __init__(self, carrier: Http2Carrier, body: Iterable[bytes]) -> None:
        super().__init__(name="request-body", daemon=True)
        self.is_done = False
        self._carrier = carrier
        self._body = body
        self.start()

    def run(self) -> None:
        """Send every chunk; a body that fails ends the exchange."""
        try:
            for chunk in self._body:
                self._carrier.send_chunk(chunk)
            self._carrier.finish()
        except (_Stopped, OSError):
            return  # its answer, if there is one, says why
        except BaseException as error:  # noqa: BLE001 - it is told to whoever waits for the answer
            self._carrier.body_failed(error)
        finally:
            self.is_done = True


def _fields(head: Head) -> Pairs:
    """Return the head as HTTP/2 spells it (RFC 9113 §8.3.1). Raises h11.LocalProtocolError for a bad one.

    h11 judges it, so that a header which HTTP/1.1 refuses is refused here in the same words.
    """
    h11.Request(method=head.method, target=head.target, headers=head.headers)
    lowered = [(name.lower(), value) for name, value in head.headers]
    authority = next(value for name, value in lowered if name == b"host")
    named = b",".join(value for name, value in lowered if name == b"connection")
    dropped = _CONNECTION_SPECIFIC | {token.strip().lower() for token in named.split(b",")}
    pseudo = [
        (b":method", head.method.encode("ascii")),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", head.target),
    ]
    kept = [(n, v) for n, v in lowered if n not in dropped and (n != b"te" or v.strip().lower() == b"trailers")]
    return pseudo + kept
