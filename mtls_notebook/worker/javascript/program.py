"""JavaScript and TypeScript workers: a program on workerd, one process for each version of the code.

`start` returns a Program. Its process starts with the first request (about 30 ms) and stays for the next
ones; `stop` ends it and everything it does, and the next request starts a fresh one. A request goes in as
HTTP/1.1 over a kept connection; the worker's own fetches go out through `bridge`.
What may not live here: TLS, certificates, and how a fetch is made.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cache, partial
from importlib import resources
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from ...errors import EngineUnavailable, MtlsNotebookError, WorkerStopped, WorkerThrew
from ..exchange import Environment, HttpRequest, HttpResponse, LogLine, Streamed, WorkerSource
from . import workerd
from .bridge import GLOBAL, Bridge
from .bundle import bundled
from .faults import FAULT_HEADER, PROBE_HEADER, ended, gave_up, told, uncaught
from .syntax import shape
from .wire import BrokenOff, Wire
from .workerd_config import Limits, Module, Plan
from .workerd_process import WorkerdProcess

T = TypeVar("T")

_SHORT_PATH = 60  # a unix socket's path holds some 100 bytes, and macOS has long temporary folders
_MOST_WAITERS = 64
_DYING_S = 0.25  # from a connection's end to the process's, if it was that which ended
_END_WAIT_S = 2.0  # on a machine that is very busy


def start(
    source: WorkerSource,
    environment: Environment,
    emit: Callable[[LogLine], None],
    *,
    limits: Limits | None = None,
    say: Callable[[str], None] = workerd.silent,
) -> JavaScriptProgram:
    """Return a program that runs `source`; its process starts with the first request.

    `emit` gets every console line while the handler runs, in order, from another thread; all lines that
    were printed before the answer come before the future's result, those of `waitUntil` work after it, for
    as long as the program lives. `say` gets progress when workerd or an npm package must be fetched first.
    Raises: EngineUnavailable; WorkerSyntaxError when an imported package has no such export.
    """
    if sys.platform == "win32":
        raise EngineUnavailable(
            "JavaScript workers do not run on Windows yet: workerd is reached over unix sockets",
            "Use WSL, or write the worker in Python: %%worker --language python",
        )
    imported = bundled(source, say)
    return JavaScriptProgram(workerd.find(say), source, imported, environment, emit, limits or Limits())


class JavaScriptProgram:
    """A worker on workerd (see exchange.Program). Safe to use from several threads."""

    def __init__(
        self,
        binary: Path,
        source: WorkerSource,
        imported: Sequence[Module],
        environment: Environment,
        emit: Callable[[LogLine], None],
        limits: Limits,
    ) -> None:
        self._binary = binary
        self._source = source
        self._imported = imported
        self._environment = environment
        self._emit = emit
        self._limits = limits
        self._lock = threading.Lock()
        self._run: Run | None = None

    def submit(self, request: HttpRequest) -> Future[HttpResponse]:
        """Return a future of the response. It raises WorkerError (thrown, no Response, stopped)."""
        with self._lock:
            return self._running().submit(request)

    def open(self, request: HttpRequest, body: Iterable[bytes] | None = None) -> Future[Streamed]:
        """Return a future of the answer, done once its head is there (see exchange.Program)."""
        with self._lock:
            return self._running().open(request, body)

    def here(self, request: HttpRequest) -> Callable[[], HttpResponse]:
        """Return what waits for the answer in the thread that calls it: two hops between threads are saved."""
        with self._lock:
            return self._running().here(request)

    def _running(self) -> Run:
        if self._run is not None and self._run.over:
            self._run.stop()
            self._run = None
        if self._run is None:
            self._run = Run(self._binary, self._source, self._imported, self._environment, self._emit, self._limits)
        return self._run

    def answers(self, within_s: float) -> bool:
        """Return whether the worker takes a turn in that time; one that does not run has nothing to do."""
        run = self._run
        return run is None or run.over or run.answers(within_s)

    def stop(self) -> None:
        """End the process, its fetches and its pending answers (WorkerStopped); a later submit starts anew."""
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.stop()

    @property
    def pid(self) -> int | None:
        """Return the process id of workerd, None while none runs."""
        run = self._run
        return None if run is None or run.over else run.process.pid


class Run:
    """One life of a program: a folder, a bridge, a process, and the threads that wait for answers."""

    def __init__(
        self,
        binary: Path,
        source: WorkerSource,
        imported: Sequence[Module],
        environment: Environment,
        emit: Callable[[LogLine], None],
        limits: Limits,
    ) -> None:
        self._name = source.name
        self._limits = limits
        self._token = secrets.token_hex(16)
        self._stopped = False
        self._idle: list[Wire] = []
        self._waiters = Waiters()
        folder = Path(tempfile.mkdtemp(prefix="mtls-", dir=_short_folder()))
        bridge = Bridge(folder, {GLOBAL: environment.fallback, **environment.fetchers})
        plan = _plan(source, imported, environment, bridge.addresses, self._token)
        try:
            self.process = WorkerdProcess(binary, folder, plan, emit, limits)
        except OSError as error:
            bridge.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise EngineUnavailable(
                f"{binary} did not start: {error.strerror}", f"Set {workerd.VARIABLE} to a workerd that runs here."
            ) from error
        # Also when nobody stops us: at the end of the interpreter, or when the program is forgotten.
        self._clear = weakref.finalize(self, _clear, self.process, bridge, folder, self._idle, self._waiters)

    @property
    def over(self) -> bool:
        """Return whether the process is gone (or about to go): a new run is needed."""
        return self._stopped or self.process.ended.is_set()

    def submit(self, request: HttpRequest) -> Future[HttpResponse]:
        """Return a future of the response."""
        self.process.logs.refill()
        cut = Cut()
        future = self._waiters.submit(lambda: self._invoke(request, cut))
        future.add_done_callback(lambda _: cut.make() if future.cancelled() else None)
        return future

    def here(self, request: HttpRequest) -> Callable[[], HttpResponse]:
        """Return what waits for the answer in the thread that calls it."""
        self.process.logs.refill()
        return partial(self._invoke, request, Cut())

    def open(self, request: HttpRequest, body: Iterable[bytes] | None) -> Future[Streamed]:
        """Return a future of the answer, done once its head is there."""
        self.process.logs.refill()
        cut = Cut()
        future = self._waiters.submit(lambda: self._opened(request, body, cut))
        future.add_done_callback(lambda _: cut.make() if future.cancelled() else None)
        return future

    def answers(self, within_s: float) -> bool:
        """Return whether the host module answers in that time: no code of the cell keeps the isolate to itself."""
        cut = Cut()
        timer = threading.Timer(within_s, cut.make)
        timer.daemon = True
        timer.start()
        with contextlib.suppress(OSError, BrokenOff):
            self._exchange(HttpRequest(headers=((PROBE_HEADER, self._token),)), cut)
        timer.cancel()
        return not cut.made

    def stop(self) -> None:
        """End everything; futures end with WorkerStopped. May be called more than once."""
        self._stopped = True
        self._clear()

    def _invoke(self, request: HttpRequest, cut: Cut) -> HttpResponse:
        try:
            response = self._exchange(request, cut)
        except (OSError, BrokenOff) as error:
            raise self.broken(error, cut) from None
        self.process.logs.drain()
        if self._is_fault(response):
            raise self._fault(response)
        return response

    def _opened(self, request: HttpRequest, body: Iterable[bytes] | None, cut: Cut) -> Streamed:
        wire = self._wire()
        try:
            cut.on(wire)
            head = wire.ask(request, body)
            self.process.logs.drain()
            if self._is_fault(head):
                raise self._fault(replace(head, body=wire.rest(self._limits.response_bytes)))
        except (OSError, BrokenOff) as error:
            wire.close()
            raise self.broken(error, cut) from None
        except BaseException:
            wire.close()
            raise
        return Answering(self, wire, cut, head)

    def _is_fault(self, head: HttpResponse) -> bool:
        return head.header(FAULT_HEADER) == self._token or gave_up(head)

    def _fault(self, response: HttpResponse) -> MtlsNotebookError:
        if response.header(FAULT_HEADER) == self._token:
            return told(response.body, self._name)
        return uncaught(self.process.logs.last_said())

    def _exchange(self, request: HttpRequest, cut: Cut) -> HttpResponse:
        wire = self._wire()
        try:
            cut.on(wire)
            response = wire.exchange(request, self._limits.response_bytes)
        except BaseException:
            wire.close()
            raise
        self.keep(wire, cut)
        return response

    def keep(self, wire: Wire, cut: Cut) -> None:
        """Take back a wire whose exchange is over, if it can carry another."""
        if wire.reusable and not self.over and cut.off():
            self._idle.append(wire)
        else:
            wire.close()

    def broken(self, error: OSError | BrokenOff, cut: Cut) -> MtlsNotebookError:
        """Return what to tell of an exchange that broke off."""
        if cut.made:
            return WorkerStopped("The request was cancelled", "Ask again when you like.")
        return self._verdict(error)

    def _wire(self) -> Wire:
        """Return a kept connection that workerd has surely not closed, or a new one."""
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread took the last one
                wire = self._idle.pop()
                if wire.fresh():
                    return wire
                wire.close()
        return Wire(self.process.address)

    def _verdict(self, error: OSError | BrokenOff) -> MtlsNotebookError:
        """Return what to tell of an answer that did not come, or not to its end."""
        if isinstance(error, BrokenOff) and error.too_long:
            return WorkerThrew(str(error), "Answer with less, or read the body in the worker and return a summary.")
        is_over = self.process.ended.wait(_DYING_S) or (
            not self.process.alive() and self.process.ended.wait(_END_WAIT_S)
        )
        if self._stopped:
            return WorkerStopped("The worker was stopped before it answered", "Run the cell again: it starts anew.")
        if is_over:
            self._clear()
            return ended(self.process.ending, self._name, self._limits)
        self.process.logs.drain()
        return uncaught(self.process.logs.last_said())


class Answering:
    """An answer whose body is still on its way from workerd (see exchange.Streamed)."""

    def __init__(self, run: Run, wire: Wire, cut: Cut, head: HttpResponse) -> None:
        self.status = head.status
        self.reason = head.reason
        self.headers = head.headers
        self._run = run
        self._wire = wire
        self._cut = cut
        self._turn = threading.Lock()  # guards the end: a wire is let go of once
        self._is_over = False

    def next_chunk(self, timeout_s: float | None) -> bytes | None:
        """Return the next bytes, b"" at the end; None when none came in time. Raises WorkerError."""
        if self._is_over:
            return b""
        try:
            chunk = self._wire.next_chunk(timeout_s)
        except (OSError, BrokenOff) as error:
            self.close()
            raise self._run.broken(error, self._cut) from None
        if chunk == b"" and self._ends():
            self._run.keep(self._wire, self._cut)
        return chunk

    def close(self) -> None:
        """Hang up: the worker's stream is cancelled."""
        if self._ends():
            self._wire.abort()  # another thread may be reading
            self._wire.close()

    def _ends(self) -> bool:
        with self._turn:
            ends, self._is_over = not self._is_over, True
            return ends


