"""One run of a worker, from request to Invocation: the engine answers, the journal and the
recording say what happened meanwhile, and an error is told by its cause.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, overload

from ..errors import WorkerError, WorkerStopped, WorkerThrew, WorkerTimeout
from ..loop import Interrupted, LoopThread, wait, wait_here
from ..recorder.handshake import Handshake, fold
from ..recorder.recording import Recording
from .calls.asking import Asked, as_request
from .calls.batch import AT_ONCE, Batch, Tally, Watch
from .calls.named import Handle, unwatched
from .calls.patience import Patience
from .calls.rows import Results, counted
from .engines import ENGINES, Surroundings
from .exchange import HttpRequest, HttpResponse, Invocation, Program, Subrequest, WorkerSource
from .fetch.fetcher import BoundFetcher
from .journal import Entry, Journal, Mark
from .source import undeclared

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
        self._batch: Batch | None = None
        self._program: Program = ENGINES[source.language](source, surroundings)
        self._patience = Patience(self._program, lambda: journal.under_way)

    def fetch(
        self,
        request: Asked = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        json: Any = None,
        timeout_s: float | None = None,
        show: Callable[[Entry], None] | None = None,
    ) -> Invocation:
        """Return what one request came to; a worker's error is in `.error`, not raised.

        `show` hears log lines and subrequests in the calling thread while the worker runs. An
        interrupt or `timeout_s` stops the worker within a second. Raises UsageError, EngineUnavailable.
        """
        call = self._call(as_request(request, method=method, headers=headers, body=body, json=json))
        try:
            answer, error = self._awaited(call, timeout_s, show)
            self._journal.settle(call.mark, _SETTLE_S)
            return self._invocation(call, answer, error)
        except BaseException:
            self._journal.leave(call.mark)
            raise

    def start(
        self,
        request: Asked = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        json: Any = None,
    ) -> Future[Invocation]:
        """Return a future of the Invocation, for callers that have a loop or many requests at once.

        Cancelling it ends this request and what it fetches; others go on. The future raises EngineUnavailable
        where nothing could run, this function UsageError.
        """
        asked = as_request(request, method=method, headers=headers, body=body, json=json)
        told: Future[Invocation] = Future()
        self._patience.then(lambda: self._begin(asked, told))
        return told

    def fetch_all(
        self,
        requests: Iterable[Asked],
        *,
        at_once: int = AT_ONCE,
        timeout_s: float | None = None,
        show: Watch = unwatched,
    ) -> Results:
        """Return a row for each request, in their order, failed ones too; `show` hears how far it is, in this thread.

        An interrupt stops the worker within a second and raises WorkerStopped; `.results` has the rows until then.
        Raises UsageError.
        """
        batch = self.batch(requests, at_once=at_once, timeout_s=timeout_s)
        loop = LoopThread("batch")
        inbox: queue.SimpleQueue[Tally] = queue.SimpleQueue()

        def stop() -> None:
            loop.stop()
            self._program.stop()

        try:
            return wait(lambda: loop.submit(batch.all(inbox.put)), stop, inbox=inbox, show=show)
        except Interrupted:
            told = counted(len(batch.results), batch.results.total)
            raise WorkerStopped(f"The worker was stopped after {told}.", "Their rows are in .results") from None
        finally:
            loop.stop()

    def batch(self, requests: Iterable[Asked], *, at_once: int = AT_ONCE, timeout_s: float | None = None) -> Batch:
        """Return many requests, not yet under way; `.results` are theirs from now on. Raises UsageError."""
        self._batch = Batch(self.start, requests, at_once=at_once, timeout_s=timeout_s)
        return self._batch

    @property
    def results(self) -> Results:
        """Return what the latest batch came to so far."""
        return self._batch.results if self._batch is not None else Results(())

    @property
    def program(self) -> Program:
        """Return what the engine made ready, for whoever serves it (`serve.Served`)."""
        return self._program

    def handle(self, watching: Callable[[], Watch] = lambda: unwatched) -> Handle:
        """Return what a notebook keeps of a named worker: `await api.fetch("/orders")`.

        `watching()` makes what hears how far a `fetch_all` is.
        """
        return Handle(self, watching)

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

    def _awaited(
        self, call: _Call, timeout_s: float | None, show: Callable[[Entry], None] | None
    ) -> tuple[HttpResponse | None, WorkerError | None]:
        """Return the worker's answer or its error, waiting in this thread."""
        try:
            if show is None:
                return self._answer(call, timeout_s), None
            inbox: queue.SimpleQueue[Entry] = queue.SimpleQueue()
            with self._journal.telling(call.mark, inbox.put):
                answer = wait(
                    lambda: self._submit(call), self._program.stop, timeout_s=timeout_s, inbox=inbox, show=show
                )
                return answer, None
        except Interrupted as ended:
            return None, _ended(ended, timeout_s)
        except WorkerError as error:
            return None, error

    def _answer(self, call: _Call, timeout_s: float | None) -> HttpResponse:
        """Return the worker's answer where nobody looks on; in this very thread, if it need not be watched."""
        stop = self._program.stop
        if timeout_s is None and (here := self._program.here) is not None:
            return wait_here(lambda: here(call.request), stop)
        return wait(lambda: self._submit(call), stop, timeout_s=timeout_s)

    def _submit(self, call: _Call) -> Future[HttpResponse]:
        try:
            with self._journal.within(call.mark):
                return self._program.submit(call.request)
        except BaseException:
            self._journal.leave(call.mark)
            raise

    def _begin(self, request: HttpRequest, told: Future[Invocation]) -> None:
        if told.cancelled():
            return
        call = self._call(request)
        try:
            answer = self._submit(call)
        except Exception as error:  # noqa: BLE001 - as in _tell
            told.set_exception(error)
            return
        answer.add_done_callback(lambda _: self._tell(call, answer, told))
        told.add_done_callback(lambda _: self._cancel(answer) if told.cancelled() else None)

    def _tell(self, call: _Call, answer: Future[HttpResponse], told: Future[Invocation]) -> None:
        """Settle `told`, in the thread that settled `answer`: a Python worker's own, where nothing may wait."""
        if self.source.language != "python":
            self._journal.settle(call.mark, _SETTLE_S)
        if answer.cancelled() or not told.set_running_or_notify_cancel():
            self._journal.leave(call.mark)
            told.cancel()
            return
        try:
            told.set_result(self._invocation(call, answer.result(), None))
        except WorkerError as error:
            told.set_result(self._invocation(call, None, error))
        except BaseException as error:  # noqa: BLE001 - the waiter gets it, whatever it is
            self._journal.leave(call.mark)
            told.set_exception(error)

    def _cancel(self, answer: Future[HttpResponse]) -> None:
        if answer.cancel():
            self._patience.doubt()

    def _invocation(self, call: _Call, response: HttpResponse | None, error: WorkerError | None) -> Invocation:
        elapsed = time.monotonic_ns() - call.started_ns
        left = self._journal.take(call.mark)
        if isinstance(error, WorkerThrew):
            error = self._told_by_its_cause(error, left.trace)
        return Invocation(
            source=self.source,
            request=call.request,
            response=response,
            error=error,
            logs=left.logs,
            trace=left.trace,
            handshakes=Folded(self._recording, left.trace),
            elapsed_ns=elapsed,
            late_logs=left.late,
            shared=left.shared,
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
        self._recorded = [events for number in numbers if (events := recording.so_far(number))]
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


def _unheard(_entry: Entry) -> None: ...
