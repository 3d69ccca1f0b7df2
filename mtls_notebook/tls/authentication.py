"""Who is who: certificates, the request for one, the proof of the key, and Finished.

TLS 1.2 and 1.3 spell these differently; one dataclass serves both, with what a version lacks left
empty. The DER of a certificate stays one leaf: `pki` takes it apart.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TypeVar

from mtls_notebook.errors import DecodeError
from mtls_notebook.tls import names
from mtls_notebook.tls.envelope import TLS12, TLS13, Context
from mtls_notebook.tls.extensions import Extension, authorities, find, read_extensions
from mtls_notebook.tls.reader import Reader

_T = TypeVar("_T")

SIGNATURE_ALGORITHMS, CERTIFICATE_AUTHORITIES = 13, 47
ZLIB = 1
LARGEST_INFLATED = 1 << 18
"""The most bytes a compressed certificate may inflate to here; a longer one stays compressed."""


@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """One certificate (DER) and what was sent beside it (TLS 1.3)."""

    der: bytes
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain, the sender's own certificate first; no entries: the sender has none to show.

    `certificate_request_context` is None in TLS 1.2, which has no such field.
    """

    certificate_request_context: bytes | None
    entries: tuple[CertificateEntry, ...]


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a server wants from the client's certificate.

    `certificate_types` is TLS 1.2's, `certificate_request_context` (else None) and `extensions` TLS 1.3's;
    `certificate_authorities` holds DER Names.
    """

    certificate_request_context: bytes | None
    certificate_types: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    certificate_authorities: tuple[bytes, ...]
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class CertificateVerify:
    """A signature over the handshake so far; `algorithm` is None before TLS 1.2."""

    algorithm: int | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class CompressedCertificate:
    """A Certificate message compressed.

    `inflated` (the body of the Certificate message) and `certificate` are there for zlib within
    LARGEST_INFLATED, else empty and None.
    """

    algorithm: int
    uncompressed_length: int
    compressed: bytes
    inflated: bytes
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A MAC over the handshake so far: both sides saw the same."""

    verify_data: bytes


def certificate(reader: Reader, context: Context) -> Certificate:
    """Return a Certificate of the context's version.

    Source: RFC 8446 §4.4.2, RFC 5246 §7.4.2.
    """
    if context.version >= TLS13:
        return Certificate(
            reader.vector("certificate_request_context", 1),
            reader.items("certificate_list", 3, "CertificateEntry", _entry),
        )
    ders = reader.vectors("certificate_list", 3, "ASN.1Cert", 3, item_minimum=1)
    return Certificate(None, tuple(map(CertificateEntry, ders)))


def _entry(reader: Reader) -> CertificateEntry:
    der = reader.vector("cert_data", 3, minimum=1)
    return CertificateEntry(der, read_extensions(reader, "Certificate"))


def certificate_request(reader: Reader, context: Context) -> CertificateRequest:
    """Return a CertificateRequest of the context's version.

    Source: RFC 8446 §4.3.2, RFC 5246 §7.4.4 (RFC 4346 §7.4.4 has no algorithms).
    """
    return _request_13(reader) if context.version >= TLS13 else _request_12(reader, context)


def _request_13(reader: Reader) -> CertificateRequest:
    request_context = reader.vector("certificate_request_context", 1)
    extensions = read_extensions(reader, "CertificateRequest")
    return CertificateRequest(
        certificate_request_context=request_context,
        certificate_types=(),
        signature_algorithms=_items(extensions, SIGNATURE_ALGORITHMS, int),
        certificate_authorities=_items(extensions, CERTIFICATE_AUTHORITIES, bytes),
        extensions=extensions,
    )


def _items(extensions: tuple[Extension, ...], number: int, kind: type[_T]) -> tuple[_T, ...]:
    """Return the items of the extension `number`, whose form is a list of `kind`; none if it is absent."""
    found = find(extensions, number)
    values = found.value if found and isinstance(found.value, tuple) else ()
    return tuple(item for item in values if isinstance(item, kind))


def _request_12(reader: Reader, context: Context) -> CertificateRequest:
    return CertificateRequest(
        certificate_request_context=None,
        certificate_types=reader.numbers(
            "certificate_types", 1, "ClientCertificateType", 1, names.CERTIFICATE_TYPES, minimum=1
        ),
        signature_algorithms=_algorithms(reader) if context.version >= TLS12 else (),
        certificate_authorities=authorities(reader, "certificate_authorities"),
        extensions=(),
    )


def _algorithms(reader: Reader) -> tuple[int, ...]:
    return reader.numbers(
        "supported_signature_algorithms",
        2,
        "SignatureAndHashAlgorithm",
        2,
        names.SIGNATURE_SCHEMES,
        minimum=2,
    )


def certificate_verify(reader: Reader, context: Context) -> CertificateVerify:
    """Return a CertificateVerify.

    Source: RFC 8446 §4.4.3, RFC 5246 §7.4.8 (RFC 4346 §7.4.8 has no algorithm).
    """
    algorithm = reader.u16("algorithm", names.SIGNATURE_SCHEMES) if context.version >= TLS12 else None
    return CertificateVerify(algorithm, reader.vector("signature", 2))


def finished(reader: Reader) -> Finished:
    """Return a Finished, its length being the hash's.

    Source: RFC 8446 §4.4.4, RFC 5246 §7.4.9.
    """
    return Finished(reader.rest("verify_data"))


def compressed_certificate(reader: Reader, context: Context) -> CompressedCertificate:
    """Return a CompressedCertificate, inflated when that is zlib and small enough.

    Raises: DecodeError when the zlib data, or the message inside, does not decode.
    Source: RFC 8879 §4.
    """
    algorithm = reader.u16("algorithm", names.CERTIFICATE_COMPRESSION)
    length = reader.u24("uncompressed_length")
    begin = reader.position + 3
    compressed = reader.vector("compressed_certificate_message", 3, minimum=1)
    if algorithm != ZLIB or length > LARGEST_INFLATED:
        return CompressedCertificate(algorithm, length, compressed, b"", None)
    try:
        inflated = _inflate(compressed, length)
        chain = _inner_certificate(inflated, context)
    except (zlib.error, ValueError) as error:
        raise reader.error(str(error), "compressed_certificate_message", begin) from error
    except DecodeError as error:  # its offset counts inflated bytes, which no one can look up in the message
        text = f"inflates to a body that does not decode: {error.message}"
        raise reader.error(text, "compressed_certificate_message", begin) from error
    return CompressedCertificate(algorithm, length, compressed, inflated, chain)


def _inner_certificate(inflated: bytes, context: Context) -> Certificate:
    reader = Reader(inflated, "Certificate")
    chain = certificate(reader, context)
    reader.finish()
    return chain


def _inflate(compressed: bytes, length: int) -> bytes:
    """Return exactly `length` inflated bytes; never more than one byte beyond is produced."""
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(compressed, length + 1)
    if len(inflated) != length or not inflater.eof or inflater.unused_data:
        raise ValueError(f"does not inflate to the {length} bytes it declares")
    return inflated
