"""The Python end of workerd's ways out: HTTP/1.1 on unix sockets in front, `Fetcher.send` behind.

Each binding has a socket of its own, so which certificate is presented is decided by where a request
arrives and by nothing that it says: a forged header cannot help. The certificate-less global fetch has
one too. workerd never makes TLS; no key is within its reach. What may not live here: TLS, a trace of
subrequests, anything about JavaScript.

What JavaScript sees when a fetch fails: the bridge hangs up without an answer, and `fetch` rejects with
`Error: Network connection lost.`; when a body breaks off midway, reading it rejects the same way.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...errors import ConnectError, MtlsNotebookError
from ..exchange import Closer, Fetcher, Headers, Incoming, Outgoing
from .framing import LAST_CHUNK, Inbox, Malformed, chunk_bytes, head_bytes, value_of

GLOBAL = ""  # the name of the socket behind the global fetch; no binding can have it

# RFC 9110 §7.6.1: they speak about one connection; workerd's to us is not ours to the origin.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_BODILESS = (204, 304)
_CLOSE_WAIT_S = 2.0
_UNREAD_BYTES = 1 << 20
_NO_TUNNEL = b"Workers here reach origins with fetch only: no sockets, no CONNECT, no WebSocket.\n"
_REFUSAL = (
    head_bytes(
        "HTTP/1.1 403 Forbidden",
        (("Content-Type", "text/plain"), ("Content-Length", str(len(_NO_TUNNEL))), ("Connection", "close")),
    )
    + _NO_TUNNEL
)


class Abandoned(ConnectError):
    """The worker hung up while its request was still being sent."""

    def __init__(self) -> None:
        super().__init__("The worker abandoned this fetch before its request was sent.")


class Bridge:
    """Listens in `folder`, one socket for each fetcher, and serves until `close`."""

    def __init__(self, folder: Path, fetchers: Mapping[str, Fetcher]) -> None:
        self.addresses = {name: str(folder / f"out{at}") for at, name in enumerate(fetchers)}
        self._listeners = {}
        for name, fetcher in fetchers.items():
            listener = _listen(self.addresses[name])
            self._listeners[listener.fileno()] = (listener, fetcher)
        self._connections: dict[int, _Connection] = {}
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="bridge", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody and stop listening; every fetch under way is ended."""
        with contextlib.suppress(OSError):
            self._ringer.send(b"x")
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_WAIT_S)

    def _watch(self) -> None:
        """Accept connections and notice hang-ups, in the one thread that owns every file number here."""
        poll = select.poll()
        for number in (*self._listeners, self._bell.fileno()):
            poll.register(number, select.POLLIN)
        while True:
            for number, _ in poll.poll():
                if number == self._bell.fileno():
                    self._shut()
                    return
                if number in self._listeners:
                    self._accept(poll, *self._listeners[number])
                else:
                    poll.unregister(number)
                    self._connections.pop(number).hung_up()

    def _accept(self, poll: select.poll, listener: socket.socket, fetcher: Fetcher) -> None:
        try:
            peer, _ = listener.accept()
        except OSError:
            return  # it left again before we looked
        poll.register(peer.fileno(), 0)  # a hang-up is always reported; data is the connection thread's
        self._connections[peer.fileno()] = _Connection(peer, fetcher)

    def _shut(self) -> None:
        for connection in self._connections.values():
            connection.hung_up()
        for listener, _ in self._listeners.values():
            listener.close()
        self._bell.close()
        self._ringer.close()


