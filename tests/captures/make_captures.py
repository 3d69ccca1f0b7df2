"""Makes the captures in this folder: real handshakes with `openssl s_server`, as JSON with hex.

Run from the repository's root:  python -m tests.captures.make_captures [NAME …]

Three ways, named in each capture's "how":
  callback  Python's ssl client; `SSLContext._msg_callback` (private, hence only here) hands over every
            handshake message, alert and ChangeCipherSpec decrypted, and the socket's bytes are kept.
  relay     `openssl s_client` through a relay that keeps the bytes; only what is sent in the open.
  memory    two pyOpenSSL ends in memory, for what a newer OpenSSL sends in the open.
Certificates are made anew and thrown away; no private key is stored. What is decoded is not asked
here: only the relay and memory ways cut records, by `tls.records`.
"""

from __future__ import annotations

import datetime
import json
import secrets
import select
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from mtls_notebook.tls.records import handshake_messages, iter_records

FOLDER = Path(__file__).parent
HOST = "origin.example"
HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC = 22, 21, 20
NEW_SESSION_TICKET = 4


@dataclass
class Recording:
    """What one client saw and sent."""

    messages: list[tuple[str, int, bytes]] = field(default_factory=list)
    wire: dict[str, bytes] = field(default_factory=lambda: {"client": b"", "server": b""})

    def count(self, sender: str, content_type: int, first_byte: int | None = None) -> int:
        return sum(
            who == sender and kind == content_type and first_byte in (None, data[0])
            for who, kind, data in self.messages
        )


# Throwaway certificates


def make_certificates(folder: Path) -> None:
    """Write ca.pem, {ec,rsa,client}.pem with {…}-key.pem, and ocsp.der (a good answer for ec.pem)."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = certificate("Capture CA", ca_key, None, ca_key)
    write(folder, "ca", ca, None)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    ec_certificate = certificate(HOST, ec_key, ca, ca_key)
    write(folder, "ec", ec_certificate, ec_key)
    rsa_key = rsa.generate_private_key(65537, 2048)
    write(folder, "rsa", certificate(HOST, rsa_key, ca, ca_key), rsa_key)
    client_key = ec.generate_private_key(ec.SECP256R1())
    write(folder, "client", certificate("client, one + only", client_key, ca, ca_key), client_key)
    (folder / "ocsp.der").write_bytes(ocsp_answer(ec_certificate, ca, ca_key))


def certificate(name: str, key, issuer: x509.Certificate | None, issuer_key) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Ltd"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def ocsp_answer(subject: x509.Certificate, issuer: x509.Certificate, issuer_key) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=subject,
        issuer=issuer,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now,
        next_update=now + datetime.timedelta(days=1),
        revocation_time=None,
        revocation_reason=None,
    )
    answer = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(issuer_key, hashes.SHA256())
    return answer.public_bytes(serialization.Encoding.DER)


def write(folder: Path, stem: str, made: x509.Certificate, key) -> None:
    (folder / f"{stem}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    if key is not None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{stem}-key.pem").write_bytes(pem)


# Servers and clients


@contextmanager
def s_server(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Run `openssl s_server` on a free loopback port; yield the process and the port."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *options]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        line = next(line for line in process.stdout if line.startswith(b"ACCEPT"))
        yield process, int(line.rsplit(b":", 1)[1])
    finally:
        process.kill()
        process.communicate()


def client_context(folder: Path, recording: Recording, show_certificate: bool, **settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca.pem")
    if show_certificate:
        context.load_cert_chain(folder / "client.pem", folder / "client-key.pem")
    for name, value in settings.items():
        setattr(context, name, value)
    context.set_alpn_protocols(["http/1.1"])
    record_messages(context, recording)
    return context


def record_messages(context: ssl.SSLContext, recording: Recording) -> None:
    def callback(_connection, direction, _version, content_type, _message_type, data) -> None:
        if content_type in (HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC):
            sender = "client" if direction == "write" else "server"
            recording.messages.append((sender, int(content_type), bytes(data)))

    context._msg_callback = callback


Until = Callable[[Recording], bool]
"""Says when enough was seen."""


def never(_: Recording) -> bool:
    return False


def always(_: Recording) -> bool:
    return True


def converse(
    port: int,
    context: ssl.SSLContext,
    recording: Recording,
    until: Until,
    session: ssl.SSLSession | None = None,
) -> ssl.SSLSession | None:
    """Handshake, read until `until` holds or the server ends it, say goodbye; return the session."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST, session=session)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:

        def drive(step: Callable[[], object], enough: Until = never) -> bool:
            """Run `step` to its end or until `enough`; False once it fails or the server has gone."""
            while not enough(recording):
                try:
                    step()
                    flush()
                    return True
                except ssl.SSLWantReadError:
                    flush()
                    if not enough(recording) and not receive():
                        return False
                except (ssl.SSLError, OSError):
                    flush()
                    return False
            return True

        def flush() -> None:
            data = outgoing.read()
            recording.wire["client"] += data
            wire.sendall(data)

        def receive() -> bool:
            data = wire.recv(65536)
            recording.wire["server"] += data
            incoming.write(data)
            return bool(data)

        if drive(tls.do_handshake) and drive(lambda: tls.read(1), until):
            drive(tls.unwrap)
        return tls.session


