"""Requests as a HAR 1.2 log, each with a `_tls` section that tells of its handshake.

A HAR names requests, not connections, so the caller hands over the requests; without any, they are
read off the recording. What may not live here: files, secrets, header and body contents (the recording
has none). Source: "HTTP Archive 1.2", log, entries, timings; fields that begin with _ are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from .events import Event, Kind, Request, Status, Target, answers
from .handshake import Handshake, fold
from .phases import REUSED, Phase, Phases, Setup
from .plain import alert, chain

UNKNOWN = -1
"""What a HAR says for a size or a phase that is not known or did not take place."""

# HAR's name → our phases.
_PHASES: Mapping[str, tuple[Phase, ...]] = {
    "blocked": ("queue",),
    "dns": ("dns",),
    "connect": ("tcp", "tls"),
    "ssl": ("tls",),
    "send": ("send",),
    "wait": ("wait",),
    "receive": ("receive",),
}
_PROTOCOLS = {"h2": "HTTP/2"}
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class RequestFacts(Protocol):
    """What a HAR needs of one request; a worker's Subrequest has all of it.

    `started_ns` is on the recording's clock; `binding` and `fingerprint` are "" when no certificate was offered.
    """

    @property
    def binding(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def started_ns(self) -> int: ...
    @property
    def phases(self) -> Phases: ...
    @property
    def status(self) -> int | None: ...
    @property
    def connection(self) -> int | None: ...
    @property
    def reused(self) -> bool: ...
    @property
    def request_bytes(self) -> int: ...
    @property
    def response_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request read off a connection's events: what RequestFacts asks for, sizes unknown."""

    method: str
    url: str
    started_ns: int
    headers_ns: int | None
    ended_ns: int | None
    status: int | None
    connection: int | None
    reused: bool
    binding: str = ""
    fingerprint: str = ""
    request_bytes: int = UNKNOWN
    response_bytes: int = UNKNOWN
    asked_ns: int | None = None
    setup: Setup = REUSED

    @property
    def phases(self) -> Phases:
        """Return how long each phase took; a request leaves in one write, whose end nobody recorded."""
        begun = (self.started_ns, *self.setup.begun, self.asked_ns, self.asked_ns, self.headers_ns)
        reached = (self.ended_ns, self.headers_ns, self.asked_ns, self.started_ns)
        return Phases.between(begun, next(at for at in reached if at is not None))


def har(
    requests: Sequence[RequestFacts], connections: Sequence[Sequence[Event]], epoch_ns: int, version: str = ""
) -> dict[str, Any]:
    """Return the log as plain data; a request whose connection is not among `connections` has `_tls` null.

    Units: `epoch_ns` is the Unix time, in nanoseconds, at which the recording's clock stood at 0.
    """
    stories = {events[0].connection: _Story(fold(events), _address(events)) for events in connections if events}
    entries = [_entry(request, stories.get(request.connection or 0), epoch_ns) for request in requests]
    creator = {"name": "mtls-notebook", "version": version}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def recorded_requests(events: Sequence[Event]) -> tuple[RecordedRequest, ...]:
    """Return the requests that one connection carried, in order.

    A response belongs to the request that it names (Status), else to the one before it.
    """
    target = next((e.data for e in events if isinstance(e.data, Target)), None)
    if target is None:
        return ()
    base = _base(target, encrypted=any(e.kind is Kind.TLS_STARTED for e in events))
    asked = [i for i, e in enumerate(events) if e.kind is Kind.REQUEST]
    ends = [*asked, len(events)][1:]
    return tuple(_recorded(events, begin, end, base) for begin, end in zip(asked, ends, strict=True))


def _base(target: Target, *, encrypted: bool) -> str:
    scheme, usual = ("https", 443) if encrypted else ("http", 80)
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{scheme}://{host}" + ("" if target.port == usual else f":{target.port}")


def _recorded(events: Sequence[Event], begin: int, end: int, base: str) -> RecordedRequest:
    asked = events[begin]
    request = asked.data
    assert isinstance(request, Request)
    later = _heard(events, begin, end, request.ordinal)
    answer = next((e for e in later if e.kind is Kind.RESPONSE and answers(e.data, request.ordinal)), None)
    first = request.ordinal == 1
    return RecordedRequest(
        method=request.method,
        url=base + request.target if request.target.startswith("/") else request.target,
        started_ns=events[0].at_ns if first else asked.at_ns,
        headers_ns=answer.at_ns if answer else None,
        ended_ns=max((e.at_ns for e in later if e.kind is Kind.WIRE), default=None),
        status=int(str(answer.data)) if answer else None,
        connection=asked.connection,
        reused=not first,
        asked_ns=asked.at_ns,
        setup=Setup.of(events) if first else REUSED,
    )


