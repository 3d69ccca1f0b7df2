"""Encrypted Client Hello: the offer, the retry configurations, the confirmation.

The inner ClientHello is encrypted to a key we do not hold, so `payload` stays one leaf.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtls_notebook.tls.names import (
    ECH_TYPES,
    ECH_VERSIONS,
    EXTENSION_TYPES,
    HPKE_AEADS,
    HPKE_KDFS,
    HPKE_KEMS,
)
from mtls_notebook.tls.reader import Reader

OUTER, INNER = 0, 1
CONFIRMATION_LENGTH = 8


@dataclass(frozen=True, slots=True)
class HpkeSymmetricCipherSuite:
    """An HPKE key derivation function and cipher."""

    kdf_id: int
    aead_id: int


@dataclass(frozen=True, slots=True)
class ECHClientHello:
    """What a ClientHello says about itself: `outer` carries the encrypted inner hello, `inner` nothing."""

    type: int
    cipher_suite: HpkeSymmetricCipherSuite | None = None
    config_id: int | None = None
    enc: bytes = b""
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class ECHConfigContents:
    """A server's public key for encrypted hellos and the name to show in the open."""

    config_id: int
    kem_id: int
    public_key: bytes
    cipher_suites: tuple[HpkeSymmetricCipherSuite, ...]
    maximum_name_length: int
    public_name: str
    extensions: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class ECHConfig:
    """One configuration; `contents` stays bytes when the version is not known."""

    version: int
    contents: ECHConfigContents | bytes


def client_hello(reader: Reader) -> ECHClientHello:
    """Return the extension in a ClientHello; a type from the future keeps its bytes in `payload`.

    Source: RFC 9849 §5.
    """
    kind = reader.u8("type", ECH_TYPES)
    if kind != OUTER:
        return ECHClientHello(kind, payload=b"" if kind == INNER else reader.rest("data"))
    return ECHClientHello(
        type=kind,
        cipher_suite=reader.struct("cipher_suite", _cipher_suite),
        config_id=reader.u8("config_id"),
        enc=reader.vector("enc", 2),
        payload=reader.vector("payload", 2, minimum=1),
    )


def retry_configs(reader: Reader) -> tuple[ECHConfig, ...]:
    """Return the configurations in EncryptedExtensions, sent when the client used an old key.

    Source: RFC 9849 §5.
    """
    return reader.items("retry_configs", 2, "ECHConfig", _config, minimum=4)


def confirmation(reader: Reader) -> bytes:
    """Return the eight bytes by which a HelloRetryRequest accepts the inner hello.

    Source: RFC 9849 §5, §7.2.1.
    """
    return reader.opaque("confirmation", CONFIRMATION_LENGTH)


def outer_extensions(reader: Reader) -> tuple[int, ...]:
    """Return the extensions an inner hello borrows from the outer one.

    Source: RFC 9849 §5.1.
    """
    return reader.numbers("OuterExtensions", 1, "ExtensionType", 2, EXTENSION_TYPES, minimum=2, maximum=254)


def _cipher_suite(reader: Reader) -> HpkeSymmetricCipherSuite:
    return HpkeSymmetricCipherSuite(reader.u16("kdf_id", HPKE_KDFS), reader.u16("aead_id", HPKE_AEADS))


def _config(reader: Reader) -> ECHConfig:
    """Return one configuration.

    Source: RFC 9849 §4.
    """
    version = reader.u16("version", ECH_VERSIONS)
    if version not in ECH_VERSIONS:
        return ECHConfig(version, reader.vector("contents", 2))
    return ECHConfig(version, reader.nested("contents", 2, _contents))


def _contents(reader: Reader) -> ECHConfigContents:
    return ECHConfigContents(
        config_id=reader.u8("config_id"),
        kem_id=reader.u16("kem_id", HPKE_KEMS),
        public_key=reader.vector("public_key", 2, minimum=1),
        cipher_suites=reader.items("cipher_suites", 2, "HpkeSymmetricCipherSuite", _cipher_suite, minimum=4),
        maximum_name_length=reader.u8("maximum_name_length"),
        public_name=reader.text("public_name", 1, minimum=1),
        extensions=reader.items("config_extensions", 2, "ECHConfigExtension", _config_extension),
    )


def _config_extension(reader: Reader) -> tuple[int, bytes]:
    return reader.u16("config_extension_type"), reader.vector("config_extension_data", 2)
