"""What the view of a run says."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from mtls_notebook.errors import WorkerThrew
from mtls_notebook.views import invocation as view
from mtls_notebook.views.handshake import STATE_LIMIT_BYTES, length_bytes
from mtls_notebook.worker.exchange import LogLine
from tests.unit.views.material import DIAGNOSIS, HOSTILE, SHOWN, chain, run


def test_the_state_is_plain_json() -> None:
    state = view.state(run())
    assert json.loads(json.dumps(state)) == state


def test_a_subrequest_shows_binding_certificate_status_and_its_own_handshake() -> None:
    first, again, refused = view.trace(run())
    assert (first["binding"], first["status"]["text"], first["handshake"]) == ("MY_CERT", "200", 0)
    (offered,) = view.state(run())["certificates"]
    assert offered["fingerprint"].replace(":", "").lower() == chain()[0].fingerprint_sha256
    assert offered["name"] == "client, one + only"
    assert (first["certificate"], again["certificate"]) == (0, 0)
    assert (again["words"], again["handshake"]) == ("connection reused: no handshake", -1)
    assert (refused["binding"], refused["certificate"], refused["handshake"]) == ("", -1, 1)
    assert refused["note"]["fix"] == DIAGNOSIS.fix


def test_bars_lie_in_order_between_the_first_start_and_the_last_end() -> None:
    bars = [row["bar"] for row in view.trace(run())]
    assert [(bar["at"], bar["width"]) for bar in bars] == [(0.0, 50.0), (50.0, 25.0), (75.0, 25.0)]


def test_a_trace_that_took_no_time_still_has_bars() -> None:
    (only,) = run().trace[:1]
    still = replace(only, started_ns=5, setup=None, ready_ns=5, sent_ns=5, headers_ns=5, ended_ns=5)
    (row,) = view.trace(run(trace=(still,)))
    assert (row["bar"]["at"], row["bar"]["width"], row["bar"]["time"]) == (0.0, 0.0, "0.00 ms")
    assert [part[1] for part in row["bar"]["parts"]] == [0, 0, 0, 0]


def test_a_subrequest_that_failed_before_any_handshake_is_opened_too() -> None:
    lost = replace(run().trace[2], connection=None, setup=None, ready_ns=None, sent_ns=None)
    assert view.first_opened(run(trace=(*run().trace[:2], lost))) == 2
    assert view.details(run(trace=(lost,)), 0) == {}


def test_the_times_are_folded_away_in_html_and_absent_from_the_text() -> None:
    page, text = view.html(run()), view.text(run())
    assert "<summary>Where the time went</summary>" in page
    assert "<td>1.40 ms</td>" in page
    assert not re.search(r"\d ms|\d s\b", text)


def test_a_failed_subrequest_is_opened_at_once() -> None:
    assert view.first_opened(run()) == 2
    assert view.first_opened(run(trace=run().trace[:2])) == 0


def test_a_handshake_does_not_repeat_the_diagnosis_of_its_subrequest() -> None:
    mutual, refused = view.state(run())["handshakes"]
    assert refused["note"] is None
    undiagnosed = tuple(replace(sub, diagnosis=None) for sub in run().trace)
    assert view.state(run(trace=undiagnosed))["handshakes"][1]["note"]["cause"].startswith("The server refused")
    assert mutual["note"] is None


def test_a_run_that_threw_shows_what_and_what_to_do() -> None:
    state = view.state(run(response=None, error=WorkerThrew("boom " + HOSTILE, "look there")))
    assert state["response"] is None
    assert state["error"] == {"kind": "WorkerThrew", "message": "boom " + SHOWN, "hint": "look there"}
    text = view.text(run(response=None, error=WorkerThrew("boom", "look there")))
    assert text.startswith("WorkerThrew: boom\nlook there")


def test_the_plain_text_tells_answer_log_subrequests_and_diagnosis() -> None:
    text = view.text(run())
    assert text.startswith('200 OK\n{\n  "path": "/",\n  "big": 12345678901234567890\n}')
    assert "  log: asking" in text
    lines = [re.sub(r"  +", " | ", line) for line in text.splitlines()]
    assert "GET https://origin.example/ | MY_CERT | 200 | mutual · TLS 1.3" in lines
    assert "GET https://origin.example/ | MY_CERT | 200 | connection reused: no handshake" in lines
    assert "GET https://origin.example/ | (none) | failed | refused by server · TLS 1.3" in lines
    assert f"What to do: {DIAGNOSIS.fix}" in lines


def test_the_plain_text_does_not_depend_on_time_or_connection() -> None:
    slower = run(
        elapsed_ns=99,
        trace=tuple(replace(sub, started_ns=sub.started_ns - 7, response_bytes=5) for sub in run().trace),
    )
    assert view.text(slower) == view.text(run())


def test_html_holds_nothing_that_sanitising_strips() -> None:
    page = view.html(run())
    assert not re.search(r"<(script|style|svg|iframe|object)", page)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_hostile_headers_and_logs_are_shown_with_their_unseen_characters_named() -> None:
    state = view.state(run())
    assert state["response"]["headers"][1] == {"name": "x-evil", "value": SHOWN}
    assert state["logs"][1] == {"number": 1, "level": "error", "text": SHOWN + "\nnext line"}


def test_many_log_lines_are_cut_and_counted() -> None:
    state = view.state(run(logs=tuple(LogLine("log", str(i), i) for i in range(700))))
    assert (len(state["logs"]), state["hidden_logs"]) == (view.LOG_LINES_SHOWN, 200)


def test_of_many_handshakes_the_first_come_at_once_and_all_others_when_they_are_opened() -> None:
    handshakes = tuple(replace(run().handshakes[0], connection=number) for number in range(12))
    trace = tuple(replace(run().trace[0], connection=number) for number in range(12))
    many = run(handshakes=handshakes, trace=trace)
    state = view.state(many)
    assert len(state["handshakes"]) == view.HANDSHAKES_SHOWN
    assert [row["handshake"] for row in state["trace"]] == [*range(12)]
    widget = view.view(many)
    widget.opened = 10
    assert set(widget.details) == {"10"}
    assert widget.details["10"]["arrows"][0]["anatomy"]["hex"]
    widget.close()
    assert "4 more handshakes: with the run kept as r (-o r), r.handshakes[8]" in view.html(many)


def test_a_long_trace_on_new_connections_stays_within_what_a_state_may_hold() -> None:
    first, shake = run().trace[0], run().handshakes[0]
    url = "https://example-secure-origin.com/orders/1234?page=12&sort=date"
    trace = tuple(replace(first, connection=number, url=url) for number in range(1, 161))
    handshakes = tuple(replace(shake, connection=number) for number in range(1, 161))
    state = view.state(run(trace=trace, handshakes=handshakes))
    assert len(state["trace"]) == 160
    assert length_bytes(state) <= STATE_LIMIT_BYTES


def test_where_handshakes_are_cut_those_of_what_failed_are_kept() -> None:
    first, _, refused = run().trace
    trace = (*(replace(first, connection=number) for number in range(1, 20)), replace(refused, connection=20))
    handshakes = tuple(replace(run().handshakes[0], connection=number) for number in range(1, 21))
    many = run(trace=trace, handshakes=handshakes)
    assert view.first_opened(many) == 19
    assert view.trace(many)[19]["handshake"] == 7
    assert set(view.details(many, 19)) == {"7"}
    assert view.page_values(many)["details"].keys() == {str(place) for place in range(20)}


def test_the_state_of_many_handshakes_stays_small_and_the_opened_one_is_there_whole() -> None:
    handshakes = tuple(replace(run().handshakes[0], connection=number) for number in range(8))
    trace = tuple(replace(run().trace[0], connection=number) for number in range(8))
    many = run(handshakes=handshakes, trace=trace)
    assert length_bytes(view.state(many)) <= STATE_LIMIT_BYTES
    details = view.details(many, 3)
    assert set(details) == {"3"}
    assert details["3"]["arrows"][0]["anatomy"]["hex"]
    assert length_bytes(details) <= STATE_LIMIT_BYTES + 1_000
    assert view.details(many, -1) == view.details(many, 99) == {}


def test_the_widget_sends_a_handshake_whole_when_it_is_opened() -> None:
    widget = view.view(run())
    assert set(widget.details) == {"1"}
    widget.opened = 0
    assert set(widget.details) == {"0"}
    widget.opened = -1
    assert set(widget.details) == {"0"}
    widget.close()


def test_a_diagnosis_that_many_subrequests_share_is_told_once() -> None:
    many = run(trace=run().trace * 5)
    assert view.text(many).count("What to do:") == 1


def test_the_widget_carries_its_own_static_forms() -> None:
    widget = view.view(run())
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == view.text(run())
    assert data["text/html"] == view.html(run())
    widget.close()
