"""Does a signature fit? One table of SignatureSchemes, and the check with the key of a certificate.

Knows numbers, keys and bytes; which bytes a handshake signs is the business of `recorder.proofs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ..tls.authentication import CertificateEntry
from ..tls.evidence import DelegatedCredential
from ..tls.extensions import find
from ..tls.names import SIGNATURE_SCHEMES
from ..tls.reader import meaning_of

DELEGATED_CREDENTIAL = 34
EXPLICIT_VERSION = b"\xa0"
"""The tag that opens a certificate's version, which one of version 1 leaves out. Source: RFC 5280 §4.1."""


class Unverifiable(Exception):
    """A signature that cannot be judged here; the text says why, in plain words."""


@dataclass(frozen=True, slots=True)
class SignatureKind:
    """One way to sign: the class its keys have, and the check that raises InvalidSignature."""

    name: str
    keys: type
    check: Callable[[Any, bytes, bytes, Any], None]  # key, signature, content, hash


def _pss(key: rsa.RSAPublicKey, signature: bytes, content: bytes, hash_: hashes.HashAlgorithm) -> None:
    scheme = padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)
    key.verify(signature, content, scheme, hash_)


ECDSA = SignatureKind("ECDSA", ec.EllipticCurvePublicKey, lambda k, s, c, h: k.verify(s, c, ec.ECDSA(h)))
PKCS1 = SignatureKind("RSA PKCS#1", rsa.RSAPublicKey, lambda k, s, c, h: k.verify(s, c, padding.PKCS1v15(), h))
PSS = SignatureKind("RSA-PSS", rsa.RSAPublicKey, _pss)
ED25519 = SignatureKind("Ed25519", ed25519.Ed25519PublicKey, lambda k, s, c, _: k.verify(s, c))
ED448 = SignatureKind("Ed448", ed448.Ed448PublicKey, lambda k, s, c, _: k.verify(s, c))

SCHEMES: dict[int, tuple[SignatureKind, hashes.HashAlgorithm | None]] = {
    0x0201: (PKCS1, hashes.SHA1()),  # noqa: S303 - what an old TLS 1.2 peer signed is to be read, not trusted
    0x0203: (ECDSA, hashes.SHA1()),  # noqa: S303
    0x0301: (PKCS1, hashes.SHA224()),
    0x0303: (ECDSA, hashes.SHA224()),
    0x0401: (PKCS1, hashes.SHA256()),
    0x0403: (ECDSA, hashes.SHA256()),
    0x0420: (PKCS1, hashes.SHA256()),
    0x0501: (PKCS1, hashes.SHA384()),
    0x0503: (ECDSA, hashes.SHA384()),
    0x0520: (PKCS1, hashes.SHA384()),
    0x0601: (PKCS1, hashes.SHA512()),
    0x0603: (ECDSA, hashes.SHA512()),
    0x0620: (PKCS1, hashes.SHA512()),
    0x0804: (PSS, hashes.SHA256()),
    0x0805: (PSS, hashes.SHA384()),
    0x0806: (PSS, hashes.SHA512()),
    0x0807: (ED25519, None),
    0x0808: (ED448, None),
    0x0809: (PSS, hashes.SHA256()),
    0x080A: (PSS, hashes.SHA384()),
    0x080B: (PSS, hashes.SHA512()),
    0x081A: (ECDSA, hashes.SHA256()),
    0x081B: (ECDSA, hashes.SHA384()),
    0x081C: (ECDSA, hashes.SHA512()),
}
"""SignatureScheme → kind and hash.

Source: RFC 8446 §4.2.3, RFC 5246 §7.4.1.4.1, RFC 8734 §2 (Brainpool); IANA "TLS SignatureScheme" for the legacy rows.
"""

PublicKey = Any
"""One of the key classes of SCHEMES; cryptography has no common type for those that verify."""


def scheme_name(number: int) -> str:
    """Return the RFC name of a SignatureScheme."""
    return meaning_of(SIGNATURE_SCHEMES, number, 2)


def public_key(entry: CertificateEntry) -> PublicKey:
    """Return the key that signs for a certificate: its own, or that of the delegated credential beside it.

    Raises: Unverifiable. Source: RFC 8446 §4.4.2, RFC 9345 §4, RFC 7250 §3 (a bare key in the place of a certificate).
    """
    beside = find(entry.extensions, DELEGATED_CREDENTIAL)
    try:
        if beside is not None and isinstance(beside.value, DelegatedCredential):
            return load_der_public_key(beside.value.subject_public_key_info)
        return _key_of(entry.der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unverifiable("The public key in the certificate is of a kind that cannot be read here.") from error


def _key_of(der: bytes) -> PublicKey:
    try:
        return load_der_public_key(subject_public_key_info(der))
    except ValueError:
        return load_der_public_key(der)


def subject_public_key_info(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo (DER) of a DER certificate.

    Only the way there is read: a proof must not hang on a field that has nothing to do with the key, nor warn of it.
    Raises: ValueError. Source: RFC 5280 §4.1.
    """
    position, _ = _element(certificate, 0)
    position, _ = _element(certificate, position)
    skipped = 5 + (certificate[position : position + 1] == EXPLICIT_VERSION)
    for _ in range(skipped):  # version, serialNumber, signature, issuer, validity, subject
        _, position = _element(certificate, position)
    return certificate[position : _element(certificate, position)[1]]


def _element(der: bytes, position: int) -> tuple[int, int]:
    """Return where the contents of the DER element at `position` begin and end. Raises: ValueError."""
    head = der[position + 1 : position + 2]
    more = head[0] & 0x7F if head and head[0] & 0x80 else 0
    begin = position + 2 + more
    end = begin + (int.from_bytes(der[position + 2 : begin], "big") if more else int.from_bytes(head, "big"))
    if not head or end > len(der):
        raise ValueError("the DER ends too early")
    return begin, end


def key_der(key: PublicKey) -> bytes:
    """Return the key as a DER SubjectPublicKeyInfo."""
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def fits(scheme: int, key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Return whether `signature` over `content` was made with the private half of `key`.

    Raises: Unverifiable when the scheme is not known here.
    """
    kind, hash_ = SCHEMES.get(scheme, (None, None))
    if kind is None:
        raise Unverifiable(f"Signatures of the scheme {scheme_name(scheme)} are not checked here.")
    if not isinstance(key, kind.keys):
        return False
    try:
        kind.check(key, signature, content, hash_)
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError) as error:  # ValueError: the key is too small for the hash, or the like
        raise Unverifiable(f"A signature of {scheme_name(scheme)} with this key cannot be checked here.") from error
    return True
