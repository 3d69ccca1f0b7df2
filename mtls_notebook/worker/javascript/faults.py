"""What went wrong in a JavaScript worker, in words: the host module's reports and workerd's last lines as errors.

Positions are the cell's own: line and column count from 1 in the code that the user wrote.
What may not live here: processes, sockets; nothing here raises.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import EngineUnavailable, MtlsNotebookError, NotAResponse, WorkerError, WorkerSyntaxError, WorkerThrew
from ..exchange import HttpResponse
from .workerd import SETUP
from .workerd_config import Limits
from .workerd_process import Ending

FAULT_HEADER = "mtls-notebook-fault"
PROBE_HEADER = "mtls-notebook-probe"

_HANDLER = "export default { async fetch(request, env) { return new Response('hello') } }"
_POSITION = re.compile(r"\bcell:(\d+):(\d+)")
_NOT_EXECUTED = {126, 127}  # POSIX sh: found but not executable, not found
_COMPILE_POSITION = re.compile(r"  at cell:(\d+)(?::(\d+))?")
_HOST_FRAME = re.compile(r"^.*\b(?:notebook-host|service-worker):\d+:\d+\)?$\n?", re.MULTILINE)
_ORIGIN = re.compile(r"\n  (?=at |imported from )")
_UNCAUGHT = re.compile(r"jsg\.(?P<cause>\w+: .*)", re.DOTALL)
_AT_START = re.compile(r"service main: (?:Uncaught )?(?P<words>.*)", re.DOTALL)

# Hints only: nothing is decided by these texts, and V8 gives its errors no codes. First match wins.
_HINTS = (
    (r"reading 'fetch'", "No binding has that name: %mtls_bindings shows those that the worker sees."),
    (
        r"ReferenceError",
        "Bindings are env's in a module worker, globals in a service worker: %mtls_bindings shows them.",
    ),
    (r"Network connection lost", "A fetch failed; the trace of this run says why."),
    (r"Illegal invocation", "Call it on its object: env.NAME.fetch(…), or bind it: env.NAME.fetch.bind(env.NAME)."),
    (r"Array buffer allocation failed", "The worker asked for more memory than it may have."),
    (r"Invalid URL", "Write the whole URL: https://host/path"),
)
_DEFAULT_HINT = "Correct the cell and run it again."

# What workerd says when a worker does not even start, and what to do. First match wins.
_START_HINTS = (
    (
        r"No such module",
        "Workers import cloudflare:workers, node:… and npm packages by name; paste other code into the cell.",
    ),
    (r"not supported in strip-only mode", "Types are erased, not compiled: write enums as plain objects."),
)


def told(report: bytes, name: str) -> WorkerError:
    """Return the error for what the host module reported of one request (JSON) to the worker called `name`."""
    fault = json.loads(report)
    return _TOLD[fault["kind"]](fault, name)


# V8's last words, and those of the allocator: at the limit of all memory it ends with a table of its free lists.
_HEAP_FULL = ("Reached heap limit", "heap out of memory")
_MEMORY_FULL = ("tcmalloc: allocation failed", "Fatal process out of memory", "live pages; spans:")


def ended(ending: Ending, name: str, limits: Limits) -> MtlsNotebookError:
    """Return the error for a process that ended by itself before it answered."""
    if ending.status in _NOT_EXECUTED:
        return EngineUnavailable(f"workerd did not start: {_last(ending)}", f"Fetch it anew: {SETUP}")
    said = "\n".join(ending.said)
    for signs, most_mb in ((_HEAP_FULL, limits.heap_mb), (_MEMORY_FULL, limits.memory_mb)):
        if any(sign in said for sign in signs):
            hint = "Keep less at once: stream bodies instead of reading them."
            return WorkerThrew(f"The worker ran out of memory ({most_mb} MB)", hint)
    start = _AT_START.search(said)
    if start is not None:
        return _not_started(start["words"], name)
    return WorkerThrew(f"The worker's process ended (status {ending.status}): {_last(ending)}", "Run the cell again.")


def _last(ending: Ending) -> str:
    return ending.said[-1].splitlines()[0] if ending.said else "it said nothing"


def gave_up(response: HttpResponse) -> bool:
    """Return whether `response` is workerd's own, given when the worker's answer could not be."""
    # No worker can make this one: `Connection` is not a worker's to set, and the bridge keeps origins' to itself.
    names = sorted(name.lower() for name, _ in response.headers)
    return response.status == 500 and names == ["connection", "content-length"]


def uncaught(said: str) -> WorkerError:
    """Return the error for an answer that did not come, or broke off: `said` is workerd's line about it."""
    if "never generate a response" in said:
        return WorkerThrew(
            "The worker never answered: it waits for a promise that nothing settles", "Look for a missing resolve()."
        )
    found = _UNCAUGHT.search(said)
    cause = _one_line(found["cause"]) if found else "its body stream failed"
    error = WorkerThrew(f"The worker's answer broke off before its end: {cause}", _hint(cause))
    error.name = cause.partition(":")[0] if found else ""
    return error


