"""What a worker cannot use up: memory in every form, the log, the answer, connections.

After each attempt the next request is answered. What runs without end is in `test_soak`.
What may not live here: ways out of the sandbox (`test_workerd_sandbox`).
"""

from __future__ import annotations

import contextlib
import resource
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from mtls_notebook.errors import WorkerError, WorkerThrew
from mtls_notebook.worker.exchange import HttpRequest, HttpResponse
from mtls_notebook.worker.javascript.workerd_config import Limits
from tests.live.plain_http import PlainFetcher, PlainOrigin
from tests.live.workers import Running, handler, running

MOST_MB = 1024
FINE = "if (request.url.endsWith('/fine')) return new Response('fine');\n"


@pytest.fixture
def origin() -> Iterator[PlainOrigin]:
    started = PlainOrigin()
    yield started
    started.close()


def outcome(worker: Running, url: str = "/") -> str:
    """Return the worker's text, or the message of its error; afterwards the worker answers all the same."""
    try:
        text = worker.fetch(url).text()
    except WorkerError as error:
        text = error.message
    assert worker.fetch("/fine").text() == "fine"
    return text


def test_the_heap_is_bounded_and_the_next_request_gets_a_fresh_worker() -> None:
    code = handler(FINE + """const kept = []; for (;;) kept.push(new Array(1000).fill(1.5))""")
    with running(code, limits=Limits(heap_mb=64)) as worker:
        with pytest.raises(WorkerThrew, match=r"^The worker ran out of memory \(64 MB\)"):
            worker.fetch()
        assert worker.fetch("/fine").text() == "fine"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce ulimit -d")
def test_array_buffers_are_bounded_too() -> None:
    code = handler(
        FINE
        + """let got = 0; const kept = [];
      try { for (; got < 4096; got += 64) kept.push(new Uint8Array(64 << 20).fill(1)) }
      catch { return new Response(got) }
      return new Response("all")"""
    )
    with running(code) as worker:
        assert 64 <= int(outcome(worker)) < 1100


# Each keeps more and more; its process may answer with a RangeError or end, and stays within its memory.
HOARDS = {
    "small buffers": "for (;;) kept.push(new ArrayBuffer(1024))",
    "middling buffers": "for (;;) kept.push(new Uint8Array(65536).fill(1))",
    "shared buffers": "for (;;) kept.push(new Uint8Array(new SharedArrayBuffer(1 << 25)).fill(1))",
    "WebAssembly": "for (;;) kept.push(new Uint8Array(new WebAssembly.Memory({ initial: 512 }).buffer).fill(1))",
    "blobs": "for (;;) kept.push(new Blob([new Uint8Array(1 << 20)]))",
    "strings": "for (let n = 0; ; n++) kept.push(`${n}`.repeat(9000) + 'x')",
    "one string": "let all = 'x'; for (;;) kept.push((all += all))",
    "objects in a map": "const map = new Map(); for (let n = 0; ; n++) map.set({ n }, [n])",
    "promises": "for (;;) kept.push(new Promise(() => {}).then(() => {}))",
    "brackets to parse": "JSON.parse('['.repeat(5e6))",
    "headers": "const all = new Headers(); for (let n = 0; ; n++) all.append(`x-${n}`, 'y'.repeat(4000))",
}


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce ulimit -d")
@pytest.mark.parametrize("name", HOARDS)
def test_whatever_is_hoarded_is_bounded_and_the_worker_answers_again(name: str) -> None:
    code = handler(f"{FINE}const kept = [];\ntry {{ {HOARDS[name]} }} catch (error) {{ kept.length = 0; throw error }}")
    with running(code, limits=Limits(heap_mb=64, memory_mb=MOST_MB)) as worker:
        with pytest.raises(WorkerThrew):
            worker.fetch()
        # A process that lived on, still full of what it hoarded, may die of the next request; then a fresh one comes.
        with contextlib.suppress(WorkerThrew):
            worker.fetch("/fine")
        assert worker.fetch("/fine").text() == "fine"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < (MOST_MB + 256) * 1024  # kB: with code and stacks


