"""What many requests came to, and the line that tells how far they are."""

from __future__ import annotations

import base64
import json
import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.views import batch, progress
from mtls_notebook.worker.calls.batch import Tally
from mtls_notebook.worker.calls.rows import Result, Results
from tests.unit.views.material import HOSTILE, SHOWN, results


def test_every_request_is_counted_once_as_an_outcome_and_every_failure_once_as_a_cause() -> None:
    state = batch.state(results())
    assert {one["text"]: one["count"] for one in state["outcomes"]} == {
        "200": "2",
        "403": "1",
        "TypeError": "1",
        "UsageError": "1",
    }
    assert [one["tone"] for one in state["outcomes"]] == ["proof", "alert", "alert", "alert"]
    assert sum(int(one["count"]) for one in state["causes"]) == 3
    assert state["title"] == "5 requests, 3 failed"


def test_the_state_is_plain_json_and_what_peers_said_is_made_visible() -> None:
    told = json.dumps(batch.state(results()), ensure_ascii=False)
    assert SHOWN in told
    assert HOSTILE not in told


def test_text_and_html_hold_no_time_so_that_they_are_the_same_in_every_run() -> None:
    slow = Results([Result(r.number, r.request, r.elapsed_ns * 7, r.invocation, r.error) for r in results()], 5, 99)
    assert batch.text(slow) == batch.text(results())
    assert without_pictures(batch.html(slow)) == without_pictures(batch.html(results()))
    assert "<img src=x" not in without_pictures(batch.html(results()))


def test_the_picture_is_whole_svg_and_names_the_fastest_and_the_slowest() -> None:
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', batch.html(results()))
    svg = base64.b64decode(data).decode()
    ElementTree.fromstring(svg)
    assert "5.00 ms" in svg
    assert "12.0 ms" in svg


def test_results_of_nothing_are_shown_too() -> None:
    assert batch.text(Results(())).startswith("0 requests, none failed")
    assert batch.state(Results(()))["times"] == []
    assert "img" not in batch.html(Results(()))


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0, 1))
def test_a_quantile_is_one_of_the_values_with_enough_of_them_at_or_below_it(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = batch.quantile(ordered, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


@given(st.lists(st.integers(1, 10**12), min_size=1).map(sorted))
def test_the_places_of_ordered_times_rise_from_the_left_end_to_the_right(times: list[int]) -> None:
    places = batch._places(times)
    assert places == sorted(places)
    assert not places or (places[0], places[-1]) == (0, 100)


# -- the line --------------------------------------------------------------------------------------------

S = 10**9
TOLD = {
    Tally(0, 0, 1000, 0, "running"): "0 of 1,000 requests · none failed",
    Tally(250, 2, 1000, S, "running"): "250 of 1,000 requests · 2 failed · 250 per second · 3 s left",
    Tally(4, 0, None, 2 * S, "running"): "4 requests · none failed · 2.0 per second",
    Tally(1000, 3, 1000, S, "done"): "1,000 requests done, 3 failed.",
    Tally(12, 0, 40, S, "stopped"): "Stopped after 12 of 40 requests, none failed; .results has their rows.",
}


@pytest.mark.parametrize("tally", TOLD, ids=str)
def test_the_line_says_how_far_it_is(tally: Tally) -> None:
    assert progress.text(tally) == TOLD[tally]
    assert TOLD[tally] in progress.html(tally)
    assert ("<progress" in progress.html(tally)) == (tally.state == "running")


def test_the_line_is_shown_once_and_then_updated_and_its_end_always(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "display", lambda data, **options: shown.append({**options, **data}))
    tell = progress.watching(SimpleNamespace(kernel=object()))()
    for done in range(500):
        tell(Tally(done, 0, 500, done * 1000, "running"))
    tell(Tally(500, 0, 500, 500_000, "done"))
    assert [one["update"] for one in shown] == [False] + [True] * (len(shown) - 1)
    assert len({one["display_id"] for one in shown}) == 1
    assert len(shown) < 100
    assert shown[-1]["text/plain"] == "500 requests done, none failed."


def test_without_a_kernel_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress.watching(SimpleNamespace())()(Tally(1, 0, 1, 1, "done"))
    assert capsys.readouterr().out == ""


def without_pictures(html: str) -> str:
    return re.sub(r"<img [^>]*>", "", html)
