"""A run while it goes on: told from any thread, sent in one, never faster than it should."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from mtls_notebook.recorder.events import Kind
from mtls_notebook.recorder.phases import Setup
from mtls_notebook.views import invocation as view
from mtls_notebook.views import live as module
from mtls_notebook.views.live import LiveInvocation
from mtls_notebook.worker.exchange import HttpRequest, LogLine, Subrequest, WorkerSource
from tests.unit.views.material import run
from tests.unit.views.replay import events

SOURCE = WorkerSource("js", "export default {}")


class Watched:
    """A live run whose every state is kept; `wait` returns the first that satisfies a condition."""

    def __init__(self) -> None:
        self.live = LiveInvocation(SOURCE, HttpRequest("GET", "https://worker.local/orders"))
        self.states: list[dict[str, Any]] = [dict(self.live.widget.state)]
        self._came = threading.Condition()
        self.live.widget.observe(self._note, "state")

    def _note(self, change: dict[str, Any]) -> None:
        with self._came:
            self.states.append(change["new"])
            self._came.notify_all()

    def wait(self, wanted: Any) -> dict[str, Any]:
        with self._came:
            assert self._came.wait_for(lambda: any(map(wanted, self.states)), 10)
            return next(state for state in self.states if wanted(state))


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.live.leave()
    made.live.widget.close()


def test_before_anything_is_told_the_run_is_shown_as_running(watched: Watched) -> None:
    first = watched.states[0]
    assert first["request"] == "GET https://worker.local/orders"
    assert first["running"]["words"] == "running: 0 subrequests so far"
    assert first["running"]["handshake"] is None


def test_a_subrequest_appears_when_it_begins_and_is_replaced_as_more_is_known(watched: Watched) -> None:
    begun = Subrequest("MY_CERT", "GET", "https://origin.example/", "", 10)
    watched.live.push(begun)
    assert watched.wait(lambda s: s["trace"])["trace"][0]["status"]["text"] == "waiting"
    watched.live.push(replace(begun, headers_ns=20, ended_ns=30, status=200))
    after = watched.wait(lambda s: s["trace"] and s["trace"][0]["status"]["text"] == "200")
    assert len(after["trace"]) == 1


def test_a_subrequest_says_which_phase_it_is_in(watched: Watched) -> None:
    begun = Subrequest("", "GET", "https://origin.example/", "", 10)
    watched.live.push(begun)
    told = events("tls13-mtls")
    for event in told[:4]:
        watched.live.push(event)
    watched.wait(lambda s: s["trace"] and s["trace"][0]["bar"]["now"] == "waiting for a connection…")
    watched.live.push(replace(begun, connection=1))
    state = watched.wait(lambda s: s["trace"] and s["trace"][0]["bar"]["now"] == "TLS handshake…")
    assert [part[0] for part in state["trace"][0]["bar"]["parts"]] == [0, 1, 2, 3]
    ready = replace(begun, connection=1, setup=Setup.of(told), ready_ns=told[-1].at_ns, sent_ns=told[-1].at_ns)
    watched.live.push(ready)
    watched.wait(lambda s: s["trace"] and s["trace"][0]["bar"]["now"] == "waiting for the answer…")
    assert watched.live._opening == {}


def test_messages_appear_as_they_cross(watched: Watched) -> None:
    told = events("tls13-mtls")
    for event in told[:6]:
        watched.live.push(event)
    early = watched.wait(lambda s: s["running"]["handshake"])["running"]["handshake"]
    assert early["arrows"][0]["name"] == "ClientHello"
    assert early["badge"]["text"] == "under way"
    assert early["note"] is None
    assert early["rows"][-1]["arrow"] == len(early["arrows"]) - 1, "what is still to come is not said to be missing"
    for event in told[6:]:
        watched.live.push(event)
    names = watched.wait(
        lambda s: s["running"]["handshake"] and s["running"]["handshake"]["badge"]["text"] == "mutual"
    )["running"]["handshake"]
    assert "CertificateRequest" in [arrow["name"] for arrow in names["arrows"]]


def test_a_refusal_is_told_as_one_at_once(watched: Watched) -> None:
    for event in events("tls13-refused"):
        watched.live.push(event)
    state = watched.wait(lambda s: s["running"]["handshake"] and s["running"]["handshake"]["badge"]["tone"] == "alert")
    assert state["running"]["handshake"]["note"]["cause"].startswith("The server refused")


def test_the_newest_connection_is_the_one_that_is_shown(watched: Watched) -> None:
    for event in events("tls13-mtls", host="old.example"):
        watched.live.push(event)
    for event in events("tls13", host="new.example"):
        watched.live.push(replace(event, connection=2))
    watched.live.push(replace(events("tls13-mtls")[5], connection=1))
    state = watched.wait(lambda s: s["running"]["handshake"] and s["running"]["handshake"]["title"] == "new.example")
    assert state["running"]["handshake"]["arrows"]


def test_raw_bytes_and_secrets_are_not_kept(watched: Watched) -> None:
    wire = next(event for event in events("tls13") if event.kind is Kind.WIRE)
    watched.live.push(wire)
    watched.live.push(replace(wire, kind=Kind.SECRET, data="CLIENT_RANDOM 00 11"))
    watched.live.push(LogLine("log", "after", 1))
    watched.wait(lambda s: s["logs"])
    assert watched.live._newest == []


def test_of_many_lines_the_latest_are_shown_and_the_rest_counted(watched: Watched) -> None:
    for number in range(250):
        watched.live.push(LogLine("log", str(number), number))
    state = watched.wait(lambda s: s["logs"] and s["logs"][-1]["text"] == "249")
    assert len(state["logs"]) == module.LOG_LINES_LIVE
    assert state["hidden_logs"] == 250 - module.LOG_LINES_LIVE
    assert state["logs"][0]["number"] == 150


def test_a_thousand_subrequests_from_many_threads_become_few_updates(watched: Watched) -> None:
    subs = [Subrequest("", "GET", f"https://origin.example/{n}", "", n, n, n + 1, 200) for n in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(watched.live.push, subs))
    state = watched.wait(lambda s: s["running"]["words"] == "running: 1,000 subrequests so far")
    assert len(state["trace"]) < 200
    assert sum(row.get("gap", 1) for row in state["trace"]) == 1000
    assert len(watched.states) < 100


def test_at_the_end_the_same_place_shows_what_the_run_came_to(watched: Watched) -> None:
    watched.live.push(LogLine("log", "going on", 1))
    watched.live.done(run())
    assert watched.live.widget.state == view.state(run())
    assert watched.live.widget._repr_mimebundle_()[0]["text/plain"] == view.text(run())


def test_a_place_that_is_left_is_empty_and_told_nothing_more(watched: Watched) -> None:
    watched.live.leave()
    watched.live.push(LogLine("log", "too late", 1))
    assert watched.live.widget.state == {}
    data, _ = watched.live.widget._repr_mimebundle_()
    assert (data["text/plain"], data["text/html"]) == ("", "")
