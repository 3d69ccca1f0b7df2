"""The hellos: what each side offers and chooses, before anyone is authenticated."""

from __future__ import annotations

from dataclasses import dataclass

from mtls_notebook.tls import names
from mtls_notebook.tls.extensions import Extension, find, read_extensions
from mtls_notebook.tls.reader import Reader

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random that makes a ServerHello a HelloRetryRequest: SHA-256 of that name. Source: RFC 8446 §4.1.3."""

DOWNGRADES: dict[bytes, str] = {
    b"DOWNGRD\x01": "ends in the mark of a TLS 1.3 server that was asked for TLS 1.2",
    b"DOWNGRD\x00": "ends in the mark of a server that was asked for TLS 1.1 or below",
}
"""The last eight bytes of a ServerHello's random. Source: RFC 8446 §4.1.3."""

SUPPORTED_VERSIONS, KEY_SHARE = 43, 51


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers, in order of preference."""

    legacy_version: int
    random: bytes
    legacy_session_id: bytes
    cipher_suites: tuple[int, ...]
    legacy_compression_methods: tuple[int, ...]
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What a server chose; `selected_version` comes from supported_versions where that is present."""

    legacy_version: int
    random: bytes
    legacy_session_id_echo: bytes
    cipher_suite: int
    legacy_compression_method: int
    extensions: tuple[Extension, ...]
    selected_version: int


@dataclass(frozen=True, slots=True)
class HelloRetryRequest(ServerHello):
    """A ServerHello that asks for another ClientHello."""


@dataclass(frozen=True, slots=True)
class EncryptedExtensions:
    """The server's answers that need no key share; the first message under encryption."""

    extensions: tuple[Extension, ...]


def client_hello(reader: Reader) -> ClientHello:
    """Return a ClientHello of any version since SSL 3.0.

    Source: RFC 8446 §4.1.2, RFC 5246 §7.4.1.2.
    """
    return ClientHello(
        legacy_version=reader.u16("legacy_version", names.VERSIONS),
        random=reader.opaque("random", 32),
        legacy_session_id=reader.vector("legacy_session_id", 1, maximum=32),
        cipher_suites=reader.numbers("cipher_suites", 2, "CipherSuite", 2, names.CIPHER_SUITES, minimum=2),
        legacy_compression_methods=reader.numbers(
            "legacy_compression_methods", 1, "CompressionMethod", 1, names.COMPRESSION_METHODS, minimum=1
        ),
        extensions=_extensions_if_any(reader, "ClientHello"),
    )


def server_hello(reader: Reader) -> ServerHello:
    """Return a ServerHello, or a HelloRetryRequest when the random says so.

    Source: RFC 8446 §4.1.3, §4.1.4, RFC 5246 §7.4.1.3.
    """
    legacy_version = reader.u16("legacy_version", names.VERSIONS)
    random = reader.opaque("random", 32, _random_meaning)
    session_id = reader.vector("legacy_session_id_echo", 1, maximum=32)
    cipher_suite = reader.u16("cipher_suite", names.CIPHER_SUITES)
    compression = reader.u8("legacy_compression_method", names.COMPRESSION_METHODS)
    kind = HelloRetryRequest if random == RETRY_RANDOM else ServerHello
    extensions = _extensions_if_any(reader, kind.__name__)
    chosen = find(extensions, SUPPORTED_VERSIONS)
    version = chosen.value if chosen and isinstance(chosen.value, int) else legacy_version
    return kind(legacy_version, random, session_id, cipher_suite, compression, extensions, version)


def encrypted_extensions(reader: Reader) -> EncryptedExtensions:
    """Return EncryptedExtensions.

    Source: RFC 8446 §4.3.1.
    """
    return EncryptedExtensions(read_extensions(reader, "EncryptedExtensions"))


def _extensions_if_any(reader: Reader, message: str) -> tuple[Extension, ...]:
    """Return the extensions; before TLS 1.3 the whole block may be missing (RFC 5246 §7.4.1.2)."""
    return read_extensions(reader, message) if reader.remaining else ()


def _random_meaning(random: bytes) -> str:
    if random == RETRY_RANDOM:
        return "the fixed value that makes this a HelloRetryRequest"
    return DOWNGRADES.get(random[-8:], "")
