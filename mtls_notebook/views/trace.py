"""The subrequests of a run as rows of a waterfall: who was asked, with what certificate, how it went, how long.

A long trace is cut to what a reader looks at (its beginning, its failures, its end), and every gap says what it
hides. What may not live here: the answer and the log of a run (`invocation`), widgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..diagnosis.doctor import Diagnosis
from ..errors import NotACertificate
from ..pki.certificate import Certificate
from ..recorder.handshake import Handshake
from ..worker.exchange import Subrequest
from .certificate import name as certificate_name
from .story import badge
from .text import counted, grouped_hex, milliseconds, shortened, size, visible

HANDSHAKES_SHOWN = 8
FIRST_SHOWN, FAILED_SHOWN, LAST_SHOWN = 80, 40, 40
URL_LIMIT = 300

# First digit of a status → its tone.
TONES = {2: "proof", 1: "neutral", 3: "neutral", 4: "alert", 5: "alert"}

HEAD = ("Request", "Binding", "Status", "Handshake")


class Trace:
    """Subrequests with the handshakes of their connections. `now_ns` is the moment of a run that still goes on."""

    def __init__(
        self, subrequests: Sequence[Subrequest], handshakes: Sequence[Handshake] = (), now_ns: int | None = None
    ) -> None:
        self._subrequests = tuple(subrequests)
        self._numbers = {shown.connection: index for index, shown in enumerate(handshakes)}
        self._handshakes = handshakes
        self._now_ns = now_ns
        self._start = min((sub.started_ns for sub in self._subrequests), default=0)
        last = max((self._end(sub) for sub in self._subrequests), default=0)
        self._length = max(1, last - self._start)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows to draw; where some are left out stands a row with "gap" and words instead."""
        numbers = kept(self._subrequests)
        drawn = [self._row(number) for number in numbers[:1]]
        for before, number in pairwise(numbers):
            if number - before > 1:
                drawn.append(self._gap(before + 1, number))
            drawn.append(self._row(number))
        return drawn

    def table(self) -> list[tuple[str, str, str, str]]:
        """Return the rows as cells that do not differ between two equal runs."""
        numbers = kept(self._subrequests)
        cells = [self._cells(number) for number in numbers[:1]]
        for before, number in pairwise(numbers):
            if number - before > 1:
                cells.append((f"… {counted(number - before - 1, 'more subrequest')}", "", "", ""))
            cells.append(self._cells(number))
        return cells

    def first_to_open(self) -> int:
        """Return the first subrequest that failed and has a handshake to show, else the first that has one; or -1."""
        shown = [i for i in range(len(self._subrequests)) if self.shown(i) >= 0]
        return next((i for i in shown if failed(self._subrequests[i])), shown[0] if shown else -1)

    def shown(self, number: int) -> int:
        """Return the number of the subrequest's handshake among those shown, -1 without one of its own."""
        sub = self._subrequests[number]
        index = -1 if sub.reused or sub.connection is None else self._numbers.get(sub.connection, -1)
        return index if index < HANDSHAKES_SHOWN else -1

    def _row(self, number: int) -> dict[str, Any]:
        sub = self._subrequests[number]
        waited_until = self._end(sub) if sub.headers_ns is None else sub.headers_ns
        return {
            "number": number,
            "title": visible(shortened(f"{sub.method} {sub.url}", URL_LIMIT)),
            "binding": visible(sub.binding),
            "certificate": self._certificate(sub),
            "status": self._status(sub),
            "size": size(sub.response_bytes) if sub.response_bytes else "",
            "time": milliseconds(self._end(sub) - sub.started_ns),
            "bar": [self._percent(at) for at in (sub.started_ns, waited_until, self._end(sub))],
            "failed": failed(sub) and not self._runs(sub),
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

    def _runs(self, sub: Subrequest) -> bool:
        """Return whether the subrequest is still under way: its run goes on and nothing ended it."""
        return self._now_ns is not None and sub.ended_ns is None and sub.diagnosis is None

    def _end(self, sub: Subrequest) -> int:
        if self._now_ns is not None and self._runs(sub):
            return max(self._now_ns, sub.started_ns)
        return next(at for at in (sub.ended_ns, sub.headers_ns, sub.started_ns) if at is not None)

    def _percent(self, at_ns: int) -> float:
        return round(100 * (at_ns - self._start) / self._length, 2)

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

    def _certificate(self, sub: Subrequest) -> dict[str, str] | None:
        if not sub.fingerprint:
            return None
        return {"name": _certificate_name(self._handshake(sub)), "fingerprint": grouped_hex(visible(sub.fingerprint))}


def kept(subrequests: Sequence[Subrequest]) -> list[int]:
    """Return the numbers of the rows to show: all of a usual trace, of a long one its start, failures and end."""
    count = len(subrequests)
    if count <= FIRST_SHOWN + FAILED_SHOWN + LAST_SHOWN:
        return list(range(count))
    bad = [number for number in range(count) if failed(subrequests[number])][:FAILED_SHOWN]
    return sorted({*range(FIRST_SHOWN), *bad, *range(count - LAST_SHOWN, count)})


def failed(sub: Subrequest) -> bool:
    """Return whether the subrequest got no answer, or one that was diagnosed."""
    return sub.status is None or sub.diagnosis is not None


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
