"""The TLS pump: our own sockets and TLS, so that every byte, message and alert is seen.

`ssl.SSLObject` over two memory BIOs does the TLS; the pump moves the bytes between the BIOs
and the socket and records them on the way. Two things that a plain TLS socket gets wrong are
put right here: what OpenSSL wants to say last (our own alert) is always sent, and after a
failed write the socket is still read, because that is where a TLS 1.3 server's refusal waits.

This is the only file that touches `SSLContext._msg_callback`, which is private: it is in
CPython's own tests since 3.8, and the live tests compare what it says with the wire.
The callback never raises: an exception in it surfaces in an unrelated call or hangs a handshake.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from .events import Agreed, Bytes, Failure, Kind, Request, Side, Target
from .keylog import collect, taken
from .recording import Recording

T = TypeVar("T")
Route = Callable[[str, int], tuple[str, int] | None]

_READ_BYTES = 64 * 1024
_MOST_READ_BYTES = 256 * 1024  # at once, of a connection that fills what is offered
_RECORD_BYTES = 16 * 1024  # RFC 8446 §5.1
_WIRE_KEPT_BYTES = 48 * 1024  # per connection and direction; a handshake takes 2 to 8 kB of it
DRAIN_S = 1.0  # how long a refused writer waits for the alert that explains the refusal


class Endable(Protocol):
    """What can be ended from any thread: a connection, one of HTTP/2's streams, a wait for either."""

    def abort(self) -> None:
        """End it; whoever waits for it gets an error at once."""


@dataclass(slots=True)
class Exchange:
    """Which connection carried the request that is under way in this context, filled in by the tap.

    `stream` is what carries it, `opening` what it waits for until then; both end with it.
    """

    method: str
    target: str
    connection: int | None = None
    reused: bool = False
    stream: Endable | None = None
    opening: Endable | None = None
    aborted: bool = False

    def abort(self) -> None:
        """End what carries this request, from any thread; a later connection is not even opened."""
        self.aborted = True
        opening, stream = self.opening, self.stream
        if opening is not None:
            opening.abort()
        if stream is not None and stream is not opening:
            stream.abort()


current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


class _Active(threading.local):
    stream: TappedStream | None = None


_active = _Active()  # the stream whose SSLObject is being driven by this thread


