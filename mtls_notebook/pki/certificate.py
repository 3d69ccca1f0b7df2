"""The facts shown about one certificate.

A `Certificate` is a plain value made from DER: whatever cannot be read is said to be unreadable
instead of failing, because a learner's certificate is often the odd one. What may not live here:
private keys, files, the clock (callers pass `now`) and any trust decision.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import NotACertificate
from . import distinguished_name, extensions
from .algorithms import (
    PARSE_ERRORS,
    SIGNATURE_ALGORITHMS,
    UNREADABLE,
    WEAK_SIGNATURES,
    certificate_key_text,
    public_key_sha256,
    rsa_bits,
)

EXPIRES_SOON = timedelta(days=30)
WEAK_RSA_BITS = 2048
CLIENT_USAGES = frozenset({"clientAuth", "anyExtendedKeyUsage"})

# How a verdict of OpenSSL reads in `certVerified`, by X509_V_ERR number.
VERIFIED = {
    0: "SUCCESS",
    9: "FAILED:certificate is not yet valid",
    10: "FAILED:certificate has expired",
    18: "FAILED:self signed certificate",
    19: "FAILED:self signed certificate",
    20: "FAILED:unable to verify the first certificate",
    21: "FAILED:unable to verify the first certificate",
}
NOT_PRESENTED = "NONE"

# The header forms of RFC 9440 are left out beyond these sizes (characters).
RFC9440_LIMIT = 10_240
RFC9440_CHAIN_LIMIT = 16_384


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """One X.509 certificate: its DER and what it says, as text that is safe to print.

    Shape: `subject` and `issuer` are RFC 4514 text, most specific RDN first; times are aware UTC;
    fingerprints and key identifiers are lowercase hex without colons; `subject_der` and `issuer_der`
    are the encoded Names, to compare with a server's list of accepted CAs.
    Source: RFC 5280 §4.
    """

    der: bytes
    subject: str
    issuer: str
    subject_legacy: str
    issuer_legacy: str
    common_name: str
    serial_number: int
    not_before: datetime
    not_after: datetime
    key: str
    signature_algorithm: str
    subject_alternative_names: tuple[str, ...]
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    is_ca: bool
    is_self_signed: bool
    fingerprint_sha256: str
    fingerprint_sha1: str
    public_key_sha256: str
    subject_key_identifier: str
    authority_key_identifier: str
    subject_der: bytes
    issuer_der: bytes

    @classmethod
    def from_der(cls, der: bytes, label: str = "The data") -> Certificate:
        """Return the facts of the certificate in `der`.

        Raises: NotACertificate, naming `label`, when `der` is no certificate.
        """
        try:
            return _read(x509.load_der_x509_certificate(bytes(der)))
        except PARSE_ERRORS as error:
            raise NotACertificate(
                f"{label} is not a readable X.509 certificate ({len(der):,} bytes).",
                "Look at it with: openssl x509 -text -noout -in FILE (add -inform DER for a binary file).",
            ) from error

    @property
    def serial_hex(self) -> str:
        """Return the serial number as uppercase hex, whole bytes."""
        digits = f"{abs(self.serial_number):X}"
        return "0" * (len(digits) % 2) + digits

    def pem(self) -> str:
        """Return the certificate as one PEM block (RFC 7468 §5)."""
        body = base64.b64encode(self.der).decode("ascii")
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])

    def __repr__(self) -> str:
        return f"<Certificate {self.subject} sha256:{self.fingerprint_sha256[:16]}>"


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Return whether `issuer` is the subject that signed `certificate` (names and signature agree)."""
    if certificate.issuer_der != issuer.subject_der:
        return False
    load = x509.load_der_x509_certificate
    return _signed_by(load(certificate.der), load(issuer.der))


def warnings(certificate: Certificate, now: datetime) -> tuple[str, ...]:
    """Return what may get this client certificate refused, one sentence each; () when nothing stands out."""
    return tuple(text for check in WARNINGS if (text := check(certificate, now)))


