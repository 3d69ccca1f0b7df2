"""Each extension's form, where it differs by message, and what happens to the ones without a form."""

from __future__ import annotations

import pytest
from captured import (
    ECH_CONFIGS,
    OCSP_REQUEST,
    OID_OF_KEY_USAGE,
    SCT,
    certificate,
    certificate_request,
    client_hello,
    encrypted_extensions,
    extension,
    hello_retry_request,
    message,
    server_hello,
    u16,
    vec,
    walk,
)

from mtls_notebook.errors import DecodeError
from mtls_notebook.tls import names
from mtls_notebook.tls.encrypted_client_hello import ECHClientHello, HpkeSymmetricCipherSuite
from mtls_notebook.tls.evidence import CertificateStatus, CertificateStatusRequest, DelegatedCredential
from mtls_notebook.tls.extensions import (
    ANY,
    EXTENSIONS,
    Extension,
    OidFilter,
    PskIdentity,
    ServerName,
    TicketRequest,
    find,
)
from mtls_notebook.tls.key_shares import PARTS, KeyShareEntry
from mtls_notebook.tls.messages import Certificate, decode

HOLDERS = {
    "ClientHello": client_hello,
    "ServerHello": server_hello,
    "HelloRetryRequest": hello_retry_request,
    "EncryptedExtensions": encrypted_extensions,
    "CertificateRequest": certificate_request,
    "Certificate": certificate,
    "NewSessionTicket": lambda *e: message(4, bytes(8), vec(1), vec(2, b"t"), vec(2, *e)),
}


def value_in(kind: str, number: int, *body: bytes) -> object:
    """Return the value of extension `number` as `kind` carries it."""
    found = decode(HOLDERS[kind](extension(number, *body)), "server")
    assert found.kind == kind
    value = found.value
    extensions = value.entries[0].extensions if isinstance(value, Certificate) else value.extensions
    return extensions[0].value


STATUS_REQUEST = CertificateStatusRequest(1, (b"responder",), b"extensions")
CREDENTIAL = DelegatedCredential(7, 0x0403, b"key", 0x0807, b"signature")
CREDENTIAL_BODY = (bytes(3) + b"\7", u16(0x0403), vec(3, b"key"), u16(0x0807), vec(2, b"signature"))
SUITE = HpkeSymmetricCipherSuite(1, 1)

VALUES: list[tuple[str, int, tuple[bytes, ...], object]] = [
    ("ClientHello", 0, (vec(2, b"\0", vec(2, b"a.example")),), (ServerName(0, "a.example"),)),
    ("ServerHello", 0, (), None),
    ("ClientHello", 1, (b"\4",), 4),
    ("ClientHello", 5, (b"\1", OCSP_REQUEST), STATUS_REQUEST),
    ("ServerHello", 5, (), None),
    ("Certificate", 5, (b"\1", vec(3, b"answer")), CertificateStatus(1, (b"answer",))),
    ("ClientHello", 10, (vec(2, u16(29, 0x11EC)),), (29, 0x11EC)),
    ("ClientHello", 11, (vec(1, b"\0\1"),), (0, 1)),
    ("ClientHello", 13, (vec(2, u16(0x0403, 0x0804)),), (0x0403, 0x0804)),
    ("ClientHello", 15, (b"\1",), 1),
    ("EncryptedExtensions", 16, (vec(2, vec(1, b"h2")),), ("h2",)),
    ("ClientHello", 17, (vec(2, b"\1", vec(2, OCSP_REQUEST)),), (STATUS_REQUEST,)),
    ("ClientHello", 18, (), None),
    ("ClientHello", 19, (vec(1, b"\2\0"),), (2, 0)),
    ("EncryptedExtensions", 19, (b"\2",), 2),
    ("ClientHello", 21, (bytes(3),), bytes(3)),
    ("ClientHello", 22, (), None),
    ("ClientHello", 27, (vec(1, u16(2, 1)),), (2, 1)),
    ("ClientHello", 28, (u16(0x4001),), 0x4001),
    ("ClientHello", 34, (vec(2, u16(0x0403)),), (0x0403,)),
    ("Certificate", 34, CREDENTIAL_BODY, CREDENTIAL),
    ("ClientHello", 35, (b"ticket",), b"ticket"),
    ("ServerHello", 35, (), None),
    ("ServerHello", 41, (u16(1),), 1),
    ("ClientHello", 42, (), None),
    ("NewSessionTicket", 42, (b"\0\0\x40\0",), 0x4000),
    ("ClientHello", 43, (vec(1, u16(0x0304)),), (0x0304,)),
    ("ServerHello", 43, (u16(0x0304),), 0x0304),
    ("HelloRetryRequest", 44, (vec(2, b"c"),), b"c"),
    ("ClientHello", 45, (vec(1, b"\1\0"),), (1, 0)),
    ("CertificateRequest", 48, (vec(2, vec(1, OID_OF_KEY_USAGE), vec(2, b"v")),), (OidFilter("2.5.29.15", b"v"),)),
    ("ClientHello", 49, (), None),
    ("ClientHello", 51, (vec(2),), ()),
    ("ServerHello", 51, (u16(29), vec(2, bytes(32))), KeyShareEntry(29, bytes(32))),
    ("HelloRetryRequest", 51, (u16(24),), 24),
    ("ClientHello", 58, (b"\2\1",), TicketRequest(2, 1)),
    ("EncryptedExtensions", 58, (b"\2",), 2),
    ("ClientHello", 0xFD00, (vec(1, u16(10)),), (10,)),
    (
        "ClientHello",
        0xFE0D,
        (b"\0", u16(1, 1), b"\7", vec(2, b"e"), vec(2, b"p")),
        ECHClientHello(0, SUITE, 7, b"e", b"p"),
    ),
    ("ClientHello", 0xFE0D, (b"\1",), ECHClientHello(1)),
    ("HelloRetryRequest", 0xFE0D, (bytes(8),), bytes(8)),
    ("ServerHello", 0xFF01, (vec(1, b"finished"),), b"finished"),
    ("ClientHello", 57, (b"as it is",), b"as it is"),
]


