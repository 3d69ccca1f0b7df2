"""DER Names become the text that another implementation gives, and anything else a remark."""

from __future__ import annotations

import pytest
from captured import certificate_request, extension, vec, walk
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.tls.distinguished_names import dotted_identifier, name_text
from mtls_notebook.tls.messages import acceptable_parties, decode

KINDS = (
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.EMAIL_ADDRESS,
    NameOID.DOMAIN_COMPONENT,
    NameOID.USER_ID,
    x509.ObjectIdentifier("2.999.1.16384"),
)
attributes = st.builds(
    x509.NameAttribute,
    st.sampled_from(KINDS),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=20),
)
relative_names = st.lists(attributes, min_size=1, max_size=3, unique_by=lambda a: a.oid).map(
    x509.RelativeDistinguishedName
)
distinguished_names = st.lists(relative_names, max_size=5).map(x509.Name)


def tlv(tag: int, *parts: bytes) -> bytes:
    return bytes([tag]) + vec(1, *parts)


def common_name(tag: int, contents: bytes) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\4\3"), tlv(tag, contents))))


def attribute_sets(name: x509.Name) -> list[list[x509.NameAttribute]]:
    return [list(relative) for relative in name.rdns]


@given(st.lists(attributes, max_size=5).map(x509.Name))
def test_a_name_reads_as_cryptography_writes_it(name: x509.Name) -> None:
    assert name_text(name.public_bytes()) == name.rfc4514_string()


@given(distinguished_names)
def test_no_attribute_of_a_name_is_lost(name: x509.Name) -> None:
    text = name_text(name.public_bytes())
    for relative in attribute_sets(name):
        for attribute in relative:
            assert x509.Name([attribute]).rfc4514_string() in text


@pytest.mark.parametrize(
    ("tag", "contents", "text"),
    [
        (0x0C, "Jürgen, CA".encode(), "CN=Jürgen\\, CA"),
        (0x13, b"plain", "CN=plain"),
        (0x14, b"M\xfcnchen", "CN=München"),
        (0x1E, "Ωmega".encode("utf-16-be"), "CN=Ωmega"),
        (0x1C, "x".encode("utf-32-be"), "CN=x"),
        (0x04, b"\xca\xfe", "CN=\\#cafe"),
        (0x0C, b"\xff", "CN=\\\\xff"),
        (0x13, b" #a ", "CN=\\ #a\\ "),
        (0x13, b" ", "CN=\\ "),
        (0x13, b"", "CN="),
    ],
)
def test_each_string_type_is_read_in_its_encoding(tag: int, contents: bytes, text: str) -> None:
    assert name_text(common_name(tag, contents)) == text


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        b"\x30\x05\0",
        b"\x31\0",
        common_name(0x13, b"a") + b"x",
        b"\x30\x80\0\0",  # indefinite length
        b"\x30\x85\0\0\0\0\0",  # a length of five bytes
        tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b""), tlv(0x13, b"a")))),
        tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x84"), tlv(0x13, b"a")))),
    ],
)
def test_bytes_that_are_no_name_become_a_remark(der: bytes) -> None:
    assert name_text(der) == f"(not a DER Name: {len(der)} bytes)"


@given(st.binary(max_size=60))
def test_any_bytes_give_a_text(der: bytes) -> None:
    assert isinstance(name_text(der), str)


def test_an_empty_name_is_a_name() -> None:
    assert name_text(b"\x30\0") == x509.Name([]).rfc4514_string() == ""


def test_a_length_in_long_form_is_read() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 60)] * 5)
    assert name.public_bytes()[1] & 0x80
    assert name_text(name.public_bytes()) == name.rfc4514_string()


@pytest.mark.parametrize(
    ("contents", "dotted"),
    [
        (b"\x55\4\3", "2.5.4.3"),
        (bytes.fromhex("2a864886f70d010901"), "1.2.840.113549.1.9.1"),
        (bytes.fromhex("883703"), "2.999.3"),
        (b"\x00", "0.0"),
        (b"\xff" * 12 + b"\x01", ""),
        (b"\x80", ""),
        (b"", ""),
    ],
)
def test_object_identifiers_are_dotted(contents: bytes, dotted: str) -> None:
    assert dotted_identifier(contents) == dotted


def test_an_odd_name_does_not_hide_the_others() -> None:
    good = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "good")]).public_bytes()
    raw = certificate_request(extension(47, vec(2, vec(2, good), vec(2, b"odd"))))
    assert acceptable_parties(decode(raw, "server")) == ("CN=good", "(not a DER Name: 3 bytes)")


def test_a_name_in_a_request_is_a_subtree_down_to_the_attribute() -> None:
    good = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "good")]).public_bytes()
    raw = certificate_request(extension(47, vec(2, vec(2, good))))
    fields = {path[-1]: field for path, field in walk(decode(raw, "server").field) if path}
    assert fields["DistinguishedName"].meaning == "CN=good"
    assert fields["identifier"].meaning == "commonName"
    assert raw[slice(*fields["string"].span)] == b"good"
    assert fields["string"].meaning == "good"
