"""What a worker's runs left behind, in order: log lines and subrequests, appended from any thread.

State only. An invocation remembers where the journal stood when it began (`mark`) and takes
what came `since`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .exchange import LogLine, Subrequest

Entry = LogLine | Subrequest


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a journal."""

    logs: int
    trace: int


class Journal:
    """Append-only. `tell` hears each line, and each subrequest when it begins, is answered and ends."""

    def __init__(self, tell: Callable[[Entry], None] = lambda _: None) -> None:
        self.tell = tell
        self._logs: list[LogLine] = []
        self._trace: list[Subrequest] = []
        self._lock = threading.Condition()

    def log(self, line: LogLine) -> None:
        """Append one line."""
        self._logs.append(line)
        self.tell(line)

    def begin(self, subrequest: Subrequest) -> int:
        """Append a subrequest and return its number, by which `update` replaces it."""
        with self._lock:
            self._trace.append(subrequest)
            number = len(self._trace) - 1
        self.tell(subrequest)
        return number

    def update(self, number: int, subrequest: Subrequest) -> None:
        """Replace a subrequest by what is now known of it."""
        with self._lock:
            self._trace[number] = subrequest
            self._lock.notify_all()
        self.tell(subrequest)

    def mark(self) -> Mark:
        """Return the place where the journal stands now."""
        return Mark(len(self._logs), len(self._trace))

    def since(self, mark: Mark) -> tuple[tuple[LogLine, ...], tuple[Subrequest, ...]]:
        """Return the lines and subrequests that came after `mark`."""
        return tuple(self._logs[mark.logs :]), tuple(self._trace[mark.trace :])

    def settle(self, mark: Mark, timeout_s: float) -> None:
        """Wait until every answered subrequest since `mark` has ended too, at most `timeout_s` seconds.

        The worker's response may be here an instant before the thread that passed its last bytes on
        has noted so; and a body that the worker never reads has no end to wait for.
        """
        with self._lock:
            self._lock.wait_for(lambda: all(map(_has_ended, self._trace[mark.trace :])), timeout_s)


def _has_ended(subrequest: Subrequest) -> bool:
    return subrequest.ended_ns is not None or subrequest.status is None
