"""What a worker's runs left behind, in order: log lines and subrequests, appended from any thread.

State only. A run begins with a `mark` and ends when it `take`s what came since. Where the engine carries
the context of the one who submits (Python), an entry knows its run; where it does not (JavaScript), runs
at the same time share what came. Lines that come after the end of their run are its `Late` ones.
What no run can ask for any more is dropped.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from .exchange import LogLine, Subrequest

T = TypeVar("T")
Entry = LogLine | Subrequest
Seen = Callable[[], Subrequest]
"""What is known by now of a subrequest that is under way."""

MOST_KEPT = 20_000  # lines, and subrequests: a worker that is served for days must not fill the memory
MOST_LATE = 1_000  # lines of one run after its end

_NOBODY = 0
_current: ContextVar[int] = ContextVar("current_run", default=_NOBODY)
_numbers = itertools.count(1)  # one row for all journals: a context may pass from one worker to another


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a journal stood when run number `run` began."""

    logs: int
    trace: int
    run: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run left; `shared` when other runs went on meanwhile and some of it may be theirs."""

    logs: tuple[LogLine, ...]
    trace: tuple[Subrequest, ...]
    late: Late
    shared: bool


class Late(Sequence[LogLine]):
    """The lines that a run logged after its end, up to MOST_LATE: it grows while `waitUntil` work goes on."""

    def __init__(self, keep: Callable[[Late], None] = lambda _: None) -> None:
        self._lines: list[LogLine] = []
        self._hear: Callable[[], None] = _unheard
        self._keep = keep

    def follow(self, hear: Callable[[], None]) -> None:
        """Have `hear()` called, from any thread, for every line from now on, and now if there are some."""
        self._hear = hear
        self._keep(self)
        if self._lines:
            hear()

    def add(self, line: LogLine) -> None:
        """Append one line, as long as there is room."""
        if len(self._lines) < MOST_LATE:
            self._lines.append(line)
            self._hear()

    @overload
    def __getitem__(self, index: int) -> LogLine: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogLine]: ...
    def __getitem__(self, index: int | slice) -> LogLine | Sequence[LogLine]:
        return self._lines[index]

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return repr(tuple(self._lines))


class Journal:
    """Append-only, the oldest entries dropped. `tell` hears each line, and a subrequest's beginning, answer and end."""

    def __init__(self, tell: Callable[[Entry], None] | None = None, most_kept: int = MOST_KEPT) -> None:
        self._tell = tell
        self._logs: _Kept[LogLine] = _Kept(most_kept)
        self._trace: _Kept[Subrequest | Seen] = _Kept(most_kept)
        self._lock = threading.Condition()
        self._ears: dict[int, Callable[[Entry], None]] = {}
        self._under_way: dict[int, bool] = {}  # run → whether it has had company
        self._begun: dict[int, Mark] = {}  # of the same runs, the oldest first
        self._late: weakref.WeakValueDictionary[int, Late] = weakref.WeakValueDictionary()
        self._followed: list[Late] = []  # somebody shows them, even if nobody keeps the run's invocation
        self._last_ended = _NOBODY

    def log(self, line: LogLine) -> None:
        """Append one line."""
        run = _current.get()
        with self._lock:
            self._logs.append(run, line)
            late = self._late_of(run)
        if late is not None:
            late.add(line)
        self._say(run, line)

    def begin(self, subrequest: Subrequest | Seen) -> int:
        """Append a subrequest and return its number, by which it is updated."""
        run = _current.get()
        with self._lock:
            number = self._trace.append(run, subrequest)
        self._say(run, subrequest)
        return number

    def update(self, number: int, subrequest: Subrequest | None = None) -> None:
        """Replace a subrequest by what is now known of it for good; None: say that more is known than before."""
        if subrequest is None and not self._ears and self._tell is None:
            return
        with self._lock:
            run, known = self._trace.at(number) if subrequest is None else self._trace.replace(number, subrequest)
            self._lock.notify_all()
        if known is not None:
            self._say(run, known)

    def mark(self) -> Mark:
        """Return the place where the journal stands now; a run begins here, until it takes or leaves."""
        with self._lock:
            run = next(_numbers)
            has_company = bool(self._under_way)
            self._under_way = dict.fromkeys(self._under_way, True) | {run: has_company}
            mark = self._begun[run] = Mark(self._logs.end, self._trace.end, run)
            return mark

    @property
    def under_way(self) -> int:
        """Return how many runs have begun and neither taken nor left."""
        return len(self._under_way)

    @contextlib.contextmanager
    def within(self, mark: Mark) -> Iterator[None]:
        """What is submitted inside this block, and what it starts in turn, writes as the run of `mark`."""
        token = _current.set(mark.run)
        try:
            yield
        finally:
            _current.reset(token)

    @contextlib.contextmanager
    def telling(self, mark: Mark, hear: Callable[[Entry], None]) -> Iterator[None]:
        """Let `hear` hear the entries of one run (and those that know no run) inside this block."""
        with self._lock:
            self._ears = self._ears | {mark.run: hear}
        try:
            yield
        finally:
            with self._lock:
                self._ears = {run: ear for run, ear in self._ears.items() if run != mark.run}

    def since(self, mark: Mark) -> tuple[tuple[LogLine, ...], tuple[Subrequest, ...]]:
        """Return the run's lines and subrequests that are still kept."""
        with self._lock:
            return self._logs.since(mark.logs, mark.run), tuple(map(_known, self._trace.since(mark.trace, mark.run)))

    def take(self, mark: Mark) -> Taken:
        """Return what the run left, and end it: its later lines are late ones."""
        with self._lock:
            logs, trace = self.since(mark)
            had_company = self._under_way.pop(mark.run, False)
            late = Late(self._followed.append)
            self._late[mark.run] = late
            self._last_ended = mark.run
            shared = had_company and (self._logs.has_unknown(mark.logs) or self._trace.has_unknown(mark.trace))
            self._forget(mark)
            return Taken(logs, trace, late, shared)

    def leave(self, mark: Mark) -> None:
        """End a run whose entries nobody wants."""
        with self._lock:
            self._under_way.pop(mark.run, None)
            self._forget(mark)

    def _forget(self, ended: Mark) -> None:
        """Drop what came before the oldest run that is under way; a subrequest that goes on keeps its place."""
        self._begun.pop(ended.run, None)
        oldest = next(iter(self._begun.values()), None)
        self._logs.drop(oldest.logs if oldest else self._logs.end)
        self._trace.drop(oldest.trace if oldest else self._trace.end, _is_final)

    def settle(self, mark: Mark, timeout_s: float) -> None:
        """Wait until every answered subrequest of the run has ended too, at most `timeout_s` seconds.

        The worker's response may be here an instant before the thread that passed its last bytes on
        has noted so; and a body that the worker never reads has no end to wait for. Among other runs nothing
        waits: one of them would always have a subrequest under way.
        """
        with self._lock:
            if self._under_way.get(mark.run):
                return
            self._lock.wait_for(lambda: all(map(_has_ended, self._trace.since(mark.trace, mark.run))), timeout_s)

    def _late_of(self, run: int) -> Late | None:
        """Return where a line goes that came too late; one that knows no run may be of a run under way."""
        if run == _NOBODY:
            return None if self._under_way else self._late.get(self._last_ended)
        return self._late.get(run)

    def _say(self, run: int, entry: Entry | Seen) -> None:
        hearing = [hear for own, hear in self._ears.items() if run in (_NOBODY, own)]
        if self._tell is not None:
            hearing.append(self._tell)
        if hearing:
            told = entry if isinstance(entry, LogLine) else _known(entry)
            for hear in hearing:
                hear(told)


