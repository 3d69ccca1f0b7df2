"""Certificates of every kind, from three makers: `cryptography`, the openssl command line, and by hand.

What may not live here: tests. Those by hand carry no valid signature: the tree reads, it does not verify.
"""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from openssl_cli import openssl

from mtls_notebook.spans import Field, leaves


def walk(field: Field, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield every node below `field` and itself, with the names that lead to it, the root's first."""
    here = (*path, field.name)
    yield here, field
    for child in field.children:
        yield from walk(child, here)


def at(root: Field, path: str) -> Field:
    """Return the first node whose dotted path below the root is `path`."""
    return next(field for names, field in walk(root) if ".".join(names[1:]) == path)


def assert_tiled(root: Field, length: int) -> None:
    """Fail unless the leaves cover every byte once, in order, each inside its parents."""
    assert root.span == (0, length)
    for path, field in walk(root):
        assert all(field.span[0] <= child.span[0] <= child.span[1] <= field.span[1] for child in field.children), path
    position = 0
    for leaf in leaves(root):
        assert leaf.span[0] == position < leaf.span[1], leaf.name
        position = leaf.span[1]
    assert position == length


# By hand


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one DER element."""
    body = b"".join(parts)
    size = len(body)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    header = bytes([size]) if size < 128 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + header + body


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    return tlv(6, b"".join(map(_base128, [40 * first + second, *others])))


def _base128(number: int) -> bytes:
    septets = [number & 0x7F]
    while number := number >> 7:
        septets.append(0x80 | number & 0x7F)
    return bytes(reversed(septets))


def seq(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(0x30, *parts)


def integer(number: int) -> bytes:
    """Return an INTEGER."""
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def bits(body: bytes, unused: int = 0) -> bytes:
    """Return a BIT STRING."""
    return tlv(3, bytes([unused]), body)


def name(text: str, tag: int = 0x0C, encoding: str = "utf-8") -> bytes:
    """Return a Name with one common name."""
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(tag, text.encode(encoding)))))


def extension(dotted: str, value: bytes, critical: bytes = b"") -> bytes:
    """Return an Extension around `value`."""
    return seq(oid(dotted), critical, tlv(4, value))


ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"))
ECDSA_SIGNATURE = bits(seq(integer(1 << 250), integer(77)))
EC_KEY = seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(b"\x04" + b"\x11" * 32 + b"\x22" * 32))
UTC_TIMES = seq(tlv(0x17, b"260101000000Z"), tlv(0x17, b"491231235959Z"))


def by_hand(
    *extensions: bytes,
    serial: int = 7,
    validity: bytes = UTC_TIMES,
    key: bytes = EC_KEY,
    algorithm: bytes = ECDSA_SHA256,
    signature: bytes = ECDSA_SIGNATURE,
    version: bytes = tlv(0xA0, integer(2)),
    unique: bytes = b"",
    subject: bytes = name("Subject"),
) -> bytes:
    """Return a certificate of the given parts, each DER."""
    more = tlv(0xA3, seq(*extensions)) if extensions else b""
    tbs = seq(version, integer(serial), algorithm, name("Issuer"), validity, subject, key, unique, more)
    return seq(tbs, algorithm, signature)


def general_names() -> bytes:
    """Return one GeneralName of each of the nine kinds."""
    any_part = seq(tlv(0xA0, tlv(0x13, b"part")))
    return b"".join(
        (
            tlv(0xA0, oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xA0, tlv(0x0C, b"user@corp.example"))),
            tlv(0x81, b"mail@example.com"),
            tlv(0x82, b"*.example.com"),
            tlv(0xA3, any_part),
            tlv(0xA4, name("Directory")),
            tlv(0xA5, any_part),
            tlv(0x86, b"spiffe://example.com/worker"),
            tlv(0x87, bytes([192, 0, 2, 1])),
            tlv(0x87, ipaddress.ip_address("2001:db8::1").packed),
            tlv(0x88, oid("1.2.3.4")[2:]),
        )
    )


def timestamp(moment_ms: int, signer: int = 3, version: int = 0) -> bytes:
    """Return one SerializedSCT, its length in front."""
    signature = seq(integer(5), integer(6)) if signer == 3 else b"\x55" * 64
    more = b"\x01" if signer == 1 else b""
    body = bytes([version]) + b"\x33" * 32 + moment_ms.to_bytes(8, "big") + vector(more)
    body += bytes([4, signer]) + vector(signature)
    return vector(body)


def vector(body: bytes) -> bytes:
    """Return `body` with TLS's two bytes of length in front."""
    return len(body).to_bytes(2, "big") + body


SCTS = tlv(4, vector(timestamp(1_700_000_000_123) + timestamp(1_710_000_000_000, 1) + timestamp(0, 3, 9)))
_NOTICE = seq(seq(tlv(0x0C, b"Org"), seq(integer(1), integer(2))), tlv(0x0C, b"Read this"))
_POLICIES = seq(
    seq(
        oid("2.23.140.1.2.1"),
        seq(
            seq(oid("1.3.6.1.5.5.7.2.1"), tlv(0x16, b"https://cps.example")),
            seq(oid("1.3.6.1.5.5.7.2.2"), _NOTICE),
        ),
    ),
    seq(oid("2.5.29.32.0")),
)
_POINTS = seq(
    seq(
        tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://crl.example/a.crl"))), tlv(0x81, b"\x01\x06"), tlv(0xA2, tlv(0x82, b"b"))
    ),
    seq(tlv(0xA0, tlv(0xA1, seq(oid("2.5.4.3"), tlv(0x0C, b"relative"))))),
)
_ACCESS = seq(
    seq(oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://ocsp.example")),
    seq(oid("1.3.6.1.5.5.7.48.2"), tlv(0x86, b"http://ca.example/ca.cer")),
)
_SUBTREES = seq(tlv(0x82, b"corp.example"), tlv(0x80, b"\x00"), tlv(0x81, b"\x05"))
_MASKED = seq(tlv(0x87, bytes([10, 0, 0, 0, 255, 0, 0, 0])))
TRUE = tlv(1, b"\xff")

EVERY_EXTENSION = {
    "2.5.29.9": seq(seq(oid("1.3.6.1.5.5.7.9.1"), tlv(0x31, tlv(0x18, b"19700101120000Z")))),
    "2.5.29.14": tlv(4, b"\x01" * 20),
    "2.5.29.15": bits(b"\x86\x80", 7),
    "2.5.29.16": seq(tlv(0x80, b"20260101000000Z"), tlv(0x81, b"20270101000000Z")),
    "2.5.29.17": seq(general_names()),
    "2.5.29.18": seq(tlv(0x82, b"ca.example")),
    "2.5.29.19": seq(TRUE, integer(3)),
    "2.5.29.30": seq(tlv(0xA0, _SUBTREES, _MASKED), tlv(0xA1, seq(tlv(0x82, b"bad.example")))),
    "2.5.29.31": _POINTS,
    "2.5.29.32": _POLICIES,
    "2.5.29.33": seq(seq(oid("1.2.3"), oid("1.2.4"))),
    "2.5.29.35": seq(tlv(0x80, b"\x02" * 20), tlv(0xA1, tlv(0xA4, name("Root"))), tlv(0x82, b"\x09")),
    "2.5.29.36": seq(tlv(0x80, b"\x00"), tlv(0x81, b"\x01")),
    "2.5.29.37": seq(oid("1.3.6.1.5.5.7.3.2"), oid("2.25.329800735698586629295641978511506172918")),
    "2.5.29.46": _POINTS,
    "2.5.29.54": integer(4),
    "1.3.6.1.5.5.7.1.1": _ACCESS,
    "1.3.6.1.5.5.7.1.11": _ACCESS,
    "1.3.6.1.5.5.7.1.3": seq(seq(oid("0.4.0.1862.1.1"))),
    "1.3.6.1.5.5.7.1.24": seq(integer(5)),
    "1.3.6.1.5.5.7.48.1.5": tlv(5),
    "1.3.6.1.4.1.11129.2.4.2": SCTS,
    "1.3.6.1.4.1.11129.2.4.3": tlv(5),
    "2.16.840.1.113730.1.1": bits(b"\x80", 7),
    "2.16.840.1.113730.1.13": tlv(0x16, b"made by hand"),
    "1.3.6.1.4.1.311.20.2": tlv(0x1E, "Benutzer".encode("utf-16-be")),
    "1.3.6.1.4.1.311.21.1": integer(65536),
    "1.3.6.1.4.1.311.21.7": seq(oid("1.3.6.1.4.1.311.21.8.1"), integer(100), integer(2)),
}
"""Object identifier → contents of an extension of that kind with every optional part."""

UNKNOWN_OID = "1.3.6.1.4.1.99999.1"
_SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"), tlv(5))
_PSS = seq(
    oid("1.2.840.113549.1.1.10"),
    seq(
        tlv(0xA0, _SHA256),
        tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), _SHA256)),
        tlv(0xA2, integer(32)),
        tlv(0xA3, integer(1)),
    ),
)
_DSA_KEY = seq(seq(oid("1.2.840.10040.4.1"), seq(*map(integer, (1 << 1023, 1 << 159, 2)))), bits(integer(1 << 1000)))


