"""A worker by name, as a notebook keeps it: `await api.fetch("/orders")`, once or a thousand times.

What may not live here: running anything, and how progress is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..exchange import HttpResponse, Invocation
from .asking import Asked, as_request
from .batch import AT_ONCE, Tally, Watch
from .rows import Result, Results

if TYPE_CHECKING:
    from ..runtime import Worker


class Handle:
    """A worker by name, for `await`: `fetch` answers as a client would see it, errors raised.

    `watching()` makes what hears how far a `fetch_all` is. A task that awaits and is cancelled ends its requests.
    """

    def __init__(self, worker: Worker, watching: Callable[[], Watch] = lambda: unwatched) -> None:
        self.worker = worker
        self.invocation: Invocation | None = None
        self._watching = watching

    async def fetch(
        self,
        request: Asked = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        json: Any = None,
    ) -> HttpResponse:
        """Return the worker's response; `.invocation` keeps the latest whole story. Raises WorkerError, UsageError."""
        asked = as_request(request, method=method, headers=headers, body=body, json=json)
        self.invocation = invocation = await asyncio.wrap_future(self.worker.start(asked))
        if invocation.error is not None:
            raise invocation.error
        assert invocation.response is not None
        return invocation.response

    async def fetch_all(
        self, requests: Iterable[Asked], *, at_once: int = AT_ONCE, timeout_s: float | None = None
    ) -> Results:
        """Return a row for each request, in their order, failed ones too; a progress line tells how far it is.

        Interrupted or cancelled, it ends within a second; `.results` has the rows until then. Raises UsageError.
        """
        batch = self.worker.batch(requests, at_once=at_once, timeout_s=timeout_s)
        return await batch.all(self._watching())

    def fetch_each(
        self, requests: Iterable[Asked], *, at_once: int = AT_ONCE, timeout_s: float | None = None
    ) -> AsyncGenerator[Result, None]:
        """Return each row as its request ends, for `async for`; none is kept here. Raises UsageError."""
        return self.worker.batch(requests, at_once=at_once, timeout_s=timeout_s).each()

    @property
    def results(self) -> Results:
        """Return what the latest `fetch_all` came to so far."""
        return self.worker.results

    def __repr__(self) -> str:
        source = self.worker.source
        return f"<worker {source.name} ({source.language}): await {source.name}.fetch('/')>"


def unwatched(_tally: Tally) -> None:
    """Show no progress."""
