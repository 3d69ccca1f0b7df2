"""The waterfall's rows: all of a usual trace, and of a long one what a reader looks at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_notebook.recorder.phases import Setup
from mtls_notebook.views import trace as view
from mtls_notebook.views.trace import Trace
from mtls_notebook.views.waterfall import TIMES_HEAD
from mtls_notebook.worker.exchange import Subrequest
from tests.unit.views.material import DIAGNOSIS, MS, run


def many(count: int, *bad: int) -> tuple[Subrequest, ...]:
    """Return subrequests of a millisecond each, one after the other; those numbered in `bad` failed."""
    return tuple(
        Subrequest("", "GET", "https://origin.example/", "", number * MS, None, (number + 1) * MS, None)
        if number in bad
        else Subrequest("", "GET", "https://origin.example/", "", number * MS, number * MS, (number + 1) * MS, 200)
        for number in range(count)
    )


def test_a_usual_trace_is_shown_whole() -> None:
    rows = Trace(many(160)).rows()
    assert [row["number"] for row in rows] == list(range(160))


def test_a_long_trace_shows_its_start_its_failures_and_its_end_and_counts_the_rest() -> None:
    rows = Trace(many(1000, 500, 501)).rows()
    shown = [row["number"] for row in rows if "gap" not in row]
    gaps = [row["gap"] for row in rows if "gap" in row]
    assert shown == [*range(80), 500, 501, *range(960, 1000)]
    assert len(shown) + sum(gaps) == 1000
    assert rows[80]["words"] == "420 more subrequests, all answered, within 420.0 ms"


def test_a_gap_that_hides_failures_says_how_many() -> None:
    rows = Trace(many(1000, *range(300, 400))).rows()
    words = [row["words"] for row in rows if "gap" in row]
    assert any("60 of them failed" in one for one in words)


def test_the_table_of_a_long_trace_is_cut_in_the_same_places() -> None:
    cells = Trace(many(1000)).table()
    assert len(cells) == 80 + 1 + 40
    assert cells[80][0] == "… 880 more subrequests"


def test_of_a_run_that_goes_on_an_open_subrequest_waits_until_now() -> None:
    done, _ = many(2)
    waiting = replace(done, started_ns=1 * MS, ready_ns=2 * MS, headers_ns=None, ended_ns=None, status=None)
    first, second = Trace((done, waiting), (), 5 * MS).rows()
    assert first["status"]["text"] == "200"
    assert second["status"] == {"text": "waiting", "tone": "neutral"}
    assert not second["failed"]
    assert (second["bar"]["at"], second["bar"]["width"], second["bar"]["time"]) == (20.0, 80.0, "4.00 ms")
    assert second["bar"]["parts"] == [[0, 25.0, "1.00 ms"], [4, 75.0, "3.00 ms"]]
    assert (first["bar"]["now"], second["bar"]["now"]) == ("", "sending the request…")


@pytest.mark.parametrize(
    ("opened", "now"),
    [
        (Setup(2 * MS), "looking up the host…"),
        (Setup(2 * MS, 3 * MS), "connecting…"),
        (Setup(2 * MS, 3 * MS, 4 * MS), "TLS handshake…"),
    ],
)
def test_while_its_connection_is_being_opened_a_subrequest_says_how_far_that_is(opened: Setup, now: str) -> None:
    opening = Subrequest("", "GET", "https://origin.example/", "", 1 * MS, connection=7)
    (row,) = Trace((opening,), (), 5 * MS, {7: opened}).rows()
    assert row["bar"]["now"] == now
    assert row["bar"]["time"] == "4.00 ms"
    (other,) = Trace((replace(opening, connection=8),), (), 5 * MS, {7: opened}).rows()
    assert other["bar"]["now"] == "waiting for a connection…"


def test_the_parts_of_a_bar_are_the_phases_and_the_shortest_are_not_drawn() -> None:
    parts = Trace(run().trace).rows()[0]["bar"]["parts"]
    assert parts == [
        [0, 2.5, "0.10 ms"],
        [1, 5.0, "0.20 ms"],
        [2, 12.5, "0.50 ms"],
        [3, 35.0, "1.40 ms"],
        [4, 2.5, "0.10 ms"],
        [5, 17.5, "0.70 ms"],
        [6, 25.0, "1.00 ms"],
    ]
    quick = replace(run().trace[0], setup=Setup(MS // 1000, 300_000, 800_000))
    assert Trace((quick,)).rows()[0]["bar"]["parts"][0] == [0, 0, "0.00 ms"]


def test_a_legend_names_what_is_drawn_and_no_more() -> None:
    whole, again = Trace(run().trace).state(), Trace(run().trace[1:2]).state()
    assert whole["drawn"] == [0, 1, 2, 3, 4, 5, 6]
    assert [again["phases"][place]["key"] for place in again["drawn"]] == ["queue", "send", "wait", "receive"]
    assert (whole["span"], again["span"]) == ("8.00 ms", "2.00 ms")
    assert Trace(()).state()["phases"] == []


def test_what_crossed_is_told_with_the_connection() -> None:
    sub = replace(run().trace[0], request_bytes=12, response_bytes=3450)
    (row,) = Trace((sub,)).rows()
    assert row["crossed"] == "sent 12 B · received 3.5 kB · on connection 1, new"
    assert Trace(run().trace[1:2]).rows()[0]["crossed"] == "on connection 1, reused"


def test_the_times_table_has_a_row_for_each_subrequest_and_a_cell_for_each_phase() -> None:
    first, again, refused = Trace(run().trace).times()
    assert first[1:] == ("0.10 ms", "0.20 ms", "0.50 ms", "1.40 ms", "0.10 ms", "0.70 ms", "1.00 ms", "4.00 ms")
    assert again[2:5] == ("", "", "")
    assert refused[-3:] == ("0.50 ms", "", "2.00 ms")
    assert len(first) == len(TIMES_HEAD)


def test_of_a_run_that_is_over_a_subrequest_without_answer_failed() -> None:
    sub = replace(run().trace[2], diagnosis=None)
    (row,) = Trace((sub,)).rows()
    assert (row["status"]["text"], row["failed"]) == ("no answer", True)
    assert view.note(DIAGNOSIS) == {
        "cause": DIAGNOSIS.cause,
        "evidence": list(DIAGNOSIS.evidence),
        "fix": DIAGNOSIS.fix,
    }
