"""Many requests at once: each ends in a row, no more than allowed are under way, and an end is an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from mtls_notebook.diagnosis.doctor import Diagnosis
from mtls_notebook.errors import EngineUnavailable, UsageError, WorkerThrew
from mtls_notebook.worker.calls.batch import Batch, Tally
from mtls_notebook.worker.calls.rows import COLUMNS, Result, Results
from mtls_notebook.worker.exchange import HttpRequest, HttpResponse, Invocation, Subrequest, WorkerSource


def invocation(request: HttpRequest, **changes: Any) -> Invocation:
    body = b'{"at": "%s"}' % request.url.encode()
    told = {"response": HttpResponse(200, "OK", (), body), "error": None, "trace": (), **changes}
    return Invocation(WorkerSource("js", "x"), request, logs=(), handshakes=(), elapsed_ns=1, **told)


class Bench:
    """Starts what a batch asks for; the test ends it when it likes (or at once)."""

    def __init__(self, at_once: bool = False) -> None:
        self.open: list[tuple[HttpRequest, Future[Invocation]]] = []
        self.most = 0
        self._ends = at_once

    def start(self, request: HttpRequest) -> Future[Invocation]:
        future: Future[Invocation] = Future()
        if request.url.endswith("/throw"):
            error = WorkerThrew("TypeError: no", "Look.")
            error.name = "TypeError"
            future.set_result(invocation(request, response=None, error=error))
        elif request.url.endswith("/engine"):
            future.set_exception(EngineUnavailable("no workerd", "Get one."))
        elif self._ends:
            future.set_result(invocation(request))
        else:
            self.open.append((request, future))
            self.most = max(self.most, sum(not one.done() for _, one in self.open))
        return future


def run(requests: Any, bench: Bench | None = None, **options: Any) -> Results:
    return asyncio.run(Batch((bench or Bench(True)).start, requests, **options).all(lambda _: None))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def test_each_request_ends_in_a_row_in_the_order_of_the_requests_whatever_became_of_it() -> None:
    results = run(["/a", "/throw", 5, {"path": "/b", "method": "PUT"}, "/engine", "nonsense"])
    assert [row["request"] for row in results] == [
        "GET /a",
        "GET /throw",
        "int",
        "PUT /b",
        "GET /engine",
        "nonsense",
    ]
    assert [row["error"] for row in results] == [
        None,
        "TypeError",
        "UsageError",
        None,
        "EngineUnavailable",
        "UsageError",
    ]
    assert [row.ok for row in results] == [True, False, False, True, False, False]
    assert len(results.failures) == 4
    assert results.total == 6


def test_a_row_is_a_mapping_of_plain_values_with_the_answer_beside_them() -> None:
    row = run(["/a"])[0]
    assert list(row) == list(COLUMNS)
    assert all(isinstance(value, str | int | float | bool | None) for value in dict(row).values())
    assert row.response is not None
    assert row.response.json() == row.json() == {"at": "https://worker.local/a"}


def test_json_lines_up_with_the_rows() -> None:
    assert run(["/a", "/throw", "/b"]).json() == [
        {"at": "https://worker.local/a"},
        {},
        {"at": "https://worker.local/b"},
    ]


def test_the_connection_is_told_only_where_it_is_surely_this_requests() -> None:
    sub = Subrequest("B", "GET", "https://o.example/", "", 1, status=200, connection=7, reused=True)
    told = invocation(HttpRequest(), trace=(sub,))
    mixed = invocation(HttpRequest(), trace=(sub,), shared=True)
    alone, shared = Result(0, "GET /", 1, told), Result(0, "GET /", 1, mixed)
    assert (alone["connection"], alone["reused"]) == (7, True)
    assert (shared["connection"], shared["reused"]) == (None, None)


def test_a_refused_subrequest_gives_its_cause_though_the_worker_answered() -> None:
    sub = Subrequest("B", "GET", "https://o.example/", "", 1, status=400, diagnosis=Diagnosis("no cert", (), "bind"))
    refused = invocation(HttpRequest(), response=HttpResponse(400, "", (), b""), trace=(sub,))
    assert Result(0, "GET /", 1, refused)["cause"] == "no cert"


def test_no_more_than_allowed_are_under_way_and_requests_are_taken_as_there_is_room() -> None:
    taken: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(1)
            yield "/x"

    async def some() -> None:
        bench = Bench()
        batch = Batch(bench.start, endless(), at_once=3)
        each = batch.each()
        for count in range(10):
            ahead = asyncio.ensure_future(anext(each))
            await until(lambda count=count: len(bench.open) > count)
            request, future = bench.open[count]
            future.set_result(invocation(request))
            assert (await ahead).ok
        await each.aclose()
        assert bench.most <= 3
        assert all(future.done() for _, future in bench.open)

    asyncio.run(some())
    assert len(taken) <= 13


def test_cancelling_ends_what_is_under_way_and_keeps_the_rows_so_far() -> None:
    tallies: list[Tally] = []

    async def cancelled() -> Results:
        bench = Bench()
        batch = Batch(bench.start, ["/throw", "/a", "/b", "/c"], at_once=2)
        task = asyncio.create_task(batch.all(tallies.append))
        await until(lambda: len(batch.results) == 1 and len(bench.open) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [future.cancelled() for _, future in bench.open] == [True, True]
        return batch.results

    results = asyncio.run(cancelled())
    assert [row["request"] for row in results] == ["GET /throw"]
    assert results.total == 4
    assert repr(results) == "<Results of 1 of 4 requests, 1 failed>"
    assert tallies[-1].state == "stopped"


def test_a_request_that_takes_too_long_is_a_row_and_is_cancelled() -> None:
    bench = Bench()
    (row,) = run(["/slow"], bench, timeout_s=0.01)
    assert row["error"] == "WorkerTimeout"
    assert bench.open[0][1].cancelled()


def test_the_tally_counts_up_to_the_end() -> None:
    tallies: list[Tally] = []
    asyncio.run(Batch(Bench(True).start, (f"/{n}" for n in range(20))).all(tallies.append))
    assert [tally.done for tally in tallies] == [*range(21), 20]
    assert [tally.total for tally in tallies] == [None] * 21 + [20]
    assert [tally.state for tally in tallies] == ["running"] * 21 + ["done"]


@pytest.mark.parametrize(("requests", "options"), [("/a", {}), ({"path": "/a"}, {}), (5, {}), ([], {"at_once": 0})])
def test_what_is_no_list_of_requests_is_refused_before_anything_is_sent(requests: Any, options: Any) -> None:
    with pytest.raises(UsageError):
        run(requests, **options)


def test_results_slice_compare_and_count() -> None:
    results = run(["/a", "/b", "/throw"])
    assert isinstance(results[:2], Results)
    assert results[:2] == Results(tuple(results)[:2])
    assert results.outcomes() == {"200": 2, "TypeError": 1}
    assert results.rows() == [dict(row) for row in results]
