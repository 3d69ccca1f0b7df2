"""Algorithms, public keys and signature values as they stand in a certificate.

What a key or a signature looks like inside its BIT STRING depends on the algorithm, so tables lead from
its identifier to a reader. What nobody knows, or what is damaged, stays bytes under its own name.

What may not live here: checking a signature, private keys.
Source: RFC 3279 §2, RFC 4055, RFC 5480, RFC 8410.
"""

from __future__ import annotations

from functools import partial

from ..spans import Field
from .algorithms import SIGNATURE_ALGORITHMS
from .der import Contents, Read, Reader, Shape
from .der_types import ANY, INTEGER, bits_of, either, explicit, identifier, sequence, unused_bits, words

RSA, DSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10040.4.1", "1.2.840.10045.2.1"
RSASSA_PSS, MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
ED25519, ED448, X25519, X448 = "1.3.101.112", "1.3.101.113", "1.3.101.110", "1.3.101.111"

KEY_ALGORITHMS = {
    RSA: "rsaEncryption",
    DSA: "id-dsa",
    EC: "id-ecPublicKey",
    MGF1: "id-mgf1",
    X25519: "X25519",
    X448: "X448",
}
HASHES = {
    "1.3.14.3.2.26": "SHA-1",
    "2.16.840.1.101.3.4.2.1": "SHA-256",
    "2.16.840.1.101.3.4.2.2": "SHA-384",
    "2.16.840.1.101.3.4.2.3": "SHA-512",
    "2.16.840.1.101.3.4.2.4": "SHA-224",
}
ALGORITHMS = SIGNATURE_ALGORITHMS | KEY_ALGORITHMS | HASHES

# RFC 5480 §2.1.1.1, RFC 5639 §4.1: curve → its name and the bytes of one coordinate.
CURVES = {
    "1.2.840.10045.3.1.7": ("P-256", 32),
    "1.3.132.0.34": ("P-384", 48),
    "1.3.132.0.35": ("P-521", 66),
    "1.2.840.10045.3.1.1": ("P-192", 24),
    "1.3.132.0.33": ("P-224", 28),
    "1.3.132.0.10": ("secp256k1", 32),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 32),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 48),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 64),
}
CURVE_NAMES = {dotted: name for dotted, (name, _) in CURVES.items()}


# Algorithm identifiers


def algorithm_identifier(body: Reader) -> Contents:
    """Read an algorithm and its parameters; the value is the algorithm's dotted identifier.

    Source: RFC 5280 §4.1.1.2.
    """
    algorithm = body.element("algorithm", _ALGORITHM_ID)
    shape = PARAMETERS.get(str(algorithm.value), ANY)
    parameters = body.element("parameters", shape) if body.remaining else None
    return algorithm.value, " ".join(filter(None, (words(algorithm), words(parameters))))


def _pss_parameters(body: Reader) -> Contents:
    """Source: RFC 4055 §3.1."""
    hash_algorithm = body.optional("hashAlgorithm", explicit(0, "AlgorithmIdentifier", ALGORITHM))
    body.optional("maskGenAlgorithm", explicit(1, "AlgorithmIdentifier", ALGORITHM))
    salt = body.optional("saltLength", explicit(2, "INTEGER", INTEGER))
    body.optional("trailerField", explicit(3, "INTEGER", INTEGER))
    return None, f"with {hash_algorithm.meaning if hash_algorithm else 'SHA-1'}, salt {words(salt) or 20} bytes"


def _integers(*names: str) -> Read:
    """Return a reader of INTEGERs called `names`, whose first one gives the size in words."""

    def read(body: Reader) -> Contents:
        first, *_ = [body.element(name, INTEGER) for name in names]
        return None, f"{bits_of(first)} bits"

    return read


_ALGORITHM_ID = identifier(ALGORITHMS)
ALGORITHM = sequence("AlgorithmIdentifier", algorithm_identifier)
PARAMETERS = {
    EC: either(identifier(CURVE_NAMES), ANY),
    RSASSA_PSS: either(sequence("RSASSA-PSS-params", _pss_parameters), ANY),
    MGF1: either(ALGORITHM, ANY),
    DSA: either(sequence("Dss-Parms", _integers("p", "q", "g")), ANY),
}
"""Algorithm → what its parameters look like; others are taken apart by their tags alone."""


# Public keys