def watch(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make every connection of `context` report its messages, and its secrets, to the stream that drives it."""
    collect(context)
    # The C class's own attribute: that of ssl.SSLContext makes enums of five numbers for every record.
    super(ssl.SSLContext, ssl.SSLContext)._msg_callback.__set__(context, _on_message)  # type: ignore[misc]
    return context


_HANDSHAKE_LAYER = {20: Kind.CHANGE_CIPHER_SPEC, 21: Kind.ALERT, 22: Kind.MESSAGE}
_RECORD_HEADER = 0x100
_CHANGE_CIPHER_SPEC = 20


def _on_message(
    _conn: object, direction: str, _version: object, content_type: int, _msg_type: object, data: bytes
) -> None:
    stream, kind = _active.stream, _HANDSHAKE_LAYER.get(int(content_type))
    if stream is None:
        return
    sender: Side = "client" if direction == "write" else "server"
    if kind is Kind.MESSAGE:
        stream.saw(Bytes.of(sender, data))
    elif kind is not None:
        stream.record(kind, Bytes.of(sender, data))
    elif content_type == _RECORD_HEADER and sender == "server" and data[0] == _CHANGE_CIPHER_SPEC:
        # OpenSSL reports the ChangeCipherSpec it writes, but of one it reads only the record's header.
        stream.record(Kind.CHANGE_CIPHER_SPEC, Bytes.of(sender, b"\x01"))


def open_stream(
    recording: Recording,
    host: str,
    port: int,
    *,
    route: Route = lambda _host, _port: None,
    proxy: tuple[str, tuple[str, int]] | None = None,
    timeout_s: float | None,
) -> TappedStream:
    """Return a connected, recorded stream, plain as yet. Raises OSError (TimeoutError, socket.gaierror …).

    `route` may lead the host and port to another address (connect-to); the stream leads to `proxy` (the URL to
    record, and its address) where one is given, and what is said to it is the caller's business.
    """
    via = route(host, port)
    stream = TappedStream(recording, Target(host, port, via, proxy[0] if proxy else ""))
    stream.connect(proxy[1] if proxy else via or (host, port), timeout_s)
    return stream


class TappedStream:
    """One recorded connection; plain until `start_tls`. Reading and writing may go on in two threads."""

    def __init__(self, recording: Recording, target: Target) -> None:
        self.connection = recording.open()
        self.requests = 0
        self.protocols: tuple[str, ...] = ()  # what ALPN offered; both are the pool's notes
        self.has_given_session = False
        self._recording = recording
        self._crossed: dict[Side, int] = {"client": 0, "server": 0}
        self._told: dict[Side, int] = {"client": 0, "server": 0}  # of those, the bytes in WIRE events so far
        self._exchange: Exchange | None = None
        self._timeout_s: float | None = None
        self._tls: ssl.SSLObject | None = None
        self._client_random = b""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._late: ssl.SSLError | None = None  # what came behind the bytes that were returned last
        self._receive_bytes = _READ_BYTES
        self._unsent = memoryview(b"")  # taken from `_outgoing`; the socket would not have it yet
        self._tls_lock = threading.Lock()  # OpenSSL objects are not safe in two threads at once
        self._send_lock = threading.RLock()  # records must leave in the order they were made
        self.record(Kind.CONNECTING, target)
        if (exchange := current_exchange.get()) is not None:
            exchange.connection, exchange.opening = self.connection, self
            self._exchange = exchange

    def record(self, kind: Kind, data: Any) -> None:
        """Append one event to this connection's recording."""
        self._recording.add(self.connection, kind, data)

    def saw(self, message: Bytes) -> None:
        """Append a handshake message; a ClientHello's random names the secrets that will follow."""
        if message.sender == "client" and message.data[:1] == b"\x01":
            self._client_random = message.data[6:38]
        self.record(Kind.MESSAGE, message)

    def _take_secrets(self) -> None:
        if self._tls is not None and self._client_random:
            for line in taken(self._tls.context, self._client_random):
                self.record(Kind.SECRET, line)

    def connect(self, address: tuple[str, int], timeout_s: float | None) -> None:
        """Connect the socket, telling name lookup and TCP apart. Raises OSError."""
        try:
            candidates = _looked_up(address)
            self.record(Kind.RESOLVED, str(candidates[0][4][0]))
            self._unless_abandoned()
            self._socket = socket.create_connection(address, timeout_s)
            self._unless_abandoned()  # meanwhile there was no socket yet that `abort` could have ended
        except OSError as error:
            self.record(Kind.CLOSED, type(error).__name__)
            raise
        self._timeout_s = timeout_s
        self._exchange = None  # others may use the connection after it, and must not keep it alive
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.record(Kind.CONNECTED, "{0[0]}:{0[1]}".format(self._socket.getpeername()))
            self.record(Kind.LOCAL, "{0[0]}:{0[1]}".format(self._socket.getsockname()))
        except OSError as error:  # a socket that the peer has reset by now knows no peer
            self.close()
            raise ConnectionResetError("the connection was reset as soon as it stood") from error

    def _unless_abandoned(self) -> None:
        if self._exchange is not None and self._exchange.aborted:
            if (connected := getattr(self, "_socket", None)) is not None:
                connected.close()
            raise ConnectionAbortedError("abandoned before it was connected")

    def start_tls(
        self,
        context: ssl.SSLContext,
        server_name: str,
        timeout_s: float | None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """Make the handshake, offering to resume `session`, which must be of the same context.

        Raises OSError (ssl.SSLError, TimeoutError); the stream is closed then.
        """
        try:
            self._tls = self._wrapped(context, server_name, session)
            self.record(Kind.TLS_STARTED, server_name)
            self._wait_at_most(timeout_s)
            self._pump(self._tls.do_handshake)
            self._take_secrets()
            self.record(Kind.TLS_DONE, _agreed(self._tls))
        except BaseException:
            self.close()
            raise

    def _wrapped(self, context: ssl.SSLContext, server_name: str, session: ssl.SSLSession | None) -> ssl.SSLObject:
        try:
            return context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)
        except UnicodeError as error:
            raise _no_such_name() from error

    def fileno(self) -> int:
        """Return the socket's descriptor, for whoever waits until there is something to read."""
        return self._socket.fileno()

    @property
    def alpn(self) -> str:
        """Return the protocol agreed by ALPN, "" when none was."""
        return (self._tls.selected_alpn_protocol() or "") if self._tls is not None else ""

    @property
    def session(self) -> ssl.SSLSession | None:
        """Return what a later connection may resume, None as long as the peer has given nothing for that.

        In TLS 1.3 it comes with the first bytes of the answer (RFC 8446 §4.6.1), so ask when that has been read.
        """
        if self._tls is None:
            return None
        with self._tls_lock:
            session = self._tls.session
        in_tls12 = self._tls.version() == "TLSv1.2"
        return session if session is not None and (session.has_ticket or (in_tls12 and session.id)) else None

    @property
    def is_resumed(self) -> bool:
        """Return whether this connection resumed an earlier session."""
        return self._tls is not None and bool(self._tls.session_reused)

    def aside(self, timeout_s: float | None) -> socket.socket:
        """Return the bare socket, for what is said to a proxy: that may hold credentials, and is not recorded."""
        self._wait_at_most(timeout_s)
        return self._socket

    def keep_to_itself(self) -> None:
        """Record from now on how much the client sends, but not what: it holds credentials for a proxy."""
        self._crossed["client"] += _WIRE_KEPT_BYTES
        self._told["client"] += _WIRE_KEPT_BYTES

    def read(self, max_bytes: int, timeout_s: float | None) -> bytes:
        """Return up to `max_bytes` of what has come, decrypted, b"" at the end; wait only while there is nothing.

        Raises: OSError (ssl.SSLError, TimeoutError).
        """
        self._wait_at_most(timeout_s)
        if (tls := self._tls) is None:
            return self._receive(max_bytes)
        return self._pump(partial(self._decrypted, tls, max_bytes))

    def write(self, data: bytes, timeout_s: float | None) -> None:
        """Send all of `data`. Raises OSError (TimeoutError)."""
        self._note_request()
        self._wait_at_most(timeout_s)
        if (tls := self._tls) is None:
            with self._send_lock:
                self._send(data)
            return
        with self._send_lock:
            if len(data) <= _READ_BYTES:
                self._pump(partial(tls.write, data))
            else:
                view = memoryview(data)
                while view:
                    view = view[self._pump(partial(tls.write, view[:_READ_BYTES])) :]
        self._flush()  # what a reader had to say while we held the lock

    # Never waiting, for a connection that many requests share: one thread looks after its socket.

    def take(self, max_bytes: int) -> bytes | None:
        """Return what has come, b"" at the end, None while there is nothing. Raises OSError (ssl.SSLError)."""
        tls = self._tls
        assert tls is not None
        self._wait_at_most(0)
        while True:
            try:
                return self._drive(partial(self._decrypted, tls, max_bytes))
            except ssl.SSLWantReadError:
                try:
                    self._fill()
                except BlockingIOError:
                    return None
            except ssl.SSLError as error:
                self._fail(error)
                raise

    def put(self, data: bytes) -> None:
        """Encrypt `data` and set it ready for `push`."""
        tls = self._tls
        assert tls is not None
        if data:
            self._drive(partial(tls.write, data))

    def push(self) -> bool:
        """Send as much of what is ready as the socket takes; return whether that was all. Raises OSError."""
        self._wait_at_most(0)
        with self._send_lock:
            while self._unsent or self._outgoing.pending:
                if not self._unsent:
                    self._unsent = memoryview(self._taken_out(_READ_BYTES))
                try:
                    sent = self._socket.send(self._unsent)
                except BlockingIOError:
                    return False
                self._keep_wire("client", self._unsent[:sent])
                self._unsent = self._unsent[sent:]
        return True

    @property
    def backlog_bytes(self) -> int:
        """Return how much is ready and not yet sent."""
        return len(self._unsent) + self._outgoing.pending

    def close(self) -> None:
        """Say goodbye (close_notify) if TLS is up, and close the socket."""
        if self._socket.fileno() < 0:
            return
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                if self._tls is not None and self._tls.version():
                    self._wait_at_most(0.2)
                    self._say_goodbye(self._tls)
            self._take_secrets()
        finally:
            self._socket.close()
        self._count_what_was_not_kept()
        self.record(Kind.CLOSED, "")

    def abort(self) -> None:
        """End the connection from any thread: a blocked read or write returns at once."""
        if (connected := getattr(self, "_socket", None)) is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def is_over(self) -> bool:
        """Return whether an idle connection has anything but handshake messages waiting (then it is over)."""
        if self._socket.fileno() < 0 or self._late is not None:
            return True
        if not _is_readable(self._socket):
            return False
        if (tls := self._tls) is None:
            return True
        try:
            self._wait_at_most(0)
            self._fill()
            self._drive(partial(tls.read, 1))
        except (ssl.SSLWantReadError, BlockingIOError):  # only session tickets or the like: still good
            return False
        except OSError:
            return True
        return True

    def _wait_at_most(self, timeout_s: float | None) -> None:
        if timeout_s != self._timeout_s:  # a system call, so only when it changes
            self._timeout_s = timeout_s
            self._socket.settimeout(timeout_s)

    # -- the pump --------------------------------------------------------------------------

    def _pump(self, operation: Callable[[], T]) -> T:
        """Run one SSLObject operation to its end, moving bytes as it asks. Raises OSError (ssl.SSLError)."""
        while True:
            try:
                result = self._drive(operation)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
                continue
            except ssl.SSLError as error:
                self._fail(error)
                raise
            self._flush()
            return result

    def _drive(self, operation: Callable[[], T]) -> T:
        with self._tls_lock:
            _active.stream = self
            try:
                return operation()
            finally:
                _active.stream = None

    def _flush(self) -> None:
        """Send what is ready, unless another thread is sending: it takes this along.

        A reader that waited for its turn, or sent a writer's bytes, would not read meanwhile; and an origin
        that echoes sends nothing more before somebody reads.
        """
        while self._unsent or self._outgoing.pending:
            if not self._send_lock.acquire(blocking=False):
                return
            try:
                self._send_what_is_ready()
            finally:
                self._send_lock.release()
            if self._timeout_s == 0:
                return  # what is left is for the next `push`, or a write that may wait

    def _send_what_is_ready(self) -> None:
        try:
            if self._timeout_s == 0:
                self.push()
                return
            if self._unsent:
                rest, self._unsent = self._unsent, memoryview(b"")
                self._send(rest)
            if data := self._taken_out():
                self._send(data)
        except (BrokenPipeError, ConnectionResetError):
            self._drain()
            raise

    def _taken_out(self, max_bytes: int = -1) -> bytes:
        with self._tls_lock:
            return self._outgoing.read(max_bytes)

    def _decrypted(self, tls: ssl.SSLObject, max_bytes: int) -> bytes:
        """Return every record that has come whole, up to `max_bytes`: one at a time costs more than its decryption.

        What is wrong behind them is told by the next call.
        """
        if self._late is not None:
            late, self._late = self._late, None
            raise late
        data = _read(tls, min(max_bytes, _RECORD_BYTES))
        if not data or not self._incoming.pending:
            return data
        records, room = [data], max_bytes - len(data)
        try:
            while room > 0 and self._incoming.pending and (data := _read(tls, min(room, _RECORD_BYTES))):
                records.append(data)
                room -= len(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._late = error
        return b"".join(records)

    def _fill(self) -> None:
        data = self._receive(self._receive_bytes)
        if len(data) == self._receive_bytes:
            self._receive_bytes = _MOST_READ_BYTES
        with self._tls_lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _fail(self, error: ssl.SSLError) -> None:
        with contextlib.suppress(OSError):
            self._flush()  # our own alert, which the peer's log will name
        self._take_secrets()
        self.record(
            Kind.TLS_FAILED,
            Failure(
                error.reason or type(error).__name__,
                getattr(error, "verify_code", 0),
                getattr(error, "verify_message", ""),
            ),
        )

    def _drain(self) -> None:
        """After a refused write, take in what the peer said before it closed; the next read will tell it."""
        with contextlib.suppress(OSError):
            self._wait_at_most(min(DRAIN_S, self._timeout_s if self._timeout_s is not None else DRAIN_S))
            while data := self._receive(_READ_BYTES):
                self._incoming.write(data)

    def _say_goodbye(self, tls: ssl.SSLObject) -> None:
        with contextlib.suppress(ssl.SSLError):
            self._drive(tls.unwrap)
        self._flush()

    # -- the socket ------------------------------------------------------------------------

    def _send(self, data: bytes | memoryview) -> None:
        self._keep_wire("client", data)
        self._socket.sendall(data)

    def _receive(self, max_bytes: int) -> bytes:
        data = self._socket.recv(max_bytes)
        if data:
            self._keep_wire("server", data)
        else:
            self.record(Kind.ENDED, "server")
        return data

    def _keep_wire(self, sender: Side, data: bytes | memoryview) -> None:
        room = _WIRE_KEPT_BYTES - self._crossed[sender]
        self._crossed[sender] += len(data)
        if room > 0:
            self._told[sender] += len(data)
            self.record(Kind.WIRE, Bytes(sender, bytes(data[:room]), len(data)))

    def _count_what_was_not_kept(self) -> None:
        for sender, crossed in self._crossed.items():
            if crossed > self._told[sender]:
                self.record(Kind.WIRE, Bytes(sender, b"", crossed - self._told[sender]))

    def _note_request(self) -> None:
        exchange = current_exchange.get()
        if exchange is not None and exchange.stream is not self:
            self.carry(exchange, self)

    def carry(self, exchange: Exchange, by: Endable) -> int:
        """Note that the exchange's request leaves on this connection, and what ends it; return its ordinal.

        Raises ConnectionAbortedError when it was ended before there was anything to end.
        """
        exchange.stream = by
        if exchange.aborted:
            raise ConnectionAbortedError("abandoned before it was sent")
        exchange.connection, exchange.reused = self.connection, self.requests > 0
        self.requests += 1
        self.record(Kind.REQUEST, Request(exchange.method, exchange.target, self.requests))
        return self.requests


def _read(tls: ssl.SSLObject, max_bytes: int) -> bytes:
    try:
        return tls.read(max_bytes)
    except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # close_notify, or the end without one:
        return b""  # whether the response was whole is for HTTP to say


def _looked_up(address: tuple[str, int]) -> list[Any]:
    try:
        return socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise _no_such_name() from error


def _no_such_name() -> socket.gaierror:
    """Return the error for a name that nothing can have: Python tells of an empty or long label as bad Unicode."""
    return socket.gaierror(socket.EAI_NONAME, "no host can have this name")


def _is_readable(sock: socket.socket) -> bool:
    """Return whether bytes, or the end, are waiting. `select` cannot look at descriptors above 1,023."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _agreed(tls: ssl.SSLObject) -> Agreed:
    cipher = tls.cipher()
    return Agreed(
        tls.version() or "",
        cipher[0] if cipher else "",
        tls.selected_alpn_protocol() or "",
        bool(tls.session_reused),
    )