def tls_client_auth(
    chain: Sequence[Certificate], verified: str, presented: bool, *, revoked: bool = False
) -> dict[str, str | bool]:
    """Return the record a worker reads as `request.cf.tlsClientAuth`.

    Shape: `chain` is leaf first; `verified` is one of `VERIFIED`'s texts; both count only when `presented`.
    Source: RFC 9440 §2 for the two encoded forms.
    """
    if not presented or not chain:
        return dict(_WITHOUT_CERTIFICATE)
    return (
        _WITHOUT_CERTIFICATE
        | {"certPresented": "1", "certVerified": verified, "certRevoked": "1" if revoked else "0"}
        | _described(chain[0], _issuer(chain))
        | _header("certRFC9440", chain[:1], RFC9440_LIMIT)
        | _header("certChainRFC9440", chain[1:], RFC9440_CHAIN_LIMIT)
    )


def verified_text(code: int, message: str) -> str:
    """Return how an OpenSSL verdict (X509_V_ERR number and its text) reads in `certVerified`."""
    return VERIFIED.get(code, f"FAILED:{message}")


def _read(cert: x509.Certificate) -> Certificate:
    der = cert.public_bytes(Encoding.DER)
    found = extensions.read(cert)
    sans = found.subject_alternative_names
    first_san = sans[0].partition(":")[2] if sans else ""
    return Certificate(
        der=der,
        subject=_tolerant(lambda: distinguished_name.rfc4514(cert.subject)),
        issuer=_tolerant(lambda: distinguished_name.rfc4514(cert.issuer)),
        subject_legacy=_tolerant(lambda: distinguished_name.legacy(cert.subject)),
        issuer_legacy=_tolerant(lambda: distinguished_name.legacy(cert.issuer)),
        common_name=_tolerant(lambda: distinguished_name.common_name(cert.subject)) or first_san,
        serial_number=cert.serial_number,
        not_before=cert.not_valid_before_utc,
        not_after=cert.not_valid_after_utc,
        key=_tolerant(lambda: certificate_key_text(cert)),
        signature_algorithm=_signature_algorithm(cert),
        subject_alternative_names=sans,
        key_usage=found.key_usage,
        extended_key_usage=found.extended_key_usage,
        is_ca=found.is_ca,
        is_self_signed=_signed_by(cert, cert),
        fingerprint_sha256=hashlib.sha256(der).hexdigest(),
        fingerprint_sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        public_key_sha256=_tolerant(lambda: public_key_sha256(cert.public_key())),
        subject_key_identifier=found.subject_key_identifier,
        authority_key_identifier=found.authority_key_identifier,
        subject_der=_name_der(lambda: cert.subject),
        issuer_der=_name_der(lambda: cert.issuer),
    )


def _tolerant(read: Callable[[], str]) -> str:
    try:
        return read()
    except PARSE_ERRORS:
        return UNREADABLE


def _name_der(read: Callable[[], x509.Name]) -> bytes:
    try:
        return read().public_bytes()
    except PARSE_ERRORS:
        return b""


def _signature_algorithm(cert: x509.Certificate) -> str:
    oid = cert.signature_algorithm_oid.dotted_string
    return SIGNATURE_ALGORITHMS.get(oid, oid)


def _signed_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, *PARSE_ERRORS):
        return False
    return True


def _expiry(certificate: Certificate, now: datetime) -> str:
    left = certificate.not_after - now
    day = f"{certificate.not_after:%Y-%m-%d}"
    if left < timedelta():
        return f"It expired on {day}: servers that check answer with the alert certificate_expired."
    return f"It expires on {day}, within {left.days + 1} day(s)." if left <= EXPIRES_SOON else ""


def _start(certificate: Certificate, now: datetime) -> str:
    if now >= certificate.not_before:
        return ""
    start = f"{certificate.not_before:%Y-%m-%d %H:%M} UTC"
    return f"It is not valid before {start} (now it is {now:%Y-%m-%d %H:%M})."


