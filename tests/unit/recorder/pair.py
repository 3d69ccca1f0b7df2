"""Two TLS ends in memory: real handshakes whose every byte is an event, with the client's key log.

What may not live here: sockets, and anything that reads what crossed (that is what the tests are about).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from mtls_notebook.pki.authority import Authority, Issued, KeyKind
from mtls_notebook.recorder.events import Bytes, Event, Kind, Side

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
OP_NO_ENCRYPT_THEN_MAC, OP_NO_EXTENDED_MASTER_SECRET = 1 << 19, 1  # openssl/ssl.h
ALLOW_CLIENT_RENEGOTIATION = 1 << 8  # openssl/ssl.h
CHUNK = 1 << 16


@dataclass(frozen=True)
class Terms:
    """What two ends meet on; a client key of None means no client certificate, "" that none is asked for."""

    version: str = "1.3"
    suite: str = ""
    server_key: KeyKind = "P-256"
    client_key: KeyKind | None = None
    options: int = 0
    curve: str = ""


@cache
def authority() -> Authority:
    return Authority.create("Pair CA")


@cache
def issued(key: KeyKind, usage: str) -> Issued:
    return authority().issue(f"{usage} {key}", usage=(usage,), names=("pair.example",), key=key)


def context(terms: Terms, side: Side) -> SSL.Context:
    made = SSL.Context(SSL.TLS_SERVER_METHOD if side == "server" else SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(VERSIONS[terms.version])
    made.set_max_proto_version(VERSIONS[terms.version])
    made.set_options(terms.options)
    made.set_session_id(b"pair")
    if side == "client":
        made.set_keylog_callback(lambda end, line: end.get_app_data().note(Kind.SECRET, line.decode()))
    if terms.suite and terms.version == "1.3":
        made.set_tls13_ciphersuites(terms.suite.encode())
    made.set_cipher_list(f"{terms.suite if terms.version == '1.2' and terms.suite else 'ALL'}:@SECLEVEL=0".encode())
    key = terms.server_key if side == "server" else terms.client_key
    if key is not None:
        own = issued(key, f"{side}Auth")
        made.use_certificate(x509.load_pem_x509_certificate(own.certificate_pem))
        made.use_privatekey(load_pem_private_key(own.key_pem, None))
    if side == "server" and terms.client_key is not None:
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    return made


@dataclass
class Pair:
    """A client and a server, and what crossed between them so far; they resume what they said `before`."""

    terms: Terms = Terms()
    before: Pair | None = None
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contexts: dict[Side, SSL.Context] = (
            self.before.contexts
            if self.before
            else {"client": context(self.terms, "client"), "server": context(self.terms, "server")}
        )
        self.ends: dict[Side, SSL.Connection] = {
            side: SSL.Connection(made, None) for side, made in self.contexts.items()
        }
        self.ends["client"].set_app_data(self)
        self.ends["client"].set_connect_state()
        self.ends["server"].set_accept_state()
        if self.before:
            self.ends["client"].set_session(self.before.ends["client"].get_session())
        self.note(Kind.TLS_STARTED, "pair.example")

    def note(self, kind: Kind, data: Bytes | str) -> None:
        """Append an event; the clock is counted."""
        self.events.append(Event(len(self.events), 1, kind, data))

    def shake_hands(self) -> Pair:
        """Run the handshake to its end, tickets taken in; return the pair."""
        over: set[Side] = set()
        while len(over) < 2:
            for side, end in self.ends.items():
                try:
                    end.do_handshake()
                    over.add(side)
                except SSL.WantReadError:
                    pass
                self.carry(side)
        self._take_in("client")
        return self

    def carry(self, side: Side) -> None:
        """Move what one end has to say to the other."""
        while True:
            try:
                data = self.ends[side].bio_read(CHUNK)
            except SSL.WantReadError:
                return
            self.note(Kind.WIRE, Bytes.of(side, data))
            self.ends["server" if side == "client" else "client"].bio_write(data)

    def say(self, side: Side, text: bytes) -> None:
        """Send application data, and let the other end read it."""
        self.ends[side].send(text)
        self.carry(side)
        self._take_in("server" if side == "client" else "client")

    def _take_in(self, side: Side) -> bytes:
        try:
            return self.ends[side].recv(CHUNK)
        except SSL.WantReadError:
            return b""

    def part(self) -> Pair:
        """Say goodbye on both ends; return the pair."""
        for side, end in self.ends.items():
            end.shutdown()
            self.carry(side)
        return self


def met(**terms: object) -> Pair:
    """Return a pair that shook hands, said a word each way, and parted."""
    pair = Pair(Terms(**terms)).shake_hands()  # type: ignore[arg-type]
    pair.say("client", b"question")
    pair.say("server", b"answer")
    return pair.part()


# ---- Python's own ssl, for what pyOpenSSL cannot be told to do


def ssl_pair(directory: Path, *, curve: str = "", ask_later: bool = False) -> list[Event]:
    """Return what crosses between two ends of Python's ssl, TLS 1.3.

    `curve` is the only one that the server takes; `ask_later` asks for the client's certificate after the handshake.
    """
    contexts = {side: ssl_context(directory, side, ask_later=ask_later) for side in ("client", "server")}
    if curve:
        contexts["server"].set_ecdh_curve(curve)
    events: list[Event] = []
    inputs: dict[Side, ssl.MemoryBIO] = {"client": ssl.MemoryBIO(), "server": ssl.MemoryBIO()}
    outputs: dict[Side, ssl.MemoryBIO] = {"client": ssl.MemoryBIO(), "server": ssl.MemoryBIO()}
    client = contexts["client"].wrap_bio(inputs["client"], outputs["client"])
    server = contexts["server"].wrap_bio(inputs["server"], outputs["server"], server_side=True)

    def carry(side: Side) -> None:
        if data := outputs[side].read():
            events.append(Event(len(events), 1, Kind.WIRE, Bytes.of(side, data)))
            inputs["server" if side == "client" else "client"].write(data)

    def turn(side: Side, end: ssl.SSLObject) -> None:
        try:
            end.do_handshake()
            end.read(1)
        except ssl.SSLWantReadError:
            pass
        carry(side)

    for _ in range(3):
        turn("client", client)
        turn("server", server)
    if ask_later:
        server.verify_client_post_handshake()
        server.do_handshake()
        carry("server")
        turn("client", client)
        turn("server", server)
    lines = (directory / "keys.log").read_text("ascii").splitlines()
    return [*events, *(Event(len(events), 1, Kind.SECRET, line) for line in lines if not line.startswith("#"))]


def ssl_context(directory: Path, side: Side, *, ask_later: bool) -> ssl.SSLContext:
    purpose = ssl.PROTOCOL_TLS_CLIENT if side == "client" else ssl.PROTOCOL_TLS_SERVER
    made, own = ssl.SSLContext(purpose), issued("P-256", f"{side}Auth")
    pem = directory / f"{side}.pem"
    pem.write_bytes(own.certificate_pem + own.key_pem)
    made.load_cert_chain(pem)
    made.load_verify_locations(cadata=authority().certificate_pem.decode())
    made.check_hostname = False
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if side == "client":
        made.keylog_filename = str(directory / "keys.log")
    if ask_later:
        made.post_handshake_auth = True
        made.verify_mode = ssl.CERT_REQUIRED
    return made
