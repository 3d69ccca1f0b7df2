"""What one run of a worker came to: the response, its log lines, and each subrequest with its handshake.

A failed subrequest stands first with its cause and what to do. What may not live here: running workers,
diagnosis, and how a handshake is drawn (`views.handshake`).
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from ..diagnosis.doctor import Diagnosis
from ..errors import MtlsNotebookError, NotACertificate
from ..pki.certificate import Certificate
from ..recorder.handshake import Handshake
from ..worker.exchange import HttpResponse, Invocation, Subrequest
from . import assets, handshake, static
from .body import body, body_text
from .certificate import name as certificate_name
from .text import grouped_hex, milliseconds, shortened, size, visible

HANDSHAKES_SHOWN = 8
LOG_LINES_SHOWN = 500

# First digit of a status → its tone.
TONES = {2: "proof", 1: "neutral", 3: "neutral", 4: "alert", 5: "alert"}


class InvocationWidget(anywidget.AnyWidget):
    """Shows one run of a worker. `opened` is the number of the subrequest whose handshake is shown, -1 for none."""

    _esm = assets.module("dom.js", "bytes.js", "handshake.js", "json.js", "invocation.js", render="renderInvocation")
    _css = assets.stylesheet("theme.css", "bytes.css", "handshake.css", "invocation.css")
    state = traitlets.Dict().tag(sync=True)
    opened = traitlets.Int(-1).tag(sync=True)

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(state=state(invocation), opened=first_opened(invocation))
        self._invocation = invocation

    def show(self, invocation: Invocation) -> None:
        """Show `invocation` from now on."""
        self._invocation = invocation
        with self.hold_sync():
            self.state = state(invocation)
            self.opened = first_opened(invocation)

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._invocation), text(self._invocation))


def view(invocation: Invocation) -> InvocationWidget:
    """Return the widget of `invocation`."""
    return InvocationWidget(invocation)


def state(invocation: Invocation) -> dict[str, Any]:
    """Return all that `invocation.js` draws, as plain JSON."""
    request = invocation.request
    return {
        "label": f"Worker {visible(invocation.source.name)}: {_outcome(invocation)}",
        "request": visible(f"{request.method} {request.url}"),
        "elapsed": milliseconds(invocation.elapsed_ns),
        "response": _response(invocation.response),
        "error": _error(invocation.error),
        "logs": [
            {"level": log.level, "text": visible(log.text, lines=True)} for log in invocation.logs[:LOG_LINES_SHOWN]
        ],
        "hidden_logs": max(0, len(invocation.logs) - LOG_LINES_SHOWN),
        "trace": trace(invocation),
        "handshakes": [_handshake_state(invocation, shown) for shown in invocation.handshakes[:HANDSHAKES_SHOWN]],
    }


def first_opened(invocation: Invocation) -> int:
    """Return the subrequest to open with: the first that failed and has a handshake to show; -1 for none."""
    numbers = range(len(invocation.trace))
    return next((i for i in numbers if _failed(invocation.trace[i]) and _shown(invocation, i) >= 0), -1)


def trace(invocation: Invocation) -> list[dict[str, Any]]:
    """Return one row for each subrequest, its bar in percent of the whole trace."""
    scale = _Scale(invocation.trace)
    return [_trace_row(invocation, i, scale) for i in range(len(invocation.trace))]


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
        parts.append("Subrequests\n" + static.text_table(_TRACE_HEAD, _trace_table(invocation)))
    parts += [_diagnosis_text(sub.diagnosis) for sub in invocation.trace if sub.diagnosis]
    return "\n\n".join(parts)


def html(invocation: Invocation) -> str:
    """Return the run as HTML that survives sanitising, each handshake folded."""
    parts = [f"<pre>{static.escape(_answer_text(invocation))}</pre>"]
    if invocation.logs:
        logs = [(log.level, visible(log.text, lines=True)) for log in invocation.logs[:LOG_LINES_SHOWN]]
        parts.append(static.html_table(("Log", ""), logs))
    if invocation.trace:
        parts.append(static.html_table(_TRACE_HEAD, _trace_table(invocation)))
    diagnoses = [_diagnosis_text(sub.diagnosis) for sub in invocation.trace if sub.diagnosis]
    parts += [f"<pre>{static.escape(words)}</pre>" for words in diagnoses]
    for shown in invocation.handshakes[:HANDSHAKES_SHOWN]:
        parts.append(static.folded(f"Handshake with {handshake.title(shown)}", handshake.html(shown)))
    return "".join(parts)


class _Scale:
    """Where a moment stands between the first start and the last end of a trace, in percent."""

    def __init__(self, subrequests: tuple[Subrequest, ...]) -> None:
        self._start = min((sub.started_ns for sub in subrequests), default=0)
        last = max((_end(sub) for sub in subrequests), default=0)
        self._length = max(1, last - self._start)

    def percent(self, at_ns: int) -> float:
        """Return the place of `at_ns`, from 0 to 100."""
        return round(100 * (at_ns - self._start) / self._length, 2)


def _end(sub: Subrequest) -> int:
    return next(at for at in (sub.ended_ns, sub.headers_ns, sub.started_ns) if at is not None)


def _trace_row(invocation: Invocation, number: int, scale: _Scale) -> dict[str, Any]:
    sub = invocation.trace[number]
    waited_until = _end(sub) if sub.headers_ns is None else sub.headers_ns
    return {
        "title": visible(f"{sub.method} {sub.url}"),
        "binding": visible(sub.binding),
        "certificate": _certificate(invocation, sub),
        "status": _status(sub),
        "size": size(sub.response_bytes) if sub.response_bytes else "",
        "time": milliseconds(_end(sub) - sub.started_ns),
        "bar": [scale.percent(at) for at in (sub.started_ns, waited_until, _end(sub))],
        "failed": _failed(sub),
        "handshake": _shown(invocation, number),
        "words": _handshake_words(invocation, sub),
        "note": _note(sub.diagnosis),
    }


def _failed(sub: Subrequest) -> bool:
    return sub.status is None or sub.diagnosis is not None


def _status(sub: Subrequest) -> dict[str, str]:
    if sub.status is None:
        return {"text": "failed" if sub.diagnosis else "no answer", "tone": "alert"}
    return {"text": str(sub.status), "tone": TONES.get(sub.status // 100, "neutral")}


def _handshake_of(invocation: Invocation, sub: Subrequest) -> Handshake | None:
    return next((shown for shown in invocation.handshakes if shown.connection == sub.connection), None)


def _shown(invocation: Invocation, number: int) -> int:
    """Return the number of the subrequest's handshake among those shown, -1 without one of its own."""
    sub = invocation.trace[number]
    found = _handshake_of(invocation, sub)
    if sub.reused or found is None:
        return -1
    index = invocation.handshakes.index(found)
    return index if index < HANDSHAKES_SHOWN else -1


