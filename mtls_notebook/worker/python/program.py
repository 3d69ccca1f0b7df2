"""Python workers: a cell's handler run on a private loop, request by request.

The cell as a module is in `python_cell`, one invocation's subrequests in `python_visit`, words for what
went wrong in `python_faults`. An endless loop can be stopped: see `loop.LoopThread.stop`.
What may not live here: what a worker's code may import or call.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, TypeVar

from ...errors import WorkerError, WorkerThrew
from ...loop import LoopThread, ThrownOut
from ..exchange import Environment, Headers, HttpRequest, HttpResponse, LogLine, Streamed, WorkerSource
from . import faults
from .bodies import BodyUsedError, Source, TooLong
from .cell import Cell, Handler
from .hops import OF_A_CONNECTION, open_ports
from .pipe import Inflow, Pipe
from .visit import Visit
from .workers_module import Request, Response

T = TypeVar("T")

MOST_RESPONSE_BYTES = 64 << 20  # of an answer that is held whole, as a cell shows it


class PythonProgram:
    """A Python worker made ready to run (see exchange.Program). Raises WorkerSyntaxError."""

    def __init__(
        self,
        source: WorkerSource,
        environment: Environment,
        emit: Callable[[LogLine], None],
        notebook: Mapping[str, object] | None = None,
    ) -> None:
        self._name = source.name
        self._environment = environment
        self._cell = Cell(source, environment, emit, notebook or {})
        self._loop = LoopThread(f"worker-{source.name}", stopped=faults.stopped, complain=self._complain)
        self._handler: Handler | None = None
        self._visits: set[Visit] = set()

    def submit(self, request: HttpRequest) -> Future[HttpResponse]:
        """Return a future of the response. It raises WorkerError."""
        self._cell.printer.refill()
        return self._loop.submit(self._visit(request, _incoming(request), _outgoing))

    def open(self, request: HttpRequest, body: Iterable[bytes] | None = None) -> Future[Streamed]:
        """Return a future of the answer, done once its head is there (see exchange.Program)."""
        self._cell.printer.refill()
        opening = _Opening()
        work = self._loop.submit(self._visit(request, _incoming(request, body), opening.give))
        opening.follow(work, self._cell.printer.complain)
        return opening.opened

    here = None  # a worker's code runs on its own loop

    def answers(self, within_s: float) -> bool:
        """Return whether the worker's loop takes a turn in that time."""
        return self._loop.answers(within_s)

    def stop(self) -> None:
        """End what runs, endless loops too; the next `submit` starts afresh."""
        self._loop.stop()
        for visit in tuple(self._visits):  # those whose code was thrown out before it could leave
            visit.close()
        self._handler = None
        self._cell.forget()

    async def _visit(self, request: HttpRequest, seen: Request, give: Callable[[Response, str], Awaitable[T]]) -> T:
        visit = Visit(self._environment, self._cell.printer.complain, self._visits.discard)
        self._visits.add(visit)
        open_ports(visit.ports)
        try:
            return await give(await self._handled(seen, visit), request.method)
        except (WorkerError, ThrownOut):
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise faults.threw(error, self._cell.filename, self._name) from error
        except BaseException as error:
            raise faults.threw(error, self._cell.filename, self._name) from error
        finally:
            visit.leave()
            self._cell.printer.flush()

    async def _handled(self, request: Request, visit: Visit) -> Response:
        if self._handler is None:
            self._handler = self._cell.load()
        context = SimpleNamespace(waitUntil=visit.wait_until, passThroughOnException=lambda: None)
        answer = self._handler(request, self._cell.env, context)
        if inspect.isawaitable(answer):
            answer = await answer
        if not isinstance(answer, Response):
            raise faults.no_response(answer)
        return answer

    def _complain(self, complaint: Mapping[str, Any]) -> None:
        """Say in the log what asyncio would say: a task that failed while nobody awaited it."""
        error = complaint.get("exception")
        told = f": {type(error).__name__}: {error}" if error is not None else ""
        self._cell.printer.complain(f"{complaint.get('message', 'asyncio')}{told}")