def _heard(events: Sequence[Event], begin: int, end: int, ordinal: int) -> Sequence[Event]:
    """Return what came for the request at `begin`: where answers are numbered, from its own one to the next word."""
    own = (i for i, e in enumerate(events) if isinstance(e.data, Status) and e.data.ordinal == ordinal)
    at = next(own, None)
    if at is None:
        return events[begin + 1 : end]
    words = (i for i in range(at + 1, len(events)) if events[i].kind in (Kind.REQUEST, Kind.RESPONSE))
    return events[at : next(words, len(events))]


@dataclass(frozen=True, slots=True)
class _Story:
    """One connection: its handshake and the peer's address."""

    handshake: Handshake
    address: str


def _address(events: Sequence[Event]) -> str:
    peer = next((str(e.data) for e in events if e.kind is Kind.CONNECTED), "")
    return peer.rpartition(":")[0]


def _entry(request: RequestFacts, story: _Story | None, epoch_ns: int) -> dict[str, Any]:
    timings = _timings(request)
    began = datetime.fromtimestamp((epoch_ns + request.started_ns) / 1e9, UTC)
    entry = {
        "startedDateTime": began.isoformat(timespec="microseconds"),
        "time": sum(ms for name, ms in timings.items() if name != "ssl" and ms > 0),  # ssl lies within connect
        "request": _request(request, story),
        "response": _response(request, story),
        "cache": {},
        "timings": timings,
        "_binding": request.binding,
        "_tls": _tls(request, story) if story else None,
    }
    if story and story.address:
        entry |= {"serverIPAddress": story.address}
    return entry if request.connection is None else entry | {"connection": str(request.connection)}


def _request(request: RequestFacts, story: _Story | None) -> dict[str, Any]:
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    return {
        "method": request.method,
        "url": request.url,
        "httpVersion": _protocol(story),
        "cookies": [],
        "headers": [],
        "queryString": [{"name": name, "value": value} for name, value in query],
        "headersSize": UNKNOWN,
        "bodySize": request.request_bytes,
    }


def _response(request: RequestFacts, story: _Story | None) -> dict[str, Any]:
    """Return the response; a status of 0 says that none came, as browsers write it."""
    status = request.status or 0
    return {
        "status": status,
        "statusText": _PHRASES.get(status, ""),
        "httpVersion": _protocol(story),
        "cookies": [],
        "headers": [],
        "content": {"size": request.response_bytes, "mimeType": ""},
        "redirectURL": "",
        "headersSize": UNKNOWN,
        "bodySize": request.response_bytes,
    }


def _protocol(story: _Story | None) -> str:
    return _PROTOCOLS.get(story.handshake.alpn if story else "", "HTTP/1.1")


def _timings(request: RequestFacts) -> dict[str, float]:
    """Return HAR's phases in milliseconds; HAR counts TLS into `connect` and names it once more as `ssl`."""
    took = dict(request.phases)
    phases = {name: _milliseconds(took, *parts) for name, parts in _PHASES.items()}
    return phases | {name: max(phases[name], 0.0) for name in ("send", "wait", "receive")}  # HAR: never unknown


def _milliseconds(took: Mapping[Phase, int], *parts: Phase) -> float:
    """Return the sum of some phases, UNKNOWN when none of them took place."""
    known = [took[part] for part in parts if part in took]
    return sum(known) / 1e6 if known else UNKNOWN


def _tls(request: RequestFacts, story: _Story) -> dict[str, Any]:
    shake = story.handshake
    presented = chain(shake.client_chain)
    return {
        "version": shake.version,
        "cipherSuite": shake.suite,
        "group": shake.group,
        "alpn": shake.alpn,
        "resumed": shake.resumed,
        "connectionReused": request.reused,
        "outcome": shake.outcome,
        "offeredFingerprint": request.fingerprint,
        "clientCertificate": presented[0] if presented else None,
        "serverChain": chain(shake.server_chain),
        "acceptableParties": list(shake.acceptable_parties or ()),
        "messages": [{"name": a.name, "sender": a.sender} for a in shake.arrows if a.message is not None],
        "alert": alert(shake),
        "failure": shake.failure,
    }
