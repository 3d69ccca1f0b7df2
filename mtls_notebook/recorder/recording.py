"""The recording: events, appended and never changed, of the latest connections.

State only: who stamps and adds the events is the tap (and the lab for its own side), who
reads them folds (`recorder.handshake`).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from .events import Event, EventData, Kind

Sink = Callable[[Event], None]

MOST_CARRIED = 512  # requests and responses of one connection; when there are more, the older half is let go of
_CARRIED = frozenset({Kind.REQUEST, Kind.RESPONSE})


class SoFar(Sequence[Event]):
    """A connection's events up to a moment. Nothing is copied: a thousand of these share one list."""

    __slots__ = ("_count", "_events")

    def __init__(self, events: list[Event]) -> None:
        self._events = events  # only ever appended to
        self._count = len(events)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        return self._events[: self._count][index]

    def __iter__(self) -> Iterator[Event]:
        return itertools.islice(self._events, self._count)

    def __len__(self) -> int:
        return self._count


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
        with self._lock:
            events = self._connections.get(connection)
            if events is not None:
                events.append(event)
                if kind in _CARRIED:
                    events.carried += 1
                    if events.carried > MOST_CARRIED:
                        self._connections[connection] = _without_the_older(events)
        for sink in self._sinks:
            sink(event)

    def events(self, connection: int) -> tuple[Event, ...]:
        """Return the events of one connection so far, () when it is no longer kept."""
        return tuple(self._connections.get(connection, ()))

    def so_far(self, connection: int) -> Sequence[Event]:
        """Return the same as `events` without a copy, for whoever keeps it and may never look."""
        events = self._connections.get(connection)
        return () if events is None else SoFar(events)

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


class _Events(list[Event]):
    """One connection's events, with the number of those that are requests or responses."""

    __slots__ = ("carried",)

    def __init__(self, events: Sequence[Event] = (), carried: int = 0) -> None:
        super().__init__(events)
        self.carried = carried


def _without_the_older(events: _Events) -> _Events:
    """Return a new list without the older half of the requests and responses, save the first of each."""
    carried = [at for at, event in enumerate(events) if event.kind in _CARRIED]
    first = {next((at for at in carried if events[at].kind is kind), -1) for kind in _CARRIED}
    dropped = set(carried[: len(carried) // 2]) - first
    return _Events([e for at, e in enumerate(events) if at not in dropped], len(carried) - len(dropped))
