"""Extensions: one function per form, and the table that says which form stands in which message.

An extension's body is cut to its declared length first, then its form must use it up exactly. A
type without a row keeps its bytes. Larger forms live beside this file: `key_shares`, `evidence`,
`encrypted_client_hello`, `distinguished_names`. No message is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter

from mtls_notebook.tls import encrypted_client_hello, evidence, key_shares, names
from mtls_notebook.tls.distinguished_names import (
    ATTRIBUTE_MEANINGS,
    read_name_or_bytes,
    read_object_identifier,
)
from mtls_notebook.tls.reader import Reader, meaning_of

Form = Callable[[Reader], object]
ANY = "*"


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: its number and name, what its body says (None: nothing), and the body's bytes."""

    type: int
    name: str
    value: object
    data: bytes


@dataclass(frozen=True, slots=True)
class ServerName:
    """The host a client wants to reach."""

    name_type: int
    name: str


@dataclass(frozen=True, slots=True)
class PskIdentity:
    """A ticket (or an external key's label) and its age, hidden by an addition.

    Units: `obfuscated_ticket_age` in milliseconds plus ticket_age_add, modulo 2^32.
    """

    identity: bytes
    obfuscated_ticket_age: int


@dataclass(frozen=True, slots=True)
class OfferedPsks:
    """What a client offers to resume: identities, and a proof of possession for each."""

    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OidFilter:
    """A condition on the client's certificate: an extension (dotted) and the DER of the value it needs."""

    certificate_extension_oid: str
    certificate_extension_values: bytes


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """How many tickets a client wants after a new and after a resumed session."""

    new_session_count: int
    resumption_count: int


def read_extensions(reader: Reader, message: str) -> tuple[Extension, ...]:
    """Return the extension block of `message`, a handshake message's kind.

    Source: RFC 8446 §4.2.
    """

    def read(body: Reader) -> Extension:
        return _extension(body, message)

    return reader.items("extensions", 2, "extension", read, describe=lambda extension: extension.name)


def _extension(reader: Reader, message: str) -> Extension:
    number = reader.u16("extension_type", names.EXTENSION_TYPES)
    form = EXTENSIONS.get((message, number)) or EXTENSIONS.get((ANY, number), as_bytes)
    begin = reader.position + 2
    value = reader.nested(names.EXTENSIONS.get(number, "extension_data"), 2, form)
    name = meaning_of(names.EXTENSION_TYPES, number, 2)
    return Extension(number, name, value, reader.data[begin : reader.position])


def find(extensions: Iterable[Extension], number: int) -> Extension | None:
    """Return the first extension of type `number`, or None."""
    return next((extension for extension in extensions if extension.type == number), None)


# Forms


def as_bytes(reader: Reader) -> bytes:
    """Return the whole body, one leaf."""
    return reader.rest("data")


def empty(reader: Reader) -> None:
    """Return None: in this message the extension is a flag, any body is left over."""


def number(name: str, width: int, table: dict[int, str] | None = None) -> Form:
    """Return the form of one number."""
    return lambda reader: reader.number(name, width, table)


def numbers(
    name: str,
    prefix: int,
    item: str,
    width: int,
    table: dict[int, str],
    *,
    minimum: int = 1,
    maximum: int | None = None,
) -> Form:
    """Return the form of a vector of numbers."""
    return lambda reader: reader.numbers(name, prefix, item, width, table, minimum=minimum, maximum=maximum)


def opaque(name: str, prefix: int, minimum: int = 0) -> Form:
    """Return the form of one opaque vector."""
    return lambda reader: reader.vector(name, prefix, minimum)


def server_names(reader: Reader) -> tuple[ServerName, ...]:
    """Return the names in a ClientHello.

    Source: RFC 6066 §3.
    """
    return reader.items("server_name_list", 2, "ServerName", _server_name, minimum=1, describe=lambda n: n.name)


def _server_name(reader: Reader) -> ServerName:
    return ServerName(reader.u8("name_type", names.NAME_TYPES), reader.text("host_name", 2, minimum=1))


def protocol_names(reader: Reader) -> tuple[str, ...]:
    """Return application protocols, the preferred first.

    Source: RFC 7301 §3.1.
    """
    return reader.many("protocol_name_list", 2, lambda r, _: r.text("ProtocolName", 1, minimum=1), minimum=2)


def offered_psks(reader: Reader) -> OfferedPsks:
    """Return a ClientHello's pre_shared_key.

    Source: RFC 8446 §4.2.11.
    """
    identities = reader.items("identities", 2, "PskIdentity", _psk_identity, minimum=7)
    binders = reader.vectors("binders", 2, "PskBinderEntry", 1, minimum=33, item_minimum=32)
    return OfferedPsks(identities, binders)


def _psk_identity(reader: Reader) -> PskIdentity:
    return PskIdentity(reader.vector("identity", 2, minimum=1), reader.u32("obfuscated_ticket_age"))


def authorities(reader: Reader, name: str = "authorities") -> tuple[bytes, ...]:
    """Return the DER Names of accepted CAs: TLS 1.3's extension and TLS 1.2's field, by its `name`, alike.

    An empty list is read although TLS 1.3 forbids it, for servers do send it.
    Source: RFC 8446 §4.2.4, RFC 5246 §7.4.4.
    """

    def read(body: Reader, _: int) -> tuple[bytes, str]:
        return body.nested("DistinguishedName", 2, read_name_or_bytes, minimum=1, describe=itemgetter(1))

    found = reader.many(name, 2, read)
    return tuple(der for der, _ in found)


