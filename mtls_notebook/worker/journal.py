"""What a worker's runs left behind, in order: log lines and subrequests, appended from any thread.

State only. An invocation remembers where the journal stood when it began (`mark`) and takes
what came `since`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .exchange import LogLine, Subrequest

T = TypeVar("T")
Entry = LogLine | Subrequest


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a journal."""

    logs: int
    trace: int


MOST_KEPT = 20_000  # lines, and subrequests: a worker that is served for days must not fill the memory


class Journal:
    """Append-only, the oldest entries dropped. `tell` hears each line, and a subrequest's beginning, answer and end."""

    def __init__(self, tell: Callable[[Entry], None] = lambda _: None, most_kept: int = MOST_KEPT) -> None:
        self.tell = tell
        self._logs: _Kept[LogLine] = _Kept(most_kept)
        self._trace: _Kept[Subrequest] = _Kept(most_kept)
        self._lock = threading.Condition()

    def log(self, line: LogLine) -> None:
        """Append one line."""
        with self._lock:
            self._logs.append(line)
        self.tell(line)

    def begin(self, subrequest: Subrequest) -> int:
        """Append a subrequest and return its number, by which `update` replaces it."""
        with self._lock:
            number = self._trace.append(subrequest)
        self.tell(subrequest)
        return number

    def update(self, number: int, subrequest: Subrequest) -> None:
        """Replace a subrequest by what is now known of it."""
        with self._lock:
            self._trace.replace(number, subrequest)
            self._lock.notify_all()
        self.tell(subrequest)

    def mark(self) -> Mark:
        """Return the place where the journal stands now."""
        return Mark(self._logs.end, self._trace.end)

    def since(self, mark: Mark) -> tuple[tuple[LogLine, ...], tuple[Subrequest, ...]]:
        """Return the lines and subrequests that came after `mark` and are still kept."""
        with self._lock:
            return self._logs.since(mark.logs), self._trace.since(mark.trace)

    def settle(self, mark: Mark, timeout_s: float) -> None:
        """Wait until every answered subrequest since `mark` has ended too, at most `timeout_s` seconds.

        The worker's response may be here an instant before the thread that passed its last bytes on
        has noted so; and a body that the worker never reads has no end to wait for.
        """
        with self._lock:
            self._lock.wait_for(lambda: all(map(_has_ended, self._trace.since(mark.trace))), timeout_s)


class _Kept(Generic[T]):
    """The latest entries, numbered from the very first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._first = 0
        self._entries: list[T] = []

    @property
    def end(self) -> int:
        return self._first + len(self._entries)

    def append(self, entry: T) -> int:
        self._entries.append(entry)
        if len(self._entries) > self._most:
            dropped = self._most // 2  # half at once, so that dropping costs next to nothing
            del self._entries[:dropped]
            self._first += dropped
        return self.end - 1

    def replace(self, number: int, entry: T) -> None:
        if number >= self._first:
            self._entries[number - self._first] = entry

    def since(self, number: int) -> tuple[T, ...]:
        return tuple(self._entries[max(number - self._first, 0) :])


def _has_ended(subrequest: Subrequest) -> bool:
    return subrequest.ended_ns is not None or subrequest.status is None
