"""The connections of one binding: open, lend, share, take back, close.

One pool per binding, never shared: a connection was authenticated with that binding's certificate, and so was a
TLS session that a later connection resumes. What a connection speaks is its protocol's business (`http1`,
`http2`); here is decided which one carries a request. The first connection to an origin tells whether it speaks
HTTP/2; requests that come meanwhile wait for that, so that they can share it.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...recorder.recording import Recording
from ...recorder.tap import Exchange, Route, TappedStream, current_exchange, open_stream
from ...session.contexts import HTTP1_ONLY, HTTP2_TOO, Protocols
from .carrier import Carrier
from .http1 import Forward, Http1
from .proxy import Proxy, ProxyFailed, dig, proxy_for

if TYPE_CHECKING:
    from .http2 import Http2

MOST_OPEN = 64  # connections of one binding at once; more requests wait
KEPT_S = 30.0  # an idle connection is not trusted longer: servers close theirs after 60 s or so
CONNECT_TIMEOUT_S = 10.0
_SESSIONS_KEPT = 8  # per origin; each is offered once (RFC 8446 §C.4)

# Every look at a session loses 6 kB for good there (CPython gh-116810). So one is looked at, and offered as long as
# the origin takes it: that tells an onlooker that the connections are one client's, as their address does.
_LOSES_SESSIONS = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads: scheme, ASCII host and port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Ways:
    """What connections are made with; `context` gives the TLS context that offers some protocols.

    `resumes` and `shares` are asked for each new connection: whether it may resume a TLS session, and whether
    HTTP/2 is offered.
    """

    context: Callable[[Protocols], ssl.SSLContext]
    recording: Recording
    route: Route
    resumes: Callable[[], bool] = lambda: True
    shares: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: Http1
    since_s: float

    def good(self) -> Http1 | None:
        """Return the connection if it may be lent again; else close it."""
        if time.monotonic() - self.since_s < KEPT_S and not self.connection.stream.is_over():
            return self.connection
        self.connection.close()
        return None


class Connections:
    """Thread-safe. The latest used connection is lent first, so that a few stay warm and others expire."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._idle: dict[Origin, list[_Kept]] = {}
        self._shared: dict[Origin, Http2] = {}
        self._sessions: dict[tuple[Origin, Protocols], list[ssl.SSLSession]] = {}
        self._only_http1: set[Origin] = set()  # they said so (HTTP_1_1_REQUIRED)
        self._speaks_http1: set[Origin] = set()  # ALPN found nothing better
        self._asking: set[Origin] = set()  # their first connection is being made
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._lent = 0
        self._keeps = True

    def borrow(self, origin: Origin) -> Carrier:
        """Return what carries one exchange to `origin`; give it back. Raises OSError, ProxyFailed."""
        if (shared := self._on_shared(origin)) is not None:
            return shared
        self._enter()
        try:
            carrier = self._kept(origin) or self._opened(origin)
        except BaseException:
            self._leave()
            raise
        if not isinstance(carrier, Http1):
            self._leave()  # how many share a connection is the origin's to say
        return carrier

    def borrow_kept(self, origin: Origin) -> Http1 | None:
        """Return a kept HTTP/1.1 connection to `origin`, None when there is none; this never waits."""
        with self._lock:
            idle = self._idle.get(origin)
            if not idle or self._lent >= MOST_OPEN:
                return None
            self._lent += 1
            one = idle.pop()
        kept = None
        try:
            kept = one.good() or self._kept(origin)
        finally:
            if kept is None:
                self._leave()
        return kept

    def give_back(self, origin: Origin, carrier: Carrier) -> None:
        """Keep the connection if it may carry another exchange, else close it."""
        is_kept = False
        try:
            if not carrier.stream.has_given_session:
                self._remember(origin, carrier.stream)
            is_kept = isinstance(carrier, Http1) and carrier.is_reusable and self._keep(origin, carrier)
        finally:
            if not is_kept:
                self.discard(carrier)

    def discard(self, carrier: Carrier) -> None:
        """Close what was borrowed and failed."""
        try:
            carrier.close()
        finally:
            if isinstance(carrier, Http1):
                self._leave()

    def prefer_http1(self, origin: Origin) -> None:
        """Speak HTTP/1.1 to `origin` from now on; exchanges under way come to their end."""
        with self._lock:
            self._only_http1.add(origin)
            shared = self._shared.pop(origin, None)
        if shared is not None:
            shared.close()

    def forget_sessions(self, origin: Origin) -> None:
        """Make the next connection to `origin` a full handshake."""
        with self._lock:
            for key in [key for key in self._sessions if key[0] == origin]:
                del self._sessions[key]

    def close(self) -> None:
        """Close every idle connection, and from now on each one that comes back."""
        with self._lock:
            idle, self._idle = self._idle, {}
            shared, self._shared = self._shared, {}
            self._sessions.clear()
            self._keeps = False
        for kept in idle.values():
            for one in kept:
                one.connection.close()
        for connection in shared.values():
            connection.close()

    # -- what there is -----------------------------------------------------------------------------

    def _enter(self) -> None:
        """Wait for room among the connections that are lent. Raises ConnectionAbortedError."""
        exchange = _exchange()
        exchange.opening = waiting = _Waiting(self._room)
        with self._lock:
            while self._lent >= MOST_OPEN and not exchange.aborted:
                self._room.wait()
            if exchange.aborted:
                self._room.notify()  # it may have been this one that was to have the room
                raise ConnectionAbortedError("abandoned before it was connected")
            self._lent += 1
        if exchange.opening is waiting:
            exchange.opening = None

    def _leave(self) -> None:
        with self._lock:
            self._lent -= 1
            self._room.notify()

    def _keep(self, origin: Origin, connection: Http1) -> bool:
        """Take a connection back, and its room, unless the pool is closed."""
        with self._lock:
            if self._keeps:
                self._idle.setdefault(origin, []).append(_Kept(connection, time.monotonic()))
                self._lent -= 1
                self._room.notify()
            return self._keeps

    def _kept(self, origin: Origin) -> Http1 | None:
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                one = kept.pop() if kept else None
            if one is None:
                return None
            if (good := one.good()) is not None:
                return good

    def _on_shared(self, origin: Origin) -> Carrier | None:
        """Return room on the origin's HTTP/2 connection, None when there is no such connection (any more)."""
        shared = self._shared.get(origin)
        if shared is None:
            return None
        carrier = shared.open(_exchange())
        if carrier is None:
            with self._lock:
                if self._shared.get(origin) is shared:
                    del self._shared[origin]
        return carrier

    # -- what is made anew ---------------------------------------------------------------------------

    def _opened(self, origin: Origin) -> Carrier:
        if origin.scheme != "https" or origin in self._speaks_http1 or origin in self._only_http1:
            return self._dialled(origin)
        if self._is_first(origin):
            try:
                return self._dialled(origin)
            finally:
                with self._lock:
                    self._asking.discard(origin)
                    self._asked.notify_all()
        return self._on_shared(origin) or self._dialled(origin)

    def _is_first(self, origin: Origin) -> bool:
        """Return True at once for the first to ask what `origin` speaks, False for others when that has ended.

        Raises ConnectionAbortedError.
        """
        exchange = _exchange()
        exchange.opening = _Waiting(self._asked)
        with self._lock:
            if origin not in self._asking:
                self._asking.add(origin)
                return True
            while origin in self._asking:
                if exchange.aborted:
                    raise ConnectionAbortedError("abandoned before it was connected")
                self._asked.wait()
        return False

    def _dialled(self, origin: Origin) -> Carrier:
        proxy = None
        if self._ways.route(origin.host, origin.port) is None:
            proxy = proxy_for(origin.scheme, origin.host, origin.port)
        if origin.scheme != "https":
            return self._plain(origin, proxy)
        stream = self._secured(origin, proxy)
        if stream.alpn != "h2":
            self._speaks_http1.add(origin)
            return Http1(stream)
        return self._share(origin, stream)

    def _plain(self, origin: Origin, proxy: Proxy | None) -> Http1:
        stream = self._connected(origin, proxy)
        if proxy is None:
            return Http1(stream)
        if proxy.authorization is not None:
            stream.keep_to_itself()
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        return Http1(stream, Forward(f"http://{host}:{origin.port}".encode("ascii"), proxy.authorization))

    def _secured(self, origin: Origin, proxy: Proxy | None) -> TappedStream:
        """Return a connection with TLS up, resumed where possible; where that fails, another without."""
        shares = self._ways.shares() and origin not in self._only_http1
        protocols = HTTP2_TOO if shares else HTTP1_ONLY
        session = self._session(origin, protocols) if self._ways.resumes() else None
        try:
            return self._with_tls(origin, proxy, protocols, session)
        except ssl.SSLError:
            if session is None:
                raise
        self.forget_sessions(origin)
        return self._with_tls(origin, proxy, protocols, None)

    def _with_tls(
        self, origin: Origin, proxy: Proxy | None, protocols: Protocols, session: ssl.SSLSession | None
    ) -> TappedStream:
        context = self._ways.context(protocols)
        stream = self._connected(origin, proxy)
        if proxy is not None:
            try:
                dig(stream, proxy, origin.host, origin.port, CONNECT_TIMEOUT_S)
            except BaseException:
                stream.close()
                raise
        stream.start_tls(context, origin.host, CONNECT_TIMEOUT_S, session)
        stream.protocols = protocols
        if _LOSES_SESSIONS and session is not None and not stream.is_resumed:
            self.forget_sessions(origin)  # it would be offered again
        return stream

    def _connected(self, origin: Origin, proxy: Proxy | None) -> TappedStream:
        where = (proxy.url, proxy.address) if proxy is not None else None
        try:
            return open_stream(
                self._ways.recording,
                origin.host,
                origin.port,
                route=self._ways.route,
                proxy=where,
                timeout_s=CONNECT_TIMEOUT_S,
            )
        except OSError as error:
            if proxy is None or _exchange().aborted:
                raise
            raise ProxyFailed("proxy-unreachable", proxy.url) from error

    def _share(self, origin: Origin, stream: TappedStream) -> Carrier:
        from .http2 import Http2  # noqa: PLC0415 - h2 is loaded when the first origin speaks it

        exchange = _exchange()
        exchange.opening = None  # from here on the connection is not this exchange's alone
        try:
            shared = Http2(stream)
        except BaseException:
            stream.close()
            raise
        try:
            carrier = shared.open(exchange)
        except BaseException:
            shared.close()
            raise
        with self._lock:
            former = self._shared.pop(origin, None)
            keeps = self._keeps
            if keeps:
                self._shared[origin] = shared
        if former is not None:
            former.close()
        if not keeps:
            shared.close()
        if carrier is None:
            raise ConnectionResetError("the connection ended as soon as it stood")
        exchange.opening = carrier
        return carrier

    # -- TLS sessions ----------------------------------------------------------------------------------

    def _remember(self, origin: Origin, stream: TappedStream) -> None:
        """Keep what a later connection may resume: it came with this one's first answer."""
        stream.has_given_session = True
        has_one = bool(self._sessions.get((origin, stream.protocols)))
        if not self._ways.resumes() or (has_one and _LOSES_SESSIONS) or (session := stream.session) is None:
            return
        with self._lock:
            if self._keeps:
                kept = self._sessions.setdefault((origin, stream.protocols), [])
                kept.append(session)
                del kept[:-_SESSIONS_KEPT]

    def _session(self, origin: Origin, protocols: Protocols) -> ssl.SSLSession | None:
        with self._lock:
            kept = self._sessions.get((origin, protocols))
            if not kept:
                return None
            return kept[-1] if _LOSES_SESSIONS else kept.pop()


class _Waiting:
    """A request that waits for another's connection, as its exchange ends it."""

    def __init__(self, asked: threading.Condition) -> None:
        self._asked = asked

    def abort(self) -> None:
        with self._asked:
            self._asked.notify_all()


def _exchange() -> Exchange:
    """Return the exchange that this thread is making; one of its own for whoever borrows without."""
    return current_exchange.get() or Exchange("", "")
