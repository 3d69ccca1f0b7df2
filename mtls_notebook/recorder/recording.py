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


class Recording:
    """Events by connection number. The `keep` latest connections stay; older ones go, oldest first."""

    def __init__(self, keep: int = 256) -> None:
        self.keep = keep
        self._connections: OrderedDict[int, list[Event]] = OrderedDict()
        self._numbers = itertools.count(1)
        self._sinks: list[Sink] = []
        self._lock = threading.Lock()

    def open(self) -> int:
        """Return the number of a new connection."""
        with self._lock:
            number = next(self._numbers)
            self._connections[number] = []
            while len(self._connections) > self.keep:
                self._connections.popitem(last=False)
        return number

    def add(self, connection: int, kind: Kind, data: EventData) -> None:
        """Append one event, stamped now, and hand it to every sink."""
        event = Event(time.monotonic_ns(), connection, kind, data)
        events = self._connections.get(connection)
        if events is not None:
            events.append(event)
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
