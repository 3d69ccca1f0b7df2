"""The state of an HTTP/2 connection and the thread that looks after its socket.

The thread never waits for anything but the socket, so an origin that echoes, a body that nobody reads and a request
that is abandoned hold up no other exchange. Everything happens under one lock, and nothing under it waits: whoever
sends puts its frames into the socket as far as that takes them, the thread does the rest. It ends with the connection.

h2 knows the protocol. Frames are handed to it one by one, and GOAWAY is not: h2 takes that for the end of
everything, while the streams that the origin still answers must be heard (RFC 9113 §6.8).
What may not live here: how one exchange asks and is answered (`http2`).
Source: RFC 9113.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import InvalidBodyLengthError, NoAvailableStreamIDError, ProtocolError
from h2.settings import SettingCodes, Settings

from ...recorder.tap import DRAIN_S, Exchange, TappedStream
from .carrier import (
    LARGEST_HEAD_BYTES,
    READ_TIMEOUT_S,
    Garbled,
    NoAnswer,
    NotProcessed,
    OnlyHttp1,
    Pairs,
    Truncated,
)

if TYPE_CHECKING:
    from .http2 import Http2Carrier

IDLE_S = 30.0  # as long as `connections` keeps one of HTTP/1.1
_READ_BYTES = 256 * 1024
_READS_AT_ONCE = 16  # then others get the lock
_FRAME_BYTES = 64 * 1024  # the longest that we let the origin send
_FRAME_HEAD_BYTES = 9  # RFC 9113 §4.1
STREAM_WINDOW_BYTES = 1 << 20  # what one unread answer may hold of our memory
_CONNECTION_WINDOW_BYTES = 16 << 20  # opened again on receipt: an unread answer must not stop the others
_BACKLOG_BYTES = 256 * 1024  # encrypted and not yet sent; who has more to send waits
_FIRST_GUESS = 100  # streams at once, until the origin's SETTINGS say it (RFC 9113 §6.5.2 advises no less)
_JOIN_S = 2.0

_GOAWAY = 7

# What an origin's RST_STREAM or GOAWAY says of a request that it did not answer.
UNPROCESSED: dict[int, type[NotProcessed]] = {
    ErrorCodes.REFUSED_STREAM: NotProcessed,
    ErrorCodes.HTTP_1_1_REQUIRED: OnlyHttp1,
}


@dataclass(slots=True)
class Place:
    """An exchange's room among the streams at once, and its stream's number (0 until it has one)."""

    number: int = 0
    is_taken: bool = True


class Core:
    """The connection's state and its thread. Methods that say so take the lock; all others want it held."""

    def __init__(self, stream: TappedStream) -> None:
        self.stream = stream
        self.lock = threading.Lock()
        self._http = _protocol()
        self._carriers: dict[int, weakref.ref[Http2Carrier]] = {}
        self._reserved = 0
        self._forgotten: deque[Place] = deque()
        self._room = threading.Condition(self.lock)
        self._settled = False
        self._leaving = False  # takes no more exchanges
        self._told_to_leave = False  # nor begins those that have room
        self._over = False
        self._mute_since: float | None = None  # the socket takes nothing more; why, what comes in may say
        self._partial = bytearray()  # of a frame
        self._received_bytes = 0
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        with self.lock:
            self._http.initiate_connection()
            self._http.increment_flow_control_window(_CONNECTION_WINDOW_BYTES)
            self.push()
        self._thread = threading.Thread(target=self._run, name="http2", daemon=True)
        self._thread.start()

    # -- for the pool; these take the lock themselves ------------------------------------------------

    def reserve(self, exchange: Exchange) -> bool:
        """Return whether there is room for an exchange, waiting for it; False: no more are taken here."""
        waiting = _Waiting(self)
        exchange.opening = waiting
        try:
            with self.lock:
                until = time.monotonic() + READ_TIMEOUT_S
                while not self._leaving and self._reserved >= self._most_at_once:
                    if exchange.aborted:
                        raise ConnectionAbortedError("abandoned before it was sent")
                    if not self._room.wait(until - time.monotonic()):
                        raise TimeoutError("the origin has no room for another request")
                if self._leaving:
                    return False
                self._reserved += 1
                return True
        finally:
            exchange.opening = None

    def awake(self) -> None:
        """Make every waiting `reserve` look again."""
        with self.lock:
            self._room.notify_all()

    def leave(self) -> None:
        """Take no more; without the lock, so that a finalizer may call it."""
        self._leaving = True
        self._ring()

    def forgotten(self, place: Place) -> None:
        """End an exchange that nobody holds any more; without the lock, as `leave`."""
        if place.is_taken:
            self._forgotten.append(place)
            self._ring()

    def wait_if_idle(self) -> None:
        """Wait for the thread's end unless exchanges are under way."""
        with self.lock:
            idle = not self._reserved
        if idle and threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_S)

    # -- for carriers ------------------------------------------------------------------------------

    def begin(self, carrier: Http2Carrier, headers: Pairs, *, ends: bool) -> None:
        """Send a request's head and number its stream. Raises NotProcessed: the connection has ended."""
        if self._over or self._told_to_leave:
            raise NotProcessed("the connection takes no more requests")
        try:
            number = self._http.get_next_available_stream_id()
        except NoAvailableStreamIDError as error:
            self._leaving = True
            raise NotProcessed("the connection has no numbers left") from error
        self._http.send_headers(number, headers, end_stream=ends)
        carrier.place.number = number
        self._carriers[number] = weakref.ref(carrier)

    def window(self, number: int) -> int:
        """Return how much the origin takes of this stream's body now."""
        return self._http.local_flow_control_window(number)

    def room_for(self, number: int) -> int:
        """Return how much of a body may be sent now, in one frame."""
        if self.stream.backlog_bytes >= _BACKLOG_BYTES:
            return 0
        return min(self.window(number), self._http.max_outbound_frame_size)

    def send_body(self, number: int, data: bytes, *, ends: bool = True) -> None:
        """Send a part of a body that the window has room for; the last one by default."""
        size = self._http.max_outbound_frame_size
        for at in range(0, len(data) or 1, size):
            self._http.send_data(number, data[at : at + size], end_stream=ends and at + size >= len(data))

    def open_window(self, number: int, size: int) -> None:
        """Let the origin send `size` more on this stream."""
        if number in self._carriers and not self._over:
            self._http.increment_flow_control_window(size, number)
            self.push()

    def cancel(self, place: Place) -> None:
        """Tell the origin that nobody wants this exchange any more, where it is not over."""
        if self._over or place.number not in self._carriers:
            return
        with contextlib.suppress(ProtocolError):  # it has just ended by itself
            self._http.reset_stream(place.number, ErrorCodes.CANCEL)
        self.push()

    def release(self, place: Place) -> None:
        """Give back the exchange's room, once."""
        if not place.is_taken:
            return
        place.is_taken = False
        self._carriers.pop(place.number, None)
        self._reserved -= 1
        self._room.notify()
        if not self._reserved:
            self._ring()  # the thread counts the idle time from here, or ends

    def push(self) -> None:
        """Send as much as the socket takes; the thread sends what is left."""
        if not self._push_out():
            self._ring()

    def _push_out(self) -> bool:
        if self._mute_since is not None:
            self._http.clear_outbound_data_buffer()
            return True
        try:
            self.stream.put(self._http.data_to_send())
            return self.stream.push()
        except OSError:
            # It is closed for writing; a TLS 1.3 server says why in what is still to be read.
            self._mute_since = time.monotonic()
            return False

    @property
    def _most_at_once(self) -> int:
        return self._http.remote_settings.max_concurrent_streams if self._settled else _FIRST_GUESS

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it will be heard anyhow; closed: nobody listens
            self._ringer.send(b"!")

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        failure: Exception = NoAnswer("the connection was closed")
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self.stream.fileno(), selectors.EVENT_READ)
            try:
                while self._turn(selector):
                    pass
            except ProtocolError as error:
                failure = Garbled(str(error))
            except Exception as error:  # noqa: BLE001 - whoever waits for an answer is told
                failure = error
        self._finish(failure)

    def _turn(self, selector: selectors.BaseSelector) -> bool:
        """Wait for something to do and do it; return whether there will be more. Raises what ends the connection."""
        wake = selector.select(self._patience_s())
        with self.lock:
            with contextlib.suppress(OSError):
                self._bell.recv(4096)
            goes_on = self._hear_what_came()
            while self._forgotten:
                place = self._forgotten.popleft()
                self.cancel(place)
                self.release(place)
            self._push_out()
            backlog = self.stream.backlog_bytes if self._mute_since is None else 0
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if backlog else 0)
            selector.modify(self.stream.fileno(), wanted)
            if backlog < _BACKLOG_BYTES:
                self._wake_senders()
            if self._leaving:
                self._room.notify_all()
            if self._mute_since is not None and time.monotonic() - self._mute_since >= DRAIN_S:
                raise ConnectionResetError("the connection takes nothing more")
            return goes_on and (self._reserved > 0 or not (self._leaving or not wake))

    def _patience_s(self) -> float | None:
        if self._mute_since is not None:
            return DRAIN_S
        return None if self._reserved else IDLE_S

    def _hear_what_came(self) -> bool:
        """Hear what has come; return False at the end of the connection."""
        for _ in range(_READS_AT_ONCE):
            data = self.stream.take(_READ_BYTES)
            if data is None:
                return True
            if not data:
                return False
            self._hear(data)
        self._ring()  # there may be more, perhaps nothing in the socket but within TLS
        return True

    def _wake_senders(self) -> None:
        for carrier in self._known():
            carrier.wake()

    def _known(self) -> list[Http2Carrier]:
        return [carrier for known in self._carriers.values() if (carrier := known()) is not None]

    def _carrier(self, number: int) -> Http2Carrier | None:
        known = self._carriers.get(number)
        return known() if known is not None else None

    def _finish(self, failure: Exception) -> None:
        with self.lock:
            self._over = self._leaving = True
            for carrier in self._known():
                carrier.fail(failure)
            self._room.notify_all()
            with contextlib.suppress(ProtocolError):
                self._http.close_connection()  # GOAWAY; a protocol error has said it already
            self._push_out()
        self.stream.close()
        self._bell.close()
        self._ringer.close()

    # -- what the origin says ---------------------------------------------------------------------------

    def _hear(self, data: bytes) -> None:
        """Hand whole frames on, one at a time: what comes before a frame that h2 rejects still counts."""
        self._partial += data
        at = 0
        while (end := self._frame_end(at)) is not None:
            with memoryview(self._partial) as whole:
                frame = bytes(whole[at:end])
            at = end
            if frame[3] == _GOAWAY:
                self._told_to_go(frame)
            else:
                self._obey(frame)
        del self._partial[:at]

    def _frame_end(self, at: int) -> int | None:
        if len(self._partial) - at < _FRAME_HEAD_BYTES:
            return None
        length = int.from_bytes(self._partial[at : at + 3], "big")
        if length > _FRAME_BYTES:
            raise Garbled("what came is no HTTP/2, or a frame longer than allowed")
        end = at + _FRAME_HEAD_BYTES + length
        return end if end <= len(self._partial) else None

    def _obey(self, frame: bytes) -> None:
        try:
            events = self._http.receive_data(frame)
        except InvalidBodyLengthError as error:
            # h2 takes this for the connection's end, though only one answer is shorter or longer than it says.
            carrier = self._carrier(int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF)
            if carrier is not None:
                carrier.fail(Truncated("the body is not as long as it says"))
            raise NoAnswer("the connection was given up") from error
        for event in events:
            if (act := _ACTS.get(type(event))) is not None:
                act(self, event)

    def _told_to_go(self, frame: bytes) -> None:
        """GOAWAY: what came after the last stream named was not processed, the others will be answered."""
        said = frame[_FRAME_HEAD_BYTES:]
        if len(said) < 8 or any(frame[5:9]):
            raise Garbled("a GOAWAY that is none")
        last, code = int.from_bytes(said[:4], "big") & 0x7FFFFFFF, int.from_bytes(said[4:8], "big")
        self._leaving = self._told_to_leave = True
        self._room.notify_all()
        for carrier in self._known():
            if carrier.place.number > last:
                carrier.fail(UNPROCESSED.get(code, NotProcessed)(f"the origin is leaving ({code_name(code)})"))

    def _on_response(self, event: ResponseReceived) -> None:
        if (carrier := self._carrier(event.stream_id)) is not None:
            carrier.answered(event.headers)

    def _on_data(self, event: DataReceived) -> None:
        self._received_bytes += event.flow_controlled_length
        if self._received_bytes >= _CONNECTION_WINDOW_BYTES // 2:
            self._http.increment_flow_control_window(self._received_bytes)
            self._received_bytes = 0
        if (carrier := self._carrier(event.stream_id)) is not None:
            carrier.received(event.data, event.flow_controlled_length - len(event.data))

    def _on_end(self, event: StreamEnded) -> None:
        if (carrier := self._carrier(event.stream_id)) is not None:
            carrier.ended()

    def _on_reset(self, event: StreamReset) -> None:
        if (carrier := self._carrier(event.stream_id)) is not None:
            carrier.was_reset(int(event.error_code))

    def _on_window(self, event: WindowUpdated) -> None:
        if not event.stream_id:
            self._wake_senders()
        elif (carrier := self._carrier(event.stream_id)) is not None:
            carrier.wake()

    def _on_settings(self, _event: RemoteSettingsChanged) -> None:
        self._settled = True
        self._room.notify_all()
        self._wake_senders()


# What h2 tells of → what is done about it; 1xx, trailers, PING and the rest need nothing more.
_ACTS: dict[type[Event], Callable[[Core, Any], None]] = {
    ResponseReceived: Core._on_response,
    DataReceived: Core._on_data,
    StreamEnded: Core._on_end,
    StreamReset: Core._on_reset,
    WindowUpdated: Core._on_window,
    RemoteSettingsChanged: Core._on_settings,
}


class _Waiting:
    """A request that waits for room, as an exchange ends it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def abort(self) -> None:
        self._core.awake()


def _protocol() -> H2Connection:
    """Return h2's state machine with our settings."""
    config = H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False)
    http = H2Connection(config)
    http.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            SettingCodes.MAX_FRAME_SIZE: _FRAME_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: LARGEST_HEAD_BYTES,
        },
    )
    http.max_inbound_frame_size = _FRAME_BYTES  # both were set from the defaults
    http.decoder.max_header_list_size = LARGEST_HEAD_BYTES
    return http


def code_name(code: int) -> str:
    """Return an error code's name in RFC 9113 §7."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code:#x}"