def _everything() -> bytes:
    extensions = [extension(dotted, value, TRUE) for dotted, value in EVERY_EXTENSION.items()]
    return by_hand(*extensions, extension(UNKNOWN_OID, b"\x00\x01\x02unknown"), extension(UNKNOWN_OID + ".2", b""))


def _damaged() -> bytes:
    return by_hand(
        extension("2.5.29.17", b"\x30\x05\x82\x10abc"),
        extension("2.5.29.15", b"\x03\x02\x09\xff"),
        extension("2.5.29.37", b"\x30\x00\x00"),
        extension("2.5.29.17", seq(tlv(0x89, b"no such kind"))),
        key=seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(b"\x04short")),
        signature=bits(b"no sequence"),
    )


BY_HAND: dict[str, Callable[[], bytes]] = {
    "by hand, every extension": _everything,
    "by hand, damaged inside": _damaged,
    "by hand, v1 without version": lambda: by_hand(version=b""),
    "by hand, negative serial number": lambda: by_hand(serial=-5),
    "by hand, serial number of 40 bytes": lambda: by_hand(serial=1 << 318),
    "by hand, UniversalString": lambda: by_hand(subject=name("Käse", 0x1C, "utf-32-be")),
    "by hand, unique identifiers": lambda: by_hand(unique=tlv(0x81, b"\x00\x01") + tlv(0x82, b"\x00\x02")),
    "by hand, DSA": lambda: by_hand(key=_DSA_KEY, algorithm=seq(oid("1.2.840.10040.4.3"))),
    "by hand, RSASSA-PSS with everything": lambda: by_hand(algorithm=_PSS, signature=bits(b"\x44" * 64)),
    "by hand, compressed point": lambda: by_hand(
        key=seq(seq(oid("1.2.840.10045.2.1"), oid("1.3.132.0.34")), bits(b"\x03" + b"\x01" * 48))
    ),
    "by hand, explicit curve": lambda: by_hand(
        key=seq(seq(oid("1.2.840.10045.2.1"), seq(integer(1), tlv(4, b"\x01"))), bits(b"\x04\x01\x02"))
    ),
    "by hand, unknown algorithms": lambda: by_hand(
        key=seq(seq(oid("1.2.3"), tlv(0x80, b"\x01")), bits(b"key")), algorithm=seq(oid("1.2.4"))
    ),
    "by hand, an odd number of bits in key and signature": lambda: by_hand(
        key=seq(seq(oid("1.2.840.113549.1.1.1"), tlv(5)), bits(b"\x80", 1)), signature=bits(b"\x80", 3)
    ),
}


