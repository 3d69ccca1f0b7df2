"""The lab's two menus, as tables: the origins it can start and the client certificates it writes.

Each row is one thing to learn. Adding a case is adding a row; how a row comes to life is said in
`origin` and `lab`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .context import ClientAuth, Version

ServerCertificate = Literal["good", "expired", "wrong-host", "untrusted"]
Behaviour = Literal["serve", "silent", "reset"]
Party = Literal["lab", "other"]

BOTH: tuple[Version, ...] = ("TLSv1.2", "TLSv1.3")


@dataclass(frozen=True, slots=True)
class OriginKind:
    """One kind of origin. `accepts` says whose clients it lets in: the lab CA's or another CA's."""

    title: str
    teaches: str
    versions: tuple[Version, ...] = BOTH
    client_auth: ClientAuth = "required"
    certificate: ServerCertificate = "good"
    accepts: Party = "lab"
    behaviour: Behaviour = "serve"


ORIGINS: dict[str, OriginKind] = {
    "required": OriginKind(
        "requires a client certificate",
        "Mutual TLS as it should be: no certificate, no answer (TLS 1.3 alert 116, TLS 1.2 alert 40).",
    ),
    "optional": OriginKind(
        "asks for a client certificate, goes on without",
        "A CertificateRequest may be answered with an empty Certificate; a faulty one is still refused.",
        client_auth="optional",
    ),
    "none": OriginKind(
        "asks for no client certificate",
        "Plain TLS: only the server proves who it is, and a bound certificate is never sent.",
        client_auth="none",
    ),
    "tls12": OriginKind(
        "requires a client certificate, TLS 1.2 only",
        "In TLS 1.2 certificates cross unencrypted, and a refusal arrives within the handshake.",
        versions=("TLSv1.2",),
    ),
    "tls13": OriginKind(
        "requires a client certificate, TLS 1.3 only",
        "In TLS 1.3 a refusal arrives after the client's handshake is finished, with its first read.",
        versions=("TLSv1.3",),
    ),
    "expired": OriginKind(
        "its own certificate expired yesterday",
        "The client refuses the server: alert 45, certificate_expired, goes the other way.",
        certificate="expired",
    ),
    "wrong-host": OriginKind(
        "its certificate names another host",
        "A valid chain is not enough: the name asked for must be in subjectAltName.",
        certificate="wrong-host",
    ),
    "untrusted": OriginKind(
        "its certificate is from a CA that nobody here trusts",
        "The client knows no path to a trusted root: alert 48, unknown_ca.",
        certificate="untrusted",
    ),
    "other-ca": OriginKind(
        "accepts only clients of another CA",
        "The accepted CAs in CertificateRequest tell in advance why my certificate is refused.",
        accepts="other",
    ),
    "http-required": OriginKind(
        "asks in TLS, insists in HTTP",
        "Many gateways finish the handshake and answer 403 afterwards: no alert, only a status.",
        client_auth="http",
    ),
    "silent": OriginKind(
        "accepts the connection and never answers",
        "Nothing arrives after ClientHello: only a timeout ends it.",
        behaviour="silent",
    ),
    "reset": OriginKind(
        "resets the connection during the handshake",
        "A firewall or a proxy in between looks like this: TCP RST instead of ServerHello.",
        behaviour="reset",
    ),
}

DEFAULT_ORIGIN = "required"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """One client certificate the lab writes; `verdict` is what the default origin makes of it."""

    certificate_file: str
    key_file: str
    verdict: str


def _refused(name: str, verdict: str) -> ClientCertificate:
    return ClientCertificate(f"{name}-cert.pem", f"{name}-key.pem", verdict)


CLIENTS: dict[str, ClientCertificate] = {
    "good": ClientCertificate("cert.pem", "key.pem", "accepted"),
    "expired": _refused("expired", "refused, alert 45: it expired yesterday"),
    "not-yet-valid": _refused("not-yet-valid", "refused, alert 42: its validity lies ahead"),
    "other-ca": _refused("other-ca", "refused, alert 48: another CA issued it"),
    "server-usage": _refused("server-usage", "refused, alert 43: it is for servers (no clientAuth)"),
    "self-signed": _refused("self-signed", "refused, alert 48: nobody but itself vouches for it"),
}
