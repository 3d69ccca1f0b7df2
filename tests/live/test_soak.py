"""A worker under bad origins and bad workers: every fetch ends, the session stays usable, and nothing is left behind.

The full run is `python -m tests.soak`; here is a short one, and what a worker can do to itself.
"""

from __future__ import annotations

import re

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import WorkerTimeout
from tests import soak
from tests.live.material import Pki
from tests.live.workers import handler

FETCHES = 2_000
NAMED_END = re.compile(r"200|Error: Network connection lost\.|TimeoutError: .+")


def test_two_thousand_fetches_to_an_origin_that_misbehaves_all_end_and_leave_nothing(pki: Pki) -> None:
    report = soak.soak(pki, FETCHES)
    assert sum(report.ends.values()) == FETCHES
    assert [end for end in report.ends if not NAMED_END.fullmatch(end)] == []
    assert report.ends["200"] >= FETCHES // 3
    assert report.restarts > 0
    assert report.leaks() == {}
    assert report.growth_mb() < soak.MOST_GROWTH_MB


ENDLESS = {
    "a loop": "while (true) {}",
    "microtasks": "const again = () => Promise.resolve().then(again); await again()",
    "queued microtasks": "const again = () => queueMicrotask(again); again(); await new Promise(() => {})",
    "awaits": "while (true) await 0",
    "log lines": "while (true) console.log('again')",
    "timers": "const again = () => setTimeout(again, 0); again(); await scheduler.wait(1e6)",
    "a regular expression": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_whatever_never_ends_is_stopped_in_time_and_the_next_request_is_answered(name: str) -> None:
    code = handler(f"if (request.url.endsWith('/fine')) return new Response('fine');\n{ENDLESS[name]}")
    with Session() as session, session.worker(code) as worker:
        ended = worker.fetch("/", timeout_s=0.5)
        assert isinstance(ended.error, WorkerTimeout)
        assert ended.elapsed_ns < 2.5e9
        answer = worker.fetch("/fine", timeout_s=20).response
        assert answer is not None
        assert answer.text() == "fine"


def test_a_flood_of_requests_is_answered_to_the_last() -> None:
    with Session() as session, session.worker(handler("return new Response(request.url)")) as worker:
        futures = [worker.start(f"/{n}") for n in range(1_000)]
        texts = [invocation.response.text() for future in futures if (invocation := future.result(30)).response]
    assert texts == [f"https://worker.local/{n}" for n in range(1_000)]