def _is_cancelled() -> bool:
    """Return whether this task was cancelled from outside, not by a CancelledError of the worker's own making."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Opening:
    """An answer on its way out of the loop, chunk by chunk: first its head, through `opened`."""

    def __init__(self) -> None:
        self.opened: Future[Streamed] = Future()
        self._pipe: Pipe | None = None
        self._work: Future[None] | None = None

    def follow(self, work: Future[None], complain: Callable[[str], None]) -> None:
        """Tell whoever waits how `work`, which calls `give`, ends; end it when nobody waits any more."""
        self._work = work

        def over(done: Future[None]) -> None:
            error = faults.stopped() if done.cancelled() else done.exception()
            if self._pipe is not None:
                if isinstance(error, WorkerThrew):
                    complain(f"The response broke off: {error.message}")
                self._pipe.end(error)
            elif error is not None and self.opened.set_running_or_notify_cancel():
                self.opened.set_exception(error)

        work.add_done_callback(over)
        self.opened.add_done_callback(lambda opened: work.cancel() if opened.cancelled() else None)

    async def give(self, answer: Response, method: str) -> None:
        """Hand out the answer's head, then its body as fast as it is taken. Raises NotAResponse."""
        try:
            source = answer._take()
        except BodyUsedError:
            raise faults.used_up() from None
        pipe = Pipe()
        if not self.opened.set_running_or_notify_cancel():
            return
        self._pipe = pipe
        is_bodiless = source is None or method == "HEAD"
        length = 0 if source is None else source.length
        headers = tuple(
            (name, value)
            for name, value in answer.headers.items()
            if _may_go(name, value, None if is_bodiless else length)
        )
        if source is not None and source.is_held and "content-length" not in answer.headers:
            headers = (*headers, ("content-length", str(source.length)))
        self.opened.set_result(_Answering(answer.status, answer.status_text, headers, pipe, self._cut))
        if source is not None and not is_bodiless:
            async with aclosing(source.chunks()) as chunks:
                async for chunk in chunks:
                    await pipe.put(chunk)

    def _cut(self) -> None:
        if self._work is not None:
            self._work.cancel()


class _Answering:
    """An answer whose body is still being made (see exchange.Streamed)."""

    def __init__(self, status: int, reason: str, headers: Headers, pipe: Pipe, cut: Callable[[], None]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self._pipe = pipe
        self._cut = cut

    def next_chunk(self, timeout_s: float | None) -> bytes | None:
        """Return the next bytes, b"" at the end; None when none came in time. Raises WorkerError."""
        return self._pipe.take(timeout_s)

    def close(self) -> None:
        """Cancel the worker's task, which closes the generator that makes the body."""
        self._cut()


def _incoming(request: HttpRequest, body: Iterable[bytes] | None = None) -> Request:
    made = Request(request.url, headers=request.headers, redirect="manual")  # a redirect is for who asked
    made._method = request.method.upper()  # whoever asks may have methods that no fetch has
    made.cf = _named(request.cf) if request.cf else None
    if body is not None:
        length = str(made.headers.get("content-length", ""))
        made._source = Source(stream=Inflow(body, int(length) if length.isdecimal() else None))
    elif request.body:
        made._source = Source(request.body)  # a GET may come with a body, if none may leave
        if "content-length" not in made.headers:
            made.headers["content-length"] = str(len(request.body))
    return made


def _named(value: Any) -> Any:
    """Return mappings as namespaces, at every depth: `request.cf.tlsClientAuth.certVerified`."""
    return SimpleNamespace(**{k: _named(v) for k, v in value.items()}) if isinstance(value, Mapping) else value


async def _outgoing(answer: Response, method: str) -> HttpResponse:
    try:
        source = answer._take()
        body = b"" if source is None else await source.whole(MOST_RESPONSE_BYTES)
    except TooLong as error:
        raise faults.too_long(error) from None
    except BodyUsedError:
        raise faults.used_up() from None
    if method == "HEAD":
        body = b""
    headers = tuple((name, value) for name, value in answer.headers.items() if _is_true(name, value, body))
    return HttpResponse(answer.status, answer.status_text, headers, body)


def _may_go(name: str, value: str, length: int | None) -> bool:
    """Return whether a header says nothing false of an answer whose body is that long (None: as long as it says)."""
    if name.lower() == "content-length":
        return length is None or value == str(length)
    return name.lower() not in OF_A_CONNECTION


def _is_true(name: str, value: str, body: bytes) -> bool:
    """Return whether a header still says something true of the answer whose body is `body`."""
    if name.lower() == "content-length":
        return not body or value == str(len(body))
    return name.lower() not in OF_A_CONNECTION
