"""What programs read: the JSON document and the HAR, made from recorded handshakes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtls_notebook.recorder.documents import document, fields
from mtls_notebook.recorder.events import Event, Failure, Kind, Request, Target
from mtls_notebook.recorder.handshake import fold
from mtls_notebook.recorder.har import RecordedRequest, RequestFacts, har, recorded_requests
from mtls_notebook.recorder.phases import Phases, Setup
from mtls_notebook.worker.exchange import Subrequest
from tests.unit.recorder.recorded import recorded
from tests.unit.tls.captured import NAMES, decoded

EPOCH = 1_700_000_000_000_000_000
SECRET = "CLIENT_RANDOM " + "ab" * 32 + " " + "cd" * 48
MS = 1_000_000

# What HAR 1.2 requires, by the place it stands in.
REQUIRED = {
    (): {"startedDateTime", "time", "request", "response", "cache", "timings"},
    ("request",): {
        *("method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"),
    },
    ("response",): {
        *("status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL"),
        *("headersSize", "bodySize"),
    },
    ("response", "content"): {"size", "mimeType"},
    ("timings",): {"send", "wait", "receive"},
}


# -- JSON


@pytest.mark.parametrize("name", NAMES)
def test_a_message_s_fields_joined_are_the_message(name: str) -> None:
    for message in decoded(name):
        told = fields(message)
        assert "".join(field["hex"] for field in told) == message.raw.hex()
        assert [field["offset"] for field in told] == [sum(f["length"] for f in told[:i]) for i in range(len(told))]
        paths = [field["path"] for field in told]
        assert len(set(paths)) == len(paths), "a path names one field"


def test_a_field_is_found_by_its_path_with_its_meaning() -> None:
    told = {field["path"]: field for field in fields(decoded("tls13-mtls")[0])}
    assert told["cipher_suites.CipherSuite[0]"] == {
        "path": "cipher_suites.CipherSuite[0]",
        "offset": 73,
        "length": 2,
        "value": 0x1302,
        "hex": "1302",
        "meaning": "TLS_AES_256_GCM_SHA384",
    }
    assert told["msg_type"]["meaning"] == "client_hello"


def test_the_document_is_plain_json_and_says_what_the_handshake_says() -> None:
    events = recorded("tls13-mtls", version="TLSv1.3")
    told = json.loads(json.dumps(document([events], EPOCH)))
    [one] = told["connections"]
    shake = fold(events)
    assert (told["format"], told["version"]) == ("mtls-notebook handshakes", 1)
    assert (one["tls"], one["outcome"], one["alert"]) == ("TLS 1.3", "mutual", None)
    assert [(m["name"], m["sender"], m["length"]) for m in one["messages"]] == [
        (a.name, a.sender, a.length_bytes) for a in shake.arrows
    ]
    assert [len(chain) for chain in (one["client_chain"], one["server_chain"])] == [
        len(shake.client_chain),
        len(shake.server_chain),
    ]
    assert all(set(facts) == {"subject", "issuer", "sha256"} for facts in one["client_chain"])
    assert [step["title"] for step in one["steps"]] == [step.title for step in shake.steps]
    assert one["started"] == "2023-11-14T22:13:20.000000+00:00"


def test_an_alert_is_told_by_number_name_and_sender() -> None:
    [one] = document([recorded("tls13-refused")], EPOCH)["connections"]
    assert one["alert"] == {"number": 116, "name": "certificate_required", "sender": "server"}


def test_a_message_that_does_not_decode_is_kept_with_the_reason() -> None:
    events = list(recorded("tls13"))
    place = next(i for i, e in enumerate(events) if e.kind is Kind.MESSAGE)
    events[place] = replace(events[place], data=replace(events[place].data, data=b"\x01\x00\x00\x09short"))
    first = document([events], EPOCH)["connections"][0]["messages"][0]
    assert (first["name"], first["fields"]) == ("ClientHello", [])
    assert "declares 9 bytes" in first["error"]


# -- HAR


def subrequest(**changes: object) -> Subrequest:
    made = Subrequest(
        binding="MY_CERT",
        method="POST",
        url="https://origin.example/orders?a=1&b=",
        fingerprint="ab" * 32,
        started_ns=0,
        headers_ns=30 * MS,
        ended_ns=42 * MS,
        status=201,
        connection=1,
        request_bytes=12,
        response_bytes=345,
        setup=Setup.of(timed()),
        ready_ns=17 * MS,
        sent_ns=18 * MS,
    )
    return replace(made, **changes)


def timed(*, done: bool = True) -> list[Event]:
    """Return a connection whose phases take 2, 3, 5 and (TLS) 7 ms."""
    events = [
        Event(2 * MS, 1, Kind.CONNECTING, Target("origin.example", 443)),
        Event(5 * MS, 1, Kind.RESOLVED, "127.0.0.1"),
        Event(10 * MS, 1, Kind.CONNECTED, "127.0.0.1:8443"),
        Event(10 * MS, 1, Kind.TLS_STARTED, "origin.example"),
    ]
    agreed = next(e for e in recorded("tls13-mtls", version="TLSv1.3") if e.kind is Kind.TLS_DONE)
    end = replace(agreed, at_ns=17 * MS) if done else Event(17 * MS, 1, Kind.TLS_FAILED, Failure("BAD"))
    return [*events, end]


def entry(request: RequestFacts, events: list[Event]) -> dict:
    [only] = har([request], [events], EPOCH, "1.0")["log"]["entries"]
    return only


def at(value: dict, place: tuple[str, ...]) -> dict:
    for name in place:
        value = value[name]
    return value


@pytest.mark.parametrize("place", REQUIRED)
@pytest.mark.parametrize("request_", [subrequest(), subrequest(status=None, headers_ns=None, connection=None)])
def test_an_entry_has_all_that_har_requires(place: tuple[str, ...], request_: Subrequest) -> None:
    assert set(at(entry(request_, timed()), place)) >= REQUIRED[place]


def test_the_phases_fill_the_time_and_tls_lies_within_connect() -> None:
    made = entry(subrequest(), timed())
    assert made["timings"] == {
        "blocked": 2.0,
        "dns": 3.0,
        "connect": 12.0,
        "ssl": 7.0,
        "send": 1.0,
        "wait": 12.0,
        "receive": 12.0,
    }
    assert made["time"] == 42.0


def test_on_a_reused_connection_nothing_is_set_up() -> None:
    reused = subrequest(reused=True, setup=None, started_ns=20 * MS, ready_ns=21 * MS, sent_ns=22 * MS)
    made = entry(reused, timed())
    assert [made["timings"][name] for name in ("blocked", "dns", "connect", "ssl")] == [1.0, -1, -1, -1]
    assert (made["time"], made["timings"]["wait"], made["_tls"]["connectionReused"]) == (22.0, 8.0, True)


def test_a_request_that_was_refused_has_status_0_and_the_alert() -> None:
    events = list(recorded("tls13-refused"))
    made = entry(subrequest(status=None, headers_ns=None, ended_ns=19 * MS), events)
    assert (made["response"]["status"], made["response"]["statusText"]) == (0, "")
    assert made["_tls"]["alert"] == {"number": 116, "name": "certificate_required", "sender": "server"}
    assert made["_tls"]["messages"][0] == {"name": "ClientHello", "sender": "client"}


def test_the_tls_section_names_the_certificates_of_both_sides() -> None:
    tls = entry(subrequest(), list(recorded("tls13-mtls", version="TLSv1.3")))["_tls"]
    assert (tls["version"], tls["outcome"]) == ("TLS 1.3", "mutual")
    assert tls["clientCertificate"]["subject"].startswith("CN=")
    assert len(tls["clientCertificate"]["sha256"]) == 64
    assert tls["serverChain"]


def test_a_request_is_told_with_its_query_and_its_sizes() -> None:
    made = entry(subrequest(), timed())
    assert made["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert (made["request"]["bodySize"], made["response"]["content"]["size"]) == (12, 345)
    assert (made["connection"], made["serverIPAddress"], made["_binding"]) == ("1", "127.0.0.1", "MY_CERT")


def test_a_request_whose_connection_is_no_longer_kept_has_no_tls_section() -> None:
    made = entry(subrequest(connection=99), timed())
    assert (made["_tls"], made["time"]) == (None, 42.0)


def test_requests_are_read_off_a_recording_when_nobody_names_them() -> None:
    events = [
        *timed(),
        Event(18 * MS, 1, Kind.REQUEST, Request("GET", "/a?x=1", 1)),
        Event(20 * MS, 1, Kind.RESPONSE, 200),
        Event(21 * MS, 1, Kind.REQUEST, Request("GET", "/b", 2)),
    ]
    a, b = "https://origin.example/a?x=1", "https://origin.example/b"
    setup = Setup(2 * MS, 5 * MS, 10 * MS)
    first, second = recorded_requests(events)
    assert first == RecordedRequest(
        "GET", a, 2 * MS, 20 * MS, None, 200, 1, reused=False, asked_ns=18 * MS, setup=setup
    )
    assert second == RecordedRequest("GET", b, 21 * MS, None, None, None, 1, reused=True, asked_ns=21 * MS)
    assert first.phases == Phases(0, 3 * MS, 5 * MS, 8 * MS, 0, 2 * MS, 0)
    assert dict(second.phases) == {"queue": 0, "send": 0, "wait": 0}


def test_a_failed_handshake_is_the_last_phase() -> None:
    failed = subrequest(status=None, ready_ns=None, sent_ns=None, headers_ns=None, ended_ns=18 * MS)
    made = entry(failed, timed(done=False))
    assert (made["timings"]["connect"], made["timings"]["ssl"], made["time"]) == (13.0, 8.0, 18.0)
    assert [made["timings"][name] for name in ("send", "wait", "receive")] == [0.0, 0.0, 0.0]
