"""Many requests to one worker: so many at a time, each ending in a row, whatever became of it.

    results = await api.fetch_all(["/orders/1", "/orders/2"], at_once=8)

What may not live here: how a request is sent, and how progress is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sized
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from ...errors import MtlsNotebookError, UsageError, WorkerTimeout
from ..exchange import HttpRequest, Invocation
from .asking import Asked, as_request, words
from .rows import Result, Results

AT_ONCE = 8
_TICK_S = 0.5

Start = Callable[[HttpRequest], "Future[Invocation]"]


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch is. `total` is None when nobody can say beforehand; `state` ends as "done" or "stopped"."""

    done: int
    failed: int
    total: int | None
    elapsed_ns: int
    state: Literal["running", "done", "stopped"]


Watch = Callable[[Tally], None]


class Batch:
    """Requests on their way, `at_once` at a time; taken from `requests` as there is room, so it may be endless.

    `timeout_s` bounds each request by itself. Raises UsageError.
    """

    def __init__(
        self, start: Start, requests: Iterable[Asked], *, at_once: int = AT_ONCE, timeout_s: float | None = None
    ) -> None:
        if isinstance(requests, (str, bytes, Mapping, HttpRequest)) or not isinstance(requests, Iterable):
            raise UsageError("Many requests are a list, or anything else to iterate over.", "For one, await fetch(…).")
        if at_once < 1:
            raise UsageError(f"at_once={at_once} would send nothing.", "Give it 1 or more.")
        self._start = start
        self._requests = requests
        self._at_once = at_once
        self._timeout_s = timeout_s
        self._total = len(requests) if isinstance(requests, Sized) else None
        self._rows: list[Result] = []
        self._failed = 0
        self._began_ns = time.monotonic_ns()
        self._ended_ns: int | None = None

    @property
    def results(self) -> Results:
        """Return the rows so far."""
        return Results(self._rows, self._total, self._elapsed_ns)

    async def all(self, watch: Watch) -> Results:
        """Return every row, in the order of the requests; `watch` hears of each that ends, and of the end."""
        watch(self._tally("running"))
        ticking = asyncio.create_task(self._tick(watch))
        try:
            async with aclosing(self.each()) as each:
                async for row in each:
                    self._rows.append(row)
                    self._failed += not row.ok
                    watch(self._tally("running"))
        except BaseException:
            self._ended_ns = time.monotonic_ns()
            watch(self._tally("stopped"))
            raise
        finally:
            ticking.cancel()
        self._ended_ns = time.monotonic_ns()
        self._total = len(self._rows)
        watch(self._tally("done"))
        return self.results

    async def _tick(self, watch: Watch) -> None:
        """Tell that time goes by, while no request ends."""
        while True:
            await asyncio.sleep(_TICK_S)
            watch(self._tally("running"))

    async def each(self) -> AsyncGenerator[Result, None]:
        """Yield each row as its request ends. Whoever leaves early ends the requests under way."""
        numbered = enumerate(self._requests)
        running: set[asyncio.Task[Result]] = set()
        try:
            while True:
                for number, asked in islice(numbered, self._at_once - len(running)):
                    running.add(asyncio.create_task(self._one(number, asked)))
                if not running:
                    return
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(ended, key=lambda task: task.result().number):
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, number: int, asked: Asked) -> Result:
        began_ns = time.monotonic_ns()
        text, invocation, error = words(asked), None, None
        try:
            request = as_request(asked)
            text = words(request)
            async with asyncio.timeout(self._timeout_s):
                invocation = await asyncio.wrap_future(self._start(request))
        except TimeoutError:
            error = _timed_out(self._timeout_s)
        except MtlsNotebookError as raised:
            error = raised
        return Result(number, text, time.monotonic_ns() - began_ns, invocation, error)

    def _tally(self, state: Literal["running", "done", "stopped"]) -> Tally:
        return Tally(len(self._rows), self._failed, self._total, self._elapsed_ns, state)

    @property
    def _elapsed_ns(self) -> int:
        return (self._ended_ns or time.monotonic_ns()) - self._began_ns


def _timed_out(timeout_s: float | None) -> MtlsNotebookError:
    return WorkerTimeout(
        f"The worker did not answer within {timeout_s or 0:g} s.",
        "Give it longer with timeout_s=, or ask fewer at once.",
    )