class Cut:
    """The way from whoever cancels a request to the wire that carries it: `make` breaks the exchange off."""

    def __init__(self) -> None:
        self.made = False
        self._lock = threading.Lock()
        self._wire: Wire | None = None

    def on(self, wire: Wire) -> None:
        """Let the exchange on `wire` be cut, at once if that was asked before."""
        with self._lock:
            self._wire = wire
            if self.made:
                wire.abort()

    def off(self) -> bool:
        """Let go of the wire, whose next exchange is another's; return whether it is still whole."""
        with self._lock:
            self._wire = None
            return not self.made

    def make(self) -> None:
        """Break the exchange off, now or once it begins. Any thread may call."""
        with self._lock:
            self.made = True
            if self._wire is not None:
                self._wire.abort()


class Waiters:
    """Threads that wait for answers: started on demand, kept, and never in the way of the interpreter's end."""

    # concurrent.futures' own pool joins its threads at exit: an endless loop in a worker would block it.

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._spare = 0  # threads that wait, less the work that waits for them

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Return a future of what `work` returns or raises, in one of the threads."""
        future: Future[T] = Future()
        with self._lock:
            if self._spare > 0 or self._threads >= _MOST_WAITERS:
                self._spare -= 1
            else:
                self._threads += 1
                threading.Thread(target=self._loop, name="worker-answer", daemon=True).start()
        self._work.put(lambda: _settle(future, work))
        return future

    def close(self) -> None:
        """Let the threads end once their work is done."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # a waiting thread must not keep a program alive
            with self._lock:
                self._spare += 1


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    """Settle the future, which stays one that can be cancelled until then."""
    settle: Callable[[], None]
    if future.cancelled():
        return
    try:
        settle = partial(future.set_result, work())
    except BaseException as error:  # noqa: BLE001  whatever it was, the future's owner gets it
        settle = partial(future.set_exception, error)
    if future.set_running_or_notify_cancel():
        settle()


