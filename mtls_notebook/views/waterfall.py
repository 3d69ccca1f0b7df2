"""The phases of a subrequest for a reader: what each is called and means, and a bar cut into them.

What may not live here: which subrequests are shown (`trace`), and how long a phase took (`recorder.phases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..recorder.phases import Phase, Phases
from .text import milliseconds

# Shorter parts of a bar are not drawn: they would be drawn longer than they are. The table has them.
SMALLEST_PERCENT = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """A phase's name, what happens in it, and what is said while it goes on."""

    name: str
    meaning: str
    now: str


PHASES: Mapping[Phase, Words] = {
    "queue": Words(
        "Queue",
        "Until a connection is free, or a new one is begun.",
        "waiting for a connection…",
    ),
    "dns": Words(
        "DNS",
        "Looking up the host's address.",
        "looking up the host…",
    ),
    "tcp": Words(
        "TCP",
        "Connecting to that address, and through a proxy where there is one.",
        "connecting…",
    ),
    "tls": Words(
        "TLS",
        "The handshake: agreeing on keys, and proving who is who.",
        "TLS handshake…",
    ),
    "send": Words(
        "Sending",
        "Until the last byte of the request has left.",
        "sending the request…",
    ),
    "wait": Words(
        "Waiting",
        "Until the answer begins. A TLS 1.3 server refuses a certificate here, after its handshake.",
        "waiting for the answer…",
    ),
    "receive": Words(
        "Receiving",
        "Until the last byte of the answer is here, read as fast as the worker wants it.",
        "receiving the answer…",
    ),
}

_PLACES = {key: place for place, key in enumerate(PHASES)}
TIMES_HEAD = ("Request", *(words.name for words in PHASES.values()), "Whole")


def legend() -> list[dict[str, str]]:
    """Return what stands once for all bars: each phase with its name and meaning."""
    return [{"key": key, "name": words.name, "meaning": words.meaning} for key, words in PHASES.items()]


def bar(phases: Phases, at: float, width: float, *, goes_on: bool) -> dict[str, Any]:
    """Return one bar as plain data, `at` and `width` in percent of the whole trace.

    Shape: "parts" holds [place of the phase in `legend`, percent of this bar (0: too short to draw), time in words].
    """
    whole = max(phases.total_ns, 1)
    return {
        "at": round(at, 2),
        "width": round(width, 2),
        "parts": [[_PLACES[key], _drawn(100 * took / whole), milliseconds(took)] for key, took in phases],
        "time": milliseconds(phases.total_ns),
        "now": PHASES[phases.last].now if goes_on else "",
    }


def _drawn(percent: float) -> float:
    return round(percent, 1) if percent >= SMALLEST_PERCENT else 0


def times(title: str, phases: Phases) -> tuple[str, ...]:
    """Return the phases as cells under TIMES_HEAD, "" for one that did not take place."""
    took = dict(phases)
    cells = (milliseconds(took[key]) if key in took else "" for key in PHASES)
    return title, *cells, milliseconds(phases.total_ns)


def used(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the phases that some bar of `rows` has, in order, for a legend that says no more than is drawn."""
    return sorted({part[0] for row in rows if "bar" in row for part in row["bar"]["parts"] if part[1]})
