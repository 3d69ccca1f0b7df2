"""What one run of a worker came to: the response, its log lines, and each subrequest with its handshake.

A failed subrequest stands first with its cause and what to do. What may not live here: running workers,
diagnosis, the waterfall's rows (`trace`), and how a handshake is drawn (`handshake`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from ..diagnosis.doctor import Diagnosis
from ..errors import MtlsNotebookError
from ..worker.exchange import HttpRequest, HttpResponse, Invocation, LogLine, WorkerSource
from . import assets, handshake, static, waterfall
from .body import body, body_text
from .text import counted, milliseconds, visible
from .trace import HANDSHAKES_SHOWN, HEAD, TONES, Trace, note

SCRIPTS = (*handshake.SCRIPTS, "json.js", "invocation.js")
STYLES = (*handshake.STYLES, "invocation.css")

LOG_LINES_SHOWN = 500
# A page has nobody to ask for what it lacks: it takes these along whole, about 60 kB each.
HANDSHAKES_OF_A_PAGE = 40
LOG_TEXT_LIMIT = 4_000


class InvocationWidget(anywidget.AnyWidget):
    """Shows one run of a worker. `opened` is the number of the subrequest that is unfolded, -1 for none.

    `state` holds the first handshakes in outline; `details` holds the opened one whole, by its place: any other comes
    only when it is opened.
    Without an invocation it shows whatever `state` is given, a run that still goes on (`live`).
    """

    _esm = assets.module(*SCRIPTS, render="renderInvocation")
    _css = assets.stylesheet(*STYLES)
    state = traitlets.Dict().tag(sync=True)
    opened = traitlets.Int(-1).tag(sync=True)
    details = traitlets.Dict().tag(sync=True)

    def __init__(self, invocation: Invocation | None = None) -> None:
        self._invocation: Invocation | None = None
        super().__init__()
        if invocation is not None:
            self.show(invocation)

    def show(self, invocation: Invocation) -> None:
        """Show `invocation` from now on."""
        self._invocation = invocation
        with self.hold_sync():
            self.state = state(invocation)
            self.opened = first_opened(invocation)
            self.details = details(invocation, self.opened)

    @traitlets.observe("opened")
    def _send_details(self, change: dict[str, Any]) -> None:
        found = details(self._invocation, change["new"]) if self._invocation is not None else {}
        if found:
            self.details = found

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        if self._invocation is None:
            return static.bundle(self.model_id, "", "")
        return static.bundle(self.model_id, html(self._invocation), text(self._invocation))


def view(invocation: Invocation) -> InvocationWidget:
    """Return the widget of `invocation`."""
    return InvocationWidget(invocation)


def state(invocation: Invocation) -> dict[str, Any]:
    """Return all that `invocation.js` draws, as plain JSON; handshakes are in outline."""
    drawn = _trace(invocation)
    error = _error(invocation.error)
    trace = drawn.state()
    shown = [(number, invocation.handshakes[number]) for number in drawn.handshakes_shown]
    return head(invocation.source, invocation.request, invocation.elapsed_ns) | {
        "label": f"Worker {visible(invocation.source.name)}: {_outcome(invocation)}",
        "response": _response(invocation.response),
        "error": error,
        "logs": log_lines(invocation.logs[:LOG_LINES_SHOWN]),
        "hidden_logs": max(0, len(invocation.logs) - LOG_LINES_SHOWN),
        **trace,
        "trace": [_without_repeating(error, row) for row in trace["trace"]],
        "handshakes": [_told(invocation, number, handshake.outline(one)) for number, one in shown],
    }


def _without_repeating(error: dict[str, Any] | None, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the trace; what the run's error says above is left out of its note, what shows it stays."""
    told = row.get("note")
    if error is None or not told or told["cause"] != error["message"]:
        return row
    return row | {"note": told | {"cause": "", "fix": ""} if told["evidence"] else None}


def head(source: WorkerSource, request: HttpRequest, elapsed_ns: int) -> dict[str, Any]:
    """Return the state of a run of which only the request is known."""
    return {
        "label": f"Worker {visible(source.name)} is running",
        "request": visible(f"{request.method} {request.url}"),
        "elapsed": milliseconds(elapsed_ns),
        "running": None,
        "response": None,
        "error": None,
        "logs": [],
        "hidden_logs": 0,
        **Trace(()).state(),
        "handshakes": [],
    }


def log_lines(logs: Sequence[LogLine], first: int = 0) -> list[dict[str, Any]]:
    """Return log lines as plain data; `first` is the number of the first."""
    return [
        {"number": number, "level": log.level, "text": visible(log.text[:LOG_TEXT_LIMIT], lines=True)}
        for number, log in enumerate(logs, first)
    ]


def details(invocation: Invocation, opened: int) -> dict[str, Any]:
    """Return the whole handshake of subrequest `opened`, by its number in the state; {} when it shows none."""
    if not 0 <= opened < len(invocation.trace):
        return {}
    drawn = _trace(invocation)
    place = drawn.shown(opened)
    return {str(place): _detail(invocation, drawn.openable[place])} if place >= 0 else {}


def first_opened(invocation: Invocation) -> int:
    """Return the subrequest that is open at first: one that failed, else the first with a handshake; -1 for none."""
    return _trace(invocation).first_to_open()