# With cryptography

_START = datetime(2026, 1, 1)
_EC = ec.generate_private_key(ec.SECP256R1())


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _builder(subject: x509.Name | None = None) -> x509.CertificateBuilder:
    own = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Müller, Söhne + Co. <b>"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "#client"),
        ]
    )
    builder = x509.CertificateBuilder().subject_name(own if subject is None else subject).issuer_name(own)
    builder = builder.serial_number((1 << 158) + 12345)
    return builder.not_valid_before(_START).not_valid_after(_START + timedelta(days=36500))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _rich() -> bytes:
    """Return a certificate with extensions as `cryptography` writes them."""
    builder = _builder().public_key(_EC.public_key())
    point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/1")], None, None, None)
    usage = x509.KeyUsage(True, False, False, False, True, False, False, True, False)
    names = [
        x509.DNSName("client.example"),
        x509.RFC822Name("client@example.com"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
        x509.UniformResourceIdentifier("spiffe://example.com/client"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dir")])),
    ]
    notice = x509.UserNotice(x509.NoticeReference("Org", [1, 2]), "text")
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), ["https://cps.example", notice])
    access = x509.AccessDescription(
        x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.example")
    )
    network = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))
    extensions: tuple[x509.ExtensionType, ...] = (
        x509.SubjectAlternativeName(names),
        usage,
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.BasicConstraints(True, 2),
        x509.SubjectKeyIdentifier.from_public_key(_EC.public_key()),
        x509.AuthorityKeyIdentifier(b"\x07" * 20, [x509.DNSName("ca.example")], 99),
        x509.CRLDistributionPoints([point]),
        x509.FreshestCRL([point]),
        x509.CertificatePolicies([policy]),
        x509.AuthorityInformationAccess([access]),
        x509.NameConstraints([x509.DNSName("corp.example"), network], [x509.DNSName("bad.example")]),
        x509.TLSFeature([x509.TLSFeatureType.status_request, x509.TLSFeatureType.status_request_v2]),
        x509.IssuerAlternativeName([x509.DNSName("issuer.example")]),
        x509.PolicyConstraints(0, 1),
        x509.InhibitAnyPolicy(3),
        x509.OCSPNoCheck(),
        x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), tlv(4, vector(timestamp(1_700_000_000_123)))
        ),
    )
    for number, value in enumerate(extensions):
        builder = builder.add_extension(value, critical=number % 2 == 0)
    return _der(builder.sign(_EC, hashes.SHA256()))


