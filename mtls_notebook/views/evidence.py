"""What stands behind a message: its proofs recomputed, the records that carried it, the HTTP inside.

Plain data for the handshake's view. Secret values never leave for the front end, where a saved notebook would
keep them: a step of a proof shows its bytes only when PUBLIC names it, and of HTTP only the head is shown,
credentials left out. What may not live here: computing proofs, opening records (`recorder` does both).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..recorder.decrypt import WireRecord
from ..recorder.decrypt import records as wire_records
from ..recorder.events import Bytes, Event, Kind, Side
from ..recorder.handshake import Handshake
from ..recorder.key_schedule import Derived
from ..recorder.proofs import Proof
from ..tls.names import CONTENT_TYPES
from .text import counted, visible

# Values of a proof's working that crossed the wire or follow from what did: no secret among them.
PUBLIC = frozenset(
    {
        "Transcript-Hash",
        "binder",
        "binder as sent",
        "handshake_messages",
        "public key",
        "session_hash",
        "signature",
        "signed content",
        "verify_data",
        "verify_data as sent",
    }
)
STEP_BYTES = 160

# Whether a proof holds → (mark, what the mark says).
MARKS = {True: ("holds", "proof holds"), False: ("fails", "proof fails"), None: ("unknown", "proof not recomputable")}

APPLICATION_DATA = 23
RECORD_HEADER_BYTES = 5
HEAD_LIMIT_BYTES = 8192
_CREDENTIAL = re.compile(r"authorization|cookie|token|secret|passw|api-?key|session", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Crossed:
    """One record as it crossed: what was made of it, and all its bytes, header included."""

    record: WireRecord
    raw: bytes = field(repr=False)


def crossed(events: Iterable[Event]) -> tuple[Crossed, ...]:
    """Return every record that a connection's events kept, with its bytes. Source: RFC 8446 §5.1."""
    story = tuple(events)
    sent: dict[Side, bytearray] = {"client": bytearray(), "server": bytearray()}
    for event in _tls_part(story):
        if event.kind is Kind.WIRE and isinstance(event.data, Bytes):
            sent[event.data.sender] += event.data.data
    return tuple(
        Crossed(one, bytes(sent[one.sender][one.offset : one.offset + RECORD_HEADER_BYTES + one.length]))
        for one in wire_records(story)
    )


def _tls_part(story: Sequence[Event]) -> Sequence[Event]:
    """Return the events from the start of TLS on: before STARTTLS nothing is a record."""
    first = next((index for index, event in enumerate(story) if event.kind is Kind.TLS_STARTED), 0)
    return story[first:]


def checks(handshake: Handshake, proofs: Iterable[Proof]) -> dict[int, list[dict[str, Any]]]:
    """Return the proofs of each arrow that has some: {arrow: [{"mark", "says", "title", "why", "steps"}…]}."""
    arrows = [number for number, arrow in enumerate(handshake.arrows) if arrow.message is not None and arrow.read]
    found: dict[int, list[dict[str, Any]]] = {}
    for proof in proofs:
        if proof.message_index < len(arrows):
            found.setdefault(arrows[proof.message_index], []).append(_check(proof))
    return found


def proved(proofs: Iterable[Proof]) -> list[str]:
    """Return what the proofs come to, in words for the head: how many hold, and how many fail if any does."""
    verdicts = [proof.holds for proof in proofs]
    held, failed = verdicts.count(True), verdicts.count(False)
    words = (
        f"{counted(held, 'proof')} recomputed" if held else "",
        f"{counted(failed, 'proof')} wrong" if failed else "",
    )
    return [part for part in words if part]


def verdict(found: Sequence[dict[str, Any]]) -> str:
    """Return the one mark that an arrow wears for all its checks, the worst of them; "" without any."""
    marks = {check["mark"] for check in found}
    return next((mark for mark in ("fails", "unknown", "holds") if mark in marks), "")


def _check(proof: Proof) -> dict[str, Any]:
    mark, says = MARKS[proof.holds]
    steps = [_step(step) for step in proof.steps]
    return {"mark": mark, "says": says, "title": visible(proof.title), "why": visible(proof.why), "steps": steps}


def _step(step: Derived) -> dict[str, str]:
    public = step.label in PUBLIC
    more = len(step.value) - STEP_BYTES
    words = f"… {counted(more, 'more byte')}" if more > 0 else ""
    return {
        "label": visible(step.label),
        "hex": step.value[:STEP_BYTES].hex() if public else "",
        "more": words if public else f"{counted(len(step.value), 'byte')}, secret: kept in memory, not shown",
        "source": step.source,
        "from": visible(step.from_),
    }