# Scenarios

SCENARIOS: dict[str, Callable[[Path], tuple[str, Recording]]] = {}


def scenario(make: Callable[[Path], tuple[str, Recording]]) -> Callable[[Path], tuple[str, Recording]]:
    SCENARIOS[make.__name__.replace("_", "-")] = make
    return make


EC = ("-cert", "ec.pem", "-key", "ec-key.pem", "-CAfile", "ca.pem", "-alpn", "http/1.1")
RSA = ("-cert", "rsa.pem", "-key", "rsa-key.pem", "-CAfile", "ca.pem")
ASK = ("-Verify", "1", "-verify_return_error")


def tickets(number: int) -> Until:
    return lambda recording: recording.count("server", HANDSHAKE, NEW_SESSION_TICKET) >= number


def one(folder: Path, options: tuple[str, ...], until: Until, show_certificate: bool, **settings):
    recording = Recording()
    with s_server(folder, *options) as (_, port):
        converse(port, client_context(folder, recording, show_certificate, **settings), recording, until)
    return "callback: openssl s_server " + " ".join(options), recording


@scenario
def tls13(folder: Path):
    return one(folder, (*EC, "-tls1_3"), tickets(2), False)


@scenario
def tls13_mtls(folder: Path):
    return one(folder, (*EC, "-tls1_3", *ASK), tickets(2), True)


@scenario
def tls13_retry(folder: Path):
    return one(folder, (*EC, "-tls1_3", "-groups", "P-384"), tickets(2), False)


@scenario
def tls13_refused(folder: Path):
    return one(folder, (*EC, "-tls1_3", *ASK), never, False)


@scenario
def tls13_empty_certificate(folder: Path):
    return one(folder, (*EC, "-tls1_3", "-verify", "1"), tickets(2), False)


@scenario
def tls12(folder: Path):
    return one(folder, (*EC, "-tls1_2"), always, False)


@scenario
def tls12_mtls(folder: Path):
    return one(folder, (*EC, "-tls1_2", *ASK), always, True)


@scenario
def tls12_refused(folder: Path):
    return one(folder, (*EC, "-tls1_2", *ASK), never, False)


@scenario
def tls12_dhe(folder: Path):
    return one(folder, (*RSA, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), always, False)


@scenario
def tls12_rsa(folder: Path):
    recording = Recording()
    options = (*RSA, "-tls1_2", "-cipher", "AES128-GCM-SHA256")
    with s_server(folder, *options) as (_, port):
        context = client_context(folder, recording, False)
        context.set_ciphers("AES128-GCM-SHA256")
        converse(port, context, recording, always)
    return "callback: openssl s_server " + " ".join(options), recording


def resumed(folder: Path, options: tuple[str, ...], until: Until):
    first = Recording()
    with s_server(folder, *options) as (_, port):
        context = client_context(folder, first, False)
        session = converse(port, context, first, until)
        second = Recording()
        record_messages(context, second)
        converse(port, context, second, until if until is always else tickets(1), session)
    return "callback, the second of two connections: openssl s_server " + " ".join(options), second


@scenario
def tls13_resumption(folder: Path):
    return resumed(folder, (*EC, "-tls1_3"), tickets(2))


@scenario
def tls12_resumption(folder: Path):
    return resumed(folder, (*EC, "-tls1_2"), always)


def commanded(folder: Path, options: tuple[str, ...], command: bytes, ready: Until, done: Until, **settings):
    """Type `command` at the server once `ready` holds, and read until `done`."""
    recording = Recording()
    with s_server(folder, *options) as (process, port):
        typed = []

        def until(seen: Recording) -> bool:
            if ready(seen) and not typed:
                typed.append(process.stdin.write(command))
                process.stdin.flush()
            return bool(typed) and done(seen)

        context = client_context(folder, recording, True, **settings)
        converse(port, context, recording, until)
    typed_text = command.decode().strip()
    return f"callback, {typed_text!r} typed at: openssl s_server " + " ".join(options), recording


@scenario
def tls13_post_handshake(folder: Path):
    def done(seen: Recording) -> bool:
        return seen.count("client", HANDSHAKE, 15) == 1 and tickets(3)(seen)

    return commanded(folder, (*EC, "-tls1_3"), b"c\n", tickets(2), done, post_handshake_auth=True)


