"""The recording: bounded, in order, and followed from the moment somebody asks."""

from __future__ import annotations

from mtls_notebook.recorder.events import Event, Kind
from mtls_notebook.recorder.recording import Recording


def test_ten_thousand_connections_leave_the_latest_and_no_more() -> None:
    recording = Recording(keep=256)
    for _ in range(10_000):
        recording.add(recording.open(), Kind.CLOSED, "")
    kept = recording.connections()
    assert kept == tuple(range(10_000 - 255, 10_001))
    assert all(len(recording.events(number)) == 1 for number in kept)
    assert recording.events(1) == ()


def test_a_late_event_of_a_connection_that_is_no_longer_kept_is_no_error() -> None:
    recording = Recording(keep=1)
    first = recording.open()
    recording.open()
    recording.add(first, Kind.CLOSED, "")
    assert recording.events(first) == ()


def test_who_follows_hears_every_later_event_until_they_stop() -> None:
    recording, heard = Recording(), list[Event]()
    number = recording.open()
    recording.add(number, Kind.CONNECTED, "early")
    unfollow = recording.follow(heard.append)
    recording.add(number, Kind.CONNECTED, "heard")
    unfollow()
    recording.add(number, Kind.CONNECTED, "late")
    assert [event.data for event in heard] == ["heard"]


def test_times_never_go_back() -> None:
    recording = Recording()
    number = recording.open()
    for _ in range(100):
        recording.add(number, Kind.CLOSED, "")
    times = [event.at_ns for event in recording.events(number)]
    assert times == sorted(times)
