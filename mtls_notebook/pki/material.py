"""What a file given as certificate or key actually holds, found from its content.

File names lie, so nobody asks them. PEM armour is read leniently (BOM, CRLF, text around blocks,
indented lines), since files get pasted, mailed and exported; the DER inside is read strictly.
What may not live here: decrypting, pairing a key with a certificate, opening files.

Source: RFC 7468 (PEM labels), RFC 1421 §4.6 (the headers of old encrypted keys).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from .algorithms import PARSE_ERRORS
from .sensitive import Sensitive

CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})
KEY_LABELS = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})
PKCS7_LABELS = frozenset({"PKCS7", "PKCS #7 SIGNED DATA", "CMS"})

# What other PEM labels are called in words.
OTHER_LABELS = {
    "CERTIFICATE REQUEST": "a certificate signing request",
    "NEW CERTIFICATE REQUEST": "a certificate signing request",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "X509 CRL": "a certificate revocation list",
    "OPENSSH PRIVATE KEY": "an OpenSSH private key",
    "SSH2 PUBLIC KEY": "an SSH public key",
    "EC PARAMETERS": "elliptic curve parameters",
    "DH PARAMETERS": "Diffie-Hellman parameters",
    "PGP MESSAGE": "an OpenPGP message",
    "PGP PUBLIC KEY BLOCK": "an OpenPGP public key",
    "PGP PRIVATE KEY BLOCK": "an OpenPGP private key",
}

# How files that are neither PEM nor DER begin (lower case, after leading blanks).
BEGINNINGS = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<", "an XML or HTML file"),
    (b"{", "JSON"),
    (b"ssh-", "an SSH public key"),
    (b"ecdsa-sha2-", "an SSH public key"),
    (b"putty-user-key-file", "a PuTTY private key"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%pdf", "a PDF file"),
    (b"\xfe\xed\xfe\xed", "a Java keystore"),
)

PKCS12 = "a PKCS#12 archive"

_BOUNDARY = re.compile(rb"-----(BEGIN|END) ([^\r\n-]{1,64})-----")
_PKCS12_START = re.compile(rb"\A\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03\x30", re.DOTALL)
_BARE_BASE64 = re.compile(rb"\AMI[A-Za-z0-9+/=\s]+\Z")
_BLANKS = b" \t\r\n\0"


@dataclass(frozen=True, slots=True)
class EncodedKey:
    """A private key as it stood in the file, perhaps encrypted; `is_pem` when it needs its PEM headers."""

    encoded: Sensitive
    is_pem: bool


@dataclass(frozen=True, slots=True)
class Material:
    """What a file holds: certificates (DER), private keys, and `others` in words ("a public key")."""

    certificates: tuple[bytes, ...] = ()
    keys: tuple[EncodedKey, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def is_pkcs12(self) -> bool:
        """Return whether the file is a PKCS#12 archive (RFC 7292)."""
        return PKCS12 in self.others

    def describe(self) -> str:
        """Return what the file holds, in words: "a private key and a public key"."""
        words = (
            ["a certificate"] * bool(self.certificates)
            + ["a private key"] * bool(self.keys)
            + list(dict.fromkeys(self.others))
        )
        return " and ".join(words) or "nothing that looks like PEM or DER"


def examine(data: bytes) -> Material:
    """Return what `data`, the content of a whole file, holds. Never raises for odd content."""
    text = _without_byte_order_mark(data)
    blocks = _BOUNDARY.search(text)
    if blocks:
        return _gather(_pem_parts(text))
    return _gather([_unarmoured(Sensitive(data))])


def _gather(parts: Iterator[Material] | list[Material]) -> Material:
    parts = list(parts)
    return Material(
        tuple(dict.fromkeys(der for part in parts for der in part.certificates)),
        tuple(key for part in parts for key in part.keys),
        tuple(word for part in parts for word in part.others),
    )


def _without_byte_order_mark(data: bytes) -> Sensitive:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Sensitive(data.decode("utf-16", "replace").encode())
    return Sensitive(data.removeprefix(b"\xef\xbb\xbf"))


def _pem_parts(text: Sensitive) -> Iterator[Material]:
    """Yield one Material per block: a BEGIN line directly followed by the END line of its label."""
    opened: re.Match[bytes] | None = None
    for boundary in _BOUNDARY.finditer(text):
        label = boundary[2].decode("ascii", "replace")
        if boundary[1] == b"END" and opened is not None and opened[2] == boundary[2]:
            yield _block(label, Sensitive(text[opened.end() : boundary.start()]))
            opened = None
            continue
        if opened is not None:
            yield _damaged(opened[2].decode("ascii", "replace"), "has no END line")
        opened = boundary if boundary[1] == b"BEGIN" else None
    if opened is not None:
        yield _damaged(opened[2].decode("ascii", "replace"), "has no END line")


