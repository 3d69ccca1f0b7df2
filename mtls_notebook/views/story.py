"""A handshake as lines to draw: who, what, the verdict, each step and each arrow, as plain data.

The handshake's view, a comparison and a run all tell their handshakes with these words. What may not live
here: widgets, layout, a message's fields (`fields`), and what proves it (`evidence`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..diagnosis.doctor import Diagnosis
from ..recorder.flows import Step
from ..recorder.handshake import AlertSeen, Arrow, Handshake
from ..tls import prose
from ..tls.messages import Message
from .text import counted, milliseconds, shortened, size, stable, visible

# Outcome → (badge, tone).
BADGES = {
    "mutual": ("mutual", "proof"),
    "server-only": ("server only", "neutral"),
    "resumed": ("resumed", "neutral"),
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

# Said of what lay in the client's buffer when it refused: it crossed, and nobody looked at it.
UNREAD = "arrived, not read"
DETAIL_LIMIT = 90

_PORT = re.compile(r":\d+/?$")

# Playing: how long a message stays on average, and the shortest and longest a pause may be. Milliseconds.
PACE_MS, SHORTEST_MS, LONGEST_MS = 900, 250, 2500


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


def _is_mtls_only(arrow: Arrow) -> bool:
    return arrow.mtls_only


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


def frame(handshake: Handshake, diagnosis: Diagnosis | None) -> dict[str, Any]:
    """Return everything around the messages: title, badge, facts, note, steps and lines."""
    words = badge(handshake)
    return {
        "label": f"Handshake with {title(handshake)}: {words['text']}",
        "title": title(handshake),
        "badge": words,
        "facts": list(header_facts(handshake)),
        "via": " · ".join(routed(handshake)),
        "note": note(handshake, diagnosis),
        "steps": [step_state(step) for step in handshake.steps],
        "rows": [{"step": s, "named": named, "arrow": arrow} for s, named, arrow in rows(handshake)],
    }


def header_facts(handshake: Handshake) -> tuple[str, ...]:
    """Return version, cipher, group, count, bytes, time and the origin's own verdict, each only when known."""
    found = (
        handshake.version,
        handshake.suite,
        handshake.group,
        "resumed session" if handshake.resumed and handshake.outcome != "resumed" else "",
        counted(sum(arrow.message is not None for arrow in handshake.arrows), "message"),
        size(handshake.wire_bytes) if handshake.wire_bytes else "",
        milliseconds(handshake.timings.tls_ns) if handshake.timings.tls_ns else "",
        f"origin verified the client: {handshake.peer_verified.message}" if handshake.peer_verified else "",
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


def routed(handshake: Handshake, *, stable_form: bool = False) -> list[str]:
    """Return the lines that say where the connection was led to, [] when it went straight to its host.

    The stable form leaves ports out: they differ between equal runs.
    """
    lines = []
    if handshake.via:
        address = visible(handshake.via)
        lines.append(f"routed to {_PORT.sub('', address) if stable_form else address}, no public host was reached")
    if handshake.proxy:
        proxy = visible(handshake.proxy)
        lines.append(f"through proxy {_PORT.sub('', proxy) if stable_form else proxy}")
    return lines


def note(handshake: Handshake, diagnosis: Diagnosis | None) -> dict[str, Any] | None:
    """Return why the handshake failed, as {"cause", "evidence", "fix"}; None when it did not."""
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


def step_state(step: Step) -> dict[str, Any]:
    """Return one step of the story as plain data."""
    return {
        "number": step.number,
        "title": visible(step.title),
        "mtls_only": step.mtls_only,
        "caption": visible(step.caption),
    }


def arrow_states(handshake: Handshake) -> list[dict[str, Any]]:
    """Return each arrow as plain data, its bytes and proofs not included."""
    waits = pacing([arrow.at_ns for arrow in handshake.arrows])
    return [
        _arrow_state(arrow, handshake.steps[arrow.step]) | {"wait": wait}
        for arrow, wait in zip(handshake.arrows, waits, strict=True)
    ]


def detail(arrow: Arrow) -> str:
    """Return what is said of an arrow beside its name; it does not differ between two equal runs."""
    return " · ".join(filter(None, ("" if arrow.read else UNREAD, stable(visible(arrow.detail)))))


def _arrow_state(arrow: Arrow, step: Step) -> dict[str, Any]:
    receiver = "server" if arrow.sender == "client" else "client"
    crossing = ("encrypted" if arrow.encrypted else "in plain text") + ("" if arrow.read else f", {UNREAD}")
    spoken = (visible(arrow.name), f"{arrow.sender} to {receiver}", crossing, stable(visible(arrow.detail)), step.title)
    return {
        "name": visible(arrow.name),
        "detail": shortened(detail(arrow), DETAIL_LIMIT),
        "sender": arrow.sender,
        "route": f"{arrow.sender} → {receiver}",
        "crossing": crossing,
        "size": size(arrow.length_bytes) if arrow.length_bytes else "",
        "time": f"{arrow.at_ns / 1e6:.2f}",
        "encrypted": arrow.encrypted,
        "mtls_only": arrow.mtls_only,
        "alert": is_alert(arrow),
        "label": ", ".join(filter(None, (*spoken, "only in mTLS" if arrow.mtls_only else ""))),
        "proof": ONLY_IN_MTLS.get((arrow.name, arrow.sender), "") if arrow.mtls_only else "",
    }


def pacing(times_ns: Sequence[int]) -> list[int]:
    """Return how long to wait before each message when playing, in milliseconds; 0 before the first.

    The real gaps, stretched so that a message stays PACE_MS on average; the bounds keep a story of
    microseconds and seconds watchable.
    """
    gaps = [max(0, later - earlier) for earlier, later in pairwise(times_ns)]
    stretch = PACE_MS * len(gaps) / (sum(gaps) or 1)
    return [0, *(round(min(max(gap * stretch, SHORTEST_MS), LONGEST_MS)) for gap in gaps)][: len(times_ns)]
