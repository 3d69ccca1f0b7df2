"""The bridge without workerd: a plain socket plays its part, byte for byte."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtls_notebook.errors import ConnectError
from mtls_notebook.worker.exchange import Headers, Incoming, Outgoing
from mtls_notebook.worker.javascript.bridge import Bridge, forwarded

WAIT_S = 10.0
GET = b"GET https://h.test/a?b=1 HTTP/1.1\r\nHost: bridge\r\n\r\n"


class Canned:
    """An answer made of given chunks; `closed` tells that it was let go."""

    def __init__(self, chunks: list[bytes], headers: Headers = (), status: int = 200) -> None:
        self.status = status
        self.reason = "Fine"
        self.headers = headers
        self.closed = threading.Event()
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        self.closed.set()


class Scripted:
    """A fetcher that keeps what it was asked and answers by a function."""

    def __init__(self, answer: Callable[[Outgoing], Incoming]) -> None:
        self.asked: list[Outgoing] = []
        self._answer = answer

    def send(self, request: Outgoing) -> Incoming:
        self.asked.append(request)
        return self._answer(request)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mtls-") as short:  # pytest's own are too long for a socket
        yield Path(short)


@pytest.fixture
def dial(folder: Path) -> Iterator[Callable[[Scripted], socket.socket]]:
    open_: list[socket.socket] = []
    bridges: list[Bridge] = []

    def connect(fetcher: Scripted) -> socket.socket:
        bridge = Bridge(folder, {"": fetcher})
        bridges.append(bridge)
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(WAIT_S)
        peer.connect(bridge.addresses[""])
        open_.append(peer)
        return peer

    yield connect
    for peer in open_:
        peer.close()
    for bridge in bridges:
        bridge.close()


def read_until(peer: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        chunk = peer.recv(4096)
        assert chunk, f"hung up after {got!r}"
        got += chunk
    return got


Dial = Callable[[Scripted], socket.socket]


def test_requests_follow_one_another_on_one_connection(dial: Dial) -> None:
    fetcher = Scripted(lambda _: Canned([b"ok"], (("Content-Length", "2"), ("X-A", "1"))))
    peer = dial(fetcher)
    for _ in range(3):
        peer.sendall(GET)
        assert read_until(peer, b"ok") == b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok"
    assert [request.url for request in fetcher.asked] == ["https://h.test/a?b=1"] * 3
    assert fetcher.asked[0].body == b""


def test_an_answer_of_unknown_length_is_chunked_and_its_hop_by_hop_headers_stay_behind(dial: Dial) -> None:
    headers = (("Transfer-Encoding", "chunked"), ("Connection", "X-Hop, close"), ("X-Hop", "1"), ("Keep-Alive", "5"))
    peer = dial(Scripted(lambda _: Canned([b"a", b"bc"], headers)))
    peer.sendall(GET)
    head, _, body = read_until(peer, b"0\r\n\r\n").partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked"
    assert body == b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"


def test_a_fetch_that_failed_ends_the_connection_without_an_answer(dial: Dial) -> None:
    def fail(_: Outgoing) -> Incoming:
        raise ConnectError("refused")

    peer = dial(Scripted(fail))
    peer.sendall(GET)
    assert peer.recv(4096) == b""


def test_a_body_that_is_shorter_than_announced_ends_the_connection(dial: Dial) -> None:
    answer = Canned([b"only"], (("Content-Length", "10"),))
    peer = dial(Scripted(lambda _: answer))
    peer.sendall(GET)
    got = b""
    while chunk := peer.recv(4096):
        got += chunk
    assert got.endswith(b"\r\n\r\nonly")
    assert answer.closed.wait(WAIT_S)


def test_a_request_body_streams_to_the_fetcher_while_it_arrives(dial: Dial) -> None:
    seen: list[bytes] = []
    first = threading.Event()

    def read(request: Outgoing) -> Incoming:
        assert not isinstance(request.body, bytes)
        for chunk in request.body:
            seen.append(chunk)
            first.set()
        return Canned([b"ok"], (("Content-Length", "2"),))

    peer = dial(Scripted(read))
    peer.sendall(b"POST https://h/ HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    assert first.wait(WAIT_S)
    peer.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
    read_until(peer, b"ok")
    assert b"".join(seen) == b"onetwo"


def test_a_late_reader_of_a_body_takes_nothing_of_the_next_request(dial: Dial) -> None:
    kept: list[Outgoing] = []

    def answer_early(request: Outgoing) -> Incoming:
        kept.append(request)
        return Canned([b"ok"], (("Content-Length", "2"),))

    peer = dial(Scripted(answer_early))
    for _ in range(2):
        peer.sendall(b"POST https://h/ HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\nbody")
        read_until(peer, b"ok")
    peer.sendall(GET)
    read_until(peer, b"ok")
    assert [list(request.body) for request in kept] == [[], [], []]


@pytest.mark.parametrize("moment", ["before the answer", "during the body"])
def test_a_peer_that_hangs_up_ends_what_it_waited_for(dial: Dial, moment: str) -> None:
    reached, let_go = threading.Event(), threading.Event()

    class Silent(Canned):
        def __iter__(self) -> Iterator[bytes]:
            yield b"x"
            reached.set()
            assert let_go.wait(WAIT_S)
            raise OSError("ended under its reader's feet")

        def abort(self) -> None:
            let_go.set()

    def answer(request: Outgoing) -> Incoming:
        if moment == "during the body":
            return Silent([])
        request.on_abandon(let_go.set)  # type: ignore[attr-defined]
        reached.set()
        assert let_go.wait(WAIT_S)
        raise ConnectError("ended")

    peer = dial(Scripted(answer))
    peer.sendall(GET)
    assert reached.wait(WAIT_S)
    peer.close()
    assert let_go.wait(WAIT_S)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n",
        b"GET https://h/ HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_tunnels_and_upgrades_are_refused_before_any_fetcher_hears_of_them(dial: Dial, request_bytes: bytes) -> None:
    fetcher = Scripted(lambda _: Canned([]))
    peer = dial(fetcher)
    peer.sendall(request_bytes)
    answer = read_until(peer, b".\n")
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"fetch only" in answer
    assert peer.recv(1) == b""
    assert fetcher.asked == []


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"x" * 200_000])
def test_what_is_no_request_ends_the_connection_quietly(dial: Dial, noise: bytes) -> None:
    peer = dial(Scripted(lambda _: Canned([])))
    try:
        peer.sendall(noise + b"\r\n\r\n")
        assert peer.recv(1) == b""
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up before it had read all that


def test_close_hangs_up_on_everybody_and_ends_every_thread(folder: Path) -> None:
    before = set(threading.enumerate())
    bridge = Bridge(folder, {"": Scripted(lambda _: Canned([])), "A": Scripted(lambda _: Canned([]))})
    peers = []
    for address in bridge.addresses.values():
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(WAIT_S)
        peer.connect(address)
        peer.sendall(GET)
        read_until(peer, b"0\r\n\r\n")
        peers.append(peer)
    bridge.close()
    for peer in peers:
        assert peer.recv(1) == b""
        peer.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT_S)
        assert not thread.is_alive(), thread.name


def test_host_and_hop_by_hop_headers_are_not_forwarded() -> None:
    headers = (("Host", "bridge"), ("X-A", "é"), ("TE", "trailers"), ("Connection", "X-A2"), ("X-A2", "1"))
    assert forwarded(headers) == (("X-A", "é"),)