@pytest.mark.parametrize(("kind", "number", "body", "value"), VALUES, ids=[f"{v[0]} {v[1]}" for v in VALUES])
def test_a_body_means_what_its_message_makes_it_mean(
    kind: str, number: int, body: tuple[bytes, ...], value: object
) -> None:
    assert value_in(kind, number, *body) == value


@pytest.mark.parametrize(("kind", "number", "body", "value"), VALUES, ids=[f"{v[0]} {v[1]}" for v in VALUES])
def test_a_body_with_a_byte_too_many_is_refused_unless_it_is_all_bytes(
    kind: str, number: int, body: tuple[bytes, ...], value: object
) -> None:
    is_all_bytes = number in (21, 57) or (kind, number) == ("ClientHello", 35)
    if is_all_bytes:
        assert value_in(kind, number, *body, b"!") == value + b"!"
        return
    with pytest.raises(DecodeError, match="1 byte left over"):
        value_in(kind, number, *body, b"!")


def test_offered_psks_pair_identities_with_binders() -> None:
    offer = value_in("ClientHello", 41, vec(2, vec(2, b"ticket"), bytes(4)), vec(2, vec(1, bytes(32))))
    assert offer.identities == (PskIdentity(b"ticket", 0),)
    assert offer.binders == (bytes(32),)


def test_a_timestamp_is_taken_apart_and_one_of_another_version_kept() -> None:
    first, second = value_in("Certificate", 18, vec(2, vec(2, SCT), vec(2, b"\5new")))
    assert (first.version, first.log_id, first.algorithm, first.signature) == (0, bytes(32), 0x0403, b"signature")
    assert second == b"new"


def test_retry_configurations_are_taken_apart_and_one_of_another_version_kept() -> None:
    first, second = value_in("EncryptedExtensions", 0xFE0D, ECH_CONFIGS)
    assert (first.contents.config_id, first.contents.public_name) == (7, "public.example")
    assert first.contents.cipher_suites == (SUITE,)
    assert first.contents.extensions == ((9, b"x"),)
    assert second.contents == b"older"


def test_an_extension_keeps_number_name_and_bytes() -> None:
    hello = decode(client_hello(extension(0x1234, b"ab"), extension(0x4A4A), extension(23)), "client").value
    assert hello.extensions == (
        Extension(0x1234, "unknown(0x1234)", b"ab", b"ab"),
        Extension(0x4A4A, "GREASE(0x4a4a)", b"", b""),
        Extension(23, "extended_master_secret", None, b""),
    )
    assert find(hello.extensions, 23) == hello.extensions[2]
    assert find(hello.extensions, 24) is None


def test_an_extension_is_named_in_the_tree_and_its_body_after_it() -> None:
    root = decode(client_hello(extension(23), extension(0x1234, b"ab")), "client").field
    nodes = [field for path, field in walk(root) if path[-1:] == ("extension",)]
    assert [(n.meaning, n.children[1].name) for n in nodes] == [
        ("extended_master_secret", "extended_master_secret"),
        ("unknown(0x1234)", "extension_data"),
    ]


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_share_of_every_group_with_parts_is_split_into_them(side: str) -> None:
    numbers = {name: number for number, name in names.NAMED_GROUPS.items()}
    for group, parts in PARTS[side].items():
        share = u16(numbers[group]) + vec(2, bytes(sum(length for _, length in parts)))
        raw = client_hello(extension(51, vec(2, share))) if side == "client" else server_hello(extension(51, share))
        root = decode(raw, side).field
        (exchange,) = (field for path, field in walk(root) if path[-1:] == ("key_exchange",))
        assert tuple((f.name, f.span[1] - f.span[0]) for f in exchange.children[1:]) == parts


def test_every_form_is_exercised_here() -> None:
    tried = {(kind, number) for kind, number, _, _ in VALUES} | {
        ("ClientHello", 41),
        ("Certificate", 18),
        ("EncryptedExtensions", 0xFE0D),
    }
    tried |= {(ANY, number) for kind, number in tried if (kind, number) not in EXTENSIONS}
    like_another = {(ANY, 4), (ANY, 17), (ANY, 23), (ANY, 47), (ANY, 50)}
    like_another |= {("CertificateRequest", 18), ("ClientHello", 20), (ANY, 20)}
    assert EXTENSIONS.keys() - tried == like_another
