"""Captured messages as the events that the tap would have recorded, one microsecond apart."""

from __future__ import annotations

from mtls_notebook.recorder.events import Agreed, Bytes, Event, EventData, Kind, Request, Target
from tests.unit.tls.captured import capture

FINISHED = b"\x14"
KINDS = {20: Kind.CHANGE_CIPHER_SPEC, 21: Kind.ALERT, 22: Kind.MESSAGE}


def recorded(name: str, *, version: str = "", resumed: bool = False) -> tuple[Event, ...]:
    """Return a capture's events; with `version` ("TLSv1.3") the handshake is done and a request answered."""
    data: list[tuple[Kind, EventData]] = [
        (Kind.CONNECTING, Target("origin.example", 443)),
        (Kind.CONNECTED, "127.0.0.1:443"),
        (Kind.TLS_STARTED, "origin.example"),
    ]
    for entry in capture(name)["messages"]:
        raw = bytes.fromhex(entry["hex"])
        if (entry["sender"], raw[:1]) == ("server", FINISHED) and name.startswith("tls12"):
            # The capture's callback is silent about a ChangeCipherSpec that is read; the tap is not.
            data.append((Kind.CHANGE_CIPHER_SPEC, Bytes.of("server", b"\x01")))
        data.append((KINDS[entry["content_type"]], Bytes.of(entry["sender"], raw)))
    if version:
        data.append((Kind.TLS_DONE, Agreed(version, "", "", resumed)))
        data += [(Kind.REQUEST, Request("GET", "/", 1)), (Kind.RESPONSE, 200)]
    return tuple(Event(1000 * number, 1, kind, value) for number, (kind, value) in enumerate(data))
