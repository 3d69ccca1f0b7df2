"""Handshakes as one JSON document for other programs: every message, field by field, and no secret.

What may not live here: explanations in prose (`tls.prose` has them), layout, files, SECRET events.

Format 1:

    {"format": "mtls-notebook handshakes", "version": 1,
     "connections": [{
        "connection": 7, "host": "example.com", "port": 443,
        "via": "127.0.0.1:8443",            where connect-to led it, "" if nowhere
        "address": "127.0.0.1:8443",        the peer, "" if TCP never came up
        "started": "2026-01-31T12:00:00.000000+00:00",
        "tls": "TLS 1.3", "cipher_suite": "TLS_AES_128_GCM_SHA256", "group": "x25519",
        "alpn": "http/1.1", "resumed": false,
        "outcome": "mutual",                as recorder.handshake.Outcome
        "alert": {"number", "name", "sender"} or null,
        "failure": "", "verify_code": 0,    OpenSSL's reason and X509_V_ERR number
        "timings_ms": {"resolve", "connect", "tls", "response"},   null where not reached
        "wire_bytes": 5120,
        "client_chain": [{"subject", "issuer", "sha256"}],         leaf first
        "server_chain": […],
        "acceptable_parties": ["CN=…"] or null,                    null: the server did not ask
        "steps": [{"number", "title", "mtls_only", "caption"}],
        "messages": [{
            "name": "ClientHello", "sender": "client",             the RFC's name
            "at_ms": 0.0,                                          since the first message
            "length": 517, "encrypted": false, "mtls_only": false,
            "read": true,                                          false: it arrived after the client had refused
            "step": 0,                                             index into steps
            "summary": "…", "error": "",                           why it does not decode
            "fields": [{"path": "extensions.extension[0].server_name.length",
                        "offset": 120, "length": 2,                bytes, from the message's start
                        "value": 16,                               a number or text, null for plain bytes
                        "hex": "0010", "meaning": ""}]}]}]}

Fields are the leaves of the span tree: they tile the message, so that the `hex` values joined are
the message. Application data is a message without fields. Readers should ignore keys they do not
know: new ones may come without a new version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ..spans import Field
from ..tls.messages import Message, Undecoded
from .events import Event, Kind
from .handshake import Arrow, Handshake, Timings, fold
from .plain import alert, chain

FORMAT, VERSION = "mtls-notebook handshakes", 1

# Items of a DER SEQUENCE OF or SET OF, whose composite does not count them.
_SET_ITEMS = frozenset({"RelativeDistinguishedName", "AttributeTypeAndValue"})


def document(connections: Sequence[Sequence[Event]], epoch_ns: int) -> dict[str, Any]:
    """Return the document as plain data.

    Units: `epoch_ns` is the Unix time, in nanoseconds, at which the recording's clock stood at 0.
    """
    told = [_connection(events, epoch_ns) for events in connections if events]
    return {"format": FORMAT, "version": VERSION, "connections": told}


def _connection(events: Sequence[Event], epoch_ns: int) -> dict[str, Any]:
    shake = fold(events)
    started = datetime.fromtimestamp((epoch_ns + events[0].at_ns) / 1e9, UTC)
    return {
        "connection": shake.connection,
        "host": shake.host,
        "port": shake.port,
        "via": shake.via,
        "address": next((str(e.data) for e in events if e.kind is Kind.CONNECTED), ""),
        "started": started.isoformat(timespec="microseconds"),
        **_agreed(shake),
        "timings_ms": _timings(shake.timings),
        "wire_bytes": shake.wire_bytes,
        "client_chain": chain(shake.client_chain),
        "server_chain": chain(shake.server_chain),
        "acceptable_parties": None if shake.acceptable_parties is None else list(shake.acceptable_parties),
        "steps": [
            {"number": s.number, "title": s.title, "mtls_only": s.mtls_only, "caption": s.caption} for s in shake.steps
        ],
        "messages": [_message(arrow) for arrow in shake.arrows],
    }


def _agreed(shake: Handshake) -> dict[str, Any]:
    return {
        "tls": shake.version,
        "cipher_suite": shake.suite,
        "group": shake.group,
        "alpn": shake.alpn,
        "resumed": shake.resumed,
        "outcome": shake.outcome,
        "alert": alert(shake),
        "failure": shake.failure,
        "verify_code": shake.verify_code,
    }


def _timings(timings: Timings) -> dict[str, float | None]:
    phases = {
        "resolve": timings.resolve_ns,
        "connect": timings.connect_ns,
        "tls": timings.tls_ns,
        "response": timings.response_ns,
    }
    return {name: None if ns is None else ns / 1e6 for name, ns in phases.items()}


def _message(arrow: Arrow) -> dict[str, Any]:
    message = arrow.message
    return {
        "name": arrow.name,
        "sender": arrow.sender,
        "at_ms": arrow.at_ns / 1e6,
        "length": arrow.length_bytes,
        "encrypted": arrow.encrypted,
        "read": arrow.read,
        "mtls_only": arrow.mtls_only,
        "step": arrow.step,
        "summary": arrow.detail,
        "error": str(message.error) if isinstance(message, Undecoded) else "",
        "fields": fields(message) if isinstance(message, Message) else [],
    }


def fields(message: Message) -> list[dict[str, Any]]:
    """Return a message's leaves in the order of their bytes, as plain data."""
    return [_leaf(path, field, message.raw) for path, field in _leaves(message.field, "")]


def _leaves(field: Field, path: str) -> Iterator[tuple[str, Field]]:
    counted = isinstance(field.value, str)  # a composite whose value is "17 items"
    index = 0
    for child in field.children:
        name = child.name
        if name in _SET_ITEMS or (counted and name != "length"):
            name, index = f"{name}[{index}]", index + 1
        below = f"{path}.{name}" if path else name
        if child.children:
            yield from _leaves(child, below)
        else:
            yield below, child


def _leaf(path: str, field: Field, raw: bytes) -> dict[str, Any]:
    start, end = field.span
    return {
        "path": path,
        "offset": start,
        "length": end - start,
        "value": field.value if isinstance(field.value, int | str) else None,
        "hex": raw[start:end].hex(),
        "meaning": field.meaning,
    }