def oid_filters(reader: Reader) -> tuple[OidFilter, ...]:
    """Return a CertificateRequest's filters.

    Source: RFC 8446 §4.2.5.
    """
    return reader.items("filters", 2, "OIDFilter", _oid_filter, describe=_filter_meaning)


def _oid_filter(reader: Reader) -> OidFilter:
    return OidFilter(
        reader.nested("certificate_extension_oid", 1, read_object_identifier, minimum=1),
        reader.vector("certificate_extension_values", 2),
    )


def _filter_meaning(oid_filter: OidFilter) -> str:
    oid = oid_filter.certificate_extension_oid
    return CERTIFICATE_EXTENSIONS.get(oid) or ATTRIBUTE_MEANINGS.get(oid, oid)


def ticket_request(reader: Reader) -> TicketRequest:
    """Return a ClientHello's wish for tickets.

    Source: RFC 9149 §3.
    """
    return TicketRequest(reader.u8("new_session_count"), reader.u8("resumption_count"))


CERTIFICATE_EXTENSIONS: dict[str, str] = {
    "2.5.29.15": "keyUsage",
    "2.5.29.17": "subjectAltName",
    "2.5.29.19": "basicConstraints",
    "2.5.29.32": "certificatePolicies",
    "2.5.29.37": "extKeyUsage",
}
"""Extensions a filter may name. Source: RFC 5280 §4.2.1."""

_signature_algorithms = numbers(
    "supported_signature_algorithms", 2, "SignatureScheme", 2, names.SIGNATURE_SCHEMES, minimum=2
)
_certificate_formats = numbers("certificate_types", 1, "CertificateType", 1, names.CERTIFICATE_FORMATS)

EXTENSIONS: dict[tuple[str, int], Form] = {
    ("ClientHello", 0): server_names,
    (ANY, 0): empty,
    (ANY, 1): number("max_fragment_length", 1, names.MAX_FRAGMENT_LENGTHS),
    (ANY, 4): empty,
    ("ClientHello", 5): evidence.status_request,
    ("Certificate", 5): evidence.certificate_status,
    (ANY, 5): empty,
    (ANY, 10): numbers("named_group_list", 2, "NamedGroup", 2, names.NAMED_GROUPS, minimum=2),
    (ANY, 11): numbers("ec_point_format_list", 1, "ECPointFormat", 1, names.POINT_FORMATS),
    (ANY, 13): _signature_algorithms,
    (ANY, 15): number("mode", 1, names.HEARTBEAT_MODES),
    (ANY, 16): protocol_names,
    ("ClientHello", 17): evidence.status_request_v2,
    (ANY, 17): empty,
    ("ClientHello", 18): empty,
    ("CertificateRequest", 18): empty,
    (ANY, 18): evidence.certificate_timestamps,
    ("ClientHello", 19): _certificate_formats,
    (ANY, 19): number("certificate_type", 1, names.CERTIFICATE_FORMATS),
    ("ClientHello", 20): _certificate_formats,
    (ANY, 20): number("certificate_type", 1, names.CERTIFICATE_FORMATS),
    (ANY, 21): lambda reader: reader.rest("padding"),
    (ANY, 22): empty,
    (ANY, 23): empty,
    (ANY, 27): numbers(
        "algorithms",
        1,
        "CertificateCompressionAlgorithm",
        2,
        names.CERTIFICATE_COMPRESSION,
        minimum=2,
        maximum=254,
    ),
    (ANY, 28): number("RecordSizeLimit", 2),
    ("Certificate", 34): evidence.delegated_credential,
    (ANY, 34): _signature_algorithms,
    ("ClientHello", 35): lambda reader: reader.rest("ticket"),
    (ANY, 35): empty,
    ("ClientHello", 41): offered_psks,
    (ANY, 41): number("selected_identity", 2),
    ("NewSessionTicket", 42): number("max_early_data_size", 4),
    (ANY, 42): empty,
    ("ClientHello", 43): numbers("versions", 1, "ProtocolVersion", 2, names.VERSIONS, minimum=2, maximum=254),
    (ANY, 43): number("selected_version", 2, names.VERSIONS),
    (ANY, 44): opaque("cookie", 2, minimum=1),
    (ANY, 45): numbers("ke_modes", 1, "PskKeyExchangeMode", 1, names.PSK_MODES),
    (ANY, 47): authorities,
    (ANY, 48): oid_filters,
    (ANY, 49): empty,
    (ANY, 50): _signature_algorithms,
    ("ClientHello", 51): key_shares.client_shares,
    ("HelloRetryRequest", 51): key_shares.selected_group,
    (ANY, 51): key_shares.server_share,
    ("ClientHello", 58): ticket_request,
    (ANY, 58): number("expected_count", 1),
    (ANY, 0xFD00): encrypted_client_hello.outer_extensions,
    ("ClientHello", 0xFE0D): encrypted_client_hello.client_hello,
    ("HelloRetryRequest", 0xFE0D): encrypted_client_hello.confirmation,
    (ANY, 0xFE0D): encrypted_client_hello.retry_configs,
    (ANY, 0xFF01): opaque("renegotiated_connection", 1),
}
"""(message kind, extension type) → form; the row of the message goes before the row for ANY.

Source: IANA "TLS ExtensionType Values"; which message carries which extension: RFC 8446 §4.2.
"""
