"""What the origin itself saw of one connection: a bounded, append-only list of events.

It is the other half of the story that the client's tap records; the peer's source port is what
both halves have in common. No sockets here, and no TLS: others say what happened, this keeps it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ..recorder.events import Bytes, Event, EventData, Kind, Side

_LAST_WORDS = frozenset({Kind.TLS_FAILED, Kind.CLOSED})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one recording keeps: WIRE bytes over both directions, and events."""

    wire_bytes: int = 262_144
    events: int = 2_000


class Recording:
    """One connection as the origin saw it. `peer_port` is the client's TCP port.

    `done` is set when the connection is over and nothing will be added any more.
    """

    def __init__(self, origin: str, number: int, peer_port: int, bounds: Bounds | None = None) -> None:
        self.origin = origin
        self.number = number
        self.peer_port = peer_port
        self.done = threading.Event()
        self._bounds = bounds or Bounds()
        self._events: list[Event] = []
        self._wire_left = self._bounds.wire_bytes
        self._unkept: dict[Side, int] = {"client": 0, "server": 0}

    @property
    def events(self) -> tuple[Event, ...]:
        """Return what happened so far, oldest first."""
        return tuple(self._events)

    def add(self, kind: Kind, data: EventData) -> None:
        """Append one event, stamped now; past the bound only the last words are kept."""
        if len(self._events) < self._bounds.events or kind in _LAST_WORDS:
            self._events.append(Event(time.monotonic_ns(), self.number, kind, data))

    def wire(self, sender: Side, data: bytes) -> None:
        """Append what crossed the socket; what exceeds the bound is counted, not kept."""
        kept = data[: self._wire_left]
        self._wire_left -= len(kept)
        if kept:
            self.add(Kind.WIRE, Bytes(sender, kept, len(data)))
        else:
            self._unkept[sender] += len(data)

    def close(self, why: str) -> None:
        """Append the last event and mark the recording as done."""
        for sender, total in self._unkept.items():
            if total:
                self.add(Kind.WIRE, Bytes(sender, b"", total))
        self.add(Kind.CLOSED, why)
        self.done.set()

    def __repr__(self) -> str:
        return f"<Recording {self.number} of {self.origin!r}: port {self.peer_port}, {len(self._events)} events>"