class _Connection:
    """One connection from workerd, served by a thread of its own, request after request."""

    def __init__(self, peer: socket.socket, fetcher: Fetcher) -> None:
        self._peer = peer
        self._fetcher = fetcher
        self._inbox = Inbox(peer.recv)
        self._lock = threading.Lock()  # guards what follows
        self._gone = False
        self._owners = 2  # the watcher and the thread; the last to leave closes the socket
        self._closer: Closer | None = None
        threading.Thread(target=self._run, name="bridge-connection", daemon=True).start()

    def hung_up(self) -> None:
        """workerd left: end the fetch under way, so that nobody waits for an origin in vain."""
        with self._lock:
            self._gone = True
            closer, self._closer = self._closer, None
        if closer is not None:
            closer()
        self._hang_up()
        self._leave()

    def on_abandon(self, closer: Closer) -> None:
        """Have `closer` called when workerd leaves during this request; now, if it has left already."""
        with self._lock:
            if not self._gone:
                self._closer = closer
                return
        closer()

    def _run(self) -> None:
        try:
            with contextlib.suppress(OSError, Malformed, Abandoned):
                while self._serve():
                    pass
        finally:
            self._hang_up()
            self._leave()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def _leave(self) -> None:
        with self._lock:
            self._owners -= 1
            last = self._owners == 0
        if last:
            self._peer.close()

    def _serve(self) -> bool:
        """Serve one request; return whether the connection can carry another."""
        head = self._inbox.head()
        if head is None:
            return False
        method, url, version = _request_line(head[0])
        headers = head[1]
        if method == "CONNECT" or value_of(headers, "upgrade"):
            self._peer.sendall(_REFUSAL)
            return False
        if version != "HTTP/1.1" or "://" not in url:
            return False
        self._inbox.expect(headers)
        body = _Body(self._inbox)
        sized = value_of(headers, "content-length") or value_of(headers, "transfer-encoding")
        request = Outgoing(method, url, forwarded(headers), body if sized else b"", self.on_abandon)
        try:
            is_whole = self._relay(self._fetcher.send(request), method)
        except MtlsNotebookError:
            return False  # no answer, or no end of it: the worker's promise rejects, as in production
        except Exception:  # raised again, unless workerd hung up: then anything may break under its reader's feet
            if not self._gone:
                raise
            return False
        return body.finish() and is_whole and value_of(headers, "connection").lower() != "close"

    def _relay(self, answer: Incoming, method: str) -> bool:
        """Send the origin's answer on, byte for byte as it comes; return whether it was as long as it says."""
        self.on_abandon(getattr(answer, "abort", answer.close))
        try:
            return self._pass_on(answer, method == "HEAD" or answer.status in _BODILESS)
        finally:
            with self._lock:
                self._closer = None
            answer.close()

    def _pass_on(self, answer: Incoming, is_bodiless: bool) -> bool:
        headers = _end_to_end(answer.headers)
        length = value_of(headers, "content-length")
        is_chunked = not length and not is_bodiless
        if is_chunked:
            headers = (*headers, ("Transfer-Encoding", "chunked"))
        self._peer.sendall(head_bytes(f"HTTP/1.1 {answer.status} {answer.reason}", headers))
        sent = 0
        for chunk in answer:
            sent += len(chunk)
            self._peer.sendall(chunk_bytes(chunk) if is_chunked else chunk)
        if is_chunked:
            self._peer.sendall(LAST_CHUNK)
        return is_bodiless or is_chunked or sent == int(length)


class _Body:
    """One request's body, chunk by chunk; another thread may read it while the answer comes back."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._reading = threading.RLock()  # held while waiting for bytes: `finish` comes after a reader, or before
        self._over = False

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._chunk()) is not None:
            yield chunk

    def finish(self) -> bool:
        """Skip what nobody read; return whether the body came to its end, within reason.

        An origin may answer early, and workerd then takes the connection for free. A reader that comes
        later finds nothing: these bytes belong to the next request.
        """
        with self._reading:
            unread = _UNREAD_BYTES
            while not self._over and unread > 0:
                unread -= len(self._chunk() or b"")
            ended, self._over = self._over, True
            return ended

    def _chunk(self) -> bytes | None:
        with self._reading:
            if self._over:
                return None
            try:
                chunk = self._inbox.chunk()
            except (OSError, Malformed):
                self._over = True
                raise Abandoned from None
            self._over = chunk is None
            return chunk


def forwarded(headers: Headers) -> Headers:
    """Return a request's headers for the origin: Host follows from the URL, hop-by-hop ones stay here."""
    return tuple(pair for pair in _end_to_end(headers) if pair[0].lower() != "host")


def _end_to_end(headers: Headers) -> Headers:
    dropped = HOP_BY_HOP
    if named := [value for name, value in headers if name.lower() == "connection"]:
        dropped = HOP_BY_HOP | {token.strip().lower() for value in named for token in value.split(",")}
    return tuple(pair for pair in headers if pair[0].lower() not in dropped)


def _request_line(line: str) -> tuple[str, str, str]:
    """Return method, target and version."""
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    return method, target, version


def _listen(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(1024)
    return listener