@scenario
def tls12_renegotiation(folder: Path):
    def done(seen: Recording) -> bool:
        return seen.count("server", HANDSHAKE, 20) == 2

    return commanded(folder, (*EC, "-tls1_2", "-no_resumption_on_reneg"), b"R\n", always, done)


# Relay: what s_client and s_server say in the open


def relayed(folder: Path, server: tuple[str, ...], client: tuple[str, ...]):
    recording = Recording()
    with s_server(folder, *server) as (_, port), socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = ["openssl", "s_client", "-connect", address, *client]
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            near, _ = listener.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                relay(near, far, recording)
            process.stdin.close()
    open_messages(recording)
    how = f"relay: openssl s_server {' '.join(server)}; openssl s_client {' '.join(client)}"
    return how.replace(PSK[1], "(random)"), recording


def relay(near: socket.socket, far: socket.socket, recording: Recording) -> None:
    """Pass bytes both ways until the server's second flight, the one after the client's, has come."""
    names = {near: "client", far: "server"}
    others = {near: far, far: near}
    while not (started_encrypting(recording, "client") and started_encrypting(recording, "server")):
        for ready in select.select([near, far], [], [], 20)[0]:
            data = ready.recv(65536)
            if not data:
                return
            recording.wire[names[ready]] += data
            others[ready].sendall(data)


def started_encrypting(recording: Recording, sender: str) -> bool:
    return any(record.content_type == CHANGE_CIPHER_SPEC for record in iter_records(recording.wire[sender]))


def open_messages(recording: Recording) -> None:
    """Fill in what each side sent before it started to encrypt, in the order of a TLS 1.2 handshake."""
    client, server = (plain_messages(recording.wire[side]) for side in ("client", "server"))
    hello = [("client", HANDSHAKE, client[0])]
    done = 1 + next((n for n, message in enumerate(server) if message[0] == 14), len(server))
    rest = [("server", HANDSHAKE, message) for message in server[:done]]
    rest += [("client", HANDSHAKE, message) for message in client[1:]]
    recording.messages = hello + rest + [("server", HANDSHAKE, message) for message in server[done:]]


def plain_messages(stream: bytes) -> list[bytes]:
    fragments = []
    for record in iter_records(stream):
        if record.content_type != HANDSHAKE:
            break
        fragments.append(record.fragment)
    return list(handshake_messages(fragments))


PSK = ("-psk", secrets.token_hex(16), "-psk_identity", "alice")


def psk(folder: Path, suite: str):
    server = ("-nocert", *PSK, "-psk_hint", "who are you?", "-tls1_2", "-cipher", suite)
    return relayed(folder, server, (*PSK, "-tls1_2", "-cipher", suite))


@scenario
def tls12_psk(folder: Path):
    return psk(folder, "PSK-AES128-GCM-SHA256")


@scenario
def tls12_dhe_psk(folder: Path):
    return psk(folder, "DHE-PSK-AES128-GCM-SHA256")


@scenario
def tls12_ecdhe_psk(folder: Path):
    return psk(folder, "ECDHE-PSK-AES128-CBC-SHA256")


@scenario
def tls12_ocsp(folder: Path):
    server = ("-cert", "ec.pem", "-key", "ec-key.pem", "-status_file", "ocsp.der", "-tls1_2")
    return relayed(folder, server, ("-tls1_2", "-status", "-servername", HOST))


# Memory: hellos of the OpenSSL inside `cryptography`, newer than the system's


@scenario
def tls13_hybrid(folder: Path):
    recording = Recording()
    server_context, context = SSL.Context(SSL.TLS_SERVER_METHOD), SSL.Context(SSL.TLS_CLIENT_METHOD)
    server_context.use_certificate_file(str(folder / "ec.pem"))
    server_context.use_privatekey_file(str(folder / "ec-key.pem"))
    client, server = SSL.Connection(context, None), SSL.Connection(server_context, None)
    client.set_connect_state()
    server.set_accept_state()
    for side, end, other in (("client", client, server), ("server", server, client)):
        try:
            end.do_handshake()
        except SSL.WantReadError:
            recording.wire[side] = end.bio_read(65536)
            other.bio_write(recording.wire[side])
    for side, wire in recording.wire.items():
        recording.messages += [(side, HANDSHAKE, message) for message in plain_messages(wire)]
    return f"memory: {SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()}, its defaults", recording


def save(name: str, how: str, recording: Recording) -> None:
    capture = {
        "name": name,
        "how": how,
        "client": ssl.OPENSSL_VERSION,
        "server": subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.strip(),
        "messages": [
            {"sender": sender, "content_type": content_type, "hex": data.hex()}
            for sender, content_type, data in recording.messages
        ],
        "wire": {side: data.hex() for side, data in recording.wire.items()},
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(capture, indent=1) + "\n")


def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_certificates(folder)
        for name, make in SCENARIOS.items():
            if not wanted or name in wanted:
                save(name, *make(folder))
                print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
