"""One run of a worker, from request to Invocation: the engine answers, the journal and the
recording say what happened meanwhile, and an error is told by its cause.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import overload

from ..errors import WorkerError, WorkerStopped, WorkerThrew, WorkerTimeout
from ..loop import Interrupted, wait
from ..recorder.handshake import Handshake, fold
from ..recorder.recording import Recording
from .engines import ENGINES, Surroundings
from .exchange import HttpRequest, HttpResponse, Invocation, Program, Subrequest, WorkerSource
from .fetch import BoundFetcher
from .journal import Entry, Journal, Mark
from .source import parse_request, undeclared

_SETTLE_S = 0.02
_LOST = "Network connection lost"


@dataclass(frozen=True, slots=True)
class _Call:
    """An invocation under way."""

    request: HttpRequest
    mark: Mark
    started_ns: int


class Worker:
    """A worker's source with the bindings it sees, made ready once and callable many times."""

    def __init__(
        self, source: WorkerSource, surroundings: Surroundings, recording: Recording, journal: Journal
    ) -> None:
        self.source = source
        self._environment = surroundings.environment
        self._recording = recording
        self._journal = journal
        self._program: Program = ENGINES[source.language](source, surroundings)

    def fetch(
        self,
        request: HttpRequest | str = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        timeout_s: float | None = None,
        show: Callable[[Entry], None] | None = None,
    ) -> Invocation:
        """Return what one request came to; a worker's error is in `.error`, not raised.

        `show` hears log lines and subrequests in the calling thread while the worker runs. An
        interrupt or `timeout_s` stops the worker within a second.
        """
        asked = _request(request, method, headers, body)
        call = self._call(asked)
        inbox: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        self._journal.tell = inbox.put if show else _unheard
        try:
            future = self._program.submit(asked)
            answer = wait(future, self._program.stop, timeout_s=timeout_s, inbox=inbox, show=show or _unheard)
        except Interrupted as ended:
            return self._invocation(call, None, _ended(ended, timeout_s))
        except WorkerError as error:
            return self._invocation(call, None, error)
        finally:
            self._journal.tell = _unheard
        return self._invocation(call, answer, None)

    def start(
        self,
        request: HttpRequest | str = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> Future[Invocation]:
        """Return a future of the Invocation, for callers that have a loop or many requests at once."""
        asked = _request(request, method, headers, body)
        call, done = self._call(asked), Future[Invocation]()

        def finish(future: Future[HttpResponse]) -> None:
            try:
                done.set_result(self._invocation(call, future.result(), None))
            except WorkerError as error:
                done.set_result(self._invocation(call, None, error))
            except BaseException as error:  # noqa: BLE001 - the waiter gets it, whatever it is
                done.set_exception(error)

        self._program.submit(asked).add_done_callback(finish)
        return done

    @property
    def program(self) -> Program:
        """Return what the engine made ready, for whoever serves it (`serve.Served`)."""
        return self._program

    def handle(self) -> Handle:
        """Return what a notebook keeps of a named worker: `await api.fetch("/orders")`."""
        return Handle(self)

    def close(self) -> None:
        """Stop the engine and close the connections."""
        self._program.stop()
        for fetcher in (*self._environment.fetchers.values(), self._environment.fallback):
            if isinstance(fetcher, BoundFetcher):
                fetcher.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, request: HttpRequest) -> _Call:
        return _Call(request, self._journal.mark(), time.monotonic_ns())

    def _invocation(self, call: _Call, response: HttpResponse | None, error: WorkerError | None) -> Invocation:
        elapsed = time.monotonic_ns() - call.started_ns
        self._journal.settle(call.mark, _SETTLE_S)
        logs, trace = self._journal.since(call.mark)
        if isinstance(error, WorkerThrew):
            error = self._told_by_its_cause(error, trace)
        return Invocation(
            source=self.source,
            request=call.request,
            response=response,
            error=error,
            logs=logs,
            trace=trace,
            handshakes=Folded(self._recording, trace),
            elapsed_ns=elapsed,
        )

    def _told_by_its_cause(self, error: WorkerThrew, trace: tuple[Subrequest, ...]) -> WorkerThrew:
        """Return the error with the cause of the subrequest that failed, or the name that env lacks."""
        failed = [one.diagnosis for one in trace if one.diagnosis and one.status is None]
        # A worker may survive a failed fetch and throw something else. In JavaScript only workerd's own words
        # tell the two apart; a Python worker's error carries its cause already.
        if failed and self.source.language != "python" and _LOST in error.message:
            return _retold(error, failed[-1].cause, failed[-1].fix)
        declared = {*self._environment.fetchers, *self._environment.variables}
        if missing := undeclared(self.source, declared):
            there = ", ".join(sorted(declared)) or "nothing"
            hint = f"env.{missing[0]} is not bound; bound: {there}. Bind it: %mtls_bindings {missing[0]}=CERTIFICATE"
            return _retold(error, error.message, hint)
        return error


class Handle:
    """A worker by name, for `await`: its fetch answers as a client would see it, errors raised."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.invocation: Invocation | None = None

    async def fetch(
        self,
        request: HttpRequest | str = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> HttpResponse:
        """Return the worker's response; `.invocation` keeps the latest whole story. Raises WorkerError."""
        started = self.worker.start(request, method=method, headers=headers, body=body)
        self.invocation = await asyncio.wrap_future(started)
        if self.invocation.error is not None:
            raise self.invocation.error
        assert self.invocation.response is not None
        return self.invocation.response

    def __repr__(self) -> str:
        source = self.worker.source
        return f"<worker {source.name} ({source.language}): await {source.name}.fetch('/')>"


def _retold(error: WorkerThrew, message: str, hint: str) -> WorkerThrew:
    told = WorkerThrew(message, hint)
    told.name, told.line, told.column, told.stack = error.name, error.line, error.column, error.stack
    told.__cause__ = error
    return told


def _ended(ended: Interrupted, timeout_s: float | None) -> WorkerError:
    if ended.by == "deadline":
        return WorkerTimeout(
            f"The worker did not answer within {timeout_s:g} s and was stopped.",
            "Give it longer with --timeout S, or look for an endless loop.",
        )
    return WorkerStopped("The worker was stopped.", "Run the cell again when you like: the session is intact.")


class Folded(Sequence[Handshake]):
    """The handshakes of a trace, in order, each connection's once; folded when first looked at.

    A thousand invocations cost no decoding that nobody reads, so this is a sequence and not a tuple.
    """

    def __init__(self, recording: Recording, trace: Iterable[Subrequest]) -> None:
        numbers = dict.fromkeys(one.connection for one in trace if one.connection is not None)
        self._recorded = [events for number in numbers if (events := recording.events(number))]
        self._folded: list[Handshake] | None = None

    def _all(self) -> list[Handshake]:
        if self._folded is None:
            self._folded = [fold(events) for events in self._recorded]
        return self._folded

    @overload
    def __getitem__(self, index: int) -> Handshake: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Handshake]: ...
    def __getitem__(self, index: int | slice) -> Handshake | Sequence[Handshake]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._recorded)

    def __repr__(self) -> str:
        return repr(tuple(self._all()))


def _request(
    request: HttpRequest | str, method: str | None, headers: Mapping[str, str] | None, body: bytes | str
) -> HttpRequest:
    if isinstance(request, HttpRequest):
        return request
    data = body.encode() if isinstance(body, str) else body
    asked = parse_request(f"{method} {request}" if method else request, (), data)
    return HttpRequest(asked.method, asked.url, tuple((headers or {}).items()), data)


def _unheard(_entry: Entry) -> None: ...
