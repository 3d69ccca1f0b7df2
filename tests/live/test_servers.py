"""What nginx, s_server and Apache do about client certificates, seen with Python's own ssl.

The rest of the live tests lean on these answers. When one of them changes, the servers have changed,
not the package: nothing of mtls_notebook but the certificates takes part here.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import servers
from tests.live.material import Pair, Pki
from tests.live.servers import DidNotStart, NotInstalled, Server

Serve = Callable[..., Server]

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

# What s_server says of each bad certificate, the same in both versions (RFC 8446 §6.2 numbers).
ALERTS = {
    "self-signed": "UNKNOWN_CA",  # 48
    "other-ca": "UNKNOWN_CA",  # 48
    "expired": "CERTIFICATE_EXPIRED",  # 45
    "not-yet-valid": "BAD_CERTIFICATE",  # 42
    "server-usage": "UNSUPPORTED_CERTIFICATE",  # 43
}
NO_CERTIFICATE = {"1.2": "HANDSHAKE_FAILURE", "1.3": "CERTIFICATE_REQUIRED"}  # 40, 116


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: `alert` is empty, or the name of the alert that came instead."""

    status: int = 0
    headers: str = ""
    body: str = ""
    alert: str = ""
    version: str = ""


def client(pki: Pki, pair: Pair | None, *, late: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.ca)
    context.post_handshake_auth = late
    if pair:
        context.load_cert_chain(pair.cert, pair.key)
    return context