def records_state(records: Sequence[Crossed], max_bytes: int) -> list[dict[str, Any]]:
    """Return each record as plain data, its bytes and its plaintext cut to `max_bytes` each.

    Application data stays sealed here: what a worker sends may hold credentials.
    """
    return [_record(record, max_bytes) for record in records]


def _record(one: Crossed, max_bytes: int) -> dict[str, Any]:
    record, raw = one.record, one.raw
    is_sealed = record.inner_type == APPLICATION_DATA or record.plaintext is None
    plain = b"" if is_sealed or record.inner_type is None else record.plaintext or b""
    return {
        "title": _record_title(record),
        "hex": raw[: RECORD_HEADER_BYTES + max_bytes].hex() if max_bytes else "",
        "length": RECORD_HEADER_BYTES + record.length,
        "plain": plain[:max_bytes].hex(),
        "plain_length": len(plain),
        "words": _record_words(record, is_sealed=is_sealed),
    }


def _record_title(record: WireRecord) -> str:
    outside = CONTENT_TYPES.get(record.content_type, f"type {record.content_type}")
    if record.inner_type is None or record.inner_type == record.content_type:
        return outside
    return f"{outside} outside, {CONTENT_TYPES.get(record.inner_type, f'type {record.inner_type}')} inside"


def _record_words(record: WireRecord, *, is_sealed: bool) -> str:
    if record.plaintext is None:
        return "No key of this recording opens it."
    if record.inner_type is None:
        return "In the open: whoever listens reads it."
    if is_sealed:
        return f"{counted(len(record.plaintext), 'byte')} of application data inside, not shown."
    return "Encrypted; opened here with the keys that this client had."


def carriers(handshake: Handshake, records: Sequence[WireRecord]) -> dict[int, list[int]]:
    """Return which records carried each arrow: {arrow: [record…]}.

    Messages are matched within one sender, whose order is the same on the wire and in the recording; how the
    two directions interleave is not.
    """
    found: dict[int, list[int]] = {}
    for sender in ("client", "server"):
        sent = [i for i, arrow in enumerate(handshake.arrows) if arrow.sender == sender and arrow.message is not None]
        theirs = [i for i, record in enumerate(records) if record.sender == sender]
        counted_messages = sorted({index for i in theirs for index in records[i].message_indices})
        arrow_of = dict(zip(counted_messages, sent, strict=False))  # the wire may be kept only in part
        for i in theirs:
            for index in records[i].message_indices:
                if index in arrow_of:
                    found.setdefault(arrow_of[index], []).append(i)
    return found | _data_carriers(handshake, records)


def _data_carriers(handshake: Handshake, records: Sequence[WireRecord]) -> dict[int, list[int]]:
    """Return the first application data record of each sender for the arrow that stands for its HTTP."""
    found: dict[int, list[int]] = {}
    for number, arrow in enumerate(handshake.arrows):
        theirs = [i for i, record in enumerate(records) if record.sender == arrow.sender and _is_data(record)]
        if arrow.message is None and theirs:
            found[number] = theirs[:1]
    return found


def _is_data(record: WireRecord) -> bool:
    return record.inner_type == APPLICATION_DATA and bool(record.plaintext)


def http_heads(handshake: Handshake, records: Sequence[WireRecord]) -> dict[int, list[dict[str, str]]]:
    """Return the HTTP head inside each data arrow: {arrow: [{"name", "value"}…]}, the first line without a name.

    Credentials are named and left out. HTTP/2, and what no key opens, has no head here.
    """
    heads: dict[int, list[dict[str, str]]] = {}
    for number, arrow in enumerate(handshake.arrows):
        if arrow.message is None:
            sent = [record.plaintext or b"" for record in records if record.sender == arrow.sender and _is_data(record)]
            if head := _head(b"".join(sent)[:HEAD_LIMIT_BYTES]):
                heads[number] = head
    return heads


def _head(text: bytes) -> list[dict[str, str]]:
    """Return an HTTP/1.1 head line by line, [] when there is none. Source: RFC 9112 §2.1."""
    head, end, _ = text.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not end or "HTTP/1." not in first:
        return []
    pairs = (line.partition(":") for line in lines)
    return [{"name": "", "value": visible(first)}, *(_header(name, value.strip()) for name, _, value in pairs)]


def _header(name: str, value: str) -> dict[str, str]:
    shown = f"({counted(len(value), 'byte')}, not shown)" if _CREDENTIAL.search(name) else visible(value)
    return {"name": visible(name), "value": shown}
