"""Private keys, opened: decrypting them, and saying why one cannot be opened.

What may not live here: certificates, pairing, keeping a key.
Source: RFC 5958 (PKCS#8), RFC 8017 A.1.2 (PKCS#1), RFC 5915 (SEC 1), RFC 7292 (PKCS#12).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from ..errors import MaterialError, NoPrivateKey, PasswordRequired, WrongPassword
from .algorithms import PARSE_ERRORS, key_text, signature_schemes
from .material import EncodedKey
from .sensitive import Sensitive

PasswordSource = Callable[[], bytes | str | None] | bytes | str | None

_CONVERT_KEY = "Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem"
_CONVERT_PKCS12 = "Convert it with: openssl pkcs12 -legacy -in OLD.p12 -out NEW.pem, then --cert NEW.pem"
_SUPPORTED = "Use an RSA, ECDSA (P-256, P-384, P-521), Ed25519 or Ed448 key."


class Password:
    """A passphrase that is asked for when it is first needed, at most once, and never shown."""

    __slots__ = ("_answer", "_source")

    def __init__(self, source: PasswordSource) -> None:
        self._source = source
        self._answer: Sensitive | None = None
        if isinstance(source, bytes | str):
            self._source, self._answer = None, _bytes_of(source)

    def __repr__(self) -> str:
        return "<Password, not shown>"

    def given(self, label: str) -> Sensitive:
        """Return the passphrase.

        Raises: PasswordRequired, naming `label`, when there is none.
        """
        if callable(self._source):
            ask, self._source = self._source, None
            self._answer = _bytes_of(ask() or b"")
        if not self._answer:
            raise PasswordRequired(
                f"{label} is encrypted and no passphrase was given.",
                "Type it when asked, or name the environment variable that holds it: --password-env VAR.",
            )
        return self._answer


def _bytes_of(passphrase: bytes | str) -> Sensitive:
    return Sensitive(passphrase.encode() if isinstance(passphrase, str) else passphrase)


def open_key(encoded: EncodedKey, password: Password, label: str) -> PrivateKeyTypes:
    """Return the private key, decrypted if need be, of a kind that can sign in TLS.

    Raises: NoPrivateKey (it does not parse), PasswordRequired, WrongPassword, MaterialError (its kind
    or its encryption is not supported).
    """
    try:
        key = _load(encoded, None)
    except TypeError:  # `cryptography` says so when a key is encrypted
        key = _decrypt(encoded, password, label)
    except UnsupportedAlgorithm as error:
        raise MaterialError(f"{label} holds a private key of an unsupported kind.", _SUPPORTED) from error
    except ValueError as error:
        raise NoPrivateKey(
            f"{label} holds a private key that does not parse ({len(encoded.encoded):,} bytes).",
            "It may be cut off or changed on the way: copy the file again.",
        ) from error
    return _usable(key, label)


def open_pkcs12(data: bytes, password: Password, label: str) -> tuple[PrivateKeyTypes, tuple[bytes, ...]]:
    """Return the private key of the archive and its certificates (DER), the key's own first.

    Raises: PasswordRequired, WrongPassword, NoPrivateKey, MaterialError.
    """
    archive = _load_pkcs12(Sensitive(data), password, label)
    found = ([archive.cert] if archive.cert else []) + archive.additional_certs
    if archive.key is None:
        raise NoPrivateKey(
            f"{label} is a PKCS#12 archive with {len(found)} certificate(s) and no private key.",
            "Export it again with its private key.",
        )
    certificates = tuple(item.certificate.public_bytes(Encoding.DER) for item in found)
    return _usable(archive.key, label), certificates


def _load(encoded: EncodedKey, password: bytes | None) -> PrivateKeyTypes:
    load = load_pem_private_key if encoded.is_pem else load_der_private_key
    return load(encoded.encoded, password)


def _decrypt(encoded: EncodedKey, password: Password, label: str) -> PrivateKeyTypes:
    answer = password.given(label)
    try:
        return _load(encoded, answer)
    except UnsupportedAlgorithm as error:
        raise MaterialError(f"{label} is encrypted in a way that is not supported.", _CONVERT_KEY) from error
    except (ValueError, TypeError) as error:
        raise _wrong_password(label) from error


def _load_pkcs12(data: Sensitive, password: Password, label: str) -> pkcs12.PKCS12KeyAndCertificates:
    # An archive "without a password" is encrypted under none or under the empty one, as its writer liked.
    for empty in (None, b""):
        try:
            return pkcs12.load_pkcs12(data, empty)
        except PARSE_ERRORS:
            continue
    answer = password.given(label)
    try:
        return pkcs12.load_pkcs12(data, answer)
    except UnsupportedAlgorithm as error:
        raise MaterialError(f"{label} is encrypted in a way that is not supported.", _CONVERT_PKCS12) from error
    except PARSE_ERRORS as error:
        raise _wrong_password(label) from error


def _wrong_password(label: str) -> WrongPassword:
    return WrongPassword(
        f"{label} does not open with this passphrase.",
        "Type the passphrase again; if you are sure of it, the file is damaged: copy it again.",
    )


def _usable(key: PrivateKeyTypes, label: str) -> PrivateKeyTypes:
    kind = key_text(key.public_key())
    if not signature_schemes(kind):
        raise MaterialError(f"{label} holds a key of kind {kind}, which cannot sign a TLS handshake.", _SUPPORTED)
    return key
