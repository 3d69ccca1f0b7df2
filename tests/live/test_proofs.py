"""What the wire and the key log say, against what the callback told, and every proof, on real servers.

What `decrypted` reads from the bytes must be what OpenSSL's message callback gave: the guard on the one private
API that the tap leans on. Compared side by side, and the handshake messages also in their common order: the
callback tells of a server's ChangeCipherSpec when it is processed, which may be after the client's own next words.
The lab's own side, which has no such callback, must come to the same messages as its client's.
"""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.recorder.decrypt import TOLD, decrypted, records, with_messages
from mtls_notebook.recorder.events import Bytes, Event, Kind, Side
from mtls_notebook.recorder.proofs import prove
from mtls_notebook.recorder.recording import Recording
from mtls_notebook.recorder.tap import open_stream, watch
from tests.live import servers
from tests.live.material import Pair, Pki
from tests.live.servers import Server

Serve = Callable[..., Server]
Told = tuple[Kind, Side, bytes]
HOST = "example.com"
OPTIONAL = {
    "nginx": (servers.nginx, {"verify": "optional"}),
    "s_server": (servers.s_server, {"verify": "optional"}),
    "apache": (servers.apache, {"verify": "optional"}),
}
REQUIRING = {
    "nginx": (servers.nginx, {"verify": "on"}),
    "s_server": (servers.s_server, {"verify": "on"}),
    "apache": (servers.apache, {"verify": "require"}),
}
CIPHERS_12 = ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305")
KEY_UPDATE, CERTIFICATE_VERIFY = 24, 15
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])
every_server = pytest.mark.parametrize("kind", REQUIRING)


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        yield made


def last(session: Session) -> tuple[Event, ...]:
    return session.recording.events(session.recording.connections()[-1])


def visit(session: Session, server: Server, pki: Pki, client: str | None, path: str = "/") -> tuple[Event, ...]:
    """Return the events of one GET, whatever came of it."""
    session.connect_to(HOST, 443, (server.host, server.port))
    if client is not None:
        pair = pki.clients[client]
        session.upload(pair.cert, pair.key, name=client)
        session.bind(MY_CERT=client)
    with session.client("MY_CERT" if client else None) as http:
        try:
            http.get(f"https://{HOST}{path}")
        except ConnectError:
            assert client != "good"
    return last(session)


def told(events: tuple[Event, ...]) -> list[Told]:
    return [(e.kind, e.data.sender, e.data.data) for e in events if e.kind in TOLD and isinstance(e.data, Bytes)]


def read(events: tuple[Event, ...]) -> list[Told]:
    return [(sent.kind, sent.sender, sent.data) for sent in decrypted(events)]


def by_side(items: list[Told], side: Side) -> list[Told]:
    return [item for item in items if item[1] == side]


def messages(events: tuple[Event, ...]) -> list[Told]:
    return [item for item in told(events) if item[0] is Kind.MESSAGE]


def agree(events: tuple[Event, ...]) -> None:
    """Assert that the wire says what the callback told."""
    for side in ("client", "server"):
        assert by_side(read(events), side) == by_side(told(events), side)
    assert [item for item in read(events) if item[0] is Kind.MESSAGE] == messages(events)


def check(events: tuple[Event, ...], *, signatures: int) -> None:
    """Assert that wire and callback agree, and that the connection's proofs hold, so many signatures among them."""
    agree(events)
    assert [record for record in records(events) if record.plaintext is None] == []
    found = prove(events)
    assert [proof for proof in found if proof.holds is not True and "binder" not in proof.title] == []
    assert len([proof for proof in found if proof.steps and proof.steps[-1].label == "signature"]) == signatures
    assert len([proof for proof in found if "Finished" in proof.title]) >= 1


@every_server
@both_versions
@pytest.mark.parametrize("client", ["good", "rsa", "ed25519"])
def test_an_accepted_client_has_proved_its_key(
    session: Session, serve: Serve, pki: Pki, kind: str, version: str, client: str
) -> None:
    factory, options = REQUIRING[kind]
    check(visit(session, serve(factory, version=version, **options), pki, client), signatures=2)


@every_server
@both_versions
def test_without_a_client_certificate_only_the_server_proves_its_key(
    session: Session, serve: Serve, pki: Pki, kind: str, version: str
) -> None:
    factory, options = OPTIONAL[kind]
    check(visit(session, serve(factory, version=version, **options), pki, None), signatures=1)


@both_versions
def test_what_is_refused_for_its_chain_was_a_good_proof_all_the_same(
    session: Session, serve: Serve, pki: Pki, version: str
) -> None:
    """The signature of an expired certificate fits; a TLS 1.2 server gives up at the chain, before it comes."""
    events = visit(session, serve(servers.s_server, version=version), pki, "expired")
    check(events, signatures=2)
    assert [data for kind, sender, data in read(events) if kind is Kind.ALERT and sender == "server"] == [b"\x02\x2d"]


@both_versions
def test_a_refusal_for_want_of_a_certificate_is_read_from_the_wire_too(
    session: Session, serve: Serve, pki: Pki, version: str
) -> None:
    events = visit(session, serve(servers.s_server, version=version), pki, None)
    agree(events)
    assert [data[1] for kind, sender, data in read(events) if kind is Kind.ALERT and sender == "server"] == [
        116 if version == "1.3" else 40
    ]


