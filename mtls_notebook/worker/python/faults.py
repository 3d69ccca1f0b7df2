"""What went wrong in a Python worker, in words. Positions are the cell's own: line and column count from 1.

What may not live here: running anything; nothing here raises.
"""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterable, Iterator, Mapping

from ...errors import ConnectError, NotAResponse, WorkerError, WorkerStopped, WorkerSyntaxError, WorkerThrew

_HINT = "Correct the cell and run it again."
_HINT_HANDLER = (
    "Write `class Default(WorkerEntrypoint)` with `async def fetch(self, request)`, "
    "or `async def on_fetch(request, env)`."
)
_JAVASCRIPT_SIGNS = ("export default", "=>", "const ", "function ")
_NAMES_SHOWN = 6

# What was raised → what to do. First match wins.
_HINTS: tuple[tuple[type[BaseException], str], ...] = (
    (SystemExit, "A worker answers with a Response; it has nothing to exit from."),
    (KeyboardInterrupt, "A worker answers with a Response; let the notebook interrupt it."),
    (TimeoutError, "Give it longer, or catch TimeoutError and answer without that fetch."),
    (ModuleNotFoundError, "Install the package for this kernel (%pip install …), then run the cell again."),
    (RecursionError, "Look for a function that calls itself without an end."),
)


def stopped() -> WorkerStopped:
    """Return the error for a worker that was ended."""
    return WorkerStopped("The worker was stopped.", "Run the cell again: it starts anew.")


def not_compiled(error: BaseException, code: str, name: str) -> WorkerSyntaxError:
    """Return the error for code that is no Python."""
    line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
    text = f"{type(error).__name__}: {getattr(error, 'msg', None) or error}"
    javascript = any(sign in code for sign in _JAVASCRIPT_SIGNS)
    hint = "This looks like JavaScript: say %%worker --language js." if javascript else _HINT
    return WorkerSyntaxError(text + _place(line or 0, column or 0, name), hint)


def threw(error: BaseException, filename: str, name: str) -> WorkerThrew:
    """Return the error for what the cell raised, with the place in the cell where it arose.

    A fetch that failed (and nothing else) is told by its cause and its fix.
    """
    arose = next((each for each in _leaves(error) if _frames(each, filename)), error)
    frames = _frames(arose, filename)
    line, column = _position(frames[-1]) if frames else (0, 0)
    failed = _failed_fetch(error)
    if failed is not None:
        made = WorkerThrew(failed.message, failed.hint)
    else:
        made = WorkerThrew(_told(error) + _place(line, column, name), _hint(error))
    made.name, made.line, made.column = type(error).__name__, line, column
    made.stack = "".join(traceback.format_list(frames))
    return made


def no_handler(defined: Mapping[str, object]) -> WorkerError:
    """Return the error for a module without a handler; it names what the module does have."""
    names = [name for name in defined if not name.startswith("_")]
    there = f"It defines {_listed(names)}." if names else "It defines nothing."
    return WorkerError(f"The worker has no fetch handler. {there}", _HINT_HANDLER)


def two_handlers() -> WorkerError:
    """Return the error for a module with a class and a function."""
    return WorkerError("The worker has both a Default class and on_fetch.", "Keep one of the two.")


def no_entrypoint() -> WorkerError:
    """Return the error for a Default class of no known kind."""
    return WorkerError(
        "The worker's Default class is no WorkerEntrypoint.",
        "Write `class Default(WorkerEntrypoint)`, after `from workers import WorkerEntrypoint`.",
    )


def no_response(answer: object) -> NotAResponse:
    """Return the error for a handler's answer that is no Response."""
    return NotAResponse(
        f"The handler returned {type(answer).__name__}, not a Response.",
        "Return Response(…), Response.json(…), or what a fetch gave you.",
    )


def too_long(error: Exception) -> WorkerThrew:
    """Return the error for an answer that is more than a cell can show."""
    return WorkerThrew(
        f"The worker's answer is {error}", "Answer with less, or read the body in the worker and return a summary."
    )


def used_up() -> NotAResponse:
    """Return the error for a Response that was read before it was returned."""
    return NotAResponse(
        "The handler returned a Response whose body was already read.",
        "Return a new one: response.replace_body(text), or read response.clone() instead.",
    )


def _told(error: BaseException) -> str:
    text = _one_line(f"{type(error).__name__}: {_text(error)}").removesuffix(":")
    if not isinstance(error, BaseExceptionGroup):
        return text
    return f"{text}: {'; '.join(_told(each) for each in error.exceptions[:_NAMES_SHOWN])}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the worker's own __str__
        return "(its text cannot be shown)"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    yield error


def _failed_fetch(error: BaseException) -> ConnectError | None:
    """Return the failed subrequest that `error` comes from, also through an ExceptionGroup."""
    for leaf in _leaves(error):
        cause: BaseException | None = leaf
        while cause is not None:
            if isinstance(cause, ConnectError):
                return cause
            cause = cause.__cause__
    return None


def _hint(error: BaseException) -> str:
    return next((hint for kind, hint in _HINTS if isinstance(error, kind)), _HINT)


def _frames(error: BaseException, filename: str) -> list[traceback.FrameSummary]:
    return [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]


def _position(frame: traceback.FrameSummary) -> tuple[int, int]:
    """Return line and column in characters (CPython counts a column in bytes)."""
    before = linecache.getline(frame.filename, frame.lineno or 0).encode()[: frame.colno or 0]
    return frame.lineno or 0, len(before.decode("utf-8", "replace")) + 1


def _place(line: int, column: int, name: str) -> str:
    whose = "the cell" if name == "cell" else name
    return f" (line {line}, column {column} of {whose})" if line else ""


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _NAMES_SHOWN} more" if len(shown) > _NAMES_SHOWN else ""
    return ", ".join(shown[:_NAMES_SHOWN]) + more


def _one_line(text: str) -> str:
    return " ".join(text.split())
