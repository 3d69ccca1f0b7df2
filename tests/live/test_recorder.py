"""The tap, the fold and the doctor against nginx, s_server and Apache, both TLS versions.

Every assertion is about what really crossed: the message list, who refused, what the two lines say.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError, HandshakeRefused
from mtls_notebook.recorder.handshake import Handshake, fold
from tests.live import servers
from tests.live.material import Pki
from tests.live.servers import Server

Serve = Callable[..., Server]
HOST = "example.com"

TLS13_MUTUAL = [
    "ClientHello",
    "ServerHello",
    "ChangeCipherSpec",
    "EncryptedExtensions",
    "CertificateRequest",
    "Certificate",
    "CertificateVerify",
    "Finished",
    "ChangeCipherSpec",
    "Certificate",
    "CertificateVerify",
    "Finished",
]
TLS12_MUTUAL = [
    "ClientHello",
    "ServerHello",
    "Certificate",
    "ServerKeyExchange",
    "CertificateRequest",
    "ServerHelloDone",
    "Certificate",
    "ClientKeyExchange",
    "CertificateVerify",
    "ChangeCipherSpec",
    "Finished",
    "NewSessionTicket",
    "ChangeCipherSpec",
    "Finished",
]
REQUIRING = {
    "nginx": (servers.nginx, {"verify": "on"}),
    "s_server": (servers.s_server, {"verify": "on"}),
    "apache": (servers.apache, {"verify": "require"}),
}


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        yield made


def lead(session: Session, server: Server) -> None:
    session.connect_to(HOST, 443, (server.host, server.port))


def present(session: Session, pki: Pki, client: str) -> None:
    pair = pki.clients[client]
    session.upload(pair.cert, pair.key, name=client)
    session.bind(MY_CERT=client)


def last(session: Session) -> Handshake:
    return fold(session.recording.events(session.recording.connections()[-1]))


def ask(session: Session, binding: str | None = "MY_CERT", path: str = "/") -> tuple[int, Handshake]:
    """Return the status of one GET and the handshake it took, from the recording."""
    with session.client(binding) as client:
        status = client.get(f"https://{HOST}{path}").status_code
    return status, last(session)


def refused(session: Session, binding: str | None = "MY_CERT") -> tuple[ConnectError, Handshake]:
    with session.client(binding) as client, pytest.raises(ConnectError) as caught:
        client.get(f"https://{HOST}/")
    return caught.value, last(session)


def names(shake: Handshake) -> list[str]:
    """Return the handshake's own messages: what came before the request, alerts included."""
    before = [arrow for arrow in shake.arrows if arrow.message is not None]
    first_data = next((a.at_ns for a in shake.arrows if a.message is None), None)
    return [a.name for a in before if first_data is None or a.at_ns < first_data]


@pytest.mark.parametrize("kind", REQUIRING)
@pytest.mark.parametrize(("version", "expected"), [("1.3", TLS13_MUTUAL), ("1.2", TLS12_MUTUAL)])
def test_an_accepted_client_certificate_leaves_the_messages_that_the_rfc_lists(
    session: Session, serve: Serve, pki: Pki, kind: str, version: str, expected: list[str]
) -> None:
    factory, options = REQUIRING[kind]
    lead(session, serve(factory, version=version, **options))
    present(session, pki, "good")
    status, shake = ask(session)
    assert (status, shake.outcome, shake.version) == (200, "mutual", f"TLS {version}")
    assert names(shake) == expected


@pytest.mark.parametrize("kind", REQUIRING)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_server_names_the_parties_it_trusts(
    session: Session, serve: Serve, pki: Pki, kind: str, version: str
) -> None:
    factory, options = REQUIRING[kind]
    lead(session, serve(factory, version=version, **options))
    present(session, pki, "good")
    assert ask(session)[1].acceptable_parties == ("CN=Live test CA",)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_only_mtls_has_is_marked_and_nothing_else(session: Session, serve: Serve, pki: Pki, version: str) -> None:
    lead(session, serve(servers.nginx, version=version))
    present(session, pki, "good")
    marked = {(a.name, a.sender) for a in ask(session)[1].arrows if a.mtls_only}
    assert marked == {("CertificateRequest", "server"), ("Certificate", "client"), ("CertificateVerify", "client")}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_arrows_stand_in_the_order_of_time_and_steps_never_go_back(
    session: Session, serve: Serve, pki: Pki, version: str
) -> None:
    lead(session, serve(servers.s_server, version=version))
    present(session, pki, "good")
    arrows = ask(session)[1].arrows
    assert all(a.at_ns <= b.at_ns and a.step <= b.step for a, b in pairwise(arrows))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_recorded_message_decodes(session: Session, serve: Serve, pki: Pki, version: str) -> None:
    lead(session, serve(servers.nginx, version=version))
    present(session, pki, "rsa")
    arrows = ask(session)[1].arrows
    assert [a.name for a in arrows if a.message is not None and not hasattr(a.message, "value")] == []


