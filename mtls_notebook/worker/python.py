"""Python workers: a cell's handler run on a private loop, request by request.

The cell as a module is in `python_cell`, one invocation's subrequests in `python_visit`, words for what
went wrong in `python_faults`. An endless loop can be stopped: see `loop.LoopThread.stop`.
What may not live here: what a worker's code may import or call.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from ..errors import WorkerError
from ..loop import LoopThread, ThrownOut
from . import python_faults as faults
from .bodies import BodyUsedError, Source
from .exchange import Environment, HttpRequest, HttpResponse, LogLine, WorkerSource
from .hops import OF_A_CONNECTION, open_ports
from .python_cell import Cell, Handler
from .python_visit import Visit
from .workers_module import Request, Response


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
        return self._loop.submit(self._answer(request))

    def stop(self) -> None:
        """End what runs, endless loops too; the next `submit` starts afresh."""
        self._loop.stop()
        for visit in tuple(self._visits):  # those whose code was thrown out before it could leave
            visit.close()
        self._handler = None
        self._cell.forget()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        visit = Visit(self._environment, self._cell.printer.complain, self._visits.discard)
        self._visits.add(visit)
        open_ports(visit.ports)
        try:
            return await self._handled(request, visit)
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

    async def _handled(self, request: HttpRequest, visit: Visit) -> HttpResponse:
        if self._handler is None:
            self._handler = self._cell.load()
        context = SimpleNamespace(waitUntil=visit.wait_until, passThroughOnException=lambda: None)
        answer = self._handler(_incoming(request), self._cell.env, context)
        if inspect.isawaitable(answer):
            answer = await answer
        if not isinstance(answer, Response):
            raise faults.no_response(answer)
        return await _outgoing(answer, request.method)

    def _complain(self, complaint: Mapping[str, Any]) -> None:
        """Say in the log what asyncio would say: a task that failed while nobody awaited it."""
        error = complaint.get("exception")
        told = f": {type(error).__name__}: {error}" if error is not None else ""
        self._cell.printer.complain(f"{complaint.get('message', 'asyncio')}{told}")


def _is_cancelled() -> bool:
    """Return whether this task was cancelled from outside, not by a CancelledError of the worker's own making."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _incoming(request: HttpRequest) -> Request:
    made = Request(request.url, method=request.method, headers=request.headers)
    made.cf = _named(request.cf) if request.cf else None
    made._source = Source(request.body) if request.body else None  # a GET may come with a body, if none may leave
    return made


def _named(value: Any) -> Any:
    """Return mappings as namespaces, at every depth: `request.cf.tlsClientAuth.certVerified`."""
    return SimpleNamespace(**{k: _named(v) for k, v in value.items()}) if isinstance(value, Mapping) else value


async def _outgoing(answer: Response, method: str) -> HttpResponse:
    try:
        body = await answer.bytes()
    except BodyUsedError:
        raise faults.used_up() from None
    if method == "HEAD":
        body = b""
    headers = tuple((name, value) for name, value in answer.headers.items() if _is_true(name, value, body))
    return HttpResponse(answer.status, answer.status_text, headers, body)


def _is_true(name: str, value: str, body: bytes) -> bool:
    """Return whether a header still says something true of the answer whose body is `body`."""
    if name.lower() == "content-length":
        return not body or value == str(len(body))
    return name.lower() not in OF_A_CONNECTION
