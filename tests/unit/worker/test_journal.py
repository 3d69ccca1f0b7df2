"""The journal: what came since a mark, in order, and no more of it than memory bears."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.exchange import LogLine, Subrequest
from mtls_notebook.worker.journal import MOST_LATE, Entry, Journal, Mark


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


def line(text: str) -> LogLine:
    return LogLine("log", text, 0)


def texts(lines: Sequence[LogLine]) -> list[str]:
    return [one.text for one in lines]


def test_runs_at_the_same_time_are_told_apart_where_the_context_says_whose_an_entry_is() -> None:
    journal = Journal()
    first, second = journal.mark(), journal.mark()
    for mark, name in ((first, "a"), (second, "b")):
        with journal.within(mark):
            journal.log(line(name))
            journal.begin(subrequest(1))
    taken = journal.take(first), journal.take(second)
    assert [texts(one.logs) for one in taken] == [["a"], ["b"]]
    assert [len(one.trace) for one in taken] == [1, 1]
    assert not any(one.shared for one in taken)


def test_where_nothing_says_whose_an_entry_is_runs_at_the_same_time_share_it_and_say_so() -> None:
    journal = Journal()
    first, second = journal.mark(), journal.mark()
    journal.log(line("whose?"))
    taken = journal.take(first), journal.take(second)
    assert [texts(one.logs) for one in taken] == [["whose?"], ["whose?"]]
    assert all(one.shared for one in taken)
    alone = journal.mark()
    journal.log(line("mine"))
    assert not journal.take(alone).shared


def test_a_line_after_the_end_of_its_run_is_a_late_one_and_no_other_runs() -> None:
    journal = Journal()
    first = journal.mark()
    taken = journal.take(first)
    second = journal.mark()
    with journal.within(first):
        journal.log(line("late"))
    assert texts(taken.late) == ["late"]
    assert texts(journal.take(second).logs) == []
    assert texts(taken.logs) == []


def test_a_line_that_knows_no_run_is_late_for_the_last_one_while_none_is_under_way() -> None:
    journal = Journal()
    taken = journal.take(journal.mark())
    journal.log(line("late"))
    other = journal.mark()
    journal.log(line("of the next"))
    assert texts(taken.late) == ["late"]
    assert texts(journal.take(other).logs) == ["of the next"]


def test_whoever_follows_late_lines_hears_those_that_came_before_too_and_they_are_bounded() -> None:
    journal = Journal()
    first = journal.mark()
    late = journal.take(first).late
    heard: list[int] = []
    with journal.within(first):
        journal.log(line("before"))
        late.follow(lambda: heard.append(len(late)))
        for _ in range(MOST_LATE + 10):
            journal.log(line("after"))
    assert heard == list(range(1, MOST_LATE + 1))
    assert len(late) == MOST_LATE


def test_late_lines_that_nobody_holds_are_let_go_of_and_those_followed_are_not() -> None:
    journal = Journal()
    gone, kept = journal.mark(), journal.mark()
    heard: list[str] = []
    journal.take(gone)
    journal.take(kept).late.follow(lambda: heard.append("kept"))
    gc.collect()
    assert len(journal._late) == 1
    with journal.within(kept):
        journal.log(line("late"))
    assert heard == ["kept"]


def test_only_the_ear_of_its_run_hears_an_entry() -> None:
    journal = Journal()
    first, second = journal.mark(), journal.mark()
    heard: list[tuple[str, str]] = []

    def ear(name: str) -> Callable[[Entry], None]:
        return lambda entry: heard.append((name, getattr(entry, "text", "")))

    with journal.telling(first, ear("1st")), journal.telling(second, ear("2nd")):
        with journal.within(first):
            journal.log(line("a"))
        journal.log(line("whose?"))
    journal.log(line("nobody's"))
    assert heard == [("1st", "a"), ("1st", "whose?"), ("2nd", "whose?")]


def test_what_a_run_took_is_kept_no_longer_and_what_an_earlier_one_may_ask_for_is() -> None:
    journal = Journal()
    first = journal.mark()
    journal.begin(replace(subrequest(1), ended_ns=2))
    second = journal.mark()
    journal.begin(replace(subrequest(2), ended_ns=3))
    journal.log(LogLine("log", "both", 4))
    journal.take(second)
    assert [len(kept) for kept in journal.since(first)] == [1, 2]
    journal.take(first)
    assert journal.since(Mark(0, 0, first.run)) == ((), ())


def test_a_subrequest_that_outlives_its_run_is_told_to_no_other_run() -> None:
    journal, heard = Journal(), list[Entry]()
    first = journal.mark()
    with journal.within(first):
        number = journal.begin(subrequest(1))
    journal.take(first)
    second = journal.mark()
    with journal.telling(second, heard.append):
        journal.update(number, replace(subrequest(1), status=200, ended_ns=2))
    assert heard == []
    journal.leave(second)
    assert journal.since(Mark(0, 0, first.run)) == ((), ())