@pytest.mark.parametrize("key", ["good", "rsa", "ed25519"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_kind_of_key_proves_itself(session: Session, serve: Serve, pki: Pki, key: str, version: str) -> None:
    lead(session, serve(servers.s_server, version=version))
    present(session, pki, key)
    status, shake = ask(session)
    assert (status, shake.outcome) == (200, "mutual")


@pytest.mark.parametrize(
    ("version", "number"), [("1.3", 116), ("1.2", 40)], ids=["certificate_required", "handshake_failure"]
)
def test_without_a_certificate_s_server_refuses_by_alert_and_the_words_say_so(
    session: Session, serve: Serve, version: str, number: int
) -> None:
    lead(session, serve(servers.s_server, version=version))
    error, shake = refused(session, None)
    assert isinstance(error, HandshakeRefused)
    assert shake.alert is not None
    assert (shake.outcome, shake.alert.number, shake.alert.sender) == ("refused-by-server", number, "server")
    assert "requires a client certificate and none was sent" in error.message
    assert "%mtls_bindings" in error.hint


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("client", "words"),
    [
        ("expired", "it expired on"),
        ("not-yet-valid", "it is not valid before"),
        ("server-usage", "not for clientAuth"),
        ("self-signed", "self-signed"),
        ("other-ca", "does not trust its issuer"),
    ],
)
def test_a_refused_certificate_is_told_by_its_own_fault(
    session: Session, serve: Serve, pki: Pki, version: str, client: str, words: str
) -> None:
    lead(session, serve(servers.s_server, version=version))
    present(session, pki, client)
    error, shake = refused(session)
    assert shake.outcome == "refused-by-server"
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_missing_intermediate_is_told_as_an_issuer_nobody_knows(
    session: Session, serve: Serve, pki: Pki, version: str
) -> None:
    lead(session, serve(servers.s_server, version=version))
    present(session, pki, "missing-intermediate")
    error, _ = refused(session)
    assert "issuer" in error.message
    assert "intermediate" in error.hint


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("client", "words"),
    [(None, "none was sent"), ("expired", "it expired on"), ("other-ca", "does not trust its issuer")],
)
def test_nginx_refuses_over_http_and_the_trace_still_names_the_cause(
    session: Session, serve: Serve, pki: Pki, version: str, client: str | None, words: str
) -> None:
    lead(session, serve(servers.nginx, version=version))
    if client is not None:
        present(session, pki, client)
    fetch = f"await {'env.MY_CERT.' if client else ''}fetch('https://{HOST}/')"
    with session.worker(
        f"from workers import fetch\nasync def on_fetch(request, env):\n    return {fetch}\n"
    ) as worker:
        run = worker.fetch("/", timeout_s=20)
    assert run.response is not None
    assert run.response.status == 400
    [subrequest] = run.trace
    assert subrequest.diagnosis is not None
    assert words in subrequest.diagnosis.cause


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_server_of_a_stranger_ca_is_refused_by_us_and_hears_why(serve: Serve, pki: Pki, version: str) -> None:
    with Session() as session:
        lead(session, serve(servers.nginx, version=version))
        error, shake = refused(session, None)
    assert shake.alert is not None
    assert (shake.outcome, shake.alert.number, shake.alert.sender) == ("refused-by-client", 48, "client")
    assert "not trusted here" in error.message
    assert "--ca-cert" in error.hint


