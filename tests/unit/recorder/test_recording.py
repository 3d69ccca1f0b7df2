"""The recording: bounded, in order, and followed from the moment somebody asks."""

from __future__ import annotations

from mtls_notebook.recorder.events import Event, Kind, Request
from mtls_notebook.recorder.recording import MOST_CARRIED, Recording


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


def test_a_connection_that_carries_requests_for_ever_keeps_its_handshake_and_the_latest() -> None:
    recording = Recording()
    number = recording.open()
    told = [Kind.CONNECTING, Kind.TLS_STARTED, Kind.TLS_DONE]
    for kind in told:
        recording.add(number, kind, "")
    for ordinal in range(1, 5_001):
        recording.add(number, Kind.REQUEST, Request("GET", "/", ordinal))
        recording.add(number, Kind.RESPONSE, 200)
        if ordinal == 2_500:
            recording.add(number, Kind.ALERT, "late")
        assert len(recording.events(number)) <= MOST_CARRIED + 10
    events = recording.events(number)
    ordinals = [event.data.ordinal for event in events if isinstance(event.data, Request)]
    assert ordinals[0] == 1
    assert ordinals[1:] == list(range(5_001 - len(ordinals[1:]), 5_001))
    assert len(ordinals) > MOST_CARRIED // 5
    assert [event.kind for event in events if event.kind not in (Kind.REQUEST, Kind.RESPONSE)] == [*told, Kind.ALERT]
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)


def test_what_was_so_far_stays_so_whatever_comes_after() -> None:
    recording = Recording()
    number = recording.open()
    recording.add(number, Kind.TLS_DONE, "")
    recording.add(number, Kind.REQUEST, Request("GET", "/", 1))
    before = recording.so_far(number)
    told = recording.events(number)
    for ordinal in range(2, 2_000):
        recording.add(number, Kind.REQUEST, Request("GET", "/", ordinal))
    assert tuple(before) == told == tuple(before[:])
    assert (len(before), before[-1]) == (2, told[-1])
    assert tuple(recording.so_far(number)) == recording.events(number)
    assert not recording.so_far(99)
