"""A certificate chain and its private key, checked as a pair: who a worker is.

This is the only place that holds a key. It leaves through one door, `Identity.load_into`, and never
as text: an Identity shows its subject, and refuses to be pickled or copied.
What may not live here: opening files (callers hand over bytes), trust in servers, the store.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import NoReturn, SupportsIndex

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from ..errors import KeyMismatch, MaterialError, NoPrivateKey, NotACertificate, NotALeaf, UnreadableFile
from . import handover
from .algorithms import public_key_sha256, signature_schemes
from .certificate import Certificate, is_issued_by
from .material import PKCS12, Material, examine
from .private_key import Password, PasswordSource, open_key, open_pkcs12
from .sensitive import Sensitive

CHAIN_LIMIT = 10
LARGEST_FILE_BYTES = 1 << 20

# What OpenSSL says when it will not take a pair that we accepted, by its reason name.
LOAD_REFUSALS = {
    "EE_KEY_TOO_SMALL": "its key is too short for OpenSSL's security level",
    "CA_KEY_TOO_SMALL": "the key of a CA in its chain is too short for OpenSSL's security level",
    "CA_MD_TOO_WEAK": "it is signed with a hash too weak for OpenSSL's security level",
}

PATH_HINT = "Check the path, and that the file was written completely."
PEM_HINT = "A certificate in PEM starts with the line -----BEGIN CERTIFICATE-----"
SWAP_HINT = "The files are swapped: --cert takes the certificate, --key the private key."

# What to do about a file that is something else, by what `Material.others` calls it.
NOT_A_CERTIFICATE = {
    PKCS12: "Give it as --pkcs12 PATH, without --cert and --key.",
    "a certificate signing request": "Send the request to the CA and use the certificate that comes back.",
    "a public key": "The certificate is another file: the CA's signed statement about this key.",
    "an HTML page": "The download was a web page, perhaps a login form: fetch the certificate again.",
    "a Java keystore": "Convert it with: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12",
    "Base64 without its BEGIN and END lines": "Put the BEGIN CERTIFICATE and the END lines around it.",
}
NOT_A_KEY = {
    PKCS12: "Give the archive as --pkcs12 PATH, without --cert and --key.",
    "an OpenSSH private key": "Convert a copy of it with: ssh-keygen -p -m PKCS8 -f COPY",
    "a public key": "A public key is the half that may be shown: find the private key it belongs to.",
}


class Identity:
    """A client certificate chain, leaf first, and its key.

    `notes` says what reading it changed ("the chain was sorted leaf first"). Equal only to itself.
    """

    __slots__ = ("_chain", "_key", "_notes")

    def __init__(self, chain: tuple[Certificate, ...], key: _Sealed, notes: tuple[str, ...] = ()) -> None:
        self._chain, self._key, self._notes = chain, key, notes

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """Return the certificates, leaf first."""
        return self._chain

    @property
    def leaf(self) -> Certificate:
        """Return the certificate the key belongs to."""
        return self._chain[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was changed or left out while reading, one sentence each."""
        return self._notes

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the leaf in hex: a cheap key for caches of contexts."""
        return self.leaf.fingerprint_sha256

    @property
    def key_type(self) -> str:
        """Return the key's kind and size: "ECDSA P-256", "RSA 2048", "Ed25519"."""
        return self.leaf.key

    @property
    def signature_schemes(self) -> tuple[str, ...]:
        """Return the TLS signature schemes this key can use (RFC 8446 §4.2.3)."""
        return signature_schemes(self.key_type)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Make `context` present this chain and sign with its key.

        Raises: MaterialError when OpenSSL refuses the pair (a key too short for its security level).
        """
        chain = Sensitive("".join(certificate.pem() for certificate in self._chain).encode())
        try:
            handover.load_pair(context, chain, self._key.opened())
        except ssl.SSLError as error:
            reason = error.reason or "unknown reason"
            raise MaterialError(
                f"OpenSSL refuses {self.leaf.subject}: {LOAD_REFUSALS.get(reason, reason)} ({reason}).",
                "Ask for a certificate with an ECDSA P-256 or RSA 2048 key, signed with SHA-256.",
            ) from error

    def __repr__(self) -> str:
        return f"<Identity {self.leaf.subject} sha256:{self.fingerprint[:16]}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("An Identity holds a private key: it is not pickled or copied. Upload it where you need it.")


class _Sealed:
    """A private key in an envelope whose repr says nothing."""

    __slots__ = ("_key",)

    def __init__(self, key: PrivateKeyTypes) -> None:
        self._key = key

    def opened(self) -> PrivateKeyTypes:
        return self._key

    def __repr__(self) -> str:
        return "<private key, not shown>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("A private key is not pickled or copied.")


def read_identity(
    cert: bytes,
    key: bytes | None = None,
    password: PasswordSource = None,
    *,
    cert_label: str = "The certificate file",
    key_label: str = "The key file",
) -> Identity:
    """Return the identity in the contents of a certificate file and a key file (or one file with both).

    Shape: PEM, DER or PKCS#7 certificates in any order; PKCS#8, PKCS#1 or SEC 1 key, encrypted or not;
    a PKCS#12 archive given as `cert` alone is opened as one.
    Raises: NotACertificate, NoPrivateKey, PasswordRequired, WrongPassword, KeyMismatch, NotALeaf,
    UnreadableFile (empty, over 1 MiB), MaterialError (a kind of key TLS does not use); nothing is kept then.
    """
    # Rebinding hides the bytes from verbose tracebacks, which print arguments.
    cert, key = Sensitive(cert), None if key is None else Sensitive(key)
    asked, password = Password(password), None
    files = _examined(cert, cert_label)
    key_file = None if key is None else _examined(key, key_label)
    if files.is_pkcs12 and key_file is None:
        return _from_pkcs12(cert, asked, cert_label)
    certificates = _certificates(files, cert_label, swapped=bool(key_file and key_file.certificates))
    holder, label = (key_file, key_label) if key_file else (files, cert_label)
    _require_key(holder, label, files if key_file else None)
    keys = [open_key(encoded, asked, label) for encoded in holder.keys]
    return _pair(certificates, keys, files.others, (cert_label, label))


def read_pkcs12(data: bytes, password: PasswordSource = None, *, label: str = "The archive") -> Identity:
    """Return the identity in a PKCS#12 archive, encryption of old days (RC2, 3DES) included.

    Raises: MaterialError when it is no archive, and what `read_identity` raises.
    """
    data = Sensitive(data)
    asked, password = Password(password), None
    found = _examined(data, label)
    if not found.is_pkcs12:
        raise MaterialError(
            f"{label} holds {found.describe()}, not a PKCS#12 archive.",
            "Give PEM or DER files with --cert and --key instead of --pkcs12.",
        )
    return _from_pkcs12(data, asked, label)


def read_certificates(data: bytes, label: str = "The file") -> tuple[Certificate, ...]:
    """Return all certificates of a PEM bundle, a DER file or a PKCS#7 file, in the order of the file.

    Raises: NotACertificate, saying what the file holds instead.
    """
    return _certificates(_examined(Sensitive(data), label), label, swapped=False)


def _examined(data: Sensitive, label: str) -> Material:
    if len(data) > LARGEST_FILE_BYTES:
        raise UnreadableFile(f"{label} has {len(data):,} bytes: no certificate or key is that large.", PATH_HINT)
    if not data.strip():
        raise UnreadableFile(f"{label} is empty.", PATH_HINT)
    return examine(data)


def _from_pkcs12(data: Sensitive, password: Password, label: str) -> Identity:
    key, encoded = open_pkcs12(data, password, label)
    certificates = _certificates(Material(encoded), label, swapped=False)
    return _pair(certificates, [key], (), (label, label))


def _certificates(files: Material, label: str, *, swapped: bool) -> tuple[Certificate, ...]:
    if not files.certificates:
        hint = SWAP_HINT if swapped else _hint(NOT_A_CERTIFICATE, files, PEM_HINT)
        raise NotACertificate(f"{label} holds {files.describe()}, not a certificate.", hint)
    count = len(files.certificates)
    return tuple(
        Certificate.from_der(der, f"Certificate {i} of {count} in {label}" if count > 1 else label)
        for i, der in enumerate(files.certificates, 1)
    )


def _hint(table: Mapping[str, str], file: Material, otherwise: str) -> str:
    return next((table[words] for words in file.others if words in table), otherwise)


def _require_key(holder: Material, label: str, cert_file: Material | None) -> None:
    """Raise NoPrivateKey unless `holder` has a key; `cert_file` is the other file, if there is one."""
    if holder.keys:
        return
    if cert_file is None:
        raise NoPrivateKey(f"{label} holds {holder.describe()}, no private key.", "Name the key file too: --key PATH")
    hint = _hint(NOT_A_KEY, holder, "Name the file with the private key: --key PATH")
    if cert_file.keys:
        hint = "The certificate file already holds a private key: leave --key out."
    raise NoPrivateKey(f"{label} holds {holder.describe()}, not a private key.", hint)


def _pair(
    certificates: Sequence[Certificate],
    keys: Sequence[PrivateKeyTypes],
    others: Sequence[str],
    labels: tuple[str, str],
) -> Identity:
    pairs = [(c, k) for k in keys for c in certificates if c.public_key_sha256 == public_key_sha256(k.public_key())]
    if not pairs:
        raise _mismatch(certificates, keys[0], labels)
    leaf, key = min(pairs, key=lambda pair: pair[0].is_ca)
    _check_leaf(leaf, labels[0])
    chain = _chain(leaf, certificates)
    return Identity(chain, _Sealed(key), _notes(chain, certificates, others, labels[0]))


def _mismatch(certificates: Sequence[Certificate], key: PrivateKeyTypes, labels: tuple[str, str]) -> KeyMismatch:
    certificate = next((c for c in certificates if not c.is_ca), certificates[0])
    return KeyMismatch(
        f"{labels[1]} does not hold the key of {labels[0]} ({certificate.subject}). Public key SHA-256: "
        f"{public_key_sha256(key.public_key())} (key), {certificate.public_key_sha256} (certificate).",
        "Find the key made for it; compare with: openssl pkey -in KEY -pubout -outform DER | sha256sum",
    )


def _check_leaf(leaf: Certificate, label: str) -> None:
    if leaf.is_ca:
        raise NotALeaf(
            f"{label} holds a CA certificate ({leaf.subject}): it issues certificates, nobody presents it.",
            "Use a certificate issued by it. `openssl req -x509` makes CAs unless told: "
            "-addext basicConstraints=critical,CA:FALSE",
        )
    if not signature_schemes(leaf.key):
        raise MaterialError(
            f"{label} holds a certificate with a key of kind {leaf.key}, which Python's TLS cannot use.",
            "Ask for a certificate with an RSA, ECDSA (P-256, P-384, P-521), Ed25519 or Ed448 key.",
        )


def _chain(leaf: Certificate, pool: Sequence[Certificate]) -> tuple[Certificate, ...]:
    chain = [leaf]
    while len(chain) < CHAIN_LIMIT and not chain[-1].is_self_signed:
        issuer = next((c for c in pool if c not in chain and is_issued_by(chain[-1], c)), None)
        if issuer is None:
            break
        chain.append(issuer)
    return tuple(chain)


def _notes(
    chain: Sequence[Certificate], certificates: Sequence[Certificate], others: Sequence[str], label: str
) -> tuple[str, ...]:
    order = [certificates.index(certificate) for certificate in chain]
    sorted_note = ["The chain was sorted leaf first."] if order != sorted(order) else []
    strangers = [c for c in certificates if c not in chain]
    return (
        *sorted_note,
        *(f"A certificate that does not belong to the chain was left out: {c.subject}" for c in strangers),
        *(f"{label} also holds {words}: it was left out." for words in others),
    )