def test_a_name_that_the_server_does_not_have_is_refused_and_its_names_are_listed(
    session: Session, serve: Serve
) -> None:
    server = serve(servers.nginx, version="1.3")
    session.connect_to("wrong.example", 443, (server.host, server.port))
    with session.client(None) as client, pytest.raises(ConnectError, match=r"another name .*DNS:localhost"):
        client.get("https://wrong.example/")


def test_a_second_request_reuses_the_connection_and_has_no_handshake_of_its_own(
    session: Session, serve: Serve, pki: Pki
) -> None:
    lead(session, serve(servers.nginx, version="1.3"))
    present(session, pki, "good")
    with session.client("MY_CERT") as client:
        for _ in range(3):
            assert client.get(f"https://{HOST}/").status_code == 200
    assert len(session.handshakes()) == 1


def test_two_hundred_late_refusals_are_all_heard(session: Session, serve: Serve) -> None:
    lead(session, serve(servers.s_server, version="1.3"))
    heard = 0
    for _ in range(200):
        with session.client(None) as client, pytest.raises(HandshakeRefused):
            client.post(f"https://{HOST}/", content=b"x" * 4096)
        alert = last(session).alert
        heard += alert is not None and alert.number == 116
    assert heard == 200


def test_connections_at_once_keep_their_messages_apart(session: Session, serve: Serve, pki: Pki) -> None:
    lead(session, serve(servers.nginx, version="1.3"))
    present(session, pki, "good")
    before = len(session.handshakes())

    def once() -> None:
        with session.client("MY_CERT") as client:
            client.get(f"https://{HOST}/")

    threads = [threading.Thread(target=once) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shakes = session.handshakes()[before:]
    assert len(shakes) == 20
    assert all(names(shake) == TLS13_MUTUAL for shake in shakes)


@pytest.mark.parametrize(
    ("address", "words"),
    [("nowhere.invalid", "does not resolve"), ("127.0.0.1", "refused the TCP connection")],
)
def test_where_nothing_is_the_error_says_what_is_missing(session: Session, address: str, words: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connecting is refused
        with session.client(None) as client, pytest.raises(ConnectError, match=words) as caught:
            client.get(f"https://{address}:{taken.getsockname()[1]}/")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"220 mail.example ESMTP\r\n", "SMTP"),
    ],
)
def test_a_port_that_speaks_something_else_is_told_by_its_first_bytes(
    session: Session, greeting: bytes, words: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_greet, args=(listening, greeting), daemon=True).start()
        with session.client(None) as client, pytest.raises(ConnectError, match=words):
            client.get(f"https://127.0.0.1:{listening.getsockname()[1]}/")


def _greet(listening: socket.socket, greeting: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.sendall(greeting)
        connection.recv(4096)


def test_a_server_that_resets_is_named_and_the_session_lives_on(session: Session, serve: Serve, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_reset, args=(listening,), daemon=True).start()
        with session.client(None) as client, pytest.raises(ConnectError, match=r"reset|closed"):
            client.get(f"https://127.0.0.1:{listening.getsockname()[1]}/")
    lead(session, serve(servers.nginx, version="1.3"))
    present(session, pki, "good")
    assert ask(session)[0] == 200


def _reset(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def test_an_old_server_and_this_client_have_no_version_in_common(session: Session, pki: Pki) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.cert, pki.server.key)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers("@SECLEVEL=0:ALL")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve_once, args=(listening, context), daemon=True).start()
        port = listening.getsockname()[1]
        only_12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
        session.versions = only_12
        with session.client(None) as client, pytest.raises(ConnectError, match="none of the TLS versions"):
            client.get(f"https://localhost:{port}/")


def _serve_once(listening: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listening.accept()
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()


def test_apache_asks_in_the_middle_of_a_connection_and_the_messages_are_recorded(
    session: Session, serve: Serve, pki: Pki
) -> None:
    lead(session, serve(servers.apache, version="1.3", verify="location"))
    present(session, pki, "good")
    status, shake = ask(session, path="/private/")
    asked = [step.title for step in shake.steps].index("Server asks who you are, mid-connection")
    late = [a.name for a in shake.arrows if a.step >= asked and a.message is not None]
    assert (status, shake.outcome) == (200, "mutual")
    assert late[:4] == ["CertificateRequest", "Certificate", "CertificateVerify", "Finished"]