def public_key_info(body: Reader) -> Contents:
    """Read a SubjectPublicKeyInfo; it means the kind and size of the key.

    Source: RFC 5280 §4.1.2.7.
    """
    algorithm = body.element("algorithm", ALGORITHM)
    kind = str(algorithm.value)
    curve = _curve(algorithm) if kind == EC else ""
    read = partial(_point, curve) if kind == EC else PUBLIC_KEYS.get(kind, _opaque("publicKey"))
    key = body.element("subjectPublicKey", Shape("BIT STRING", {0x03: partial(_whole_bytes, read)}))
    size = key.meaning if kind in {RSA, RSASSA_PSS} else ""
    return None, " ".join(filter(None, (algorithm.meaning, size)))


def _curve(algorithm: Field) -> str:
    parameters = next((child for child in algorithm.children if child.name == "parameters"), None)
    return str(parameters.value) if parameters else ""


def _whole_bytes(read: Read, body: Reader) -> Contents:
    """Read a BIT STRING that carries whole bytes, and what is in them."""
    if unused_bits(body):
        return body.rest("contents"), ""
    return body.attempt(read)


def _opaque(name: str) -> Read:
    return lambda body: (body.rest(name), "")


def _element(name: str, shape: Shape) -> Read:
    """Return a reader of one element of `shape`, called `name`."""

    def read(body: Reader) -> Contents:
        inner = body.element(name, shape)
        return inner.value, inner.meaning

    return read


def _point(curve: str, body: Reader) -> Contents:
    """Read an ECPoint: its form, then one coordinate or both.

    Source: RFC 5480 §2.2, SEC 1 §2.3.3.
    """
    form = body.number("form", 1, POINT_FORMS)
    if form not in POINT_FORMS:
        raise body.error(f"starts with {form:#04x}, which is no form of a point", "form", body.position - 1)
    coordinates = "xy" if form == UNCOMPRESSED else "x"
    size, odd = divmod(body.remaining, len(coordinates))
    expected = CURVES.get(curve, ("", size))[1]
    if odd or size != expected:
        raise body.error(f"has {body.remaining} bytes of coordinates, {len(coordinates) * expected} fit the curve")
    for coordinate in coordinates:
        body.octets(coordinate, size)
    return body.data[body.end - size * len(coordinates) - 1 : body.end], POINT_FORMS[form]


UNCOMPRESSED = 4
POINT_FORMS = {2: "compressed, y is even", 3: "compressed, y is odd", UNCOMPRESSED: "uncompressed"}
_RSA_KEY = _element("RSAPublicKey", sequence("RSAPublicKey", _integers("modulus", "publicExponent")))
PUBLIC_KEYS: dict[str, Read] = {
    RSA: _RSA_KEY,
    RSASSA_PSS: _RSA_KEY,
    DSA: _element("DSAPublicKey", INTEGER),
}
"""Algorithm → what its public key looks like; others are bytes. EC points need their curve too."""


# Signatures


def signature_value(algorithm: str) -> Shape:
    """Return the BIT STRING of a signature made with `algorithm` (dotted)."""
    return Shape("BIT STRING", {0x03: partial(_whole_bytes, SIGNATURES.get(algorithm, _opaque("signature")))})


def _r_and_s(body: Reader) -> Contents:
    body.element("r", INTEGER)
    body.element("s", INTEGER)
    return None, ""


def _halves(size: int) -> Read:
    """Return a reader of an EdDSA signature: a point R and a number S of `size` bytes each.

    Source: RFC 8032 §5.1.6, §5.2.6.
    """

    def read(body: Reader) -> Contents:
        start = body.position
        body.octets("R", size)
        body.octets("S", size)
        return body.data[start : body.position], ""

    return read


_DSA_PAIR = _element("Dss-Sig-Value", sequence("Dss-Sig-Value", _r_and_s))
_ECDSA_PAIR = _element("Ecdsa-Sig-Value", sequence("Ecdsa-Sig-Value", _r_and_s))
_PAIRS = {"ecdsa": _ECDSA_PAIR, "dsa": _DSA_PAIR}
SIGNATURES: dict[str, Read] = {
    dotted: _PAIRS[kind]
    for dotted, name in SIGNATURE_ALGORITHMS.items()
    if (kind := name.partition("-with-")[0]) in _PAIRS
} | {ED25519: _halves(32), ED448: _halves(57)}
"""Algorithm → what its signature looks like; others are bytes."""