def _with_key(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) -> bytes:
    hashing = hashes.SHA384() if isinstance(key, ec.EllipticCurvePrivateKey) else None
    return _der(_builder().public_key(key.public_key()).sign(key, hashing))


def _pss() -> bytes:
    builder = _builder().public_key(_rsa().public_key())
    return _der(builder.sign(_rsa(), hashes.SHA256(), rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), 32)))


def _many_names() -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(f"host{n}.example.com") for n in range(60)])
    return _der(_builder().public_key(_EC.public_key()).add_extension(names, False).sign(_EC, hashes.SHA256()))


WITH_CRYPTOGRAPHY: dict[str, Callable[[], bytes]] = {
    "cryptography, every extension": _rich,
    "cryptography, RSA": lambda: _der(_builder().public_key(_rsa().public_key()).sign(_rsa(), hashes.SHA256())),
    "cryptography, RSASSA-PSS": _pss,
    "cryptography, P-384": lambda: _with_key(ec.generate_private_key(ec.SECP384R1())),
    "cryptography, P-521": lambda: _with_key(ec.generate_private_key(ec.SECP521R1())),
    "cryptography, Ed25519": lambda: _with_key(ed25519.Ed25519PrivateKey.generate()),
    "cryptography, Ed448": lambda: _with_key(ed448.Ed448PrivateKey.generate()),
    "cryptography, 60 names": _many_names,
    "cryptography, empty subject": lambda: _der(
        _builder(x509.Name([])).public_key(_EC.public_key()).sign(_EC, hashes.SHA256())
    ),
}


# With the openssl command line

_REQUEST = """
[req]
prompt = no
string_mask = {mask}
distinguished_name = dn
x509_extensions = ext
[dn]
C = DE
O = {text}
0.OU = one
1.OU = two
CN = {text}
[ext]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer:always
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
subjectAltName = DNS:a.example, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:me@corp.example, dirName:dn
certificatePolicies = 1.2.3.4, @policy
nsCertType = client, server
nsComment = made for a test
[policy]
policyIdentifier = 2.5.29.32.0
CPS.1 = https://cps.example
userNotice.1 = @notice
[notice]
explicitText = UTF8:hello
organization = Org
noticeNumbers = 1, 2
"""


def _by_openssl(mask: str, text: str = "Käse", *arguments: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        config, key = Path(folder, "req.cnf"), Path(folder, "key.pem")
        config.write_text(_REQUEST.format(mask=mask, text=text), encoding="utf-8")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
        shared = ("-new", "-utf8", "-config", str(config), "-key", str(key))
        return openssl("req", "-x509", *shared, "-outform", "DER", *arguments)


def _first_version() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        config, key = Path(folder, "req.cnf"), Path(folder, "key.pem")
        config.write_text(_REQUEST.format(mask="utf8only", text="v1"), encoding="utf-8")
        openssl("genpkey", "-algorithm", "ED25519", "-out", str(key))
        request = openssl("req", "-new", "-config", str(config), "-key", str(key))
        return openssl("x509", "-req", "-signkey", str(key), "-days", "9", "-outform", "DER", stdin=request)


BY_OPENSSL: dict[str, Callable[[], bytes]] = {
    "openssl, UTF8String": lambda: _by_openssl("utf8only"),
    "openssl, TeletexString": lambda: _by_openssl("MASK:0x4"),
    "openssl, BMPString": lambda: _by_openssl("MASK:0x800"),
    "openssl, PrintableString": lambda: _by_openssl("MASK:0x2", "plain"),
    "openssl, GeneralizedTime": lambda: _by_openssl("utf8only", "Käse", "-days", "15000"),
    "openssl, v1": _first_version,
}

MAKERS = BY_HAND | WITH_CRYPTOGRAPHY | BY_OPENSSL
VALID = [which for which in (*WITH_CRYPTOGRAPHY, *BY_OPENSSL) if which != "openssl, TeletexString"]
"""Names of the samples that libraries made and `cryptography` reads: it stops at a name in TeletexString."""


@cache
def sample(which: str) -> bytes:
    """Return the DER of the sample called `which`, made once."""
    return MAKERS[which]()
