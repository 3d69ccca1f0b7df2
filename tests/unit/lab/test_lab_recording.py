"""A recording is bounded, and says so by counting what it left out."""

from __future__ import annotations

from mtls_notebook.lab.recording import Bounds, Recording
from mtls_notebook.recorder.events import Bytes, Event, Kind


def data_of(events: tuple[Event, ...], kind: Kind) -> list[object]:
    return [event.data for event in events if event.kind is kind]


def test_events_are_stamped_in_order_and_carry_the_connection_number() -> None:
    recording = Recording("required", 7, 40_000)
    recording.add(Kind.CONNECTED, "127.0.0.1:40000")
    recording.wire("client", b"hello")
    recording.close("")
    assert [event.kind for event in recording.events] == [Kind.CONNECTED, Kind.WIRE, Kind.CLOSED]
    assert {event.connection for event in recording.events} == {7}
    stamps = [event.at_ns for event in recording.events]
    assert stamps == sorted(stamps)
    assert recording.done.is_set()


def test_wire_bytes_beyond_the_bound_are_counted_but_not_kept() -> None:
    recording = Recording("required", 1, 40_000, Bounds(wire_bytes=10))
    recording.wire("client", b"12345678")
    recording.wire("server", b"abcdef")
    recording.wire("client", b"x" * 100)
    recording.wire("client", b"y" * 11)
    recording.close("")
    assert data_of(recording.events, Kind.WIRE) == [
        Bytes("client", b"12345678", 8),
        Bytes("server", b"ab", 6),
        Bytes("client", b"", 111),
    ]


def test_events_beyond_the_bound_are_dropped_but_the_last_word_is_kept() -> None:
    recording = Recording("required", 1, 40_000, Bounds(events=3))
    for status in range(200, 300):
        recording.add(Kind.RESPONSE, status)
    recording.close("idle for 60 s")
    assert data_of(recording.events, Kind.RESPONSE) == [200, 201, 202]
    assert recording.events[-1].data == "idle for 60 s"


def test_the_repr_shows_no_secret() -> None:
    recording = Recording("required", 1, 40_000)
    recording.add(Kind.SECRET, "CLIENT_TRAFFIC_SECRET_0 aa bb")
    assert "SECRET" not in repr(recording)