def _extended_usage(certificate: Certificate, now: datetime) -> str:
    usages = certificate.extended_key_usage
    if not usages or UNREADABLE in usages or CLIENT_USAGES & set(usages):
        return ""
    return f"Its extendedKeyUsage lacks clientAuth (it is {', '.join(usages)}): servers that check refuse it."


def _usage(certificate: Certificate, now: datetime) -> str:
    usages = certificate.key_usage
    if not usages or UNREADABLE in usages or "digitalSignature" in usages:
        return ""
    return f"Its keyUsage lacks digitalSignature (it is {', '.join(usages)}): it may not sign a handshake."


def _weak_key(certificate: Certificate, now: datetime) -> str:
    bits = rsa_bits(certificate.key)
    if bits is None or bits >= WEAK_RSA_BITS:
        return ""
    return f"Its RSA key has {bits} bits; OpenSSL at its usual security level wants {WEAK_RSA_BITS}."


def _weak_signature(certificate: Certificate, now: datetime) -> str:
    name = certificate.signature_algorithm
    return f"It is signed with {name}, which current TLS libraries refuse." if name in WEAK_SIGNATURES else ""


WARNINGS: tuple[Callable[[Certificate, datetime], str], ...] = (
    _expiry,
    _start,
    _extended_usage,
    _usage,
    _weak_key,
    _weak_signature,
)


_WITHOUT_CERTIFICATE: dict[str, str | bool] = {
    "certPresented": "0",
    "certVerified": NOT_PRESENTED,
    "certRevoked": "0",
    "certIssuerDN": "",
    "certSubjectDN": "",
    "certIssuerDNRFC2253": "",
    "certSubjectDNRFC2253": "",
    "certIssuerDNLegacy": "",
    "certSubjectDNLegacy": "",
    "certSerial": "",
    "certIssuerSerial": "",
    "certSKI": "",
    "certIssuerSKI": "",
    "certFingerprintSHA1": "",
    "certFingerprintSHA256": "",
    "certNotBefore": "",
    "certNotAfter": "",
    "certRFC9440": "",
    "certRFC9440TooLarge": False,
    "certChainRFC9440": "",
    "certChainRFC9440TooLarge": False,
}


def _issuer(chain: Sequence[Certificate]) -> Certificate | None:
    if chain[0].is_self_signed:
        return chain[0]
    return chain[1] if len(chain) > 1 else None


def _described(leaf: Certificate, issuer: Certificate | None) -> dict[str, str | bool]:
    return {
        "certIssuerDN": leaf.issuer,
        "certSubjectDN": leaf.subject,
        "certIssuerDNRFC2253": leaf.issuer,
        "certSubjectDNRFC2253": leaf.subject,
        "certIssuerDNLegacy": leaf.issuer_legacy,
        "certSubjectDNLegacy": leaf.subject_legacy,
        "certSerial": leaf.serial_hex,
        "certIssuerSerial": issuer.serial_hex if issuer else "",
        "certSKI": leaf.subject_key_identifier.upper(),
        "certIssuerSKI": leaf.authority_key_identifier.upper(),
        "certFingerprintSHA1": leaf.fingerprint_sha1,
        "certFingerprintSHA256": leaf.fingerprint_sha256,
        "certNotBefore": _openssl_time(leaf.not_before),
        "certNotAfter": _openssl_time(leaf.not_after),
    }


def _header(name: str, chain: Sequence[Certificate], limit: int) -> dict[str, str | bool]:
    text = ", ".join(f":{base64.b64encode(c.der).decode('ascii')}:" for c in chain)
    return {name: "" if len(text) > limit else text, f"{name}TooLarge": len(text) > limit}


# strftime's %b follows the user's locale; this text never does.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _openssl_time(moment: datetime) -> str:
    return f"{_MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"
