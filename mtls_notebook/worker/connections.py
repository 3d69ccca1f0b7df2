"""The kept connections of one binding: open, lend, take back, close.

One pool per binding, never shared: a connection was authenticated with that binding's certificate.
"""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass

from ..recorder.recording import Recording
from ..recorder.tap import Route, open_stream
from .http1 import Http1

MOST_OPEN = 64  # connections of one binding at once; more requests wait
KEPT_S = 30.0  # an idle connection is not trusted longer: servers close theirs after 60 s or so
CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads: scheme, ASCII host and port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: Http1
    since_s: float


class Connections:
    """Thread-safe. The latest used connection is lent first, so that a few stay warm and others expire."""

    def __init__(self, context: ssl.SSLContext, recording: Recording, route: Route) -> None:
        self._context = context
        self._recording = recording
        self._route = route
        self._idle: dict[Origin, list[_Kept]] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_OPEN)
        self._keeps = True

    def borrow(self, origin: Origin) -> Http1:
        """Return a connection to `origin`, kept or new; give it back. Raises OSError."""
        self._room.acquire()
        try:
            return self._kept(origin) or self._opened(origin)
        except BaseException:
            self._room.release()
            raise

    def borrow_kept(self, origin: Origin) -> Http1 | None:
        """Return a kept connection to `origin`, None when there is none; this never waits."""
        if not self._room.acquire(blocking=False):
            return None
        kept = self._kept(origin)
        if kept is None:
            self._room.release()
        return kept

    def give_back(self, origin: Origin, connection: Http1) -> None:
        """Keep the connection if it may carry another exchange, else close it."""
        try:
            if not (connection.is_reusable and self._keep(origin, connection)):
                connection.close()
        finally:
            self._room.release()

    def discard(self, connection: Http1) -> None:
        """Close a borrowed connection that failed."""
        try:
            connection.close()
        finally:
            self._room.release()

    def close(self) -> None:
        """Close every idle connection, and from now on each one that comes back."""
        with self._lock:
            idle, self._idle = self._idle, {}
            self._keeps = False
        for kept in idle.values():
            for one in kept:
                one.connection.close()

    def _keep(self, origin: Origin, connection: Http1) -> bool:
        with self._lock:
            if self._keeps:
                self._idle.setdefault(origin, []).append(_Kept(connection, time.monotonic()))
            return self._keeps

    def _kept(self, origin: Origin) -> Http1 | None:
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                one = kept.pop() if kept else None
            if one is None:
                return None
            if time.monotonic() - one.since_s < KEPT_S and not one.connection.stream.is_over():
                return one.connection
            one.connection.close()

    def _opened(self, origin: Origin) -> Http1:
        stream = open_stream(self._recording, origin.host, origin.port, route=self._route, timeout_s=CONNECT_TIMEOUT_S)
        if origin.scheme == "https":
            stream.start_tls(self._context, origin.host, CONNECT_TIMEOUT_S)
        return Http1(stream)