def _handshake_words(invocation: Invocation, sub: Subrequest) -> str:
    if sub.reused:
        return "connection reused: no handshake"
    found = _handshake_of(invocation, sub)
    if found is None:
        return "no handshake" if sub.connection is None else "no handshake was recorded"
    return " · ".join(filter(None, (handshake.badge(found)["text"], visible(found.version))))


def _certificate(invocation: Invocation, sub: Subrequest) -> dict[str, str] | None:
    if not sub.fingerprint:
        return None
    found = _handshake_of(invocation, sub)
    return {"name": _certificate_name(found), "fingerprint": grouped_hex(visible(sub.fingerprint))}


def _certificate_name(found: Handshake | None) -> str:
    """Return the name of the certificate that crossed, "" when none did or it cannot be read."""
    if found is None or not found.client_chain:
        return ""
    try:
        return certificate_name(Certificate.from_der(found.client_chain[0]))
    except NotACertificate:
        return ""


def _handshake_state(invocation: Invocation, shown: Handshake) -> dict[str, Any]:
    """Return a handshake's state; where its subrequest tells cause and fix, it does not tell them again."""
    drawn = handshake.state(shown) | {"selected": handshake.first_selected(shown)}
    told = any(sub.diagnosis and sub.connection == shown.connection for sub in invocation.trace)
    return drawn | {"note": None} if told else drawn


def _note(diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    if diagnosis is None:
        return None
    evidence = [visible(fact) for fact in diagnosis.evidence]
    return {"cause": visible(diagnosis.cause), "evidence": evidence, "fix": visible(diagnosis.fix)}


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


def _diagnosis_text(diagnosis: Diagnosis) -> str:
    note = _note(diagnosis) or {}
    return "\n".join(
        [f"Why: {note['cause']}", *(f"  - {fact}" for fact in note["evidence"]), f"What to do: {note['fix']}"]
    )


_TRACE_HEAD = ("Request", "Binding", "Status", "Handshake")


def _trace_table(invocation: Invocation) -> list[tuple[str, str, str, str]]:
    """Return the subrequests as cells that do not differ between two equal runs."""
    return [
        (
            shortened(visible(f"{sub.method} {sub.url}"), 72),
            visible(sub.binding) or "(none)",
            _status(sub)["text"],
            _handshake_words(invocation, sub),
        )
        for sub in invocation.trace
    ]
