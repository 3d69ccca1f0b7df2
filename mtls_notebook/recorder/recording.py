"""The recording: events, appended and never changed, of the latest connections.

State only: who stamps and adds the events is the tap (and the lab for its own side), who
reads them folds (`recorder.handshake`).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from .events import Event, EventData, Kind

Sink = Callable[[Event], None]

MOST_CARRIED = 512  # requests and responses of one connection; when there are more, the older half is let go of
_CARRIED = frozenset({Kind.REQUEST, Kind.RESPONSE})


class Recording:
    """Events by connection number. The `keep` latest connections stay; older ones go, oldest first.

    Of a connection that carries request after request, the first and the latest are kept, and every event of TLS.
    """

    def __init__(self, keep: int = 256) -> None:
        self.keep = keep
        self._connections: OrderedDict[int, _Events] = OrderedDict()
        self._numbers = itertools.count(1)
        self._sinks: list[Sink] = []
        self._lock = threading.Lock()

    def open(self) -> int:
        """Return the number of a new connection."""
        with self._lock:
            number = next(self._numbers)
            self._connections[number] = _Events()
            while len(self._connections) > self.keep:
                self._connections.popitem(last=False)
        return number

    def add(self, connection: int, kind: Kind, data: EventData) -> None:
        """Append one event, stamped now, and hand it to every sink."""
        event = Event(time.monotonic_ns(), connection, kind, data)
        events = self._connections.get(connection)
        if events is not None:
            events.append(event)
            if kind in _CARRIED:
                self._count(events)
        for sink in self._sinks:
            sink(event)

    def events(self, connection: int) -> tuple[Event, ...]:
        """Return the events of one connection so far, () when it is no longer kept."""
        return tuple(self._connections.get(connection, ()))

    def connections(self) -> tuple[int, ...]:
        """Return the numbers of the connections that are kept, oldest first."""
        with self._lock:
            return tuple(self._connections)

    def follow(self, sink: Sink) -> Callable[[], None]:
        """Hand every later event to `sink` (in the thread where it happens); return the way to stop."""
        self._sinks = [*self._sinks, sink]

        def unfollow() -> None:
            self._sinks = [other for other in self._sinks if other is not sink]

        return unfollow

    def _count(self, events: _Events) -> None:
        events.carried += 1
        if events.carried > MOST_CARRIED:
            with self._lock:
                events.carried = _let_go(events)


class _Events(list[Event]):
    """One connection's events, with the number of those that are requests or responses."""

    __slots__ = ("carried",)

    def __init__(self) -> None:
        self.carried = 0


def _let_go(events: list[Event]) -> int:
    """Drop the older half of the requests and responses, save the first of each, in place; return how many are left.

    Each deletion is atomic and in front of what other threads append, so nothing else can be lost.
    """
    carried = [at for at, event in enumerate(events) if event.kind in _CARRIED]
    first = {next((at for at in carried if events[at].kind is kind), -1) for kind in _CARRIED}
    dropped = [at for at in carried[: len(carried) // 2] if at not in first]
    for at in reversed(dropped):
        del events[at]
    return len(carried) - len(dropped)