RECURSIONS = {
    "calls": "const down = (n) => down(n + 1) + 1; down(0)",
    "getters": "const to = { get down() { return this.down } }; to.down",
    "a proxy of itself": "const to = new Proxy({}, { get: (of, name, me) => me[name] }); to.down",
}


@pytest.mark.parametrize("name", RECURSIONS)
def test_recursion_ends_with_an_error_of_its_own(name: str) -> None:
    with running(handler(FINE + RECURSIONS[name])) as worker:
        assert "Maximum call stack size exceeded" in outcome(worker)


LIMITS = Limits(log_lines=100, log_chars=100_000)
SHOUTS = {
    "many lines": "for (let n = 0; n < 50_000; n++) console.log('again')",
    "long lines": "for (let n = 0; n < 200; n++) console.log('x'.repeat(5e4))",
    "one giant line": "console.log('x'.repeat(3e7))",
    "a line with lines in it": "console.log('x\\n'.repeat(1e5))",
    "errors": "for (let n = 0; n < 20_000; n++) console.error(new Error('again'))",
}


@pytest.mark.parametrize("name", SHOUTS)
def test_a_flood_of_output_is_cut_the_answer_comes_and_the_next_request_may_print(name: str) -> None:
    code = handler(f"console.log('before');\n{FINE}{SHOUTS[name]};\nreturn new Response('said')")
    with running(code, limits=LIMITS) as worker:
        assert outcome(worker) == "said"
        shown = worker.said.texts
    assert len(shown) <= LIMITS.log_lines + 3  # the line that says it was cut, and the next request's own
    assert sum(map(len, shown)) <= LIMITS.log_chars + 1000
    assert shown[0] == "before"
    assert shown[-1] == "before"


ENDLESS_BODY = "new ReadableStream({ pull(to) { to.enqueue(new Uint8Array(1 << 20)) } })"


def test_an_endless_answer_is_cut_with_a_clear_error() -> None:
    with running(
        handler(f"{FINE}return new Response({ENDLESS_BODY})"), limits=Limits(response_bytes=8 << 20)
    ) as worker:
        assert outcome(worker) == "The worker's answer is longer than 8 MB"


def test_an_endless_head_is_no_answer() -> None:
    body = "const headers = new Headers();\nfor (let n = 0; n < 5000; n++) headers.append(`x-${n}`, 'y'.repeat(1000));"
    with running(handler(f"{FINE}{body}\nreturn new Response('', {{ headers }})")) as worker:
        assert "broke off" in outcome(worker)


def test_ten_thousand_requests_at_once_are_all_answered() -> None:
    with running(handler("return new Response(new URL(request.url).pathname)")) as worker:
        futures: list[Future[HttpResponse]] = [submitted(worker, n) for n in range(10_000)]
        assert threading.active_count() < 200
        assert [future.result(60).text() for future in futures] == [f"/{n}" for n in range(10_000)]


def submitted(worker: Running, number: int) -> Future[HttpResponse]:
    return worker.program.submit(HttpRequest(url=f"https://worker.local/{number}"))


def test_ten_thousand_fetches_at_once_end_and_leave_no_thread(origin: PlainOrigin) -> None:
    body = "const one = async (n) => (await fetch(`http://h/${n}`)).status;\n"
    body += "const all = await Promise.allSettled(Array.from({ length: 10_000 }, (_, n) => one(n)));\n"
    body += "return new Response(all.filter((each) => each.value === 200 || each.reason).length)"
    before = threading.active_count()
    with running(handler(FINE + body), fallback=PlainFetcher(origin)) as worker:
        assert worker.program.submit(HttpRequest()).result(60).text() == "10000"
        assert worker.fetch("/fine").text() == "fine"
    assert left(before)


def test_answers_that_nobody_reads_hold_nothing_once_the_worker_stops(origin: PlainOrigin) -> None:
    body = "for (let n = 0; n < 200; n++) await fetch('http://h/endless');\nreturn new Response('opened')"
    before = threading.active_count()
    with running(handler(FINE + body), fallback=PlainFetcher(origin)) as worker:
        assert outcome(worker) == "opened"
    assert left(before)


def left(before: int) -> bool:
    """Return whether there are soon no more threads than before."""
    limit = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < limit:
        time.sleep(0.01)
    return threading.active_count() <= before