def get(server: Server, context: ssl.SSLContext, path: str = "/") -> Answer:
    """Return the server's answer, or the alert that came in the handshake or (TLS 1.3) instead of it."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    try:
        with (
            socket.create_connection((server.host, server.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            with suppress(BrokenPipeError, ConnectionResetError):  # refused: the alert waits to be read
                secure.sendall(request)
            return _answer(_read_all(secure), secure.version() or "")
    except ssl.SSLError as error:
        return Answer(alert=error.reason.partition("ALERT_")[2] if error.reason else "")


def _read_all(secure: ssl.SSLSocket) -> bytes:
    parts = []
    while part := secure.recv(65536):
        parts.append(part)
    return b"".join(parts)


def _answer(raw: bytes, version: str) -> Answer:
    head, _, body = raw.decode().replace("\r\n", "\n").partition("\n\n")
    status, _, headers = head.partition("\n")
    return Answer(int(status.split()[1]), headers, body, version=version)


versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


@versions
@pytest.mark.parametrize("name", ["good", "rsa", "ed25519"])
def test_nginx_names_the_certificate_it_accepted(serve: Serve, pki: Pki, version: str, name: str) -> None:
    server = serve(servers.nginx, verify="on", version=version)
    answer = get(server, client(pki, pki.clients[name]))
    assert (answer.status, answer.version) == (200, f"TLSv{version}")
    assert "verify: SUCCESS\n" in answer.body
    assert f"CN={name}" in answer.body
    assert f"protocol: TLSv{version}\n" in answer.body


@versions
def test_nginx_asks_for_a_certificate_at_http_not_in_tls(serve: Serve, pki: Pki, version: str) -> None:
    answer = get(serve(servers.nginx, verify="on", version=version), client(pki, None))
    assert (answer.status, answer.alert) == (400, "")
    assert "No required SSL certificate was sent" in answer.body


@versions
@pytest.mark.parametrize("name", sorted(ALERTS))
def test_nginx_refuses_a_bad_certificate_at_http(serve: Serve, pki: Pki, version: str, name: str) -> None:
    answer = get(serve(servers.nginx, verify="on", version=version), client(pki, pki.clients[name]))
    assert (answer.status, answer.alert) == (400, "")
    assert "The SSL certificate error" in answer.body


@pytest.mark.parametrize(
    ("verify", "name", "status", "verdict"),
    [
        ("off", "good", 200, "NONE"),
        ("optional", None, 200, "NONE"),
        ("optional", "good", 200, "SUCCESS"),
        ("optional", "expired", 400, "FAILED"),
        ("optional_no_ca", "other-ca", 200, "FAILED"),
    ],
)
def test_nginx_has_four_ways_to_ask(
    serve: Serve, pki: Pki, verify: str, name: str | None, status: int, verdict: str
) -> None:
    answer = get(serve(servers.nginx, verify=verify), client(pki, pki.clients[name] if name else None))
    assert answer.status == status
    assert f"X-Client-Verify: {verdict}" in answer.headers


def test_nginx_serves_many_requests_on_one_connection(serve: Serve, pki: Pki) -> None:
    server = serve(servers.nginx, verify="on", version="1.3")
    context = client(pki, pki.clients["good"])
    with (
        socket.create_connection((server.host, server.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
        secure.makefile("rb") as lines,
    ):
        for number in (1, 2):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            length = next(int(line.split()[1]) for line in lines if line.startswith(b"Content-Length"))
            while lines.readline() != b"\r\n":
                pass
            assert f"requests-on-connection: {number}\n".encode() in lines.read(length)


@versions
def test_s_server_accepts_a_good_certificate(serve: Serve, pki: Pki, version: str) -> None:
    answer = get(serve(servers.s_server, version=version), client(pki, pki.clients["good"]))
    assert (answer.status, answer.version) == (200, f"TLSv{version}")
    assert "Client certificate" in answer.body
    assert "CN = good" in answer.body or "CN=good" in answer.body


@versions
def test_s_server_refuses_no_certificate_with_an_alert(serve: Serve, pki: Pki, version: str) -> None:
    answer = get(serve(servers.s_server, version=version), client(pki, None))
    assert (answer.status, answer.alert) == (0, NO_CERTIFICATE[version])


@versions
@pytest.mark.parametrize("name", sorted(ALERTS))
def test_s_server_says_in_an_alert_what_is_wrong(serve: Serve, pki: Pki, version: str, name: str) -> None:
    answer = get(serve(servers.s_server, version=version), client(pki, pki.clients[name]))
    assert (answer.status, answer.alert) == (0, ALERTS[name])


def test_s_server_may_leave_the_certificate_to_the_client(serve: Serve, pki: Pki) -> None:
    server = serve(servers.s_server, verify="optional")
    assert get(server, client(pki, None)).status == 200
    assert get(server, client(pki, pki.clients["expired"])).alert == ALERTS["expired"]


def test_s_server_can_answer_each_line_reversed(serve: Serve, pki: Pki) -> None:
    server = serve(servers.s_server, answer="rev")
    context = client(pki, pki.clients["good"])
    with (
        socket.create_connection((server.host, server.port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
        secure.makefile("rb") as lines,
    ):
        secure.sendall(b"abc\n")
        assert lines.readline() == b"cba\n"


@versions
def test_apache_asks_for_one_path_in_the_middle_of_a_connection(serve: Serve, pki: Pki, version: str) -> None:
    server = serve(servers.apache, verify="location", version=version)
    context = client(pki, pki.clients["good"], late=True)
    outside, inside = get(server, context), get(server, context, "/private/")
    assert (outside.status, outside.version) == (200, f"TLSv{version}")
    assert "X-Client-Verify: NONE" in outside.headers
    assert (inside.status, inside.body) == (200, "apache private\n")
    assert "X-Client-Verify: SUCCESS" in inside.headers


@versions
def test_apache_refuses_no_certificate_on_that_path_only(serve: Serve, pki: Pki, version: str) -> None:
    server = serve(servers.apache, verify="location", version=version)
    context = client(pki, None, late=True)
    assert get(server, context).status == 200
    assert get(server, context, "/private/").alert == NO_CERTIFICATE[version]


def test_apache_needs_post_handshake_authentication_from_a_tls13_client(serve: Serve, pki: Pki) -> None:
    server = serve(servers.apache, verify="location", version="1.3")
    answer = get(server, client(pki, pki.clients["good"], late=False), "/private/")
    assert answer.status == 403
    assert "Cannot perform Post-Handshake Authentication" in answer.body


@versions
def test_apache_can_ask_on_every_path(serve: Serve, pki: Pki, version: str) -> None:
    server = serve(servers.apache, verify="require", version=version)
    assert get(server, client(pki, pki.clients["good"])).status == 200
    assert get(server, client(pki, None)).alert == NO_CERTIFICATE[version]


@pytest.mark.parametrize("factory", [servers.nginx, servers.s_server, servers.apache])
def test_each_server_speaks_only_the_version_it_was_given(
    serve: Serve, pki: Pki, factory: Callable[..., Server]
) -> None:
    for offered, version in (("1.2", "1.3"), ("1.3", "1.2")):
        context = client(pki, pki.clients["good"])
        context.minimum_version = context.maximum_version = VERSIONS[offered]
        assert get(serve(factory, version=version), context).alert == "PROTOCOL_VERSION"


def test_a_stopped_server_has_left_its_port_and_its_process(pki: Pki, tmp_path: Path) -> None:
    with installed(servers.nginx, tmp_path, pki) as server:
        pid = server.process.pid
        assert get(server, client(pki, pki.clients["good"])).status == 200
    assert not os.path.exists(f"/proc/{pid}")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), 10)


def test_a_server_that_cannot_start_says_why(pki: Pki, tmp_path: Path) -> None:
    broken = Pki(ca=tmp_path / "absent.pem", server=pki.server, clients={})
    with pytest.raises(DidNotStart, match=r"absent\.pem"):
        installed(servers.nginx, tmp_path, broken)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(NotInstalled, match="no-such-server is not installed"):
        servers.program("no-such-server")


def test_a_taken_port_is_given_up_for_another(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((servers.HOST, 0))
        taken.listen()
        first = taken.getsockname()[1]
        ports = iter([first, servers.free_port()])
        monkeypatch.setattr(servers, "free_port", lambda: next(ports))
        with installed(servers.apache, tmp_path, pki) as server:
            assert server.port != first
            assert get(server, client(pki, None)).status == 200


def installed(factory: Callable[..., Server], directory: Path, pki: Pki) -> Server:
    """Return the server, or skip the test by the name of what is not installed."""
    try:
        return factory(directory, pki)
    except NotInstalled as error:
        pytest.skip(str(error))  # the program is not on this machine; a failure with CI=true
