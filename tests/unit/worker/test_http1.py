"""HTTP/1.1 to an origin, read from a script: what has come is handed over at once, and nothing is waited for."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.fetch.carrier import Garbled, Head, Truncated
from mtls_notebook.worker.fetch.http1 import Http1

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = Head("GET", b"/", [(b"Host", b"origin.example")])
Came = bytes | Exception


class Script:
    """A stream on which each read brings the next of `came`; past the last nothing is there yet."""

    def __init__(self, *came: Came) -> None:
        self._came = list(came)
        self.waits: list[float] = []

    def write(self, data: bytes, timeout_s: float) -> None: ...

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self._came:
            self.waits.append(timeout_s)
            raise BlockingIOError if timeout_s == 0 else TimeoutError
        one = self._came.pop(0)
        if isinstance(one, Exception):
            raise one
        if len(one) > max_bytes:
            self._came.insert(0, one[max_bytes:])
        return one[:max_bytes]


def asked(*came: Came) -> Http1:
    """Return a connection on which a request was answered with what came."""
    stream: Any = Script(*came)
    http = Http1(stream)
    http.begin(HEAD, b"")
    answer = http.response(5)
    assert answer is not None
    assert answer.status == 200
    return http


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_small_chunks_that_came_together_are_one_piece() -> None:
    http = asked(CHUNKED + b"".join(chunk(b"%d" % n) for n in range(10)))
    assert http.next_chunk(5) == b"0123456789"
    assert http.next_chunk(0) is None


def test_a_piece_that_has_come_is_not_held_back_for_another() -> None:
    for size in (10, 100_000):
        http = asked(CHUNKED + chunk(bytes(size)))
        assert http.next_chunk(60) == bytes(size)
        stream: Any = http.stream
        assert set(stream.waits) <= {0}


def test_a_body_that_flows_is_taken_in_larger_pieces_but_not_without_bound() -> None:
    size = 5 << 20
    http = asked(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, *[bytes(100_000)] * (size // 100_000 + 1))
    pieces = list(http.body())
    assert sum(map(len, pieces)) == size
    assert len(pieces) < 8
    assert max(map(len, pieces)) < 1.5 * (1 << 20)


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        (b"nonsense\r\n", Garbled),
        (ssl.SSLError("bad record"), ssl.SSLError),
        (ConnectionResetError("reset"), ConnectionResetError),
        (b"", Truncated),
    ],
)
def test_what_is_wrong_behind_a_piece_is_told_after_it(after: Came, fault: type[Exception]) -> None:
    http = asked(CHUNKED, chunk(bytes(70_000)), after)
    assert http.next_chunk(5) == bytes(70_000)
    with pytest.raises(fault):
        http.next_chunk(5)
    assert not http.is_reusable


def test_an_answer_whose_end_has_come_is_reusable_and_what_follows_it_is_not() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    good, bad = asked(whole), asked(whole + whole)  # the second answers what was never asked
    for http in (good, bad):
        assert http.next_chunk(5) == b"ok"
        assert http.next_chunk(5) == b""
    assert good.is_reusable
    assert not bad.is_reusable


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=30), st.lists(st.integers(1, 400)))
def test_however_a_body_is_cut_it_arrives_whole(parts: list[bytes], cuts: list[int]) -> None:
    sent = CHUNKED + b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    came, at = [], 0
    for size in (*cuts, len(sent)):
        came.append(sent[at : at + size])
        at += size
    http = asked(*filter(None, came))
    assert b"".join(http.body()) == b"".join(parts)
    assert http.is_reusable
