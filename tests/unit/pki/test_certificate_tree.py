"""The certificate's span tree: it tiles, it agrees with openssl and `cryptography`, and damage stays inside."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from openssl_cli import openssl
from sample_certificates import (
    BY_OPENSSL,
    EVERY_EXTENSION,
    MAKERS,
    TRUE,
    UNKNOWN_OID,
    UTC_TIMES,
    VALID,
    assert_tiled,
    at,
    bits,
    by_hand,
    extension,
    integer,
    oid,
    sample,
    seq,
    timestamp,
    tlv,
    vector,
    walk,
)

from mtls_notebook.errors import DecodeError
from mtls_notebook.pki.certificate import Certificate
from mtls_notebook.pki.certificate_extensions import EXTENSIONS
from mtls_notebook.pki.certificate_tree import tree
from mtls_notebook.pki.der import LARGEST
from mtls_notebook.pki.extensions import general_name
from mtls_notebook.spans import Field, leaves

TBS = "tbsCertificate"
INSIDE = f"{TBS}.extensions.Extensions"
SCT_OID = "1.3.6.1.4.1.11129.2.4.2"
ASN1PARSE = re.compile(r"^ *(\d+):d= *\d+ +hl=(\d+) +l= *(\d+) ", re.MULTILINE)
CONSTRUCTED = 0x20


def elements(field: Field) -> Iterator[Field]:
    """Yield the fields that have a tag and a length, `field` included, but not what a primitive one carries."""
    if field.children and field.children[0].name == "tag":
        yield field
        tag = field.children[0].value
        if isinstance(tag, int) and not tag & CONSTRUCTED:
            return
    for child in field.children:
        yield from elements(child)


def measures(field: Field) -> tuple[int, int, int]:
    """Return an element's offset, header length and length, as openssl prints them."""
    tag, length = field.children[:2]
    assert isinstance(length.value, int)
    return field.span[0], length.span[1] - tag.span[0], length.value


def asn1parse(der: bytes, *arguments: str) -> list[tuple[int, int, int]]:
    """Return offset, header length and length of every element that openssl finds."""
    text = openssl("asn1parse", "-inform", "DER", *arguments, stdin=der).decode("utf-8", "replace")
    return [(int(offset), int(header), int(length)) for offset, header, length in ASN1PARSE.findall(text)]


