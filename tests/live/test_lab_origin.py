"""The lab's origins, asked by clients that nobody here wrote: Python's ssl, curl, `openssl s_client`."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mtls_notebook.errors import LabError
from mtls_notebook.lab.catalogue import ORIGINS
from mtls_notebook.lab.lab import Lab
from mtls_notebook.lab.origin import Limits, Origin
from mtls_notebook.lab.recording import Recording
from mtls_notebook.recorder.events import Kind
from tests.unit.lab.dial import WAIT_S, ask, context, dial, read_reply

VERSIONS = ("TLSv1.2", "TLSv1.3")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab.start(tmp_path_factory.mktemp("lab") / "mtls-lab", origins=tuple(ORIGINS)) as running:
        yield running


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Return a function that starts a lab of its own with the given limits."""
    started: list[Lab] = []

    def start(*origins: str, **limits: Any) -> Lab:
        started.append(Lab.start(tmp_path / "mtls-lab", origins=origins, limits=Limits(**limits)))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def origin(lab: Lab, name: str = "required") -> Origin:
    return lab.origins[name].origin


def good(lab: Lab, version: str | None = None) -> ssl.SSLContext:
    return context(lab.directory, lab.clients["good"], version)


def recording_of(running: Origin, sock: socket.socket) -> Recording:
    found = running.recording_of(sock.getsockname()[1])
    assert found is not None
    return found


def kinds(recording: Recording) -> list[Kind]:
    return [event.kind for event in recording.events]