def _plan(
    source: WorkerSource, imported: Sequence[Module], environment: Environment, addresses: Mapping[str, str], token: str
) -> Plan:
    kind = shape(source.code)
    # workerd's CommonJS modules are sloppy as scripts are, but keep their types: a TypeScript cell is strict.
    is_script = kind == "service-worker" and source.language == "js"
    return Plan(
        modules=(
            Module("notebook-host", _text("host.js").replace("@TOKEN@", token)),
            Module("console-lines", _text("console.js")),
            Module("service-worker", _text("events.js").replace("@SERVICE_WORKER@", json.dumps(kind != "module"))),
            Module("cell", source.code, "commonJsModule" if is_script else "esModule"),
            *imported,
        ),
        typescript=source.language == "ts",
        bindings={name: addresses[name] for name in environment.fetchers},
        outbound=addresses[GLOBAL],
        variables=environment.variables,
    )


@cache
def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _short_folder() -> str:
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _SHORT_PATH else "/tmp"  # noqa: S108  mkdtemp makes it ours alone


def _clear(process: WorkerdProcess, bridge: Bridge, folder: Path, idle: list[Wire], waiters: Waiters) -> None:
    process.kill()
    bridge.close()
    waiters.close()
    while idle:
        idle.pop().close()
    shutil.rmtree(folder, ignore_errors=True)