def public_certificates() -> list[x509.Certificate]:
    """Return the CA certificates that the certifi package carries: other people's, of all ages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some have serial numbers that `cryptography` frowns at
        with open(certifi.where(), "rb") as file:
            return x509.load_pem_x509_certificates(file.read())


# Invariants


@pytest.mark.parametrize("which", MAKERS)
def test_the_leaves_of_every_certificate_tile_it(which: str) -> None:
    assert_tiled(tree(sample(which)), len(sample(which)))


def test_the_leaves_of_public_cas_tile_them_and_everything_decodes() -> None:
    for certificate in public_certificates():
        der = certificate.public_bytes(Encoding.DER)
        root = tree(der)
        assert_tiled(root, len(der))
        assert "undecoded" not in {field.name for _, field in walk(root)}


@pytest.mark.parametrize("which", MAKERS)
def test_a_leaf_of_bytes_has_the_bytes_of_its_span(which: str) -> None:
    der = sample(which)
    for leaf in leaves(tree(der)):
        if isinstance(leaf.value, bytes):
            assert leaf.value == der[slice(*leaf.span)]
        elif leaf.name in {"tag", "unusedBits", "vector_length", "timestamp", "form"}:
            assert leaf.value == int.from_bytes(der[slice(*leaf.span)], "big")


@pytest.mark.parametrize("which", ["cryptography, every extension", "by hand, every extension", "openssl, v1"])
def test_a_certificate_cut_anywhere_is_a_decode_error_inside_what_is_left(which: str) -> None:
    der = sample(which)
    for end in range(len(der)):
        with pytest.raises(DecodeError) as caught:
            tree(der[:end])
        assert caught.value.path.startswith("Certificate")
        assert 0 <= caught.value.offset <= end


def assert_tree_or_decode_error(der: bytes) -> None:
    try:
        root = tree(der)
    except DecodeError as error:
        assert error.path.startswith("Certificate")
        assert 0 <= error.offset <= len(der)
    else:
        assert_tiled(root, len(der))


@settings(max_examples=300)
@given(st.sampled_from(sorted(MAKERS)), st.data())
def test_a_changed_certificate_is_a_tree_or_a_decode_error(which: str, draw: st.DataObject) -> None:
    der = bytearray(sample(which))
    for _ in range(draw.draw(st.integers(1, 4), "changes")):
        der[draw.draw(st.integers(0, len(der) - 1), "at")] = draw.draw(st.integers(0, 255), "byte")
    assert_tree_or_decode_error(bytes(der))


@settings(max_examples=300)
@given(st.sampled_from(sorted(EVERY_EXTENSION)), st.data())
def test_a_changed_extension_never_spoils_the_certificate_around_it(dotted: str, draw: st.DataObject) -> None:
    value = bytearray(EVERY_EXTENSION[dotted])
    value[draw.draw(st.integers(0, len(value) - 1), "at")] = draw.draw(st.integers(0, 255), "byte")
    der = by_hand(extension(dotted, bytes(value)))
    root = tree(der)
    assert_tiled(root, len(der))
    assert at(root, f"{INSIDE}.{EXTENSIONS[dotted].name}.extnValue").span[1] <= len(der)


@given(st.sampled_from(sorted(EXTENSIONS)), st.binary(max_size=80))
def test_any_bytes_in_a_known_extension_leave_a_tree(dotted: str, value: bytes) -> None:
    der = by_hand(extension(dotted, value))
    assert_tiled(tree(der), len(der))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_tree_or_a_decode_error(der: bytes) -> None:
    assert_tree_or_decode_error(der)


# Against openssl


@pytest.mark.parametrize("which", MAKERS)
def test_openssl_finds_the_same_elements_at_the_same_places(which: str) -> None:
    der = sample(which)
    assert [measures(field) for field in elements(tree(der))] == asn1parse(der)


@pytest.mark.parametrize("which", ["by hand, every extension", "openssl, UTF8String", "cryptography, RSA"])
def test_openssl_finds_the_same_elements_inside_every_string_that_carries_some(which: str) -> None:
    der = sample(which)
    carriers = [
        field
        for field in elements(tree(der))
        if not der[field.span[0]] & CONSTRUCTED and any(child.children for child in field.children[2:])
    ]
    assert carriers
    for carrier in carriers:
        (inner,) = (child for child in carrier.children if child.children)
        start = inner.span[0]
        found = [(offset - start, header, length) for offset, header, length in map(measures, elements(inner))]
        assert found == asn1parse(der[slice(*inner.span)])


# Against cryptography


@pytest.mark.parametrize("which", VALID)
def test_the_frame_says_what_cryptography_reads(which: str) -> None:
    der = sample(which)
    root, certificate = tree(der), x509.load_der_x509_certificate(der)
    facts = Certificate.from_der(der)
    version = next((f.value for p, f in walk(root) if p[1:] == (TBS, "version")), 0)
    assert version == certificate.version.value
    assert at(root, f"{TBS}.serialNumber").value == certificate.serial_number
    assert at(root, f"{TBS}.signature").value == certificate.signature_algorithm_oid.dotted_string
    assert at(root, "signatureAlgorithm").value == certificate.signature_algorithm_oid.dotted_string
    assert at(root, f"{TBS}.issuer").meaning == (facts.issuer or "an empty name")
    assert at(root, f"{TBS}.subject").meaning == (facts.subject or "an empty name")
    assert der[slice(*at(root, f"{TBS}.subject").span)] == facts.subject_der
    assert der[slice(*at(root, TBS).span)] == certificate.tbs_certificate_bytes
    begin, end = at(root, "signatureValue").span
    assert der[begin:end].endswith(certificate.signature)


@pytest.mark.parametrize("which", VALID)
def test_the_validity_is_the_one_cryptography_reads(which: str) -> None:
    root, certificate = tree(sample(which)), x509.load_der_x509_certificate(sample(which))
    expected = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    found = [at(root, f"{TBS}.validity.{name}").meaning for name in ("notBefore", "notAfter")]
    assert tuple(datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for text in found) == expected


@pytest.mark.parametrize("which", VALID)
def test_the_key_has_the_numbers_cryptography_reads(which: str) -> None:
    root, key = tree(sample(which)), x509.load_der_x509_certificate(sample(which)).public_key()
    where = f"{TBS}.subjectPublicKeyInfo.subjectPublicKey"
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        modulus = at(root, f"{where}.RSAPublicKey.modulus").value
        assert isinstance(modulus, bytes)
        assert int.from_bytes(modulus, "big") == numbers.n
        assert at(root, f"{where}.RSAPublicKey.publicExponent").value == numbers.e
    elif isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        size = (key.key_size + 7) // 8
        assert at(root, f"{where}.x").value == point.x.to_bytes(size, "big")
        assert at(root, f"{where}.y").value == point.y.to_bytes(size, "big")
    else:
        assert isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey)
        assert at(root, f"{where}.publicKey").value == key.public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.mark.parametrize("which", VALID)
def test_the_extensions_are_those_cryptography_reads(which: str) -> None:
    root, certificate = tree(sample(which)), x509.load_der_x509_certificate(sample(which))
    listed = [field for path, field in walk(root) if path[1:-1] == tuple(INSIDE.split(".")) and field.children]
    found = [(field.children[2].value, any(c.name == "critical" for c in field.children)) for field in listed]
    assert found == [(e.oid.dotted_string, e.critical) for e in certificate.extensions]
    assert "undecoded" not in {field.name for _, field in walk(root)}


def test_the_contents_of_extensions_are_those_cryptography_reads() -> None:
    der = sample("cryptography, every extension")
    root, found = tree(der), x509.load_der_x509_certificate(der).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert at(root, f"{INSIDE}.subjectAltName").meaning == "critical: " + ", ".join(map(general_name, names))
    assert at(root, f"{INSIDE}.keyUsage").meaning == "digitalSignature, keyAgreement, encipherOnly"
    assert at(root, f"{INSIDE}.extKeyUsage").meaning == "critical: clientAuth, serverAuth"
    assert at(root, f"{INSIDE}.basicConstraints").meaning == "a CA, at most 2 CA(s) below it"
    key = found.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert at(root, f"{INSIDE}.subjectKeyIdentifier").value == key.digest
    assert at(root, f"{INSIDE}.authorityKeyIdentifier").value == b"\x07" * 20
    assert (
        at(root, f"{INSIDE}.authorityKeyIdentifier.extnValue.AuthorityKeyIdentifier.authorityCertSerialNumber").value
        == 99
    )
    assert at(root, f"{INSIDE}.authorityInfoAccess").meaning == "ocsp URI:http://ocsp.example"
    assert at(root, f"{INSIDE}.cRLDistributionPoints").meaning == "critical: URI:http://crl.example/1"
    assert at(root, f"{INSIDE}.certificatePolicies").meaning == "critical: domain-validated"
    assert at(root, f"{INSIDE}.nameConstraints").meaning == (
        "critical: permitted DNS:corp.example, IP:10.0.0.0/255.0.0.0; excluded DNS:bad.example"
    )
    assert at(root, f"{INSIDE}.tlsFeature").meaning == "status_request, status_request_v2"
    assert at(root, f"{INSIDE}.policyConstraints").meaning == "requireExplicitPolicy 0, inhibitPolicyMapping 1"


def test_certificate_timestamps_are_those_cryptography_reads() -> None:
    der = sample("cryptography, every extension")
    found = x509.load_der_x509_certificate(der).extensions
    (receipt,) = found.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
    here = f"{INSIDE}.signedCertificateTimestampList.extnValue.SignedCertificateTimestampList.SerializedSCT"
    root = tree(der)
    assert at(root, f"{here}.log_id").value == receipt.log_id
    moment = receipt.timestamp.replace(tzinfo=UTC)
    assert at(root, f"{here}.timestamp").value == round(moment.timestamp() * 1000)
    assert at(root, here).meaning == f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"
    assert at(root, f"{here}.signature").meaning == "ecdsa with sha256"
    assert at(root, f"{here}.signature.Ecdsa-Sig-Value.r").value == 5


# Examples


def test_the_names_are_those_of_the_rfc_in_its_order() -> None:
    root = tree(
        by_hand(extension("2.5.29.15", EVERY_EXTENSION["2.5.29.15"]), unique=tlv(0x81, b"\0a") + tlv(0x82, b"\0b"))
    )
    assert [child.name for child in root.children[2:]] == [TBS, "signatureAlgorithm", "signatureValue"]
    assert [child.name for child in at(root, TBS).children[2:]] == [
        "version",
        "serialNumber",
        "signature",
        "issuer",
        "validity",
        "subject",
        "subjectPublicKeyInfo",
        "issuerUniqueID",
        "subjectUniqueID",
        "extensions",
    ]
    assert at(root, TBS).children[2].meaning == "v3"


@pytest.mark.parametrize("which", [*BY_OPENSSL, "by hand, UniversalString"])
def test_a_name_reads_the_same_in_every_string_type_here_and_in_openssl(which: str) -> None:
    options = ("-nameopt", "RFC2253,-esc_msb,utf8,sname", "-inform", "DER")
    printed = openssl("x509", "-noout", "-subject", *options, stdin=sample(which)).decode()
    assert f"subject={tree(sample(which)).meaning}\n" == printed
    assert ("Käse" in printed) == (which not in {"openssl, PrintableString", "openssl, v1"})


@pytest.mark.parametrize(
    "which",
    [
        "openssl, TeletexString",
        "openssl, BMPString",
        "by hand, UniversalString",
        "openssl, UTF8String",
        "openssl, PrintableString",
    ],
)
def test_the_samples_really_hold_each_string_type(which: str) -> None:
    subject = at(tree(sample(which)), f"{TBS}.subject")
    last = [field for path, field in walk(subject) if path[-1] == "value"][-1]
    assert last.children[0].meaning == which.rsplit(maxsplit=1)[-1]


def test_a_late_date_is_a_generalized_time() -> None:
    last = at(tree(sample("openssl, GeneralizedTime")), f"{TBS}.validity.notAfter")
    assert last.children[0].meaning == "GeneralizedTime"


def test_a_certificate_of_version_1_has_neither_version_nor_extensions() -> None:
    names = {field.name for _, field in walk(tree(sample("openssl, v1")))}
    assert not names & {"version", "extensions"}


def test_a_version_that_nobody_wrote_has_no_name() -> None:
    assert at(tree(by_hand(version=tlv(0xA0, integer(9)))), f"{TBS}.version").meaning == ""


def test_every_kind_of_general_name_is_told() -> None:
    found = at(tree(sample("by hand, every extension")), f"{INSIDE}.subjectAltName.extnValue.GeneralNames")
    assert found.value == "10 names"
    assert [child.name for child in found.children[2:]] == [
        "otherName",
        "rfc822Name",
        "dNSName",
        "x400Address",
        "directoryName",
        "ediPartyName",
        "uniformResourceIdentifier",
        "iPAddress",
        "iPAddress",
        "registeredID",
    ]
    assert found.meaning.startswith("otherName:userPrincipalName: user@corp.example, email:mail@example.com, DNS:*.")
    assert found.meaning.endswith("IP:192.0.2.1, IP:2001:db8::1, RID:1.2.3.4")


def test_an_ecdsa_signature_splits_into_r_and_s_and_an_eddsa_one_into_halves() -> None:
    assert [at(tree(by_hand()), f"signatureValue.Ecdsa-Sig-Value.{name}").value for name in "rs"] == [
        (1 << 250).to_bytes(32, "big"),
        77,
    ]
    for kind, size in (("Ed25519", 32), ("Ed448", 57)):
        root = tree(sample(f"cryptography, {kind}"))
        halves = [at(root, f"signatureValue.{name}").span for name in "RS"]
        assert [end - start for start, end in halves] == [size, size]


def test_a_compressed_point_has_one_coordinate_and_its_form_tells_the_other() -> None:
    point = at(tree(sample("by hand, compressed point")), f"{TBS}.subjectPublicKeyInfo.subjectPublicKey")
    assert [child.name for child in point.children[2:]] == ["unusedBits", "form", "x"]
    assert (point.meaning, point.children[4].value) == ("compressed, y is odd", b"\x01" * 48)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (b"\x04" + b"\x01" * 62, "has 62 bytes of coordinates, 64 fit the curve"),
        (b"\x04" + b"\x01" * 65, "has 65 bytes of coordinates, 64 fit the curve"),
        (b"\x02" + b"\x01" * 64, "has 64 bytes of coordinates, 32 fit the curve"),
        (b"\x05" + b"\x01" * 64, "starts with 0x05, which is no form of a point"),
        (b"", "needs 1 byte, 0 left"),
    ],
)
def test_a_point_that_does_not_fit_its_curve_is_kept_and_says_why(point: bytes, reason: str) -> None:
    key = seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(point))
    kept = at(tree(by_hand(key=key)), f"{TBS}.subjectPublicKeyInfo.subjectPublicKey")
    assert kept.meaning.endswith(reason)
    assert kept.children[-1].name == ("undecoded" if point else "unusedBits")


def test_pss_parameters_are_told_and_their_absence_means_sha1() -> None:
    root = tree(sample("cryptography, RSASSA-PSS"))
    assert at(root, "signatureAlgorithm").meaning == "RSASSA-PSS with SHA-256, salt 32 bytes"
    bare = tree(by_hand(algorithm=seq(oid("1.2.840.113549.1.1.10"), seq()), signature=bits(b"a")))
    assert at(bare, "signatureAlgorithm").meaning == "RSASSA-PSS with SHA-1, salt 20 bytes"


def test_the_kind_and_size_of_the_key_are_told() -> None:
    def key_of(which: str) -> str:
        return at(tree(sample(which)), f"{TBS}.subjectPublicKeyInfo").meaning

    assert key_of("cryptography, RSA") == "rsaEncryption 2048 bits"
    assert key_of("cryptography, P-384") == "id-ecPublicKey P-384"
    assert key_of("cryptography, Ed25519") == "Ed25519"
    assert key_of("by hand, DSA") == "id-dsa 1024 bits"


def test_an_unknown_extension_keeps_its_bytes_under_a_name() -> None:
    root = tree(by_hand(extension(UNKNOWN_OID, b"\x00odd", TRUE)))
    kept = at(root, f"{INSIDE}.unknownExtension")
    assert kept.meaning == f"critical: {UNKNOWN_OID}"
    assert at(root, f"{INSIDE}.unknownExtension.extnValue.contents").value == b"\x00odd"


def test_a_damaged_extension_keeps_its_bytes_and_says_why_and_the_next_one_is_read() -> None:
    root = tree(by_hand(extension("2.5.29.17", b"\x30\x05\x82\x10abc"), extension("2.5.29.19", seq())))
    kept = at(root, f"{INSIDE}.subjectAltName.extnValue.undecoded")
    assert kept.value == b"\x30\x05\x82\x10abc"
    assert kept.meaning == f"does not decode at byte {kept.span[0] + 3}: declares 16 bytes, 3 left"
    assert at(root, f"{INSIDE}.basicConstraints").meaning == "not a CA"


@pytest.mark.parametrize("name", ["subjectAltName", "keyUsage", "extKeyUsage"])
def test_each_kind_of_damage_stays_in_its_extension(name: str) -> None:
    assert at(tree(sample("by hand, damaged inside")), f"{INSIDE}.{name}.extnValue.undecoded").meaning


def test_an_explicit_default_is_shown_although_der_leaves_it_out() -> None:
    root = tree(by_hand(extension("2.5.29.19", seq(tlv(1, b"\0")), tlv(1, b"\0"))))
    assert at(root, f"{INSIDE}.basicConstraints.critical").meaning == "FALSE"
    assert at(root, f"{INSIDE}.basicConstraints").meaning == "not a CA"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (tlv(4, b"\x00\x09" + timestamp(5)), "declares 9 bytes"),
        (tlv(4, vector(vector(b"\x00" + b"\x33" * 32))), "needs 8 bytes, 0 left"),
        (tlv(4, vector(timestamp((1 << 64) - 1))), "beyond the calendar"),
        (tlv(4, vector(b"\x00\x50\x00")), "needs 82 bytes, 3 left"),
        (tlv(4, b"\x00"), "needs 2 bytes, 1 left"),
    ],
)
def test_damaged_timestamps_say_what_is_wrong(value: bytes, reason: str) -> None:
    root = tree(by_hand(extension(SCT_OID, value)))
    assert reason in at(root, f"{INSIDE}.signedCertificateTimestampList.extnValue.undecoded").meaning


def test_hostile_text_is_shown_without_its_power() -> None:
    root = tree(by_hand(extension("2.5.29.17", seq(tlv(0x82, b"a\x1b[2J.example")))))
    assert at(root, f"{INSIDE}.subjectAltName").meaning == r"DNS:a\1B[2J.example"


@pytest.mark.parametrize(
    ("der", "path"),
    [
        (by_hand() + b"\0", "Certificate"),
        (by_hand(validity=seq(tlv(0x17, b"260101000000Z"))), "Certificate.tbsCertificate.validity.notAfter"),
        (by_hand(version=tlv(0xA0, tlv(4, b"\x02"))), "Certificate.tbsCertificate.version.Version"),
        (by_hand(key=integer(1)), "Certificate.tbsCertificate.subjectPublicKeyInfo"),
        (by_hand(extension("2.5.29.15", b"", integer(1))), f"Certificate.{INSIDE}.keyUsage.extnValue"),
        (b"-----BEGIN", "Certificate"),
    ],
)
def test_a_broken_frame_is_a_decode_error_that_names_the_field(der: bytes, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        tree(der)
    assert caught.value.path == path


def test_a_view_of_memory_is_as_good_as_bytes() -> None:
    assert tree(memoryview(by_hand())) == tree(by_hand())  # type: ignore[arg-type]


# Cost


def test_a_typical_certificate_takes_less_than_three_milliseconds() -> None:
    der = sample("cryptography, every extension")
    assert min(seconds(der) for _ in range(20)) < 0.003


def test_the_cost_grows_in_step_with_the_size() -> None:
    def cost(count: int) -> float:
        names = seq(*(tlv(0x82, b"host%d.example" % n) for n in range(count)))
        der = by_hand(extension("2.5.29.17", names), validity=UTC_TIMES)
        assert len(der) < LARGEST
        return min(seconds(der) for _ in range(3))

    assert cost(8_000) < 40 * cost(1_000)  # 8 times when linear, 64 when quadratic


def seconds(der: bytes) -> float:
    """Return the processor time of one reading."""
    start = time.process_time()
    tree(der)
    return time.process_time() - start
