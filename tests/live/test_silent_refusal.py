"""Servers that hang up instead of sending an alert (Node.js, asyncio): the fault is named all the same.

The server is a real OpenSSL that requires a client certificate; only its words after the client's flight are
kept back. What may not live here: servers that say why.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from tests.live.material import Pki

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
LIMIT_S = 10.0


class Mute:
    """Makes handshakes, and once it has read the client's answer it closes without sending what it has to say."""

    def __init__(self, pki: Pki, version: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = self._context.maximum_version = VERSIONS[version]
        self._context.load_cert_chain(pki.server.cert, pki.server.key)
        self._context.load_verify_locations(pki.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="mute", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)):
            self._listener.close()
        self._thread.join(LIMIT_S)

    def _serve(self) -> None:
        while self._listener.fileno() >= 0:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(LIMIT_S)
                self._shake(peer)

    def _shake(self, peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                return  # accepted, and left all the same
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
            except ssl.SSLError:
                return  # refused: its alert stays in `outgoing`
            if not (data := peer.recv(65536)):
                return
            incoming.write(data)


@pytest.fixture(params=VERSIONS)
def mute(pki: Pki, request: pytest.FixtureRequest) -> Iterator[Mute]:
    server = Mute(pki, request.param)
    yield server
    server.close()


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        yield made


def refusal(session: Session, mute: Mute, binding: str | None) -> ConnectError:
    with session.client(binding) as client, pytest.raises(ConnectError) as caught:
        client.get(f"https://localhost:{mute.port}/")
    return caught.value


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("expired", "it expired on"),
        ("not-yet-valid", "not valid before"),
        ("server-usage", "not for clientAuth"),
        ("self-signed", "self-signed"),
        ("other-ca", "asked for a client certificate, then closed"),  # it names no CA that it would trust
        ("good", "asked for a client certificate, then closed the connection"),
    ],
)
def test_the_certificates_own_fault_is_named_though_the_server_says_nothing(
    session: Session, pki: Pki, mute: Mute, client: str, words: str
) -> None:
    pair = pki.clients[client]
    session.upload(pair.cert, pair.key, name=client)
    session.bind(MY_CERT=client)
    assert words in str(refusal(session, mute, "MY_CERT"))
    told = session.handshakes()[-1]
    assert told.outcome == "refused-by-server"
    assert told.alert is None  # what our own OpenSSL says to a closed connection is no refusal


def test_without_a_certificate_too(session: Session, mute: Mute) -> None:
    assert "asked for a client certificate, then closed" in str(refusal(session, mute, None))
    assert session.handshakes()[-1].outcome == "refused-by-server"
