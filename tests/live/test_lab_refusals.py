"""Every refusal the lab teaches, seen from the client: which alert, which status, and never a lost one."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

import pytest

from mtls_notebook.lab.catalogue import CLIENTS, ORIGINS
from mtls_notebook.lab.lab import Lab
from mtls_notebook.lab.recording import Recording
from mtls_notebook.recorder.events import Bytes, Failure, Kind, Verified
from tests.unit.lab.dial import WAIT_S, Reply, ask, context, dial

VERSIONS = ("TLSv1.2", "TLSv1.3")

# Alert number → OpenSSL's reason name at the side that receives it.
REASONS = {
    40: "SSLV3_ALERT_HANDSHAKE_FAILURE",
    42: "SSLV3_ALERT_BAD_CERTIFICATE",
    43: "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    45: "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    48: "TLSV1_ALERT_UNKNOWN_CA",
    116: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
}

# Client certificate → alert, X509_V_ERR code, and how `certVerified` reads at the HTTP layer.
FAULTS = {
    "expired": (45, 10, "FAILED:certificate has expired"),
    "not-yet-valid": (42, 9, "FAILED:certificate is not yet valid"),
    "other-ca": (48, 20, "FAILED:unable to verify the first certificate"),
    "server-usage": (43, 26, "FAILED:unsuitable certificate purpose"),
    "self-signed": (48, 18, "FAILED:self signed certificate"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab.start(tmp_path_factory.mktemp("lab") / "mtls-lab", origins=tuple(ORIGINS)) as running:
        yield running


def client(lab: Lab, kind: str | None, version: str | None = None) -> ssl.SSLContext:
    return context(lab.directory, lab.clients[kind] if kind else None, version)


def visit(lab: Lab, name: str, tls: ssl.SSLContext) -> tuple[Reply | str, Recording]:
    """Return the reply, or OpenSSL's reason name for its absence, and the origin's recording."""
    running = lab.origins[name].origin
    outcome: Reply | str
    with socket.create_connection(("127.0.0.1", running.port), WAIT_S) as plain:
        port = plain.getsockname()[1]
        try:
            with tls.wrap_socket(plain, server_hostname=lab.origins[name].host) as sock:
                outcome = ask(sock)
        except ssl.SSLError as error:
            outcome = error.reason
    recording = running.recording_of(port)
    assert recording is not None
    assert recording.done.wait(WAIT_S)
    return outcome, recording


def data_of(recording: Recording, kind: Kind) -> list[object]:
    return [event.data for event in recording.events if event.kind is kind]


def test_every_faulty_certificate_of_the_folder_is_tried_here() -> None:
    assert set(FAULTS) == set(CLIENTS) - {"good"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_certificate_gets_its_alert_and_the_origin_says_why(lab: Lab, version: str, fault: str) -> None:
    alert, code, _ = FAULTS[fault]
    outcome, recording = visit(lab, "required", client(lab, fault, version))
    assert outcome == REASONS[alert]
    assert f"alert {alert}:" in CLIENTS[fault].verdict
    (verdict,) = data_of(recording, Kind.PEER_VERIFIED)
    assert isinstance(verdict, Verified)
    assert (verdict.code, verdict.depth) == (code, 0)
    assert data_of(recording, Kind.ALERT) == [Bytes("server", bytes([2, alert]), 2)]
    (failure,) = data_of(recording, Kind.TLS_FAILED)
    assert failure == Failure("CERTIFICATE_VERIFY_FAILED", code, verdict.message)
    assert data_of(recording, Kind.TLS_DONE) == []


@pytest.mark.parametrize(("version", "alert"), [("TLSv1.2", 40), ("TLSv1.3", 116)])
def test_no_certificate_gets_the_alert_of_its_version(lab: Lab, version: str, alert: int) -> None:
    outcome, recording = visit(lab, "required", client(lab, None, version))
    assert outcome == REASONS[alert]
    assert data_of(recording, Kind.PEER_VERIFIED) == []
    assert data_of(recording, Kind.TLS_FAILED) == [Failure("PEER_DID_NOT_RETURN_A_CERTIFICATE")]


@pytest.mark.parametrize("version", VERSIONS)
def test_optional_lets_in_without_a_certificate_but_not_with_a_faulty_one(lab: Lab, version: str) -> None:
    without, _ = visit(lab, "optional", client(lab, None, version))
    with_good, _ = visit(lab, "optional", client(lab, "good", version))
    with_expired, _ = visit(lab, "optional", client(lab, "expired", version))
    assert isinstance(without, Reply)
    assert isinstance(with_good, Reply)
    assert without.json()["tlsClientAuth"]["certVerified"] == "NONE"
    assert with_good.json()["tlsClientAuth"]["certVerified"] == "SUCCESS"
    assert with_expired == REASONS[45]


@pytest.mark.parametrize("version", VERSIONS)
def test_none_never_asks_so_no_certificate_is_ever_sent(lab: Lab, version: str) -> None:
    reply, recording = visit(lab, "none", client(lab, "good", version))
    assert isinstance(reply, Reply)
    assert reply.json()["tlsClientAuth"]["certPresented"] == "0"
    assert data_of(recording, Kind.PEER_VERIFIED) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_the_http_layer_refuses_what_tls_let_pass(lab: Lab, version: str, fault: str | None) -> None:
    reply, recording = visit(lab, "http-required", client(lab, fault, version))
    assert isinstance(reply, Reply)
    expected = FAULTS[fault][2] if fault else "NONE"
    assert (reply.status, reply.json()["tlsClientAuth"]["certVerified"]) == (403, expected)
    assert len(data_of(recording, Kind.TLS_DONE)) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_client_cannot_slip_in_by_resuming_its_session(lab: Lab, version: str) -> None:
    running, tls = lab.origins["http-required"], client(lab, "expired", version)
    with dial(running.port, tls, running.host) as sock:
        first = ask(sock)
        session = sock.session
    with dial(running.port, tls, running.host, session) as sock:
        second = ask(sock)
        assert not sock.session_reused
    assert (first.status, second.status) == (403, 403)


def test_other_ca_accepts_the_other_authoritys_client_and_refuses_ours(lab: Lab) -> None:
    theirs, _ = visit(lab, "other-ca", client(lab, "other-ca"))
    ours, _ = visit(lab, "other-ca", client(lab, "good"))
    assert isinstance(theirs, Reply)
    assert (theirs.status, ours) == (200, REASONS[48])


@pytest.mark.parametrize(
    ("name", "code", "alert"), [("expired", 10, 45), ("untrusted", 20, 48), ("wrong-host", 62, 42)]
)
def test_a_faulty_server_is_refused_by_the_client(lab: Lab, name: str, code: int, alert: int) -> None:
    running = lab.origins[name]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client(lab, "good").wrap_bio(incoming, outgoing, server_hostname=running.host)
    with socket.create_connection(("127.0.0.1", running.port), WAIT_S) as sock:
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65_536))
        sock.sendall(outgoing.read())
        recording = running.origin.recording_of(sock.getsockname()[1])
        assert recording is not None
        assert recording.done.wait(WAIT_S)
    assert caught.value.verify_code == code
    assert data_of(recording, Kind.ALERT) == [Bytes("client", bytes([2, alert]), 2)]


def test_the_resetting_origin_resets(lab: Lab) -> None:
    with pytest.raises(ConnectionResetError), dial(lab.origins["reset"].port, client(lab, "good")):
        pass


def test_the_silent_origin_takes_what_is_sent_and_says_nothing(lab: Lab) -> None:
    running = lab.origins["silent"]
    with socket.create_connection(("127.0.0.1", running.port), WAIT_S) as sock:
        sock.sendall(b"\x16\x03\x01")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        recording = running.origin.recording_of(sock.getsockname()[1])
    assert recording is not None
    assert recording.done.wait(WAIT_S)
    assert data_of(recording, Kind.WIRE) == [Bytes.of("client", b"\x16\x03\x01")]


def test_200_of_200_late_alerts_reach_a_client_that_has_already_sent_its_request(lab: Lab) -> None:
    tls = client(lab, None, "TLSv1.3")
    outcomes = [visit(lab, "required", tls)[0] for _ in range(200)]
    assert outcomes == [REASONS[116]] * 200


def test_an_alert_survives_a_client_that_is_in_the_middle_of_an_upload(lab: Lab) -> None:
    tls, body = client(lab, None, "TLSv1.3"), os.urandom(3_000_000)
    head = f"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    for _ in range(10):
        with dial(lab.origins["required"].port, tls) as sock:
            sock.sendall(head + body)
            with pytest.raises(ssl.SSLError) as caught:
                sock.recv(1)
        assert caught.value.reason == REASONS[116]
