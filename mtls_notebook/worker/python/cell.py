"""A Python worker's cell as a module of its own: compiled, run, its handler found.

The module sees the notebook's variables (through its builtins, so it can read them and cannot overwrite
them), imports `workers` without anything called so in `sys.modules`, and prints into the journal.
What may not live here: loops, threads, requests.
"""

from __future__ import annotations

import builtins
import difflib
import inspect
import io
import linecache
import sys
import time
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any

from ..exchange import Environment, LogLine, WorkerSource
from . import faults, workers_module
from .workers_module import Request, Response, WorkerEntrypoint, fetch_through

Handler = Callable[[Request, "Env", Any], Any]

# What a notebook holds but a worker has no use for: `exit` there ends the kernel.
_NOT_FOR_WORKERS = frozenset(["In", "Out", "exit", "quit", "get_ipython", "open"])
_MOST_LINES = 5_000
_MOST_CHARS = 4_000_000


class Cell:
    """The module: compiled when made (raises WorkerSyntaxError), run by `load`, gone after `forget`."""

    def __init__(
        self,
        source: WorkerSource,
        environment: Environment,
        emit: Callable[[LogLine], None],
        notebook: Mapping[str, object],
    ) -> None:
        self.filename = f"<worker {source.name}>"
        self.env = Env(environment)
        self.printer = Printer(emit)
        self._code = _compiled(source, self.filename)
        self._notebook = dict(notebook)
        self._module: ModuleType | None = None

    def load(self) -> Handler:
        """Run the cell's top level and return its handler. Raises what the cell raises, WorkerError."""
        module = ModuleType(f"worker_{id(self)}")
        module.__dict__["__builtins__"] = self._builtins()
        # dataclasses and typing look names up in the module that a class says it is from.
        self._module = sys.modules[module.__name__] = module
        exec(self._code, module.__dict__)  # noqa: S102 - running the user's cell is the point
        return _handler(module.__dict__)

    def forget(self) -> None:
        """Take the module out of the interpreter's list again."""
        if self._module is not None:
            sys.modules.pop(self._module.__name__, None)
            self._module = None

    def _builtins(self) -> dict[str, Any]:
        readable = {
            name: value
            for name, value in self._notebook.items()
            if not name.startswith("_") and name not in _NOT_FOR_WORKERS
        }
        workers = ModuleType("workers", "What a Python worker imports: requests, responses, fetch.")
        workers.__dict__.update({name: getattr(workers_module, name) for name in workers_module.__all__}, env=self.env)

        def import_module(name: str, *args: Any, **kwargs: Any) -> Any:
            return workers if name == "workers" else builtins.__import__(name, *args, **kwargs)

        return {**vars(builtins), **readable, "print": self.printer.print, "__import__": import_module}


def _compiled(source: WorkerSource, filename: str) -> CodeType:
    lines = source.code.splitlines(keepends=True)
    linecache.cache[filename] = (len(source.code), None, lines, filename)
    try:
        return compile(source.code, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise faults.not_compiled(error, source.code, source.name) from None


def _handler(defined: Mapping[str, Any]) -> Handler:
    default, on_fetch = defined.get("Default"), defined.get("on_fetch")
    if default is not None and on_fetch is not None:
        raise faults.two_handlers()
    if callable(on_fetch):
        return _with_as_many(on_fetch)
    if isinstance(default, type) and callable(getattr(default, "fetch", None)):
        if not issubclass(default, WorkerEntrypoint):
            raise faults.no_entrypoint()
        return lambda request, env, ctx: default(ctx, env).fetch(request)  # type: ignore[attr-defined]
    raise faults.no_handler(defined)


def _with_as_many(on_fetch: Callable[..., Any]) -> Handler:
    """Return on_fetch as a function of three: it may take fewer (request; request, env; request, env, ctx)."""
    parameters = inspect.signature(on_fetch).parameters.values()
    count = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return lambda *given: on_fetch(*given[: 3 if takes_any else count])


class Env:
    """What a worker sees as `env`: one attribute per binding and variable."""

    def __init__(self, environment: Environment) -> None:
        bindings = {name: Fetcher(name) for name in environment.fetchers}
        self.__dict__.update(environment.variables, **bindings)

    def __getattr__(self, name: str) -> Any:
        there = ", ".join(sorted(self.__dict__)) or "nothing yet"
        close = difflib.get_close_matches(name, self.__dict__, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise AttributeError(f"env has no {name}. It has: {there}.{meant}")

    def __repr__(self) -> str:
        return f"env({', '.join(sorted(self.__dict__))})"


class Fetcher:
    """`env.NAME`: fetches through the binding, that is with its certificate."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def fetch(self, resource: str | Request, **options: Any) -> Response:
        """Return the origin's response, the binding's certificate presented; options as for Request."""
        return await fetch_through(self._name, resource, **options)

    def __repr__(self) -> str:
        return "[object Fetcher]"


class Printer:
    """`print` of a worker: a line of the log for each call; what has no line end yet waits for it."""

    def __init__(self, emit: Callable[[LogLine], None]) -> None:
        self._emit = emit
        self._begun = {"log": "", "error": ""}
        self.refill()

    def refill(self) -> None:
        """Allow as much output as one request may make."""
        self._lines, self._chars = _MOST_LINES, _MOST_CHARS

    def print(
        self,
        *values: object,
        sep: str | None = " ",
        end: str | None = "\n",
        file: Any = None,
        flush: bool = False,
    ) -> None:
        """Print into the log; to any other file as usual."""
        if file is not None and file is not sys.stdout and file is not sys.stderr:
            print(*values, sep=sep, end=end, file=file, flush=flush)
            return
        text = io.StringIO()
        print(*values, sep=sep, end=end, file=text)
        self._say("error" if file is not None and file is sys.stderr else "log", text.getvalue())

    def flush(self) -> None:
        """Emit what waits for a line end that did not come."""
        for level, text in self._begun.items():
            if text:
                self._say(level, "\n")

    def complain(self, text: str) -> None:
        """Emit a line about the worker."""
        self._say("error", f"{text}\n")

    def _say(self, level: str, text: str) -> None:
        text = self._begun[level] + text
        if not text.endswith("\n") and len(text) < _MOST_CHARS:
            self._begun[level] = text
            return
        self._begun[level] = ""
        self._emit_within_limits(level, text.removesuffix("\n"))

    def _emit_within_limits(self, level: Any, text: str) -> None:
        self._lines -= 1
        self._chars -= len(text)
        if self._lines > 0 and self._chars > 0:
            self._emit(LogLine(level, text, time.monotonic_ns()))
        elif self._lines >= 0:
            self._lines = -1
            told = "… too much output: the rest is dropped until the next request"
            self._emit(LogLine("warn", told, time.monotonic_ns()))