# ---- what a good client gets


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_describes_the_request_and_the_connection(lab: Lab, version: str) -> None:
    body = os.urandom(100_000)
    with dial(origin(lab).port, good(lab, version)) as sock:
        reply = ask(sock, "/orders?x=1", "POST", [("x-a", "1")], body)
        cipher = sock.cipher()
    said = reply.json()
    assert reply.status == 200
    assert (said["method"], said["path"], said["query"]) == ("POST", "/orders", "x=1")
    assert (said["host"], said["headers"]["x-a"]) == ("example.com", "1")
    assert said["body"] == {"sha256": hashlib.sha256(body).hexdigest(), "length": len(body)}
    assert cipher is not None
    assert said["tls"] == {
        "version": version,
        "cipher": cipher[0],
        "serverName": "example-secure-origin.com",
        "resumed": False,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_tls_client_auth_says_what_the_certificate_file_says(lab: Lab, version: str) -> None:
    with dial(origin(lab).port, good(lab, version)) as sock:
        auth = ask(sock).json()["tlsClientAuth"]
    cert = x509.load_pem_x509_certificate((lab.directory / "cert.pem").read_bytes())
    skid = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert (auth["certPresented"], auth["certVerified"], auth["certRevoked"]) == ("1", "SUCCESS", "0")
    assert auth["certFingerprintSHA256"] == cert.fingerprint(hashes.SHA256()).hex()
    assert auth["certFingerprintSHA1"] == cert.fingerprint(hashes.SHA1()).hex()
    assert int(auth["certSerial"], 16) == cert.serial_number
    assert auth["certSubjectDNRFC2253"] == cert.subject.rfc4514_string() == "CN=my-client"
    assert auth["certIssuerDNRFC2253"] == cert.issuer.rfc4514_string()
    assert bytes.fromhex(auth["certSKI"]) == skid


def test_curl_reaches_the_named_host_through_connect_to(lab: Lab) -> None:
    ((host, port), (address, real)) = next(iter(lab.connect_to.items()))
    run = subprocess.run(
        [
            *("curl", "-sS", "--cacert", "ca.pem", "--cert", "cert.pem", "--key", "key.pem"),
            *("--connect-to", f"{host}:{port}:{address}:{real}"),
            *(f"https://{host}/status/418", "-w", "%{http_code}"),
        ],
        cwd=lab.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.endswith("418")


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
def test_the_list_of_accepted_authorities_is_really_sent(lab: Lab, flag: str) -> None:
    accepted = {"required": "CN = mtls-lab CA", "other-ca": "CN = mtls-lab other CA"}
    for name, authority in accepted.items():
        shown = s_client(origin(lab, name).port, flag)
        assert f"Acceptable client certificate CA names\n{authority}\n" in shown
    assert "No client certificate CA names sent" in s_client(origin(lab, "none").port, flag)


def s_client(port: int, *options: str) -> str:
    run = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout


def test_only_its_own_version_is_spoken_where_the_name_says_so(lab: Lab) -> None:
    for name, version, other in (("tls12", *VERSIONS), ("tls13", *reversed(VERSIONS))):
        with dial(origin(lab, name).port, good(lab, version), f"{name}.{lab.host}") as sock:
            assert sock.version() == version
        with pytest.raises(ssl.SSLError) as caught, dial(origin(lab, name).port, good(lab, other)):
            pass
        assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_http_1_1_is_agreed_and_a_client_with_only_something_else_gets_no_protocol(lab: Lab) -> None:
    for offered, agreed in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
        tls = good(lab)
        tls.set_alpn_protocols(offered)
        with dial(origin(lab).port, tls) as sock:
            assert sock.selected_alpn_protocol() == agreed
            assert ask(sock).status == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_and_the_client_is_still_known(lab: Lab, version: str) -> None:
    tls = good(lab, version)
    with dial(origin(lab).port, tls) as sock:
        first = ask(sock).json()
        session = sock.session
    with dial(origin(lab).port, tls, session=session) as sock:
        second = ask(sock).json()
        assert sock.session_reused
    assert (first["tls"]["resumed"], second["tls"]["resumed"]) == (False, True)
    for key in ("certPresented", "certVerified", "certFingerprintSHA256"):
        assert first["tlsClientAuth"][key] == second["tlsClientAuth"][key]


def test_many_requests_travel_on_one_connection(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        statuses = [ask(sock, f"/status/{200 + n}", "POST", (), b"x" * n).status for n in range(20)]
        recording = recording_of(origin(lab), sock)
    assert statuses == list(range(200, 220))
    assert kinds(recording).count(Kind.TLS_DONE) == 1
    ordinals = [event.data.ordinal for event in recording.events if event.kind is Kind.REQUEST]  # type: ignore[union-attr]
    assert ordinals == list(range(1, 21))


def test_a_head_request_gets_the_length_and_no_body(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        reply = ask(sock, "/bytes/5000", "HEAD")
        after = ask(sock, "/status/201")
    assert (reply.headers["content-length"], reply.body, after.status) == ("5000", b"", 201)


def test_a_large_download_arrives_whole(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        body = ask(sock, "/bytes/5000000").body
    assert body == (bytes(range(256)) * 19532)[:5_000_000]


def test_echo_answers_while_the_request_is_still_being_sent(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        early = b""
        while b"one" not in early:
            early += sock.recv(4096)
        sock.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
        late = b""
        while not late.endswith(b"0\r\n\r\n"):
            late += sock.recv(4096)
    assert early.startswith(b"HTTP/1.1 200")
    assert b"two" in late


def test_echo_takes_a_large_body_from_a_client_that_reads_only_afterwards(lab: Lab) -> None:
    body = os.urandom(12_000_000)
    with dial(origin(lab).port, good(lab)) as sock:
        reply = ask(sock, "/echo", "POST", [("content-type", "image/png")], body)
    assert reply.headers["content-type"] == "image/png"
    assert reply.body == body


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hello")
        assert read_reply(sock).json()["body"]["length"] == 5


def test_a_stream_comes_in_pieces(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(b"GET /stream/3?pause=0.01 HTTP/1.1\r\nhost: h\r\n\r\n")
        pieces: list[bytes] = []
        while not pieces or not pieces[-1].endswith(b"0\r\n\r\n"):
            pieces.append(sock.recv(65_536))
    assert len([piece for piece in pieces if b"chunk " in piece]) == 3


# ---- what a client that makes no sense gets


def test_an_unreadable_request_gets_400_and_the_connection_ends(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(b"one two three four\r\n\r\n")
        assert read_reply(sock).status == 400
        assert sock.recv(1) == b""


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"CONNECT h:443 HTTP/1.1\r\nhost: h\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", 200),
        (b"GET http://h/x HTTP/1.1\r\nhost: h\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET /stream/2?pause=0 HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 200),
        (b"POST /echo HTTP/1.1\r\nhost: h\r\ncontent-type: \xe9\r\ncontent-length: 1\r\n\r\nx", 200),
        (
            b"POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\n\r\n",
            200,
        ),
    ],
)
def test_an_odd_request_gets_an_orderly_answer(lab: Lab, request_bytes: bytes, status: int) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(request_bytes)
        assert read_reply(sock).status == status
        recording = recording_of(origin(lab), sock)
    assert recording.done.wait(WAIT_S)
    assert recording.events[-1].data == ""


def test_an_oversized_head_gets_431(lab: Lab) -> None:
    with dial(origin(lab).port, good(lab)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000)
        assert read_reply(sock).status == 431


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", bytes.fromhex("1503030002020a")),
        (b"\x00" * 50, bytes.fromhex("1503030002020a")),
        (b"\x16\x03\x01\x00\x05garbage", bytes.fromhex("15")),
        (b"", b""),
    ],
)
def test_whoever_speaks_no_tls_is_told_and_the_origin_goes_on(lab: Lab, said: bytes, answer: bytes) -> None:
    with socket.create_connection(("127.0.0.1", origin(lab).port), WAIT_S) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := sock.recv(4096):
            heard += piece
        recording = recording_of(origin(lab), sock)
    assert heard.startswith(answer)
    assert recording.done.wait(WAIT_S)
    with dial(origin(lab).port, good(lab)) as again:
        assert ask(again).status == 200


def test_a_client_that_breaks_off_at_any_point_is_survived(lab: Lab) -> None:
    ports = []
    for request in (None, b"", b"GET / HT", b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc"):
        plain = socket.create_connection(("127.0.0.1", origin(lab).port), WAIT_S)
        ports.append(plain.getsockname()[1])
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if request is None:
            plain.close()
            continue
        sock = good(lab).wrap_socket(plain, server_hostname=lab.host)
        sock.sendall(request)
        sock.close()
    with dial(origin(lab).port, good(lab)) as again:
        assert ask(again).status == 200
    seen = [recording for port in ports if (recording := origin(lab).recording_of(port))]
    assert all(recording.done.wait(WAIT_S) for recording in seen)


# ---- limits


def test_a_client_that_never_starts_tls_is_dropped_after_the_handshake_time(small: Callable[..., Lab]) -> None:
    running = small("required", handshake_s=0.05)
    with socket.create_connection(("127.0.0.1", origin(running).port), WAIT_S) as sock:
        assert sock.recv(1) == b""
        recording = recording_of(origin(running), sock)
    assert recording.done.wait(WAIT_S)
    assert recording.events[-1].data == "idle for 0.05 s"


def test_a_client_that_asks_nothing_is_sent_away_after_the_idle_time(small: Callable[..., Lab]) -> None:
    running = small("required", idle_s=0.05)
    with dial(origin(running).port, good(running)) as sock:
        assert sock.recv(1) == b""


def test_one_connection_too_many_waits_for_its_turn(small: Callable[..., Lab]) -> None:
    running = small("required", connections=1)
    with dial(origin(running).port, good(running)) as first:
        assert ask(first).status == 200
        answers: list[int] = []

        def second() -> None:
            with dial(origin(running).port, good(running)) as sock:
                answers.append(ask(sock).status)

        waiting = threading.Thread(target=second)
        waiting.start()
        assert ask(first).status == 200
        assert answers == []
        assert len(origin(running).connections) == 1
    waiting.join(WAIT_S)
    assert answers == [200]


def test_only_the_latest_recordings_are_kept(small: Callable[..., Lab]) -> None:
    running = small("required", recordings=3)
    for _ in range(5):
        with dial(origin(running).port, good(running)) as sock:
            assert ask(sock).status == 200
    assert [recording.number for recording in origin(running).connections] == [3, 4, 5]


# ---- what the origin records


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recording_tells_the_servers_side_in_order(lab: Lab, version: str) -> None:
    with dial(origin(lab).port, good(lab, version)) as sock:
        ask(sock, "/status/201")
        recording = recording_of(origin(lab), sock)
    assert recording.done.wait(WAIT_S)
    order = [Kind.CONNECTED, Kind.PEER_VERIFIED, Kind.TLS_DONE, Kind.REQUEST, Kind.RESPONSE, Kind.CLOSED]
    assert [kind for kind in kinds(recording) if kind in order] == order
    labels = {str(e.data).split()[0] for e in recording.events if e.kind is Kind.SECRET}
    assert labels >= {"TLSv1.2": {"CLIENT_RANDOM"}, "TLSv1.3": {"CLIENT_TRAFFIC_SECRET_0"}}[version]


def test_the_recorded_wire_bytes_are_those_that_the_client_saw(lab: Lab) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    sent, received = b"", b""
    tls = good(lab).wrap_bio(incoming, outgoing, server_hostname=lab.host)
    with socket.create_connection(("127.0.0.1", origin(lab).port), WAIT_S) as sock:
        done = False
        while not done:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                done = True
            piece = outgoing.read()
            sock.sendall(piece)
            sent += piece
            if not done:
                received += (piece := sock.recv(65_536))
                incoming.write(piece)
        sock.shutdown(socket.SHUT_WR)
        while piece := sock.recv(65_536):
            received += piece
        recording = recording_of(origin(lab), sock)
    assert recording.done.wait(WAIT_S)
    wire = [event.data for event in recording.events if event.kind is Kind.WIRE]
    assert b"".join(w.data for w in wire if w.sender == "client") == sent  # type: ignore[union-attr]
    assert b"".join(w.data for w in wire if w.sender == "server") == received  # type: ignore[union-attr]


# ---- life and death of a lab


def open_files() -> set[tuple[str, str]]:
    """Return (descriptor, what it is) of this process; a socket's name holds its inode, so none is reused."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own descriptor, or one just closed
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return found


def test_stop_leaves_no_thread_and_no_descriptor_even_with_clients_connected(tmp_path: Path) -> None:
    files, threads = open_files(), set(threading.enumerate())
    running = Lab.start(tmp_path / "mtls-lab", origins=tuple(ORIGINS))
    held = [socket.create_connection(("127.0.0.1", o.port), WAIT_S) for o in running.origins.values()]
    with dial(origin(running).port, good(running)) as alive:
        assert ask(alive).status == 200
        with dial(origin(running).port, good(running)) as slow:
            slow.sendall(b"GET /slow/500 HTTP/1.1\r\nhost: h\r\n\r\n")
            while Kind.REQUEST not in kinds(recording_of(origin(running), slow)):
                threading.Event().wait(0.001)
            running.stop()
            running.stop()
        assert alive.recv(1) == b""
    for sock in held:
        sock.close()
    assert set(threading.enumerate()) - threads == set()
    assert open_files() - files == set()


def test_a_stopped_origin_refuses_connections(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "mtls-lab") as running:
        port = origin(running).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), WAIT_S)


def test_a_lab_started_twice_in_one_folder_replaces_its_files_and_both_run(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "mtls-lab") as first:
        old = good(first)
        with Lab.start(tmp_path / "mtls-lab") as second:
            for running, tls in ((first, old), (second, good(second))):
                with dial(origin(running).port, tls) as sock:
                    assert ask(sock).status == 200


def test_the_folder_holds_what_its_readme_names_and_stays_after_stop(tmp_path: Path) -> None:
    running = Lab.start(tmp_path / "mtls-lab")
    running.stop()
    folder = running.directory
    readme = (folder / "README.txt").read_text()
    pems = sorted(path.name for path in folder.glob("*.pem"))
    assert all(name in readme for name in pems)
    assert {"ca.pem", "cert.pem", "key.pem", "expired-cert.pem", "expired-key.pem"} <= set(pems)
    assert (folder / ".gitignore").read_text() == "*\n"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*key.pem")} == {0o600}
    assert all(path.exists() for pair in running.clients.values() for path in pair)


def test_a_foreign_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(b"precious")
    before = set(threading.enumerate())
    with pytest.raises(LabError, match="did not write"):
        Lab.start(tmp_path)
    assert set(threading.enumerate()) - before == set()
    assert (tmp_path / "cert.pem").read_bytes() == b"precious"


def test_the_first_origin_answers_as_the_host_and_the_others_below_it(tmp_path: Path) -> None:
    with Lab.start(tmp_path / "lab", "api.corp.example", ("optional", "tls12", "optional")) as running:
        added = running.add("tls13")
        assert running.add("tls13") is added
        hosts = ["api.corp.example", "tls12.api.corp.example", "tls13.api.corp.example"]
        assert [o.host for o in running.origins.values()] == hosts
        assert running.connect_to == {(o.host, 443): ("127.0.0.1", o.port) for o in running.origins.values()}
        for name in (*hosts, "localhost", "127.0.0.1"):
            port = next((o.port for o in running.origins.values() if o.host == name), added.port)
            with dial(port, good(running), name) as sock:
                assert ask(sock).status == 200
        assert all(any(host in line for line in running.status()) for host in hosts)
    assert "stopped" in running.status()[0]
    with pytest.raises(LabError, match="stopped"):
        running.add("none")


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "a..b", "-a.b", "a b.c", "a.b:443", "a.b/", "é.b"])
def test_an_impossible_host_name_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(LabError, match="no host name"):
        Lab.start(tmp_path / "mtls-lab", host)
    assert not (tmp_path / "mtls-lab").exists()


def test_an_unknown_origin_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no origin 'expird'") as caught:
        Lab.start(tmp_path / "mtls-lab", origins=("required", "expird"))
    assert "Did you mean expired?" in caught.value.hint
    assert not (tmp_path / "mtls-lab").exists()


def test_no_repr_shows_a_key(lab: Lab) -> None:
    running = lab.origins["required"]
    shown = repr((lab, running, running.origin, vars(lab), vars(running.origin), origin(lab).connections))
    assert "PRIVATE" not in shown
    secret = (lab.directory / "key.pem").read_text().splitlines()[1]
    assert secret not in shown
