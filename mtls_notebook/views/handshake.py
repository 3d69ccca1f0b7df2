"""The handshake view: what crossed between client and server, in order, each byte explained.

`state` decides everything that is shown and `handshake.js` only draws it, so that what a reader sees can
be tested without a browser. What may not live here: decoding, diagnosis, and words on what a field is for
(`tls.prose` has them).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from ..diagnosis.doctor import Diagnosis
from ..recorder.flows import Step
from ..recorder.handshake import AlertSeen, Arrow, Handshake
from ..tls import prose
from ..tls.messages import Message
from . import assets, figure, static
from .fields import Pages, anatomy
from .text import counted, milliseconds, shortened, size, stable, visible

STATE_LIMIT_BYTES = 100_000

# How much of each message is sent to the front end: fields, bytes. The first row that fits is taken.
ALLOWANCES = ((400, 8192), (200, 4096), (80, 2048), (30, 1024), (10, 256), (0, 0))

# Outcome → (badge, tone).
BADGES = {
    "mutual": ("mutual", "proof"),
    "server-only": ("server only", "neutral"),
    "refused-by-server": ("refused by server", "alert"),
    "refused-by-client": ("refused by client", "alert"),
    "failed": ("failed", "alert"),
    "plain": ("not encrypted", "alert"),
}

# (message, sender) → what a message that only mTLS has adds.
ONLY_IN_MTLS = {
    ("CertificateRequest", "server"): "Without it the server never learns who you are.",
    ("Certificate", "client"): "It says who you are. It does not prove it yet: anybody can send a copy.",
    ("CertificateVerify", "client"): "The signature needs the private key: this is the proof.",
}

CLOSE_NOTIFY = 0


class HandshakeWidget(anywidget.AnyWidget):
    """Shows one handshake. `selected` is the number of the selected arrow, -1 for none, on both sides."""

    _esm = assets.module("dom.js", "bytes.js", "handshake.js", render="renderHandshake")
    _css = assets.stylesheet("theme.css", "bytes.css", "handshake.css")
    state = traitlets.Dict().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)

    def __init__(self, handshake: Handshake, diagnosis: Diagnosis | None = None) -> None:
        super().__init__(state=state(handshake, diagnosis), selected=first_selected(handshake))
        self._handshake = handshake

    def show(self, handshake: Handshake, diagnosis: Diagnosis | None = None) -> None:
        """Show `handshake` from now on."""
        self._handshake = handshake
        with self.hold_sync():
            self.state = state(handshake, diagnosis)
            self.selected = first_selected(handshake)

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._handshake), text(self._handshake))


def view(handshake: Handshake) -> HandshakeWidget:
    """Return the widget of `handshake`."""
    return HandshakeWidget(handshake)


def state(handshake: Handshake, diagnosis: Diagnosis | None = None) -> dict[str, Any]:
    """Return all that `handshake.js` draws, as plain JSON of at most 100 kB."""
    frame = _frame(handshake, diagnosis)
    for max_fields, max_bytes in ALLOWANCES:
        drawn = frame | _messages(handshake, max_fields, max_bytes)
        if len(json.dumps(drawn)) <= STATE_LIMIT_BYTES:
            break
    return drawn


def first_selected(handshake: Handshake) -> int:
    """Return the arrow to open with: the alert, else the first that only mTLS has, else the first; -1 without."""
    arrows = handshake.arrows
    for wanted in (is_alert, _is_mtls_only):
        found = next((i for i, arrow in enumerate(arrows) if wanted(arrow)), None)
        if found is not None:
            return found
    return 0 if arrows else -1


def is_alert(arrow: Arrow) -> bool:
    """Return whether `arrow` is an alert that ends something; close_notify only says goodbye."""
    message = arrow.message
    if isinstance(message, Message) and message.kind == "Alert":
        return getattr(message.value, "description", None) != CLOSE_NOTIFY
    return arrow.name == "Alert" and "close_notify" not in arrow.detail


def rows(handshake: Handshake) -> list[tuple[int, bool, int]]:
    """Return the lines of the drawing as (step, whether it is named here, arrow or -1), arrows in true order.

    A step that no message belongs to stands right after the last message of the steps before it.
    """
    used = [arrow.step for arrow in handshake.arrows]
    silent = [step for step in range(len(handshake.steps)) if step not in used]
    after = {step: _last_before(used, step) for step in silent}
    lines = [(step, True, -1) for step in silent if after[step] < 0]
    for number, step in enumerate(used):
        lines.append((step, number == 0 or used[number - 1] != step, number))
        lines += [(quiet, True, -1) for quiet in silent if after[quiet] == number]
    return lines


def _last_before(used: list[int], step: int) -> int:
    """Return the last arrow of the nearest earlier step that has arrows, -1 without one."""
    nearest = max((other for other in used if other < step), default=-1)
    return max((number for number, other in enumerate(used) if other == nearest), default=-1)


def header_facts(handshake: Handshake) -> tuple[str, ...]:
    """Return version, cipher, group, count, bytes and time, each only when known."""
    found = (
        handshake.version,
        handshake.suite,
        handshake.group,
        "resumed session" if handshake.resumed else "",
        counted(sum(arrow.message is not None for arrow in handshake.arrows), "message"),
        size(handshake.wire_bytes) if handshake.wire_bytes else "",
        milliseconds(handshake.timings.tls_ns) if handshake.timings.tls_ns else "",
    )
    return tuple(visible(fact) for fact in found if fact)


def badge(handshake: Handshake) -> dict[str, str]:
    """Return the verdict in a word and its tone."""
    words, tone = BADGES[handshake.outcome]
    return {"text": words, "tone": tone}


def title(handshake: Handshake) -> str:
    """Return the host, with its port unless it is 443."""
    host = visible(handshake.host)
    return host if handshake.port == 443 else f"{host}:{handshake.port}"


def line(handshake: Handshake) -> str:
    """Return the handshake in one stable line."""
    version = visible(handshake.version) or "no TLS"
    return f"<Handshake {visible(handshake.host)}: {badge(handshake)['text']}, {version}>"


def text(handshake: Handshake) -> str:
    """Return the handshake as plain text: a head and a table, the same in every equal run."""
    head = f"{visible(handshake.host)}: {badge(handshake)['text']}"
    about = " · ".join(filter(None, (visible(handshake.version), visible(handshake.suite))))
    lines = [" · ".join(filter(None, (head, about))), *_routed(handshake, stable_form=True)]
    table = static.text_table(("Step", "", "Message", "Detail"), _table_rows(handshake))
    return "\n".join([*lines, "", table, *_failure_lines(handshake)])


def html(handshake: Handshake) -> str:
    """Return the handshake as HTML that survives sanitising: a picture, and the table folded under it."""
    drawn = _frame(handshake, None) | {"arrows": [_arrow(arrow, handshake) for arrow in handshake.arrows]}
    about = f"Handshake with {visible(handshake.host)}: {badge(handshake)['text']}"
    table = static.html_table(("Step", "Direction", "Message", "Detail"), _table_rows(handshake))
    failure = "".join(f"<p>{static.escape(words)}</p>" for words in _failure_lines(handshake) if words)
    return static.picture(figure.sequence(drawn), about) + failure + static.folded("As a table", table)


def _is_mtls_only(arrow: Arrow) -> bool:
    return arrow.mtls_only


def _frame(handshake: Handshake, diagnosis: Diagnosis | None) -> dict[str, Any]:
    words = badge(handshake)
    return {
        "label": f"Handshake with {title(handshake)}: {words['text']}",
        "title": title(handshake),
        "badge": words,
        "facts": list(header_facts(handshake)),
        "via": "".join(_routed(handshake)),
        "note": _note(handshake, diagnosis),
        "steps": [_step(step) for step in handshake.steps],
        "rows": [{"step": s, "named": named, "arrow": arrow} for s, named, arrow in rows(handshake)],
    }


def _routed(handshake: Handshake, *, stable_form: bool = False) -> list[str]:
    if not handshake.via:
        return []
    address = visible(handshake.via)
    return [f"routed to {address.rpartition(':')[0] if stable_form else address}, no public host was reached"]


def _note(handshake: Handshake, diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    if diagnosis:
        evidence = [visible(fact) for fact in diagnosis.evidence]
        return {"cause": visible(diagnosis.cause), "evidence": evidence, "fix": visible(diagnosis.fix)}
    if handshake.alert:
        return {"cause": _alert_words(handshake.alert), "evidence": _alert_meaning(handshake.alert), "fix": ""}
    if handshake.failure:
        return {"cause": f"The handshake failed: {visible(handshake.failure)}", "evidence": [], "fix": ""}
    return None


def _alert_words(alert: AlertSeen) -> str:
    crossed = "" if alert.delivered else " It never crossed the wire."
    return f"The {alert.sender} refused: {visible(alert.name)} (alert {alert.number}).{crossed}"


def _alert_meaning(alert: AlertSeen) -> list[str]:
    words = prose.describe_alert(alert.number)
    return [f"{words.text} ({words.source})"]


def _failure_lines(handshake: Handshake) -> list[str]:
    note = _note(handshake, None)
    return ["", note["cause"], *note["evidence"]] if note else []


def _step(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "title": visible(step.title),
        "mtls_only": step.mtls_only,
        "caption": visible(step.caption),
    }


def _messages(handshake: Handshake, max_fields: int, max_bytes: int) -> dict[str, Any]:
    pages = Pages()
    arrows = [_arrow(arrow, handshake) | _explained(arrow, pages, max_fields, max_bytes) for arrow in handshake.arrows]
    return {"arrows": arrows, "prose": pages.texts}


def _arrow(arrow: Arrow, handshake: Handshake) -> dict[str, Any]:
    receiver = "server" if arrow.sender == "client" else "client"
    alert = is_alert(arrow)
    crossing = "encrypted" if arrow.encrypted else "in plain text"
    step = handshake.steps[arrow.step]
    spoken = (visible(arrow.name), f"{arrow.sender} to {receiver}", crossing, visible(arrow.detail), step.title)
    return {
        "name": visible(arrow.name),
        "detail": shortened(stable(visible(arrow.detail)), 90),
        "sender": arrow.sender,
        "route": f"{arrow.sender} → {receiver}",
        "crossing": crossing,
        "size": size(arrow.length_bytes) if arrow.length_bytes else "",
        "time": f"{arrow.at_ns / 1e6:.2f}",
        "encrypted": arrow.encrypted,
        "mtls_only": arrow.mtls_only,
        "alert": alert,
        "label": ", ".join(filter(None, (*spoken, "only in mTLS" if arrow.mtls_only else ""))),
        "proof": ONLY_IN_MTLS.get((arrow.name, arrow.sender), "") if arrow.mtls_only else "",
    }


def _explained(arrow: Arrow, pages: Pages, max_fields: int, max_bytes: int) -> dict[str, Any]:
    message = arrow.message
    if message is None:
        return {"anatomy": None, "prose": -1}
    about = pages.index(prose.explain(message.kind, ())) if isinstance(message, Message) else -1
    return {"anatomy": anatomy(message, pages, max_fields, max_bytes), "prose": about}


def _table_rows(handshake: Handshake) -> list[tuple[str, str, str, str]]:
    """Return step, direction, message, detail; nothing in it differs between two equal runs."""
    table = []
    for number, named, index in rows(handshake):
        step = handshake.steps[number]
        label = f"{step.number} {visible(step.title)}" if named else ""
        if index < 0:
            table.append((label, "", "", visible(step.caption)))
            continue
        arrow = handshake.arrows[index]
        table.append((label, _DIRECTIONS[arrow.sender], visible(arrow.name), _table_detail(arrow)))
    return table


def _table_detail(arrow: Arrow) -> str:
    marks = ("encrypted" if arrow.encrypted else "", "only in mTLS" if arrow.mtls_only else "")
    return " · ".join(filter(None, (stable(visible(arrow.detail)), *marks)))


_DIRECTIONS: Mapping[str, str] = {"client": "→ server", "server": "client ←"}
