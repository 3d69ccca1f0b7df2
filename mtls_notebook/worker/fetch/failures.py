"""From what was raised while fetching to the doctor's word for it; no message is read, only types and bytes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

import h11

from ...recorder.events import Bytes, Event, Kind
from ...tls.records import looks_like
from .carrier import BodyFailed, Garbled, GivenUp, NoAnswer, NotProcessed, OnlyHttp1, Truncated
from .proxy import ProxyFailed

FAILED = (
    OSError,
    NoAnswer,
    Garbled,
    GivenUp,
    NotProcessed,
    Truncated,
    BodyFailed,
    ProxyFailed,
    h11.LocalProtocolError,
)

# First match wins: what was raised → the doctor's word for it.
_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "dns"),
    (ConnectionRefusedError, "refused"),
    (ssl.SSLEOFError, "closed"),
    (ssl.SSLError, "tls"),
    (ConnectionError, "reset"),
    (NoAnswer, "closed"),
    (Truncated, "truncated"),
    (Garbled, "protocol"),
    (GivenUp, "given-up"),
    (OnlyHttp1, "only-http1"),
    (NotProcessed, "not-processed"),
    (BodyFailed, "body"),
    (h11.LocalProtocolError, "request"),
    (OSError, "unreachable"),
)


def failure_of(error: BaseException, *, connected: bool = True) -> str:
    """Return the doctor's word for one of FAILED; `connected` says whether a request was being carried."""
    if isinstance(error, ProxyFailed):
        return error.failure
    if isinstance(error, TimeoutError):
        return "read-timeout" if connected else "connect-timeout"
    return next(name for kind, name in _FAILURES if isinstance(error, kind))


def spoken_instead(events: Iterable[Event]) -> str:
    """Return "not-tls-…" when the first bytes that the server sent are no TLS record."""
    for event in events:
        if event.kind is Kind.WIRE and isinstance(event.data, Bytes) and event.data.sender == "server":
            said = looks_like(event.data.data)
            return "" if said == "tls" else {"unknown": "not-tls"}.get(said, f"not-tls-{said}")
    return ""
