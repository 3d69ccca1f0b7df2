"""The subrequests of a run as rows of a waterfall: who was asked, with what certificate, how it went, how long.

A long trace is cut to what a reader looks at (its beginning, its failures, its end), and every gap says what it
hides. What may not live here: the answer and the log of a run (`invocation`), a bar's parts (`waterfall`), widgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from ..diagnosis.doctor import Diagnosis
from ..errors import NotACertificate
from ..pki.certificate import Certificate
from ..recorder.handshake import Handshake
from ..recorder.phases import Phases, Setup
from ..worker.exchange import Subrequest
from . import waterfall
from .certificate import name as certificate_name
from .story import badge
from .text import counted, grouped_hex, milliseconds, shortened, size, visible

HANDSHAKES_SHOWN = 8
# A trace this long leaves room for fewer, within what a widget's state may hold.
LONG_TRACE, HANDSHAKES_OF_A_LONG_TRACE = 60, 1
FIRST_SHOWN, FAILED_SHOWN, LAST_SHOWN = 80, 40, 40
URL_LIMIT = 300

# First digit of a status → its tone.
TONES = {2: "proof", 1: "neutral", 3: "neutral", 4: "alert", 5: "alert"}

HEAD = ("Request", "Binding", "Status", "Handshake")


class Trace:
    """Subrequests with the handshakes of their connections.

    Of a run that still goes on, `now_ns` is the moment and `setups` are the connections that are being opened.
    """

    def __init__(
        self,
        subrequests: Sequence[Subrequest],
        handshakes: Sequence[Handshake] = (),
        now_ns: int | None = None,
        setups: Mapping[int, Setup] = MappingProxyType({}),
    ) -> None:
        self._subrequests = tuple(subrequests)
        self._numbers = {shown.connection: index for index, shown in enumerate(handshakes)}
        self._handshakes = handshakes
        self._now_ns = now_ns
        self._setups = setups
        self._certificates: dict[tuple[str, str], int] = {}
        self._kept = kept(self._subrequests)
        self.handshakes_shown = self._chosen_handshakes()
        self.openable = self._openable()
        self._places = {index: place for place, index in enumerate(self.openable)}
        self._start = min((sub.started_ns for sub in self._subrequests), default=0)
        last = max((self._end(sub) for sub in self._subrequests), default=0)
        self._length = max(1, last - self._start)

    def state(self) -> dict[str, Any]:
        """Return all that is drawn of the trace, as plain JSON; rows name their certificate by its number."""
        rows = self.rows()
        return {
            "trace": rows,
            "phases": waterfall.legend() if rows else [],
            "drawn": waterfall.used(rows),
            "span": milliseconds(self._length),
            "certificates": [{"name": name, "fingerprint": digits} for name, digits in self._certificates],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows to draw; where some are left out stands a row with "gap" and words instead."""
        drawn = [self._row(number) for number in self._kept[:1]]
        for before, number in pairwise(self._kept):
            if number - before > 1:
                drawn.append(self._gap(before + 1, number))
            drawn.append(self._row(number))
        return drawn

    def table(self) -> list[tuple[str, str, str, str]]:
        """Return the rows as cells that do not differ between two equal runs."""
        cells = [self._cells(number) for number in self._kept[:1]]
        for before, number in pairwise(self._kept):
            if number - before > 1:
                cells.append((f"… {counted(number - before - 1, 'more subrequest')}", "", "", ""))
            cells.append(self._cells(number))
        return cells

    def times(self) -> list[tuple[str, ...]]:
        """Return the phases of each row of `table` that is a subrequest, under waterfall.TIMES_HEAD."""
        return [
            waterfall.times(self._cells(number)[0], self._phases(self._subrequests[number])) for number in self._kept
        ]

    def first_to_open(self) -> int:
        """Return the first subrequest that failed, else the first that has a handshake to show; or -1."""
        wrong = (number for number in self._kept if failed(self._subrequests[number]))
        shown = (number for number in self._kept if self.shown(number) >= 0)
        return next(wrong, next(shown, -1))

    def shown(self, number: int) -> int:
        """Return the place of the subrequest's handshake in `openable`, -1 without one of its own."""
        return self._places.get(self._own_handshake(number), -1)

    def _own_handshake(self, number: int) -> int:
        sub = self._subrequests[number]
        return -1 if sub.reused or sub.connection is None else self._numbers.get(sub.connection, -1)

    def _chosen_handshakes(self) -> list[int]:
        """Return the handshakes that are shown, by their numbers in order; those of what failed go before others."""
        room = HANDSHAKES_SHOWN if len(self._kept) < LONG_TRACE else HANDSHAKES_OF_A_LONG_TRACE
        by_need = sorted(self._kept, key=lambda number: not failed(self._subrequests[number]))
        wanted = dict.fromkeys(index for number in by_need if (index := self._own_handshake(number)) >= 0)
        return sorted([*wanted][:room])

    def _openable(self) -> list[int]:
        """Return the handshakes that a row can open, by their numbers: those that are shown, then all others."""
        own = dict.fromkeys(index for number in self._kept if (index := self._own_handshake(number)) >= 0)
        return list(dict.fromkeys([*self.handshakes_shown, *own]))

    def _row(self, number: int) -> dict[str, Any]:
        sub = self._subrequests[number]
        return {
            "number": number,
            "title": visible(shortened(f"{sub.method} {sub.url}", URL_LIMIT)),
            "binding": visible(sub.binding),
            "certificate": self._certificate(sub),
            "status": self._status(sub),
            "size": size(sub.response_bytes) if sub.response_bytes else "",
            "crossed": _crossed(sub),
            "bar": self._bar(sub),
            "failed": _broke_off(sub) and not self._runs(sub),
            "handshake": -1 if self._now_ns is not None else self.shown(number),
            "words": self._handshake_words(sub),
            "note": note(sub.diagnosis),
        }

    def _gap(self, start: int, end: int) -> dict[str, Any]:
        hidden = self._subrequests[start:end]
        bad = sum(map(failed, hidden))
        verdict = f"{bad:,} of them failed" if bad else "all answered"
        took = milliseconds(max(map(self._end, hidden)) - min(sub.started_ns for sub in hidden))
        words = f"{counted(len(hidden), 'more subrequest')}, {verdict}, within {took}"
        return {"number": start, "gap": len(hidden), "words": words}

    def _cells(self, number: int) -> tuple[str, str, str, str]:
        sub = self._subrequests[number]
        title = shortened(visible(f"{sub.method} {sub.url}"), 72)
        return title, visible(sub.binding) or "(none)", self._status(sub)["text"], self._handshake_words(sub)

    def _bar(self, sub: Subrequest) -> dict[str, Any]:
        at, end = ((moment - self._start) / self._length * 100 for moment in (sub.started_ns, self._end(sub)))
        return waterfall.bar(self._phases(sub), at, end - at, goes_on=self._runs(sub))

    def _phases(self, sub: Subrequest) -> Phases:
        setup = None if sub.connection is None or sub.reused else self._setups.get(sub.connection)
        return sub.phases_until(self._end(sub), setup)

    def _runs(self, sub: Subrequest) -> bool:
        """Return whether the subrequest is still under way: its run goes on and nothing ended it."""
        return self._now_ns is not None and sub.ended_ns is None and sub.diagnosis is None

    def _end(self, sub: Subrequest) -> int:
        if self._now_ns is not None and self._runs(sub):
            return max(self._now_ns, sub.started_ns)
        return sub.started_ns + sub.phases.total_ns

    def _status(self, sub: Subrequest) -> dict[str, str]:
        if sub.status is not None:
            return {"text": str(sub.status), "tone": TONES.get(sub.status // 100, "neutral")}
        if self._runs(sub):
            return {"text": "waiting", "tone": "neutral"}
        return {"text": "failed" if sub.diagnosis else "no answer", "tone": "alert"}

    def _handshake(self, sub: Subrequest) -> Handshake | None:
        number = -1 if sub.connection is None else self._numbers.get(sub.connection, -1)
        return self._handshakes[number] if number >= 0 else None

    def _handshake_words(self, sub: Subrequest) -> str:
        if sub.reused:
            return "connection reused: no handshake"
        found = self._handshake(sub)
        if found is not None:
            return " · ".join(filter(None, (badge(found)["text"], visible(found.version))))
        if self._now_ns is not None:
            return ""
        return "no handshake" if sub.connection is None else "no handshake was recorded"

    def _certificate(self, sub: Subrequest) -> int:
        """Return the number of the certificate that was offered, -1 for none; a long trace names few, many times."""
        if not sub.fingerprint:
            return -1
        named = _certificate_name(self._handshake(sub)), grouped_hex(visible(sub.fingerprint))
        return self._certificates.setdefault(named, len(self._certificates))


def kept(subrequests: Sequence[Subrequest]) -> list[int]:
    """Return the numbers of the rows to show: all of a usual trace, of a long one its start, failures and end."""
    count = len(subrequests)
    if count <= FIRST_SHOWN + FAILED_SHOWN + LAST_SHOWN:
        return list(range(count))
    bad = [number for number in range(count) if failed(subrequests[number])][:FAILED_SHOWN]
    return sorted({*range(FIRST_SHOWN), *bad, *range(count - LAST_SHOWN, count)})


def _crossed(sub: Subrequest) -> str:
    """Return what crossed, and on what: "sent 12 B · received 345 B · on connection 3, new"."""
    sizes = [f"{word} {size(count)}" for word, count in _counts(sub) if count]
    place = [] if sub.connection is None else [f"on connection {sub.connection}, {'reused' if sub.reused else 'new'}"]
    return " · ".join([*sizes, *place])


def _counts(sub: Subrequest) -> tuple[tuple[str, int], ...]:
    return ("sent", sub.request_bytes), ("received", sub.response_bytes)


def failed(sub: Subrequest) -> bool:
    """Return whether the subrequest got no answer, or one that was diagnosed."""
    return sub.status is None or sub.diagnosis is not None


def _broke_off(sub: Subrequest) -> bool:
    """Return whether it ended before its time; an answer that says no (4xx, 5xx) is whole, though it is diagnosed."""
    return sub.status is None or (sub.status < 400 and sub.diagnosis is not None)


def note(diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    """Return a diagnosis as plain data."""
    if diagnosis is None:
        return None
    evidence = [visible(fact) for fact in diagnosis.evidence]
    return {"cause": visible(diagnosis.cause), "evidence": evidence, "fix": visible(diagnosis.fix)}


def _certificate_name(found: Handshake | None) -> str:
    """Return the name of the certificate that crossed, "" when none did or it cannot be read."""
    if found is None or not found.client_chain:
        return ""
    try:
        return certificate_name(Certificate.from_der(found.client_chain[0]))
    except NotACertificate:
        return ""