def trace(invocation: Invocation) -> list[dict[str, Any]]:
    """Return the rows of the waterfall."""
    return _trace(invocation).rows()


def line(invocation: Invocation) -> str:
    """Return the run in one stable line."""
    return f"<Invocation {visible(invocation.source.name)}: {_outcome(invocation)}>"


def text(invocation: Invocation) -> str:
    """Return the run as plain text: answer, log lines, one line for each subrequest."""
    parts = [_answer_text(invocation)]
    if invocation.logs:
        logs = (f"  {log.level}: {visible(log.text, lines=True)}" for log in invocation.logs[:LOG_LINES_SHOWN])
        parts.append("\n".join(["Log", *logs]))
    if invocation.trace:
        parts.append("Subrequests\n" + static.text_table(HEAD, _trace(invocation).table()))
    return "\n\n".join([*parts, *_diagnoses(invocation)])


def html(invocation: Invocation) -> str:
    """Return the run as HTML that survives sanitising, each handshake folded."""
    parts = [f"<pre>{static.escape(_answer_text(invocation))}</pre>"]
    if invocation.logs:
        logs = [(log.level, visible(log.text, lines=True)) for log in invocation.logs[:LOG_LINES_SHOWN]]
        parts.append(static.html_table(("Log", ""), logs))
    if invocation.trace:
        drawn = _trace(invocation)
        parts.append(static.html_table(HEAD, drawn.table()))
        parts.append(static.folded("Where the time went", static.html_table(waterfall.TIMES_HEAD, drawn.times())))
    parts += [f"<pre>{static.escape(words)}</pre>" for words in _diagnoses(invocation)]
    for shown in invocation.handshakes[:HANDSHAKES_SHOWN]:
        parts.append(static.folded(f"Handshake with {handshake.title(shown)}", handshake.html(shown)))
    if len(invocation.handshakes) > HANDSHAKES_SHOWN:
        parts.append(f"<p>{static.escape(_others(invocation))}</p>")
    return "".join(parts)


def page_values(invocation: Invocation) -> dict[str, Any]:
    """Return what a page of its own starts from: every handshake that is shown is there whole."""
    numbers = _trace(invocation).openable[:HANDSHAKES_OF_A_PAGE]
    whole = {str(place): _detail(invocation, number) for place, number in enumerate(numbers)}
    return {"state": state(invocation), "opened": first_opened(invocation), "details": whole}


def _others(invocation: Invocation) -> str:
    """Return how to see the handshakes that are not drawn here."""
    more = counted(len(invocation.handshakes) - HANDSHAKES_SHOWN, "more handshake")
    return f"{more}: with the run kept as r (-o r), r.handshakes[{HANDSHAKES_SHOWN}] in a cell shows the next one."


def _trace(invocation: Invocation) -> Trace:
    return Trace(invocation.trace, invocation.handshakes)


def _detail(invocation: Invocation, number: int) -> dict[str, Any]:
    shown = invocation.handshakes[number]
    proofs, records = handshake.carried(shown)
    return _told(invocation, number, handshake.state(shown, None, proofs, records))


def _told(invocation: Invocation, number: int, drawn: dict[str, Any]) -> dict[str, Any]:
    """Return a handshake's state; where its subrequest tells cause and fix, it does not tell them again."""
    shown = invocation.handshakes[number]
    drawn = drawn | {"selected": handshake.first_selected(shown)}
    told = any(sub.diagnosis and sub.connection == shown.connection for sub in invocation.trace)
    return drawn | {"note": None} if told else drawn


def _response(response: HttpResponse | None) -> dict[str, Any] | None:
    if response is None:
        return None
    return {
        "status": {"text": _status_line(response), "tone": TONES.get(response.status // 100, "neutral")},
        "headers": [{"name": visible(name), "value": visible(value)} for name, value in response.headers],
        "body": body(response),
    }


def _error(error: MtlsNotebookError | None) -> dict[str, str] | None:
    if error is None:
        return None
    message, hint = visible(error.message, lines=True), visible(error.hint, lines=True)
    return {"kind": type(error).__name__, "message": message, "hint": hint}


def _status_line(response: HttpResponse) -> str:
    return visible(f"{response.status} {response.reason}".strip())


def _outcome(invocation: Invocation) -> str:
    if invocation.response is not None:
        return _status_line(invocation.response)
    return type(invocation.error).__name__ if invocation.error else "no response"


def _answer_text(invocation: Invocation) -> str:
    if invocation.response is not None:
        return f"{_status_line(invocation.response)}\n{body_text(invocation.response)}"
    error = _error(invocation.error)
    return f"{error['kind']}: {error['message']}\n{error['hint']}".rstrip() if error else "no response"


def _diagnoses(invocation: Invocation) -> list[str]:
    """Return each diagnosis once, in words; a thousand subrequests that fail alike are told once."""
    return list(dict.fromkeys(_diagnosis_text(sub.diagnosis) for sub in invocation.trace if sub.diagnosis))


def _diagnosis_text(diagnosis: Diagnosis) -> str:
    words = note(diagnosis) or {}
    return "\n".join(
        [f"Why: {words['cause']}", *(f"  - {fact}" for fact in words["evidence"]), f"What to do: {words['fix']}"]
    )
