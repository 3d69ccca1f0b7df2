"""Where a request's time went: the phases fill the whole, whatever was reached."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.recorder.events import Event, Kind, Target
from mtls_notebook.recorder.phases import REUSED, Phases, Setup

MOMENTS = st.one_of(st.none(), st.integers(0, 100))


@given(st.integers(0, 100), st.lists(MOMENTS, min_size=6, max_size=6), st.integers(0, 200))
def test_the_phases_add_up_to_the_whole_and_none_is_negative(start: int, later: list[int | None], end: int) -> None:
    phases = Phases.between((start, *later), end)
    took = dict(phases)
    earliest = min(at for at in (start, *later, end) if at is not None)
    assert all(part >= 0 for part in took.values())
    assert phases.total_ns == sum(took.values()) == end - min(start, earliest, end)


@given(st.lists(MOMENTS, min_size=6, max_size=6))
def test_a_phase_took_place_when_it_began(later: list[int | None]) -> None:
    took = dict(Phases.between((0, *later), 100))
    names = ("queue", "dns", "tcp", "tls", "send", "wait", "receive")
    assert list(took) == [name for name, at in zip(names, (0, *later), strict=True) if at is not None]


def test_each_phase_lasts_until_the_next_one_that_took_place() -> None:
    phases = Phases.between((0, 1, 3, 6, 10, 15, 21), 28)
    assert phases == Phases(1, 2, 3, 4, 5, 6, 7)
    assert phases.total_ns == 28
    reused = Phases.between((0, *REUSED.begun, 2, 3, 8), 9)
    assert reused == Phases(queue_ns=2, send_ns=1, wait_ns=5, receive_ns=1)


def test_the_last_phase_is_where_it_failed() -> None:
    assert Phases.between((0, 1, None, None, None, None, None), 9).last == "dns"
    assert Phases.between((0, 1, 2, 3, None, None, None), 9).last == "tls"
    assert Phases.between((0, 1, 2, 3, 4, 5, None), 9).last == "wait"


def test_an_answer_that_begins_while_the_request_is_still_sent_ends_the_sending() -> None:
    phases = Phases.between((0, None, None, None, 2, 50, 8), 60)
    assert dict(phases) == {"queue": 2, "send": 6, "wait": 0, "receive": 52}


def test_a_setup_is_read_off_a_connection_the_first_of_each_kind_counting() -> None:
    told = [
        Event(2, 1, Kind.CONNECTING, Target("origin.example", 443)),
        Event(5, 1, Kind.RESOLVED, "127.0.0.1"),
        Event(9, 1, Kind.TLS_STARTED, "origin.example"),
        Event(30, 1, Kind.TLS_STARTED, "origin.example"),
    ]
    assert Setup.of(told) == Setup(2, 5, 9)
    assert Setup.of(told[:1]).begun == (2, None, None)
    assert Setup.of(()) == REUSED
