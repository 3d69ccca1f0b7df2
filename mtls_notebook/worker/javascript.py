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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from importlib import resources
from pathlib import Path
from queue import SimpleQueue

from ..errors import EngineUnavailable, MtlsNotebookError, WorkerStopped, WorkerThrew
from . import workerd
from .bridge import GLOBAL, Bridge
from .bundle import bundled
from .exchange import Environment, HttpRequest, HttpResponse, LogLine, WorkerSource
from .faults import FAULT_HEADER, ended, gave_up, told, uncaught
from .syntax import shape
from .wire import BrokenOff, Wire
from .workerd_config import Limits, Module, Plan
from .workerd_process import WorkerdProcess

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
            if self._run is not None and self._run.over:
                self._run.stop()
                self._run = None
            if self._run is None:
                self._run = Run(self._binary, self._source, self._imported, self._environment, self._emit, self._limits)
            return self._run.submit(request)

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
        return self._waiters.submit(lambda: self._invoke(request))

    def stop(self) -> None:
        """End everything; futures end with WorkerStopped. May be called more than once."""
        self._stopped = True
        self._clear()

    def _invoke(self, request: HttpRequest) -> HttpResponse:
        try:
            response = self._exchange(request)
        except (OSError, BrokenOff) as error:
            raise self._verdict(error) from None
        self.process.logs.drain()
        if response.header(FAULT_HEADER) == self._token:
            raise told(response.body, self._name)
        if gave_up(response):
            raise uncaught(self.process.logs.last_said())
        return response

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        wire = self._wire()
        try:
            response = wire.exchange(request, self._limits.response_bytes)
        except BaseException:
            wire.close()
            raise
        if wire.reusable and not self.over:
            self._idle.append(wire)
        else:
            wire.close()
        return response

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
            return ended(self.process.ending, self._name, self._limits.heap_mb)
        self.process.logs.drain()
        return uncaught(self.process.logs.last_said())


class Waiters:
    """Threads that wait for answers: started on demand, kept, and never in the way of the interpreter's end."""

    # concurrent.futures' own pool joins its threads at exit: an endless loop in a worker would block it.

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._spare = 0  # threads that wait, less the work that waits for them

    def submit(self, work: Callable[[], HttpResponse]) -> Future[HttpResponse]:
        """Return a future of what `work` returns or raises, in one of the threads."""
        future: Future[HttpResponse] = Future()
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


def _settle(future: Future[HttpResponse], work: Callable[[], HttpResponse]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  whatever it was, the future's owner gets it
        future.set_exception(error)
    else:
        future.set_result(result)


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
