"""Everything that people write for a request, and what they hear when it is none."""

from __future__ import annotations

from typing import Any

import pytest

from mtls_notebook.errors import UsageError
from mtls_notebook.worker.calls.asking import KEYS, as_request, words
from mtls_notebook.worker.exchange import HttpRequest

ORIGIN = "https://worker.local"
JSON = (("Content-Type", "application/json"),)
WRITTEN: list[tuple[Any, HttpRequest]] = [
    ("/orders", HttpRequest("GET", f"{ORIGIN}/orders")),
    ("put /orders", HttpRequest("PUT", f"{ORIGIN}/orders")),
    ("https://x.example/a", HttpRequest("GET", "https://x.example/a")),
    (HttpRequest("PATCH"), HttpRequest("PATCH")),
    ({}, HttpRequest("GET", f"{ORIGIN}/")),
    ({"path": "/a", "method": "DELETE"}, HttpRequest("DELETE", f"{ORIGIN}/a")),
    ({"request": "POST /a", "body": "hé"}, HttpRequest("POST", f"{ORIGIN}/a", (), "hé".encode())),
    ({"url": "/a", "headers": {"X-A": "1"}}, HttpRequest("GET", f"{ORIGIN}/a", (("X-A", "1"),))),
    ({"path": "/a", "json": {"n": 1}}, HttpRequest("POST", f"{ORIGIN}/a", JSON, b'{"n": 1}')),
    ({"path": "/a", "method": None, "body": float("nan")}, HttpRequest("GET", f"{ORIGIN}/a")),
]


@pytest.mark.parametrize(("asked", "request_"), WRITTEN, ids=lambda each: repr(each)[:50])
def test_each_way_to_write_a_request_is_understood(asked: Any, request_: HttpRequest) -> None:
    assert as_request(asked) == request_


def test_the_keys_of_a_dict_are_the_words_of_the_call() -> None:
    called = as_request("/a", method="PUT", headers={"X-A": "1"}, body=b"x")
    assert as_request({"path": "/a", "method": "PUT", "headers": {"X-A": "1"}, "body": b"x"}) == called


def test_a_content_type_that_is_given_stays() -> None:
    assert as_request("/a", headers={"content-type": "x/y"}, json=[]).headers == (("content-type", "x/y"),)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (5, "int"),
        ("nonsense", "nonsense"),
        ({"pth": "/a"}, "pth"),
        ({"path": "/a", "url": "/b"}, "twice"),
        ({"path": 5}, "int"),
        ({"path": "/a", "body": {"n": 1}}, "dict"),
        ({"path": "/a", "json": object()}, "JSON"),
    ],
)
def test_what_is_no_request_is_refused_with_its_reason_and_a_hint(asked: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        as_request(asked)
    assert caught.value.hint


def test_an_unknown_key_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        as_request({"verb": "GET"})
    assert all(key in caught.value.hint for key in KEYS)


def test_a_request_in_short_leaves_out_the_workers_own_origin() -> None:
    assert words(as_request("/orders")) == "GET /orders"
    assert words(as_request("https://x.example/a")) == "GET https://x.example/a"