def _block(label: str, body: Sensitive) -> Material:
    if label in OTHER_LABELS:
        # `openssl ecparam -genkey` writes the curve in front of the key, where it says nothing new.
        return Material() if label == "EC PARAMETERS" else Material(others=(OTHER_LABELS[label],))
    headers, encoded = _split_headers(body)
    try:
        der = Sensitive(binascii.a2b_base64(encoded, strict_mode=True))
    except binascii.Error:
        return _damaged(label, "is not valid Base64")
    if label in KEY_LABELS and headers:
        return Material(keys=(EncodedKey(_armour(label, headers, der), True),))
    reader = next((read for labels, read in _READERS if label in labels), None)
    return reader(der) if reader else Material(others=(f"a PEM block named {label}",))


def _split_headers(body: Sensitive) -> tuple[list[bytes], Sensitive]:
    lines = [line.strip() for line in body.splitlines()]
    headers = [line for line in lines if b":" in line]
    return headers, Sensitive(b"".join(line for line in lines if b":" not in line))


def _armour(label: str, headers: list[bytes], der: bytes) -> Sensitive:
    encoded = binascii.b2a_base64(der, newline=False)
    lines = [encoded[i : i + 64] for i in range(0, len(encoded), 64)]
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    return Sensitive(b"\n".join([begin, *headers, b"", *lines, end, b""]))


def _damaged(label: str, how: str) -> Material:
    return Material(others=(f"a damaged {label} block (it {how})",))


def _certificate(der: bytes) -> Material:
    return Material(certificates=(bytes(der[: _first_element(der)]),))


def _key(der: Sensitive) -> Material:
    return Material(keys=(EncodedKey(der, False),))


def _pkcs7(der: bytes) -> Material:
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(bytes(der))
        return Material(tuple(c.public_bytes(Encoding.DER) for c in certificates))
    except PARSE_ERRORS:
        return Material(others=("a PKCS#7 file without readable certificates",))


_READERS: tuple[tuple[frozenset[str], Callable[[Sensitive], Material]], ...] = (
    (CERTIFICATE_LABELS, _certificate),
    (KEY_LABELS, _key),
    (PKCS7_LABELS, _pkcs7),
)


def _first_element(der: bytes) -> int:
    """Return where the first DER element ends: OpenSSL's TRUSTED CERTIFICATE has more behind it."""
    if len(der) < 2:
        return len(der)
    if der[1] < 0x80:
        return 2 + der[1]
    octets = der[1] & 0x7F
    return 2 + octets + int.from_bytes(der[2 : 2 + octets])


def _unarmoured(data: Sensitive) -> Material:
    if data[:1] == b"\x30":
        return _der(data)
    start = data.lstrip(_BLANKS)[:64].lower()
    for beginning, words in BEGINNINGS:
        if start.startswith(beginning):
            return Material(others=(words,))
    if _BARE_BASE64.match(data.strip(_BLANKS)):
        return Material(others=("Base64 without its BEGIN and END lines",))
    return Material()


def _der(data: Sensitive) -> Material:
    if _PKCS12_START.match(data):
        return Material(others=(PKCS12,))
    end = _first_element(data)
    der = Sensitive(data[:end]) if not data[end:].strip(_BLANKS) else data
    for load, found in _DER_KINDS:
        if _loads(load, der):
            return found(der)
    return Material(others=("DER of an unknown kind",))


def _loads(load: Callable[[bytes], object], der: bytes) -> bool:
    try:
        load(bytes(der))
    except PARSE_ERRORS:
        return False
    return True


def _is_private_key(der: bytes) -> None:
    try:
        serialization.load_der_private_key(der, None)
    except TypeError:
        return  # encrypted: a key all the same


def _other(words: str) -> Callable[[Sensitive], Material]:
    return lambda der: Material(others=(words,))


_DER_KINDS: tuple[tuple[Callable[[bytes], object], Callable[[Sensitive], Material]], ...] = (
    (x509.load_der_x509_certificate, _certificate),
    (_is_private_key, _key),
    (x509.load_der_x509_csr, _other("a certificate signing request")),
    (serialization.load_der_public_key, _other("a public key")),
    (x509.load_der_x509_crl, _other("a certificate revocation list")),
    (pkcs7.load_der_pkcs7_certificates, _pkcs7),
)
