"""A run of a worker while it goes on: messages appear, the waterfall grows, log lines come in.

`LiveInvocation.push` takes what the journal and the recording tell, from any thread, and returns at once; one
thread of its own sends what has changed, at most 20 times a second and the slower the longer sending takes.
What may not live here: what is drawn (`invocation`, `trace`, `handshake`), and running anything.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from ..recorder.events import Event, Kind
from ..recorder.handshake import fold
from ..recorder.phases import Setup
from ..worker.exchange import HttpRequest, Invocation, LogLine, Subrequest, WorkerSource
from ..worker.journal import Entry
from . import handshake
from .invocation import InvocationWidget, head, log_lines
from .text import counted
from .trace import Trace

EVERY_S = 0.05
# At most this share of the time goes into sending; a long trace is sent less often.
SHARE = 0.2
LOG_LINES_LIVE = 100

_Key = tuple[int, str, str, str]


class LiveInvocation:
    """A run under way and the widget that shows it. Hand `push` to whoever tells; end with `done` or `leave`."""

    def __init__(self, source: WorkerSource, request: HttpRequest) -> None:
        self._source, self._request = source, request
        self._started_ns = time.monotonic_ns()
        self._logs: list[LogLine] = []
        self._trace: dict[_Key, Subrequest] = {}
        self._newest: list[Event] = []
        self._opening: dict[int, list[Event]] = {}
        self._changed = threading.Condition()
        self._dirty = False
        self._over = False
        self.widget = InvocationWidget()
        self.widget.state = self._state(self._told())
        self._thread = threading.Thread(target=self._send, name="mtls-notebook live view", daemon=True)
        self._thread.start()

    def push(self, told: Entry | Event) -> None:
        """Take in a log line, a subrequest as far as it is known, or an event of a connection; never waits."""
        with self._changed:
            if isinstance(told, LogLine):
                self._logs.append(told)
            elif isinstance(told, Subrequest):
                self._trace[told.started_ns, told.binding, told.method, told.url] = told
                if told.setup is not None and told.connection is not None:
                    self._opening.pop(told.connection, None)
            elif not self._take(told):
                return
            self._dirty = True
            self._changed.notify()

    def done(self, invocation: Invocation) -> None:
        """Show what the run came to, in the same place."""
        self._stop()
        self.widget.show(invocation)

    def leave(self) -> None:
        """Empty the place, for a result that is shown in its own."""
        self._stop()
        self.widget.state = {}

    def _take(self, event: Event) -> bool:
        """Keep an event that a phase or the newest connection's handshake is told by; return whether it was one."""
        if event.kind in (Kind.WIRE, Kind.SECRET):
            return False
        if event.kind in _BEGINNINGS:
            self._opening.setdefault(event.connection, []).append(event)
        current = self._newest[0].connection if self._newest else event.connection
        if event.connection > current:
            self._newest = []
        if event.connection >= current:
            self._newest.append(event)
        return event.connection >= current or event.kind in _BEGINNINGS

    def _stop(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._over)
                if self._over:
                    return
                self._dirty = False
                told = self._told()
            began = time.monotonic()
            self.widget.state = self._state(told)
            rest = max(EVERY_S, (time.monotonic() - began) / SHARE)
            with self._changed:
                self._changed.wait_for(lambda: self._over, rest)

    def _told(self) -> _Told:
        """Return a copy of what was told so far; the caller holds the lock, or is the only one who knows this."""
        return _Told(
            logs=tuple(self._logs[-LOG_LINES_LIVE:]),
            log_count=len(self._logs),
            trace=tuple(self._trace.values()),
            newest=tuple(self._newest),
            opening={number: tuple(events) for number, events in self._opening.items()},
        )

    def _state(self, told: _Told) -> dict[str, Any]:
        now = time.monotonic_ns()
        first = told.log_count - len(told.logs)
        return head(self._source, self._request, now - self._started_ns) | {
            "logs": log_lines(told.logs, first),
            "hidden_logs": first,
            **Trace(told.trace, (), now, {number: Setup.of(events) for number, events in told.opening.items()}).state(),
            "running": {
                "words": f"running: {counted(len(told.trace), 'subrequest')} so far",
                "handshake": _outline(told.newest),
            },
        }


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told at one moment: the latest log lines, how many there were, the trace, the newest connection.

    `opening` holds the connections that no subrequest has taken over yet.
    """

    logs: tuple[LogLine, ...]
    log_count: int
    trace: tuple[Subrequest, ...]
    newest: tuple[Event, ...]
    opening: dict[int, tuple[Event, ...]]


# Where a phase of a new connection begins (recorder.phases.Setup).
_BEGINNINGS = frozenset({Kind.CONNECTING, Kind.RESOLVED, Kind.TLS_STARTED})

# What ends a handshake, one way or the other; before, nothing has failed yet and nothing is missing.
_ENDS = frozenset({Kind.TLS_DONE, Kind.TLS_FAILED, Kind.CLOSED, Kind.RESPONSE})
_UNDER_WAY = {"badge": {"text": "under way", "tone": "neutral"}, "note": None}


def _outline(events: tuple[Event, ...]) -> dict[str, Any] | None:
    """Return a handshake as far as it has come, in outline; None before its first message."""
    shown = fold(events)
    if not shown.arrows:
        return None
    last = len(shown.arrows) - 1
    drawn = handshake.outline(shown) | {"selected": last}
    if shown.alert is not None or any(event.kind in _ENDS for event in events):
        return drawn
    place = next(number for number, row in enumerate(drawn["rows"]) if row["arrow"] == last)
    label = f"Handshake with {handshake.title(shown)}: under way"
    return drawn | _UNDER_WAY | {"label": label, "rows": drawn["rows"][: place + 1]}