def _not_started(words: str, name: str) -> WorkerError:
    text, *frames = _ORIGIN.split(words)
    message = _one_line(text).replace("Error transpiling cell :", "TypeScript:")
    kind = message.partition(":")[0]
    ran = kind != "SyntaxError" or len(frames) > 1 or "JSON" in message  # JSON.parse has the same error
    if ran and (position := _position(words)):
        return _threw(kind, message, words, position, name)
    hint = next((hint for pattern, hint in _START_HINTS if re.search(pattern, words)), _DEFAULT_HINT)
    return WorkerSyntaxError(message + _place(_compile_position(words), name), hint)


def _compile_position(words: str) -> tuple[int, int] | None:
    """Return where the compiler stopped: unlike a stack it counts columns from 0, and leaves out that 0."""
    found = _COMPILE_POSITION.search(words)
    return (int(found[1]), int(found[2] or 0) + 1) if found else None


def _told_threw(fault: dict[str, Any], name: str) -> WorkerError:
    stack = fault["stack"]
    message = _one_line(": ".join(part for part in (fault["name"], fault["message"]) if part))
    return _threw(fault["name"], message, stack, _position(stack), name)


def _told_threw_value(fault: dict[str, Any], _name: str) -> WorkerError:
    hint = "Throw an Error, then the line is known: throw new Error('why')"
    return WorkerThrew(f"The worker threw {_one_line(fault['message'])}, which is no Error", hint)


def _told_not_a_response(fault: dict[str, Any], _name: str) -> WorkerError:
    return NotAResponse(
        f"fetch returned {_one_line(fault['message'])}, not a Response",
        "Return a Response: return new Response('text'), or return await env.NAME.fetch(url)",
    )


def _told_not_responded(_fault: dict[str, Any], _name: str) -> WorkerError:
    return NotAResponse(
        "The fetch listener did not call event.respondWith",
        "Call it before the listener returns: event.respondWith(answer(event.request))",
    )


def _told_bad_export(fault: dict[str, Any], _name: str) -> WorkerError:
    return WorkerSyntaxError(
        f"The worker exports {fault['export']} ({_one_line(fault['message'])}), which is no function, class or object",
        f"Workers export handlers only; keep {fault['export']} inside, or export a function that returns it.",
    )


def _told_body_used(_fault: dict[str, Any], _name: str) -> WorkerError:
    return NotAResponse(
        "fetch returned a Response whose body was already read",
        "Return a new one: return new Response(text, response), or read response.clone() instead.",
    )


def _told_no_handler(fault: dict[str, Any], _name: str) -> WorkerError:
    if fault["exported"] is not None:
        return WorkerSyntaxError(
            f"The worker's default export ({_one_line(fault['exported'])}) has no fetch handler", f"Write {_HANDLER}"
        )
    others = f" (it exports {', '.join(fault['names'])})" if fault["names"] else ""
    return WorkerSyntaxError(f"The worker has no default export{others}", f"Write {_HANDLER}")


_TOLD = {
    "threw": _told_threw,
    "threw-value": _told_threw_value,
    "not-a-response": _told_not_a_response,
    "not-responded": _told_not_responded,
    "body-used": _told_body_used,
    "bad-export": _told_bad_export,
    "no-handler": _told_no_handler,
}


def _threw(kind: str, message: str, stack: str, position: tuple[int, int] | None, name: str) -> WorkerThrew:
    error = WorkerThrew(message + _place(position, name), _hint(message))
    error.name = kind
    error.line, error.column = position or (0, 0)
    error.stack = _POSITION.sub(lambda at: f"{name}:{at[1]}:{at[2]}", _HOST_FRAME.sub("", stack)).rstrip()
    return error


def _hint(message: str) -> str:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, message)), _DEFAULT_HINT)


def _position(text: str) -> tuple[int, int] | None:
    found = _POSITION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def _place(position: tuple[int, int] | None, name: str) -> str:
    whose = "the cell" if name == "cell" else name
    return f" (line {position[0]}, column {position[1]} of {whose})" if position else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
