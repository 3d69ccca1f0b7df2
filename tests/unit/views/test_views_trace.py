"""The waterfall's rows: all of a usual trace, and of a long one what a reader looks at."""

from __future__ import annotations

from dataclasses import replace

from mtls_notebook.views import trace as view
from mtls_notebook.views.trace import Trace
from mtls_notebook.worker.exchange import Subrequest
from tests.unit.views.material import DIAGNOSIS, run

MS = 1_000_000


def many(count: int, *bad: int) -> tuple[Subrequest, ...]:
    """Return subrequests of a millisecond each, one after the other; those numbered in `bad` failed."""
    return tuple(
        Subrequest("", "GET", f"https://origin.example/{number}", "", number * MS, None, (number + 1) * MS, None)
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
    waiting = replace(done, started_ns=1 * MS, headers_ns=None, ended_ns=None, status=None)
    first, second = Trace((done, waiting), (), 4 * MS).rows()
    assert first["status"]["text"] == "200"
    assert second["status"] == {"text": "waiting", "tone": "neutral"}
    assert not second["failed"]
    assert second["bar"] == [25.0, 100.0, 100.0]
    assert second["time"] == "3.00 ms"


def test_of_a_run_that_is_over_a_subrequest_without_answer_failed() -> None:
    sub = replace(run().trace[2], diagnosis=None)
    (row,) = Trace((sub,)).rows()
    assert (row["status"]["text"], row["failed"]) == ("no answer", True)
    assert view.note(DIAGNOSIS) == {
        "cause": DIAGNOSIS.cause,
        "evidence": list(DIAGNOSIS.evidence),
        "fix": DIAGNOSIS.fix,
    }
