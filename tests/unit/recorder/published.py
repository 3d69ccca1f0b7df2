"""RFC 8448's handshakes as the events that the tap would have recorded.

What may not live here: values from anywhere but the RFC (tests/captures/published/rfc8448.json).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mtls_notebook.recorder.events import Bytes, Event, Kind

FILE = Path(__file__).resolve().parents[2] / "captures" / "published" / "rfc8448.json"
TRACES: dict[str, dict[str, Any]] = {trace["section"]: trace for trace in json.loads(FILE.read_text("utf-8"))["traces"]}


def events(section: str) -> tuple[Event, ...]:
    """Return a trace as the tap would have recorded it: the records in their order, and the key log."""
    trace = TRACES[section]
    wire = [(Kind.WIRE, Bytes.of(r["sender"], bytes.fromhex(r["hex"]))) for r in trace["records"]]
    client_random = wire[0][1].data[11:43].hex()
    keylog = [(Kind.SECRET, f"{label} {client_random} {secret}") for label, secret in trace["secrets"].items()]
    return tuple(Event(number, 1, kind, data) for number, (kind, data) in enumerate([*wire, *keylog]))
