"""Names of public keys and signature algorithms, and which of them are weak.

Tables first: adding an algorithm is adding a row. What may not live here: private keys.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

UNREADABLE = "unreadable"

# What `cryptography` raises while it parses, at load time or later from a lazy property.
PARSE_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

# RFC 3279 §2.2, RFC 4055 §5, RFC 5758 §3, RFC 8410 §3, RFC 9881 §2.
SIGNATURE_ALGORITHMS = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10040.4.3": "dsa-with-SHA1",
    "2.16.840.1.101.3.4.3.2": "dsa-with-SHA256",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.1": "ecdsa-with-SHA224",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

# RFC 9155: MD5 and SHA-1 signatures no longer count.
WEAK_SIGNATURES = frozenset(
    name for name in SIGNATURE_ALGORITHMS.values() if name.startswith(("md2", "md5")) or "sha1" in name.lower()
)

# RFC 8422 §5.1.1 curve names as people say them.
CURVES = {
    "secp256r1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}

# RFC 4055 §1.2: a key under this OID signs RSASSA-PSS only.
RSASSA_PSS = "1.2.840.113549.1.1.10"

# RFC 8446 §4.2.3: what a key can sign with in TLS, preferred first (the pkcs1 ones in TLS 1.2 only).
_RSA_SCHEMES = (
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha384",
    "rsa_pkcs1_sha512",
)
SIGNATURE_SCHEMES = {
    "RSA": _RSA_SCHEMES,
    "ECDSA P-256": ("ecdsa_secp256r1_sha256",),
    "ECDSA P-384": ("ecdsa_secp384r1_sha384",),
    "ECDSA P-521": ("ecdsa_secp521r1_sha512",),
    "Ed25519": ("ed25519",),
    "Ed448": ("ed448",),
}


def key_text(key: PublicKeyTypes) -> str:
    """Return the key's kind and size: "ECDSA P-256", "RSA 2048", "Ed25519"."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    return type(key).__name__.removesuffix("PublicKey")


def certificate_key_text(cert: x509.Certificate) -> str:
    """Return `key_text` of the certificate's key, naming RSA keys that may only sign RSASSA-PSS."""
    text = key_text(cert.public_key())
    return text.replace("RSA", "RSA-PSS") if cert.public_key_algorithm_oid.dotted_string == RSASSA_PSS else text


def public_key_sha256(key: PublicKeyTypes) -> str:
    """Return the SHA-256 of the key as SubjectPublicKeyInfo, in hex: equal for both halves of a pair."""
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()


def signature_schemes(key: str) -> tuple[str, ...]:
    """Return the TLS signature schemes a key of this `key_text` can use; () when TLS has none for it."""
    return SIGNATURE_SCHEMES.get("RSA" if key.startswith("RSA ") else key, ())


def rsa_bits(key: str) -> int | None:
    """Return the modulus length in bits when `key` is the text of an RSA key, else None."""
    kind, _, size = key.partition(" ")
    return int(size) if kind == "RSA" and size.isdigit() else None
