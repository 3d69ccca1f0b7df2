"""The tap where a connection goes wrong: its socket is closed, and what came before the fault is told before it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtls_notebook.pki.authority import Authority
from mtls_notebook.recorder.events import Kind
from mtls_notebook.recorder.recording import Recording
from mtls_notebook.recorder.tap import Exchange, TappedStream, current_exchange, open_stream

HOST = "tap.example"
NO_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)  # application_data that no key of the connection decrypts


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the client's context and the server's."""
    authority = Authority.create("Tap CA")
    own = authority.issue(HOST, usage=("serverAuth",), names=(HOST,))
    folder: Path = tmp_path_factory.mktemp("tap")
    (folder / "own.pem").write_bytes(own.certificate_pem)
    (folder / "own.key").write_bytes(own.key_pem)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(folder / "own.pem", folder / "own.key")
    client.load_verify_locations(cadata=authority.certificate.pem())
    return client, server


@contextlib.contextmanager
def answered(by: Callable[[socket.socket], None]) -> Iterator[TappedStream]:
    """Yield a stream, plain as yet, to a server that does `by` with its one connection."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            by(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        stream = open_stream(Recording(), "127.0.0.1", listener.getsockname()[1], timeout_s=5)
        try:
            yield stream
        finally:
            stream.close()
            thread.join()


def speaking(context: ssl.SSLContext, say: Callable[[ssl.SSLObject, ssl.MemoryBIO], None]) -> Callable[..., None]:
    """Return a server that makes the handshake, sends in one piece what `say` writes, and waits for the end."""

    def serve(peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
                incoming.write(peer.recv(1 << 16))
        say(tls, outgoing)
        peer.sendall(outgoing.read())
        with contextlib.suppress(OSError):
            while peer.recv(1 << 16):
                pass

    return serve


def read_to_fault(stream: TappedStream) -> tuple[bytes, Exception]:
    """Return what can be read until reading fails, and how it fails."""
    whole = b""
    while True:
        try:
            data = stream.read(1 << 20, 5)
        except OSError as error:
            return whole, error
        assert data, "the stream ended well"
        whole += data


def test_many_records_that_came_together_are_read_together(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    client, server = contexts
    records = [bytes([n]) * 1000 for n in range(40)]

    def say(tls: ssl.SSLObject, _: ssl.MemoryBIO) -> None:
        for record in records:
            tls.write(record)

    with answered(speaking(server, say)) as stream:
        stream.start_tls(client, HOST, 5)
        reads = []
        while sum(map(len, reads)) < 40_000:
            reads.append(stream.read(1 << 20, 5))
        assert b"".join(reads) == b"".join(records)
        assert len(reads) < 20


@pytest.mark.parametrize("most", [1, 7, 999, 16_384, 40_000])
def test_no_read_gives_more_than_was_asked_for_and_nothing_is_lost(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], most: int
) -> None:
    client, server = contexts
    sent = bytes(range(250)) * 8 * (1 if most < 10 else 20)

    def say(tls: ssl.SSLObject, _: ssl.MemoryBIO) -> None:
        for at in range(0, len(sent), 1500):
            tls.write(sent[at : at + 1500])

    with answered(speaking(server, say)) as stream:
        stream.start_tls(client, HOST, 5)
        got = b""
        while len(got) < len(sent):
            data = stream.read(most, 5)
            assert 0 < len(data) <= most
            got += data
        assert got == sent


def test_what_came_before_a_broken_record_is_read_first_and_the_fault_then(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    client, server = contexts

    def say(tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> None:
        tls.write(b"whole")
        tls.write(b" and well")
        outgoing.write(NO_RECORD)

    with answered(speaking(server, say)) as stream:
        stream.start_tls(client, HOST, 5)
        data, fault = read_to_fault(stream)
        assert data == b"whole and well"
        assert isinstance(fault, ssl.SSLError)


def test_a_connection_that_is_reset_as_soon_as_it_stands_is_closed_and_said_to_be_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[socket.socket] = []

    def connecting(*_: Any) -> socket.socket:
        made.append(socket.socket())  # as a reset one, it knows no peer
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", connecting)
    recording = Recording()
    with pytest.raises(ConnectionResetError):
        open_stream(recording, "127.0.0.1", 9, timeout_s=5)
    assert [one.fileno() for one in made] == [-1]
    assert recording.events(recording.connections()[-1])[-1].kind is Kind.CLOSED


def test_a_name_that_tls_cannot_ask_for_leaves_no_socket_open(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    with answered(lambda peer: None) as stream:
        with pytest.raises(socket.gaierror, match="no host can have this name"):
            stream.start_tls(contexts[0], ".example", 5)
        assert stream.fileno() == -1


@pytest.mark.parametrize("name", [".example", "a..example", "a" * 64 + ".example", "a" * 300])
def test_a_name_that_nothing_can_have_is_one_that_is_not_found(name: str) -> None:
    recording = Recording()
    with pytest.raises(socket.gaierror):
        open_stream(recording, name, 443, timeout_s=5)
    assert recording.events(recording.connections()[-1])[-1].kind is Kind.CLOSED


def test_a_request_that_was_given_up_before_it_was_sent_is_not_sent() -> None:
    heard: list[bytes] = []
    exchange = Exchange("GET", "/")
    with answered(lambda peer: heard.append(peer.recv(100))) as stream:
        exchange.abort()
        token = current_exchange.set(exchange)
        try:
            with pytest.raises(ConnectionAbortedError):
                stream.write(b"GET / HTTP/1.1\r\n\r\n", 5)
        finally:
            current_exchange.reset(token)
    assert heard == [b""]
