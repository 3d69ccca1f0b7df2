"""Python workers: the cell compiled as a module of its own, its handler run on a private loop.

The module sees the notebook's variables (through its builtins, so it can read them and cannot
overwrite them), imports `workers` without anything being put into `sys.modules`, and prints
into the journal. An endless loop can be stopped: see `loop.LoopThread.stop`.
"""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import inspect
import io
import linecache
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from ..errors import ConnectError, NotAResponse, WorkerError, WorkerStopped, WorkerSyntaxError, WorkerThrew
from ..loop import LoopThread, ThrownOut
from . import workers_module
from .exchange import Environment, HttpRequest, HttpResponse, LogLine, Outgoing, WorkerSource
from .fetch import decoded
from .workers_module import FetchError, Hop, Pairs, Ports, Request, Response, fetch_through, ports

_HINT_HANDLER = (
    "Write `class Default(WorkerEntrypoint)` with `async def fetch(self, request)`, "
    "or `async def on_fetch(request, env)`."
)
_THREADS = 16  # blocking fetches at once: more only fight for the interpreter lock


class PythonProgram:
    """A Python worker made ready to run (see exchange.Program)."""

    def __init__(
        self,
        source: WorkerSource,
        environment: Environment,
        emit: Callable[[LogLine], None],
        notebook: Mapping[str, object] | None = None,
    ) -> None:
        self._filename = f"<worker {source.name}>"
        self._code = _compile(source, self._filename)
        self._environment = environment
        self._emit = emit
        self._notebook = dict(notebook or {})
        self._loop = LoopThread(f"worker-{source.name}")
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")
        self._handler: Callable[[Request], Any] | None = None
        self._background: set[asyncio.Future[Any]] = set()

    def submit(self, request: HttpRequest) -> Future[HttpResponse]:
        """Return a future of the response. It raises WorkerError."""
        return self._loop.submit(self._answer(request))

    def stop(self) -> None:
        """End what runs, endless loops too; the next `submit` starts afresh."""
        self._loop.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch")
        self._handler = None

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        ports.set(Ports(self._hop, self._wait_until))
        try:
            self._handler = self._handler or self._load()
            answer = self._handler(_request(request))
            answer = await answer if inspect.isawaitable(answer) else answer
            if not isinstance(answer, Response):
                raise _no_response(answer)
            body = await answer.bytes()
        except WorkerError:
            raise
        except (ThrownOut, asyncio.CancelledError):
            raise WorkerStopped("The worker was stopped.", "Run the cell again.") from None
        except BaseException as error:
            raise self._threw(error) from error
        headers = tuple((name, value) for name, value in answer.headers.items())
        return HttpResponse(answer.status, answer.status_text, headers, body)

    # -- the module ----------------------------------------------------------------------------

    def _load(self) -> Callable[[Request], Any]:
        """Run the cell's top level and return its handler. Raises what the cell raises, WorkerError."""
        defined: dict[str, Any] = {"__name__": "worker", "__builtins__": self._builtins()}
        exec(self._code, defined)  # noqa: S102 - running the user's cell is the point
        env = _Env(self._environment)
        ctx = SimpleNamespace(waitUntil=self._wait_until, passThroughOnException=lambda: None)
        default, on_fetch = defined.get("Default"), defined.get("on_fetch")
        if default is not None and on_fetch is not None:
            raise WorkerError("The worker has both a Default class and on_fetch.", "Keep one of the two.")
        if isinstance(default, type) and callable(getattr(default, "fetch", None)):
            return default(ctx, env).fetch  # type: ignore[no-any-return]
        if callable(on_fetch):
            return _with_as_many(on_fetch, env, ctx)
        raise _no_handler(defined)

    def _builtins(self) -> dict[str, Any]:
        readable = {k: v for k, v in self._notebook.items() if not k.startswith("_") and k not in ("In", "Out")}
        module = ModuleType("workers", workers_module.__doc__)
        names = {name: getattr(workers_module, name) for name in workers_module.__all__}
        module.__dict__.update(names, env=_Env(self._environment), Response=Response)

        def import_module(name: str, *args: Any, **kwargs: Any) -> Any:
            return module if name == "workers" else builtins.__import__(name, *args, **kwargs)

        return {**vars(builtins), **readable, "print": self._print, "__import__": import_module}

    def _print(
        self,
        *values: object,
        sep: str | None = " ",
        end: str | None = "\n",
        file: Any = None,
        flush: bool = False,
    ) -> None:
        if file not in (None, sys.stdout, sys.stderr):
            builtins.print(*values, sep=sep, end=end, file=file, flush=flush)
            return
        text = io.StringIO()
        builtins.print(*values, sep=sep, end=end, file=text)
        level = "error" if file is sys.stderr and file is not None else "log"
        self._emit(LogLine(level, text.getvalue().removesuffix("\n"), time.monotonic_ns()))  # type: ignore[arg-type]

    # -- the ports -----------------------------------------------------------------------------

    async def _hop(self, binding: str, method: str, url: str, headers: Pairs, body: bytes) -> Hop:
        fetcher = self._environment.fetchers[binding] if binding else self._environment.fallback
        names = {name.lower() for name, _ in headers}
        accept = () if "accept-encoding" in names else (("Accept-Encoding", "gzip, deflate"),)
        outgoing = Outgoing(method, url, (*headers, *accept), body)
        try:
            answer = await self._in_thread(lambda: _read_if_small(fetcher.send(outgoing)))
        except ConnectError as error:
            raise FetchError("Network connection lost.") from error
        return Hop(answer.status, answer.reason, list(_without_encoding(answer.headers)), self._reader(answer))

    def _reader(self, answer: Any) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            if isinstance(answer, _Read):
                return answer.body
            try:
                body: bytes = await self._in_thread(lambda: b"".join(decoded(answer)))
                return body
            except ConnectError as error:
                raise FetchError("Network connection lost.") from error

        return read

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: context.run(work))

    def _wait_until(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Future[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"waitUntil: {type(error).__name__}: {error}"
            self._emit(LogLine("error", text, time.monotonic_ns()))

    # -- what went wrong -----------------------------------------------------------------------

    def _threw(self, error: BaseException) -> WorkerThrew:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == self._filename]
        line = frames[-1].lineno or 0 if frames else 0
        column = (frames[-1].colno or 0) + 1 if frames else 0
        place = f" (line {line} of the cell)" if line else ""
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        threw = WorkerThrew(f"{text}{place}", "Mend that line and run the cell again.")
        threw.name, threw.line, threw.column = type(error).__name__, line, column
        threw.stack = "".join(traceback.format_list(frames))
        return threw


class _Read(SimpleNamespace):
    """An answer whose body is here already."""

    status: int
    reason: str
    headers: Any
    body: bytes


_SMALL_BYTES = 256 * 1024


def _read_if_small(answer: Any) -> Any:
    """Read a short, plain body in the thread that fetched it: a second hop between threads costs more."""
    length = next((v for k, v in answer.headers if k.lower() == "content-length"), "")
    if not length.isdigit() or int(length) > _SMALL_BYTES:
        return answer
    body = b"".join(decoded(answer))
    return _Read(status=answer.status, reason=answer.reason, headers=answer.headers, body=body)


def _without_encoding(headers: Any) -> Any:
    if not any(name.lower() == "content-encoding" for name, _ in headers):
        return headers
    return [(k, v) for k, v in headers if k.lower() not in ("content-encoding", "content-length")]


class _Env:
    """What a worker sees as `env`: one attribute per binding and variable."""

    def __init__(self, environment: Environment) -> None:
        bindings = {name: _Binding(name) for name in environment.fetchers}
        self.__dict__.update(environment.variables, **bindings)

    def __getattr__(self, name: str) -> Any:
        there = ", ".join(sorted(self.__dict__)) or "nothing yet"
        raise AttributeError(f"env has no {name}. It has: {there}")


class _Binding:
    """`env.NAME`: fetches through the binding, that is with its certificate."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def fetch(self, resource: str | Request, **options: Any) -> Response:
        """Return the origin's response, the binding's certificate presented."""
        return await fetch_through(self._name, resource, **options)

    def __repr__(self) -> str:
        return "[object Fetcher]"


def _compile(source: WorkerSource, filename: str) -> CodeType:
    lines = source.code.splitlines(keepends=True)
    linecache.cache[filename] = (len(source.code), None, lines, filename)
    try:
        return compile(source.code, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "offset", 0)
        place = f" (line {line}, column {column} of the cell)" if line else ""
        message = getattr(error, "msg", str(error))
        raise WorkerSyntaxError(f"SyntaxError: {message}{place}", _syntax_hint(source.code)) from None


def _syntax_hint(code: str) -> str:
    if "export default" in code:
        return "This is JavaScript: say %%worker --language js."
    return "Mend that line and run the cell again."


def _with_as_many(on_fetch: Callable[..., Any], env: Any, ctx: Any) -> Callable[[Request], Any]:
    """Return on_fetch as a function of the request alone: its trailing arguments are optional."""
    parameters = inspect.signature(on_fetch).parameters.values()
    count = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return lambda request: on_fetch(*(request, env, ctx)[: 3 if takes_any else count])


def _request(request: HttpRequest) -> Request:
    body = request.body or None
    return Request(request.url, method=request.method, headers=list(request.headers), body=body)


def _no_handler(defined: Mapping[str, Any]) -> WorkerError:
    names = [name for name in defined if not name.startswith("_")]
    there = f"It defines {', '.join(names[:6])}." if names else "It defines nothing."
    return WorkerError(f"The worker has no fetch handler. {there}", _HINT_HANDLER)


def _no_response(answer: object) -> NotAResponse:
    return NotAResponse(
        f"The handler returned {type(answer).__name__}, not a Response.",
        "Return Response(…), Response.json(…), or what a fetch gave you.",
    )