class _Kept(Generic[T]):
    """The latest entries, numbered from the very first, each with its run."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._first = 0
        self._entries: list[tuple[int, T]] = []

    @property
    def end(self) -> int:
        return self._first + len(self._entries)

    def append(self, run: int, entry: T) -> int:
        self._entries.append((run, entry))
        if len(self._entries) > self._most:
            self._drop_first(self._most // 2)  # half at once, so that dropping costs next to nothing
        return self.end - 1

    def drop(self, before: int, may_go: Callable[[T], bool] | None = None) -> None:
        """Drop the entries in front of number `before`, up to the first that may not go."""
        count = before - self._first
        if count > 0 and may_go is not None:
            count = next((at for at in range(count) if not may_go(self._entries[at][1])), count)
        if count > 0:
            self._drop_first(count)

    def _drop_first(self, count: int) -> None:
        del self._entries[:count]
        self._first += count

    def at(self, number: int) -> tuple[int, T | None]:
        """Return an entry with its run; None when it is no longer kept."""
        return (_NOBODY, None) if number < self._first else self._entries[number - self._first]

    def replace(self, number: int, entry: T) -> tuple[int, T]:
        """Replace an entry, if it is still kept; return it with its run."""
        run, _ = self.at(number)
        if number >= self._first:
            self._entries[number - self._first] = run, entry
        return run, entry

    def since(self, number: int, run: int) -> tuple[T, ...]:
        return tuple(entry for own, entry in self._from(number) if own in (_NOBODY, run))

    def has_unknown(self, number: int) -> bool:
        return any(own == _NOBODY for own, _ in self._from(number))

    def _from(self, number: int) -> list[tuple[int, T]]:
        return self._entries[max(number - self._first, 0) :]


def _known(subrequest: Subrequest | Seen) -> Subrequest:
    return subrequest if isinstance(subrequest, Subrequest) else subrequest()


def _is_final(subrequest: Subrequest | Seen) -> bool:
    return isinstance(subrequest, Subrequest) and subrequest.ended_ns is not None


def _has_ended(subrequest: Subrequest | Seen) -> bool:
    known = _known(subrequest)
    return known.ended_ns is not None or known.status is None


def _unheard() -> None: ...
