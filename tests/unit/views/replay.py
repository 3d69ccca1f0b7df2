"""Handshakes for the views to show: recorded bytes of real servers, replayed as events and folded.

The clock is counted, not read: equal captures give equal handshakes. What may not live here: hand-made
messages (`tests/captures` holds real ones, each with how it was made; `met` makes its own with OpenSSL).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from mtls_notebook.recorder.decrypt import records, with_messages
from mtls_notebook.recorder.events import Agreed, Bytes, Event, EventData, Failure, Kind, Request, Target
from mtls_notebook.recorder.handshake import Handshake, fold
from tests.unit.recorder.pair import Pair, Terms

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
EVENT_NS = 250_000
CLOSE_NOTIFY = 0
REQUEST = b"GET /orders HTTP/1.1\r\nHost: pair.example\r\nAuthorization: Bearer never-shown\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: id=never-shown\r\n\r\nbody-never-shown"
KINDS = {20: Kind.CHANGE_CIPHER_SPEC, 21: Kind.ALERT, 22: Kind.MESSAGE}

# Captures in which both sides agreed: capture → what OpenSSL called it.
AGREED = {
    "tls13": Agreed("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1", False),
    "tls13-mtls": Agreed("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1", False),
    "tls12": Agreed("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "http/1.1", False),
    "tls12-mtls": Agreed("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "http/1.1", False),
}


def events(name: str, host: str = "origin.example", via: tuple[str, int] | None = None) -> list[Event]:
    """Return the events of one capture; an agreed one goes on with a request and its answer."""
    told: list[tuple[Kind, EventData]] = [
        (Kind.CONNECTING, Target(host, 443, via)),
        (Kind.RESOLVED, "127.0.0.1"),
        (Kind.CONNECTED, "127.0.0.1:443"),
        (Kind.TLS_STARTED, host),
    ]
    capture = json.loads((CAPTURES / f"{name}.json").read_text("utf-8"))
    crossed = [
        (KINDS[message["content_type"]], Bytes.of(message["sender"], bytes.fromhex(message["hex"])))
        for message in capture["messages"]
    ]
    goodbye = [item for item in crossed if item[0] is Kind.ALERT and item[1].data[1] == CLOSE_NOTIFY]
    told += [*(item for item in crossed if item not in goodbye), *_ending(name), *goodbye]
    return [Event(number * EVENT_NS, 1, kind, data) for number, (kind, data) in enumerate(told)]


def handshake(name: str, host: str = "origin.example", via: tuple[str, int] | None = None) -> Handshake:
    """Return the handshake that one capture tells of."""
    return fold(events(name, host, via))


def _ending(name: str) -> list[tuple[Kind, EventData]]:
    if name not in AGREED:
        return [(Kind.TLS_FAILED, Failure("TLSV13_ALERT_CERTIFICATE_REQUIRED"))]
    return [
        (Kind.TLS_DONE, AGREED[name]),
        (Kind.WIRE, Bytes("client", b"", 4912)),
        (Kind.REQUEST, Request("GET", "/", 1)),
        (Kind.RESPONSE, 200),
    ]


@cache
def met(version: str = "1.3") -> Handshake:
    """Return a mutual handshake that two ends had in memory, its records and secrets kept, a request inside."""
    pair = Pair(Terms(version=version, client_key="P-256")).shake_hands()
    pair.say("client", REQUEST)
    pair.say("server", ANSWER)
    story = list(with_messages(pair.part().events))
    asked = next(i for i, event in enumerate(story) if _carries(event, "client", story))
    answered = next(i for i, event in enumerate(story) if i > asked and _carries(event, "server", story))
    at = {asked: (Kind.REQUEST, Request("GET", "/orders", 1)), answered: (Kind.RESPONSE, 200)}
    told: list[Event] = []
    for number, event in enumerate(story):
        told += [Event(event.at_ns, 1, *at[number])] if number in at else []
        told.append(event)
    start = [Event(0, 1, Kind.CONNECTING, Target("pair.example", 443)), Event(0, 1, Kind.CONNECTED, "127.0.0.1:443")]
    return fold([*start, *told, Event(told[-1].at_ns, 1, Kind.TLS_DONE, Agreed(f"TLSv{version}", "", "", False))])


def _carries(event: Event, sender: str, story: list[Event]) -> bool:
    """Return whether these wire bytes are a record of application data that this test sent."""
    if event.kind is not Kind.WIRE or not isinstance(event.data, Bytes) or event.data.sender != sender:
        return False
    text = {"client": REQUEST, "server": ANSWER}[sender]
    return any(record.plaintext == text and record.at_ns == event.at_ns for record in records(story))
