"""How a request spent its time: seven phases that follow one another without a gap.

Only moments are recorded, each the beginning of a phase; a phase lasts until the next one that took place
begins. So the phases always add up to the whole, and the one in which a request failed is the last.
A worker's trace, its waterfall and the HAR all read their times here. What may not live here: clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from .events import Event, Kind

Phase = Literal["queue", "dns", "tcp", "tls", "send", "wait", "receive"]


@dataclass(frozen=True, slots=True)
class Setup:
    """When the phases of a connection that was opened for a request began, None where never reached."""

    dns_ns: int | None = None
    tcp_ns: int | None = None
    tls_ns: int | None = None

    @classmethod
    def of(cls, events: Iterable[Event]) -> Setup:
        """Return what one connection's events say; the first of each kind counts."""
        at: dict[Kind, int] = {}
        for event in events:
            at.setdefault(event.kind, event.at_ns)
        return cls(at.get(Kind.CONNECTING), at.get(Kind.RESOLVED), at.get(Kind.TLS_STARTED))

    @property
    def begun(self) -> tuple[int | None, int | None, int | None]:
        """Return the three moments in order."""
        return self.dns_ns, self.tcp_ns, self.tls_ns


REUSED = Setup()
"""What a reused connection begins anew: nothing."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Nanoseconds that each phase took, None for one that did not take place; together they are the whole.

    `queue` is the time without a connection, `dns`, `tcp` and `tls` set up a new one (None on a reused one),
    `send` ends with the request's last byte, `wait` with the answer's head, `receive` with its body.
    `dict(phases)` gives those that took place, by name, in order.
    """

    queue_ns: int | None = None
    dns_ns: int | None = None
    tcp_ns: int | None = None
    tls_ns: int | None = None
    send_ns: int | None = None
    wait_ns: int | None = None
    receive_ns: int | None = None

    @classmethod
    def between(cls, begun: Sequence[int | None], end_ns: int) -> Phases:
        """Return the phases that began at the moments of `begun` (one for each, in order), the last until `end_ns`.

        A phase never begins after a later one: an answer may begin while the request is still being sent.
        """
        took: list[int | None] = []
        end = end_ns
        for at in reversed(begun):
            began = end if at is None else min(at, end)
            took.append(None if at is None else end - began)
            end = began
        return cls(*reversed(took))

    @property
    def total_ns(self) -> int:
        """Return the sum of all phases."""
        return sum(took for _, took in self)

    @property
    def last(self) -> Phase:
        """Return the latest phase that began: where a request is, or failed."""
        return [phase for phase, _ in self][-1]

    def __iter__(self) -> Iterator[tuple[Phase, int]]:
        for phase, name in _FIELDS:
            took = getattr(self, name)
            if took is not None:
                yield phase, took


_FIELDS: tuple[tuple[Phase, str], ...] = tuple((f.name.removesuffix("_ns"), f.name) for f in fields(Phases))  # type: ignore[misc]