@both_versions
def test_our_own_refusal_is_read_from_the_wire_too(serve: Serve, pki: Pki, version: str) -> None:
    """OpenSSL stops at the certificate that it refuses; the wire also holds what the server had said after it."""
    with Session() as session:
        events = visit(session, serve(servers.nginx, version=version), pki, None)
    assert by_side(read(events), "client") == by_side(told(events), "client")
    assert by_side(told(events), "client")[-1] == (Kind.ALERT, "client", b"\x02\x30")
    processed = by_side(told(events), "server")
    assert by_side(read(events), "server")[: len(processed)] == processed
    assert len(by_side(read(events), "server")) > len(processed)


@both_versions
def test_apache_asks_in_the_middle_and_the_later_proofs_hold(
    session: Session, serve: Serve, pki: Pki, version: str
) -> None:
    """TLS 1.3: authentication after the handshake. TLS 1.2: a second handshake inside the first."""
    server = serve(servers.apache, version=version, verify="location")
    events = visit(session, server, pki, "good", "/private/")
    check(events, signatures=2 if version == "1.3" else 3)
    requests = [data for kind, _, data in read(events) if kind is Kind.MESSAGE and data[0] == CERTIFICATE_VERIFY]
    assert len(requests) == (2 if version == "1.3" else 1)


@pytest.mark.parametrize("cipher", CIPHERS_12)
def test_other_suites_of_tls_1_2_are_read_from_the_wire_too(
    session: Session, serve: Serve, pki: Pki, cipher: str
) -> None:
    server = serve(servers.s_server, version="1.2", extra=("-cipher", cipher))
    check(visit(session, server, pki, "good"), signatures=2)


def test_a_hello_retry_request_is_read_from_the_wire_too(session: Session, serve: Serve, pki: Pki) -> None:
    server = serve(servers.s_server, version="1.3", extra=("-groups", "P-521"))
    events = visit(session, server, pki, "good")
    check(events, signatures=2)
    assert [data[0] for kind, _, data in read(events) if kind is Kind.MESSAGE][:4] == [1, 2, 1, 2]


def test_a_certificate_whose_key_is_for_rsa_pss_only_proves_itself(session: Session, tmp_path: Path) -> None:
    pair = Pair(tmp_path / "pss.pem", tmp_path / "pss.key")
    argv = [servers.program("openssl"), "req", "-x509", "-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"]
    argv += ["-nodes", "-subj", "/CN=pss", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*argv, "-out", pair.cert, "-keyout", pair.key], check=True, capture_output=True)
    session.trust_authority(pair.cert)
    own = Pki(ca=pair.cert, server=pair, clients={})
    with servers.s_server(tmp_path, own, verify="off") as server:
        check(visit(session, server, own, None), signatures=1)


def test_a_key_update_is_followed_in_both_directions(pki: Pki) -> None:
    """s_server sends one when told "K" and asks for one in return."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(pki.ca)
    recording = Recording()
    with interactive_s_server(pki) as (process, port):
        stream = open_stream(recording, "127.0.0.1", port, timeout_s=10)
        stream.start_tls(watch(tls), "localhost", 10)
        say(process, b"K\n")
        wait_until(lambda: not stream.is_over() and KEY_UPDATE in [data[0] for *_, data in told(recording.events(1))])
        say(process, b"after the update\n")
        received = b""
        while b"update" not in received:
            received += stream.read(1024, 10)
        stream.write(b"and mine\n", 10)
        assert heard(process, b"and mine")
        stream.close()
    events = recording.events(1)
    agree(events)
    assert [sender for _, sender, data in read(events) if data[0] == KEY_UPDATE] == ["server", "client"]
    assert [record for record in records(events) if record.plaintext is None] == []


@contextmanager
def interactive_s_server(pki: Pki) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Yield an `openssl s_server` that takes commands, and its port; it ends with the block."""
    argv = [servers.program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-tls1_3"]
    argv += ["-cert", str(pki.server.cert), "-key", str(pki.server.key)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield process, int(heard(process, b"ACCEPT").rsplit(b":", 1)[1])
        finally:
            process.kill()


def say(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def wait_until(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + servers.START_LIMIT_S
    while not reached():
        assert time.monotonic() < limit
        time.sleep(servers.POLL_S)


def heard(process: subprocess.Popen[bytes], mark: bytes) -> bytes:
    """Return the next line of the program's output that holds `mark`, b"" when it ends without one."""
    assert process.stdout is not None
    return next((line for line in process.stdout if mark in line), b"")


# ---- the lab's side


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("client", ["good", "expired", None])
def test_the_lab_s_recording_comes_to_the_same_messages_as_its_client_s(
    tmp_path: Path, version: str, client: str | None
) -> None:
    with Session() as session:
        session.versions = (ssl.TLSVersion[version], ssl.TLSVersion[version])
        lab = session.start_lab(tmp_path / "mtls-lab")
        if client is not None:
            session.upload(*lab.clients[client], name=client)
            session.bind(MY_CERT=client)
        with session.client("MY_CERT" if client else None) as http:
            try:
                http.get(f"https://{lab.host}/")
            except ConnectError:
                assert client != "good"
        [recording] = lab.origins["required"].origin.connections
        assert recording.done.wait(20)
        mine, theirs = last(session), recording.events
    expected, proved = messages(mine), [(proof.title, proof.holds) for proof in prove(mine)]
    if version == "TLSv1_2" and client != "good":
        # The server refused before it made the master secret: it cannot read the Finished that was on its way.
        expected, proved = expected[:-1], proved[:-1]
    assert messages(theirs) == []
    assert messages(with_messages(theirs)) == [item for item in read(theirs) if item[0] is Kind.MESSAGE] == expected
    assert [(proof.title, proof.holds) for proof in prove(theirs)] == proved
    assert {holds for _, holds in proved} == {True}
