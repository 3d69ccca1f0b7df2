"""Every route answers as its name says; none takes more of the body than it needs, or trusts its input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.lab.context import ClientAuth
from mtls_notebook.lab.routes import ROUTES, Answer, Asked, Client, answer
from mtls_notebook.pki.certificate import tls_client_auth
from mtls_notebook.recorder.events import Agreed

ANONYMOUS = tls_client_auth((), "NONE", False)
AGREED = Agreed("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1", False)


def asked(
    target: str,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (("host", "example.com"),),
    body: tuple[bytes, ...] = (),
    pauses: list[float] | None = None,
) -> Asked:
    waits = [] if pauses is None else pauses
    client = Client(AGREED, "example.com", ANONYMOUS)
    return Asked(method, target, headers, iter(body), client, waits.append)


def answered(request: Asked, client_auth: ClientAuth = "required") -> tuple[int, dict[str, str], bytes]:
    given_answer = answer(request, client_auth)
    return given_answer.status, dict(given_answer.headers), b"".join(given_answer.body)


def test_any_other_path_describes_the_request() -> None:
    request = asked("/orders?x=1", "POST", (("host", "h"), ("accept", "a"), ("accept", "b")), (b"he", b"llo"))
    status, headers, body = answered(request)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {
        "method": "POST",
        "path": "/orders",
        "query": "x=1",
        "host": "h",
        "headers": {"host": "h", "accept": "a, b"},
        "body": {"sha256": hashlib.sha256(b"hello").hexdigest(), "length": 5},
        "tls": {
            "version": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "serverName": "example.com",
            "resumed": False,
        },
        "tlsClientAuth": ANONYMOUS,
    }


def test_echo_hands_the_body_back_chunk_by_chunk_before_it_is_complete() -> None:
    taken = []

    def body() -> Iterator[bytes]:
        for chunk in (b"one", b"two"):
            taken.append(chunk)
            yield chunk

    request = asked("/echo", "POST", (("content-type", "text/x"),))
    reply = answer(replace(request, body=body()), "required")
    chunks = iter(reply.body)
    assert taken == []
    assert (next(chunks), taken) == (b"one", [b"one"])
    assert (next(chunks), dict(reply.headers)) == (b"two", {"content-type": "text/x"})


@pytest.mark.parametrize("status", [200, 204, 304, 404, 418, 503, 599])
def test_status_answers_with_that_status(status: int) -> None:
    got, _, body = answered(asked(f"/status/{status}"))
    assert got == status
    assert (body == b"") == (status in (204, 304))


@pytest.mark.parametrize(
    "target",
    [
        *("/status/100", "/status/600", "/status/x", "/status/", "/status/nan"),
        *("/bytes/-1", "/bytes/x", "/bytes/99999999999"),
        *("/stream/x", "/stream/1e9", "/stream/2?pause=x"),
        *("/slow/x", "/slow/1e9", "/slow/inf"),
        *("/redirect/0", "/redirect/x", "/redirect/1000"),
    ],
)
def test_a_misused_route_says_how_it_is_used(target: str) -> None:
    pauses: list[float] = []
    status, _, body = answered(asked(target, pauses=pauses))
    assert status == 400
    assert "use it as /" in json.loads(body)["error"]
    assert pauses == []


def test_redirect_leads_where_it_is_told_home_by_default_and_down_a_chain() -> None:
    locations = {
        "/redirect": "/",
        "/redirect?to=": "/",
        "/redirect?to=/orders%3Fx%3D1": "/orders?x=1",
        "/redirect?to=https%3A%2F%2Fother.example%2F": "https://other.example/",
        "/redirect/3": "/redirect/2",
        "/redirect/1": "/",
    }
    for target, location in locations.items():
        status, headers, _ = answered(asked(target))
        assert (status, headers["location"]) == (302, location)


def test_a_redirect_cannot_smuggle_a_header() -> None:
    _, headers, _ = answered(asked("/redirect?to=/%0D%0Aset-cookie:%20a=b"))
    assert headers["location"] == "/%0D%0Aset-cookie:%20a=b"


@pytest.mark.parametrize("length", [0, 1, 16_383, 16_384, 16_385, 100_000])
def test_bytes_gives_exactly_as_many_as_announced(length: int) -> None:
    status, headers, body = answered(asked(f"/bytes/{length}"))
    assert (status, headers["content-length"], len(body)) == (200, str(length), length)


def test_stream_pauses_between_its_chunks_and_only_there() -> None:
    pauses: list[float] = []
    _, headers, body = answered(asked("/stream/3?pause=0.25", pauses=pauses))
    assert body == b"chunk 1 of 3\nchunk 2 of 3\nchunk 3 of 3\n"
    assert "content-length" not in headers
    assert pauses == [0.25, 0.25]


def test_slow_waits_and_then_describes_the_request() -> None:
    pauses: list[float] = []
    status, _, body = answered(asked("/slow/1.5", pauses=pauses))
    assert (status, pauses, json.loads(body)["path"]) == (200, [1.5], "/slow/1.5")


def test_headers_lists_every_header_in_order() -> None:
    _, _, body = answered(asked("/headers", headers=(("b", "1"), ("a", "2"), ("b", "3"))))
    assert json.loads(body) == {"headers": [["b", "1"], ["a", "2"], ["b", "3"]]}


def test_the_http_gate_refuses_whoever_was_not_verified_and_says_why() -> None:
    status, _, body = answered(asked("/status/200"), "http")
    assert (status, json.loads(body)["error"]) == (403, "a client certificate is required")
    expired = ANONYMOUS | {"certPresented": "1", "certVerified": "FAILED:certificate has expired"}
    request = replace(asked("/"), client=Client(AGREED, "", expired))
    status, _, body = answered(request, "http")
    assert (status, "certificate has expired" in json.loads(body)["error"]) == (403, True)


@given(
    head=st.sampled_from([*ROUTES, "orders"]),
    rest=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
)
def test_whatever_is_asked_the_answer_is_one_that_http_can_carry(head: str, rest: str) -> None:
    reply: Answer = answer(asked(f"/{head}/{rest}"), "required")
    h11.Response(status_code=reply.status, headers=list(reply.headers))
