"""What the origin demands of a client, as an SSL.Context, and what its callbacks observe.

pyOpenSSL and not `ssl`: only it can send the list of accepted CAs in CertificateRequest, which
is exactly what a learner should see. No sockets here. A callback never raises: OpenSSL would
swallow it or hang the handshake.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from ..pki.certificate import Certificate
from ..recorder.events import Bytes, Kind, Side, Verified
from .recording import Recording

ClientAuth = Literal["required", "optional", "none", "http"]
Version = Literal["TLSv1.2", "TLSv1.3"]

VERSIONS: dict[Version, int] = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}

VERIFY_MODES: dict[ClientAuth, int] = {
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
    "optional": SSL.VERIFY_PEER,
    "none": SSL.VERIFY_NONE,
    "http": SSL.VERIFY_PEER,  # whatever the verdict, the handshake goes on and HTTP answers 403
}

# X509_V_ERR numbers that a client's chain can earn here (OpenSSL's x509_vfy.h), in its words.
VERDICTS = {
    0: "ok",
    2: "unable to get issuer certificate",
    7: "certificate signature failure",
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "issuer certificate doesn't have a public key",
    25: "path length constraint exceeded",
    26: "unsuitable certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    32: "key usage does not include certificate signing",
    34: "unhandled critical extension",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    79: "invalid CA certificate",
}

ALPN = b"http/1.1"
SERVER_KEYS = (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)
# SSL_MODE_NO_AUTO_CHAIN of OpenSSL's ssl.h: present what was configured, not also
# whatever issuer happens to be in the store that is there to judge clients.
MODE_NO_AUTO_CHAIN = 0x8


@dataclass(slots=True)
class Observed:
    """What the callbacks saw on one connection; it travels as the connection's app data."""

    recording: Recording
    verdict: Verified | None = None
    certificate_sent: bool = False
    client_gave_up: bool = False

    def judge(self, verdict: Verified) -> None:
        """Remember one certificate's verdict: a fault outweighs what is fine, the later fault the earlier."""
        if self.verdict is None or verdict.code or not self.verdict.code:
            self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Demands:
    """What an origin asks of its clients. `accepts` are the CAs it trusts and names in CertificateRequest."""

    client_auth: ClientAuth
    versions: tuple[Version, ...]
    accepts: tuple[Certificate, ...]


def build(demands: Demands, certificate_pem: bytes, key_pem: bytes) -> SSL.Context:
    """Return a server context that presents `certificate_pem` (leaf first) and demands `demands`."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _limit_versions(context, demands.versions)
    _present(context, certificate_pem, key_pem)
    _demand(context, demands)
    _allow_resumption(context, demands.client_auth)
    _observe(context)
    return context


def _limit_versions(context: SSL.Context, versions: Sequence[Version]) -> None:
    numbers = [VERSIONS[version] for version in versions]
    context.set_min_proto_version(min(numbers))
    context.set_max_proto_version(max(numbers))


def _present(context: SSL.Context, certificate_pem: bytes, key_pem: bytes) -> None:
    context.set_mode(MODE_NO_AUTO_CHAIN)
    leaf, *rest = x509.load_pem_x509_certificates(certificate_pem)
    context.use_certificate(leaf)
    for issuer in rest:
        context.add_extra_chain_cert(issuer)
    key = load_pem_private_key(key_pem, password=None)
    assert isinstance(key, SERVER_KEYS), "the lab's CA issues these kinds only"
    context.use_privatekey(key)
    context.check_privatekey()


def _demand(context: SSL.Context, demands: Demands) -> None:
    store = context.get_cert_store()
    assert store is not None, "a context that was just made has a store"
    for authority in demands.accepts:
        loaded = x509.load_der_x509_certificate(authority.der)
        store.add_cert(crypto.X509.from_cryptography(loaded))
        if demands.client_auth != "none":
            context.add_client_ca(loaded)
    context.set_verify(VERIFY_MODES[demands.client_auth], _Verifier(lenient=demands.client_auth == "http"))


def _allow_resumption(context: SSL.Context, client_auth: ClientAuth) -> None:
    context.set_session_id(secrets.token_bytes(16))
    if client_auth == "http":
        # A resumed connection verifies nothing again, and the session would say X509_V_OK
        # even where the certificate was faulty: every connection is to be judged anew.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)


def _observe(context: SSL.Context) -> None:
    context.set_keylog_callback(_on_secret)
    context.set_info_callback(_on_state)
    context.set_alpn_select_callback(_choose_protocol)


class _Verifier:
    """The verify callback: notes every verdict; `lenient` lets the handshake go on regardless."""

    def __init__(self, lenient: bool) -> None:
        self._lenient = lenient

    def __call__(self, tls: SSL.Connection, cert: crypto.X509, code: int, depth: int, ok: int) -> bool:
        observed: Observed = tls.get_app_data()
        text = VERDICTS.get(code, f"X509_V_ERR {code}")
        observed.judge(Verified(code, text, depth))
        return bool(ok) or self._lenient


def _on_secret(tls: SSL.Connection, line: bytes) -> None:
    observed: Observed = tls.get_app_data()
    observed.recording.add(Kind.SECRET, line.decode("ascii", "replace"))


def _on_state(tls: SSL.Connection, where: int, value: int) -> None:
    observed: Observed = tls.get_app_data()
    if where & SSL.SSL_CB_ALERT:
        sender: Side = "server" if where & SSL.SSL_CB_WRITE else "client"
        observed.recording.add(Kind.ALERT, Bytes.of(sender, value.to_bytes(2, "big")))
        observed.client_gave_up |= sender == "client"
    # pyOpenSSL has no "was this session resumed?"; a server that resumes sends no Certificate.
    elif tls.get_state_string().endswith(b"write certificate"):
        observed.certificate_sent = True


def _choose_protocol(tls: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    # pyOpenSSL cannot send RFC 7301's no_application_protocol alert: without overlap, no ALPN.
    return ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
