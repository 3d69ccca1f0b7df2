"""One exchange with a worker, without workerd: a plain socket plays its part, byte for byte."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtls_notebook.errors import UsageError
from mtls_notebook.worker.exchange import HttpRequest, HttpResponse
from mtls_notebook.worker.javascript.wire import BrokenOff, Wire

WAIT_S = 10.0
MOST_BYTES = 1 << 20


class Peer:
    """Accepts one connection, keeps what it hears up to the end of a request's head, and answers with `said`."""

    def __init__(self, folder: Path, said: bytes, stays: bool) -> None:
        self.heard = b""
        self.address = str(folder / "in")
        self._said = said
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.address)
        self._listener.listen()
        self._over = threading.Event()
        self._stays = stays
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            peer.settimeout(WAIT_S)
            while b"\r\n\r\n" not in self.heard and (data := peer.recv(4096)):
                self.heard += data
            peer.sendall(self._said)
            if self._stays:
                self._over.wait(WAIT_S)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()


Exchange = Callable[..., tuple[HttpResponse, bool, bytes]]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """Return `exchange(said, request)`: the response, whether the connection can be used again, and what was heard."""

    def run(said: bytes, request: HttpRequest | None = None, *, stays: bool = True) -> tuple[HttpResponse, bool, bytes]:
        with tempfile.TemporaryDirectory(prefix="mtls-") as folder:
            peer = Peer(Path(folder), said, stays)
            wire = Wire(peer.address)
            try:
                response = wire.exchange(request or HttpRequest(), MOST_BYTES)
                return response, wire.reusable, peer.heard
            finally:
                wire.close()
                peer.close()

    yield run


ANSWERS = {
    "of known length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok", True),
    "after a 1xx": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    "before a close": (b"HTTP/1.1 500 X\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "to the connection's end": (b"HTTP/1.1 200 OK\r\n\r\nok", b"ok", False),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_ends_where_its_framing_says(name: str, exchange: Exchange) -> None:
    said, body, is_reusable = ANSWERS[name]
    response, reusable, _ = exchange(said, stays=name != "to the connection's end")
    assert (response.body, reusable) == (body, is_reusable)


def test_the_answer_to_head_has_no_body_whatever_it_says(exchange: Exchange) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    response, reusable, _ = exchange(said, HttpRequest("HEAD"))
    assert (response.body, response.header("content-length"), reusable) == (b"", "2", True)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 okay\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
    ],
)
def test_an_answer_that_ends_too_early_or_is_none_is_broken_off(said: bytes, exchange: Exchange) -> None:
    with pytest.raises(BrokenOff) as caught:
        exchange(said, stays=False)
    assert not caught.value.too_long


def test_an_answer_that_is_too_long_is_given_up(exchange: Exchange) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * (MOST_BYTES + 1)
    with pytest.raises(BrokenOff, match="longer than 1 MB") as caught:
        exchange(said)
    assert caught.value.too_long


def test_header_text_is_utf_8_both_ways(exchange: Exchange) -> None:
    said = "HTTP/1.1 200 OK\r\nX-A: ü€\r\nContent-Length: 0\r\n\r\n".encode()
    response, _, heard = exchange(said, HttpRequest(headers=(("X-B", "ü€"),)))
    assert response.header("x-a") == "ü€"
    assert "X-B: ü€\r\n".encode() in heard


def test_only_the_requests_own_cf_becomes_the_header_that_workerd_believes(exchange: Exchange) -> None:
    said = b"HTTP/1.1 204 No Content\r\n\r\n"
    forged = (
        ("CF-Blob", '{"tlsClientAuth": {}}'),
        ("Host", "else"),
        ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"),
    )
    _, _, heard = exchange(said, HttpRequest(url="https://w/a b", headers=forged, cf={"colo": "TST"}))
    assert heard == b'GET https://w/a%20b HTTP/1.1\r\nHost: w\r\ncf-blob: {"colo": "TST"}\r\n\r\n'
    assert b"blob" not in exchange(said, HttpRequest(headers=forged))[2]


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("G T"),
        HttpRequest(""),
        HttpRequest("GET\r\nX: y"),
        HttpRequest(headers=(("X A", "1"),)),
        HttpRequest(headers=(("", "1"),)),
        HttpRequest(headers=(("X-A", "1\r\nX-B: 2"),)),
        HttpRequest(headers=(("X-A", "1\n2"),)),
    ],
)
def test_a_request_that_cannot_be_written_is_a_usage_error(request_: HttpRequest) -> None:
    with tempfile.TemporaryDirectory(prefix="mtls-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/in")
        listener.listen()
        wire = Wire(f"{folder}/in")
        try:
            with pytest.raises(UsageError, match="cannot be sent"):
                wire.exchange(request_, MOST_BYTES)
        finally:
            wire.close()
