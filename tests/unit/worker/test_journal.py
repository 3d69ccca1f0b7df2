"""The journal: what came since a mark, in order, and no more of it than memory bears."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.exchange import LogLine, Subrequest
from mtls_notebook.worker.journal import Journal


def subrequest(number: int) -> Subrequest:
    return Subrequest("MY_CERT", "GET", f"https://origin.example/{number}", "", number)


def test_an_invocation_sees_what_came_since_its_mark() -> None:
    journal = Journal()
    journal.log(LogLine("log", "before", 0))
    mark = journal.mark()
    journal.log(LogLine("log", "after", 1))
    number = journal.begin(subrequest(1))
    journal.update(number, replace(subrequest(1), status=200))
    logs, trace = journal.since(mark)
    assert [line.text for line in logs] == ["after"]
    assert [one.status for one in trace] == [200]


def test_every_entry_is_told_when_it_comes_and_when_it_changes() -> None:
    told: list[object] = []
    journal = Journal(told.append)
    number = journal.begin(subrequest(1))
    journal.update(number, replace(subrequest(1), status=200))
    assert [getattr(entry, "status", None) for entry in told] == [None, 200]


@given(st.integers(2, 12), st.integers(0, 60))
def test_the_oldest_entries_go_and_the_latest_stay_whole(most: int, count: int) -> None:
    journal = Journal(most_kept=most)
    start = journal.mark()
    numbers = [journal.begin(subrequest(n)) for n in range(count)]
    for n, number in enumerate(numbers):
        journal.update(number, replace(subrequest(n), status=200))
    _, trace = journal.since(start)
    assert len(trace) <= most
    assert [one.started_ns for one in trace] == list(range(count))[count - len(trace) :]
    assert all(one.status == 200 for one in trace)
    assert len(trace) >= min(count, most // 2)


def test_settling_waits_for_the_answered_and_not_for_the_unanswered() -> None:
    journal = Journal()
    mark = journal.mark()
    journal.begin(subrequest(1))
    journal.settle(mark, 60)  # nothing was answered: returns at once
    answered = journal.begin(replace(subrequest(2), status=200))
    journal.settle(mark, 0.01)
    journal.update(answered, replace(subrequest(2), status=200, ended_ns=3))
    journal.settle(mark, 60)
