"""Certificates say what is in them: as openssl reads them, safely, and whatever the bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from openssl_cli import openssl

from mtls_notebook.errors import NotACertificate
from mtls_notebook.pki import distinguished_name
from mtls_notebook.pki.authority import BAD, Authority, Issued, Order, issue_bad
from mtls_notebook.pki.certificate import (
    RFC9440_CHAIN_LIMIT,
    Certificate,
    is_issued_by,
    tls_client_auth,
    verified_text,
    warnings,
)

NOW = datetime.now(UTC)
NAMES = x509.NameOID
ONE_KEY = ec.generate_private_key(ec.SECP256R1())


def made(subject: x509.Name, *extensions: x509.ExtensionType) -> Certificate:
    """Return a self-signed certificate with exactly these extensions."""
    builder = x509.CertificateBuilder(subject, subject, ONE_KEY.public_key(), 1)
    builder = builder.not_valid_before(NOW - timedelta(1)).not_valid_after(NOW + timedelta(100))
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return Certificate.from_der(builder.sign(ONE_KEY, hashes.SHA256()).public_bytes(Encoding.DER))


def named(*values: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values])


def test_facts_are_those_that_openssl_reads(ec_pair: Issued) -> None:
    certificate = ec_pair.certificate

    def read(*what: str) -> str:
        return openssl("x509", "-noout", "-nameopt", "RFC2253", *what, stdin=ec_pair.certificate_pem).decode()

    assert read("-subject").strip() == f"subject={certificate.subject}"
    assert read("-issuer").strip() == f"issuer={certificate.issuer}"
    assert read("-serial").strip() == f"serial={certificate.serial_hex}"
    assert read("-fingerprint", "-sha256").strip().partition("=")[2].replace(":", "").lower() == (
        certificate.fingerprint_sha256
    )
    assert read("-fingerprint", "-sha1").strip().partition("=")[2].replace(":", "").lower() == (
        certificate.fingerprint_sha1
    )
    auth = tls_client_auth([certificate], "SUCCESS", True)
    assert read("-dates").split("\n")[:2] == [
        f"notBefore={auth['certNotBefore']}",
        f"notAfter={auth['certNotAfter']}",
    ]


def test_the_public_key_fingerprint_is_that_of_openssl(rsa_pair: Issued, ec_pair: Issued) -> None:
    for pair in (rsa_pair, ec_pair):
        public = openssl("pkey", "-pubout", "-outform", "DER", stdin=pair.key_pem)
        digest = openssl("dgst", "-sha256", "-r", stdin=public).split()[0].decode()
        assert digest == pair.certificate.public_key_sha256


@pytest.mark.parametrize(
    ("key", "text"),
    [("P-256", "ECDSA P-256"), ("P-384", "ECDSA P-384"), ("RSA-2048", "RSA 2048"), ("Ed25519", "Ed25519")],
)
def test_keys_are_called_what_people_call_them(authority: Authority, key: str, text: str) -> None:
    assert authority.issue("named", key=key).certificate.key == text  # type: ignore[arg-type]


def test_extensions_are_read_under_their_rfc_names(authority: Authority) -> None:
    names = ("example.com", "127.0.0.1", "::1")
    leaf = authority.issue("x", usage=("serverAuth", "1.2.3.4"), names=names).certificate
    assert leaf.subject_alternative_names == ("DNS:example.com", "IP:127.0.0.1", "IP:::1")
    assert leaf.extended_key_usage == ("serverAuth", "1.2.3.4")
    assert leaf.key_usage == ("digitalSignature",)
    assert (leaf.is_ca, leaf.is_self_signed) == (False, False)
    assert leaf.authority_key_identifier == authority.certificate.subject_key_identifier != ""
    assert (authority.certificate.is_ca, authority.certificate.is_self_signed) == (True, True)
    assert is_issued_by(leaf, authority.certificate)
    assert not is_issued_by(leaf, Authority.create("Test CA").certificate)


def test_every_kind_of_alternative_name_has_a_text() -> None:
    names = [
        x509.DNSName("*.example.com"),
        x509.RFC822Name("a@example.com"),
        x509.UniformResourceIdentifier("spiffe://example.com/x"),
        x509.DirectoryName(named((NAMES.COMMON_NAME, "directory"))),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.4"), b"\x05\x00"),
    ]
    certificate = made(x509.Name([]), x509.SubjectAlternativeName(names))
    assert certificate.subject_alternative_names == (
        "DNS:*.example.com",
        "email:a@example.com",
        "URI:spiffe://example.com/x",
        "DirName:CN=directory",
        "RID:1.2.3",
        "otherName:1.2.4",
    )
    assert (certificate.subject, certificate.common_name) == ("", "*.example.com")


def test_names_read_most_specific_first_and_legacy_ones_the_other_way_round() -> None:
    certificate = made(named((NAMES.COUNTRY_NAME, "US"), (NAMES.ORGANIZATION_NAME, "A, B"), (NAMES.COMMON_NAME, "x")))
    assert certificate.subject == "CN=x,O=A\\, B,C=US"
    assert certificate.subject_legacy == "/C=US/O=A, B/CN=x"


def test_control_characters_in_names_are_shown_and_markup_stays_data() -> None:
    certificate = made(named((NAMES.COMMON_NAME, "<b>\x1b[31m\u202ered\x00</b>")))
    assert certificate.subject == "CN=\\<b\\>\\1B[31m\\E2\\80\\AEred\\00\\</b\\>"
    assert certificate.common_name == "<b>\\1B[31m\\E2\\80\\AEred\\00</b>"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_rfc4514_text_reads_back_as_the_same_name(value: str) -> None:
    name = named((NAMES.ORGANIZATION_NAME, value), (NAMES.LOCALITY_NAME, "x"))
    assert x509.Name.from_rfc4514_string(distinguished_name.rfc4514(name)) == name


def test_a_malformed_extension_is_unreadable_and_the_rest_still_readable() -> None:
    broken = x509.UnrecognizedExtension(x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x82\xff")
    certificate = made(named((NAMES.COMMON_NAME, "odd")), broken)
    assert certificate.subject_alternative_names == ("unreadable",)
    assert certificate.common_name == "odd"
    assert warnings(certificate, NOW) == ()


def test_an_extension_given_twice_is_unreadable_and_the_rest_still_readable() -> None:
    extended_key_usage, basic_constraints = b"\x06\x03\x55\x1d\x25", b"\x06\x03\x55\x1d\x13"
    once = made(
        named((NAMES.COMMON_NAME, "odd")),
        x509.BasicConstraints(False, None),
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]),
    )
    twice = Certificate.from_der(once.der.replace(extended_key_usage, basic_constraints))
    assert once.extended_key_usage == ("clientAuth",) and twice.extended_key_usage == ("unreadable",)
    assert twice.common_name == "odd"


WARNED = {
    "expired": "It expired on",
    "not-yet-valid": "It is not valid before",
    "server-usage": "Its extendedKeyUsage lacks clientAuth",
    "weak-key": "Its RSA key has 1024 bits",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_client_certificate_is_warned_about_when_it_shows(authority: Authority, kind: str) -> None:
    found = warnings(issue_bad(authority, kind, Order("bad")).certificate, NOW)
    assert [text.startswith(WARNED.get(kind, "?")) for text in found] == [True] * (kind in WARNED)


def test_a_certificate_about_to_expire_is_warned_about(authority: Authority) -> None:
    leaf = authority.issue("soon", not_after=NOW + timedelta(days=5, hours=1)).certificate
    assert warnings(leaf, NOW) == (f"It expires on {leaf.not_after:%Y-%m-%d}, within 6 day(s).",)
    assert warnings(leaf, leaf.not_after - timedelta(days=31)) == (
        f"It is not valid before {leaf.not_before:%Y-%m-%d %H:%M} UTC "
        f"(now it is {leaf.not_after - timedelta(days=31):%Y-%m-%d %H:%M}).",
    )


def test_a_key_usage_without_signing_is_warned_about() -> None:
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    (text,) = warnings(made(named((NAMES.COMMON_NAME, "x")), usage), NOW)
    assert text.startswith("Its keyUsage lacks digitalSignature (it is keyEncipherment)")


def test_a_sha1_signature_is_warned_about(ec_pair: Issued) -> None:
    pem = openssl("req", "-x509", "-new", "-sha1", "-key", "/dev/stdin", "-subj", "/CN=old", stdin=ec_pair.key_pem)
    (certificate,) = [Certificate.from_der(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))]
    assert "It is signed with ecdsa-with-SHA1, which current TLS libraries refuse." in warnings(certificate, NOW)


def test_the_worker_record_without_a_certificate_is_empty_of_facts() -> None:
    record = tls_client_auth((), "SUCCESS", True)
    assert len(record) == 21
    told = {name: value for name, value in record.items() if value not in ("", False)}
    assert told == {"certPresented": "0", "certVerified": "NONE", "certRevoked": "0"}
    assert record == tls_client_auth((), "NONE", False)


def test_the_worker_record_of_a_chain_names_leaf_and_issuer(chained_pair: Issued, intermediate: Authority) -> None:
    chain = chained_pair.identity().chain
    record = tls_client_auth(chain, verified_text(0, "ok"), True)
    assert record.keys() == tls_client_auth((), "NONE", False).keys()
    assert record["certVerified"] == "SUCCESS"
    assert record["certSubjectDN"] == "CN=chained-client"
    assert record["certIssuerDNLegacy"] == "/CN=Test Intermediate"
    assert record["certIssuerSerial"] == intermediate.certificate.serial_hex
    assert record["certIssuerSKI"] == intermediate.certificate.subject_key_identifier.upper()
    assert str(record["certRFC9440"]).count(":") == 2 == str(record["certChainRFC9440"]).count(":")
    assert (record["certRFC9440TooLarge"], record["certChainRFC9440TooLarge"]) == (False, False)


def test_a_chain_too_large_for_a_header_says_so_instead(ec_pair: Issued) -> None:
    count = RFC9440_CHAIN_LIMIT // len(ec_pair.certificate.der) + 2
    record = tls_client_auth([ec_pair.certificate] * count, "SUCCESS", True)
    assert (record["certChainRFC9440"], record["certChainRFC9440TooLarge"]) == ("", True)
    assert record["certRFC9440TooLarge"] is False


def test_verdicts_read_as_production_words_them() -> None:
    assert verified_text(10, "certificate has expired") == "FAILED:certificate has expired"
    assert verified_text(18, "self-signed certificate") == "FAILED:self signed certificate"
    assert verified_text(26, "unsuitable certificate purpose") == "FAILED:unsuitable certificate purpose"


def test_a_certificate_survives_its_own_pem(chained_pair: Issued) -> None:
    der = openssl("x509", "-outform", "DER", stdin=chained_pair.certificate.pem().encode())
    assert Certificate.from_der(der) == chained_pair.certificate


TO_MUTATE = made(
    named((NAMES.COMMON_NAME, "m")),
    x509.BasicConstraints(False, None),
    x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]),
    x509.SubjectAlternativeName([x509.DNSName("example.com")]),
).der


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_mutation_gives_a_certificate_or_a_refusal(data: st.DataObject) -> None:
    der = bytearray(TO_MUTATE)
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), max_size=3)):
        der[place % len(der)] = byte
    cut = data.draw(st.sampled_from([0, 0, 0, 1, 7, 100]))
    try:
        certificate = Certificate.from_der(bytes(der[: len(der) - cut]), "mutated")
    except NotACertificate as error:
        assert error.message.startswith("mutated") and error.hint
        return
    assert isinstance(warnings(certificate, NOW), tuple)
    assert tls_client_auth([certificate], "SUCCESS", True)["certPresented"] == "1"
    assert certificate.subject.isprintable()
