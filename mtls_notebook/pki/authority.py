"""A CA that issues good certificates, and deliberately bad ones, for the lab and for tests.

Its keys are throwaway: they guard a loopback server for an afternoon. What may not live here: anything
a production CA would need (a serial registry, an OCSP responder) and file writing.
Source: RFC 5280 §4.2 (extensions), §5 (CRL).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn, SupportsIndex

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .certificate import Certificate
from .extensions import EXTENDED_KEY_USAGES, KEY_USAGES
from .identity import Identity, read_identity
from .sensitive import Sensitive

KeyKind = Literal["P-256", "P-384", "P-521", "RSA-1024", "RSA-2048", "RSA-3072", "Ed25519", "Ed448"]
SigningKey = CertificateIssuerPrivateKeyTypes

KEYS: dict[KeyKind, Callable[[], SigningKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA-1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 (weak on purpose)
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(65537, 3072),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=397)
# Clocks of two machines differ a little; a fresh certificate should be valid on both.
CLOCK_SKEW = timedelta(hours=1)

_OIDS = {name: oid for oid, name in EXTENDED_KEY_USAGES.items()}


@dataclass(frozen=True, slots=True, repr=False)
class Issued:
    """A certificate with its plaintext key: for the lab's own folder and for tests only.

    Shape: `certificate_pem` is the chain, leaf first, root left out; `key_pem` is unencrypted PKCS#8.
    """

    certificate: Certificate
    certificate_pem: bytes
    key_pem: Sensitive

    def identity(self) -> Identity:
        """Return the pair as an Identity."""
        return read_identity(self.certificate_pem, self.key_pem)

    def __repr__(self) -> str:
        return f"<Issued {self.certificate.subject} sha256:{self.certificate.fingerprint_sha256[:16]}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("This holds a private key: it is not pickled or copied.")


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants a certificate for; a row of BAD spoils it in one way."""

    common_name: str
    usage: tuple[str, ...] = ("clientAuth",)
    names: tuple[str, ...] = ()
    key: KeyKind = "P-256"
    not_before: datetime | None = None
    not_after: datetime | None = None
    is_ca: bool = False

    def lifetime(self) -> tuple[datetime, datetime]:
        """Return the first and last moment, with the usual ones where none was ordered."""
        now = datetime.now(UTC)
        start = self.not_before or min(now, self.not_after or now) - CLOCK_SKEW
        return start, self.not_after or max(now, start) + LIFETIME


class Authority:
    """A certificate authority: a CA certificate and the key that signs with it."""

    __slots__ = ("_issuers", "_key", "certificate")

    def __init__(self, certificate: Certificate, key: SigningKey, issuers: tuple[Certificate, ...]) -> None:
        self.certificate, self._key, self._issuers = certificate, key, issuers

    @classmethod
    def create(cls, name: str, *, key: KeyKind = "P-256", parent: Authority | None = None) -> Authority:
        """Return a new CA called `name`: a root, or an intermediate that `parent` signed."""
        own = KEYS[key]()
        now = datetime.now(UTC)
        lifetime = (now - CLOCK_SKEW, now + CA_LIFETIME)
        builder = _builder(_name(name), own, lifetime).add_extension(x509.BasicConstraints(True, None), True)
        builder = builder.add_extension(_key_usage("keyCertSign", "cRLSign", "digitalSignature"), True)
        certificate = parent._sign(builder) if parent else _sign(builder, _name(name), own)
        return cls(certificate, own, parent._presented() if parent else ())

    def intermediate(self, name: str, *, key: KeyKind = "P-256") -> Authority:
        """Return a CA called `name` that this one signed."""
        return Authority.create(name, key=key, parent=self)

    @property
    def certificate_pem(self) -> bytes:
        """Return the CA certificate in PEM."""
        return self.certificate.pem().encode()

    def issue(
        self,
        common_name: str,
        *,
        usage: Sequence[str] = ("clientAuth",),
        names: Sequence[str] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: KeyKind = "P-256",
        is_ca: bool = False,
    ) -> Issued:
        """Return a new certificate for `common_name` with its key.

        Shape: `usage` are extendedKeyUsage names of RFC 5280; `names` become DNS or IP alternative names.
        """
        return self.fulfil(Order(common_name, tuple(usage), tuple(names), key, not_before, not_after, is_ca))

    def fulfil(self, order: Order) -> Issued:
        """Return a new certificate as ordered, with its key."""
        own = KEYS[order.key]()
        return self._issued(self._sign(_leaf_builder(order, own)), own)

    def crl(self, serial_numbers: Sequence[int]) -> bytes:
        """Return a certificate revocation list in PEM that names `serial_numbers`.

        Source: RFC 5280 §5.
        """
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(_x509(self.certificate).subject)
        builder = builder.last_update(now - CLOCK_SKEW).next_update(now + LIFETIME)
        builder = builder.add_extension(x509.CRLNumber(1), False)
        builder = builder.add_extension(_authority_key_identifier(self._key), False)
        for serial_number in serial_numbers:
            revoked = x509.RevokedCertificateBuilder(serial_number, now - CLOCK_SKEW).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, _hash(self._key)).public_bytes(Encoding.PEM)

    def _sign(self, builder: x509.CertificateBuilder) -> Certificate:
        return _sign(builder, _x509(self.certificate).subject, self._key)

    def _issued(self, certificate: Certificate, own: SigningKey) -> Issued:
        chain = (certificate, *self._presented())
        return Issued(certificate, "".join(c.pem() for c in chain).encode(), _plain_pem(own))

    def _presented(self) -> tuple[Certificate, ...]:
        """Return this CA and those above it, without the root, which the peer has anyway."""
        return () if self.certificate.is_self_signed else (self.certificate, *self._issuers)

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("An Authority holds a private key: it is not pickled or copied.")


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _x509(certificate: Certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(certificate.der)


def _builder(subject: x509.Name, own: SigningKey, lifetime: tuple[datetime, datetime]) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(own.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(lifetime[0]).not_valid_after(lifetime[1])
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)


def _leaf_builder(order: Order, own: SigningKey) -> x509.CertificateBuilder:
    builder = _builder(_name(order.common_name), own, order.lifetime())
    builder = builder.add_extension(x509.BasicConstraints(order.is_ca, None), True)
    signs = ("digitalSignature", "keyCertSign") if order.is_ca else ("digitalSignature",)
    builder = builder.add_extension(_key_usage(*signs), True)
    if order.usage:
        oids = [x509.ObjectIdentifier(_OIDS.get(name, name)) for name in order.usage]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), False)
    if order.names:
        names = list(map(_general_name, order.names))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    return builder


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*names: str) -> x509.KeyUsage:
    bits = {attribute: name in names for attribute, name in KEY_USAGES.items()}
    return x509.KeyUsage(**bits, encipher_only=False, decipher_only=False)


def _authority_key_identifier(issuer_key: SigningKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _sign(builder: x509.CertificateBuilder, issuer: x509.Name, key: SigningKey) -> Certificate:
    builder = builder.issuer_name(issuer).add_extension(_authority_key_identifier(key), False)
    return Certificate.from_der(builder.sign(key, _hash(key)).public_bytes(Encoding.DER))


def _hash(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Return the digest that goes with the key's strength; EdDSA brings its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size == 384 else hashes.SHA512()
    return hashes.SHA256()


def _plain_pem(key: SigningKey) -> Sensitive:
    return Sensitive(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def issue_bad(authority: Authority, kind: str, order: Order) -> Issued:
    """Return the certificate of `order`, spoiled as the row `kind` of BAD says.

    Raises: KeyError for a kind that has no row.
    """
    return BAD[kind](authority, order)


def _changed(**changes: Any) -> Callable[[Authority, Order], Issued]:
    return lambda authority, order: authority.fulfil(replace(order, **changes))


def _expired(authority: Authority, order: Order) -> Issued:
    now = datetime.now(UTC)
    start, end = now - timedelta(days=30), now - timedelta(days=1)
    return authority.fulfil(replace(order, not_before=start, not_after=end))


def _not_yet_valid(authority: Authority, order: Order) -> Issued:
    return authority.fulfil(replace(order, not_before=datetime.now(UTC) + timedelta(days=30)))


def _self_signed(authority: Authority, order: Order) -> Issued:
    own = KEYS[order.key]()
    certificate = _sign(_leaf_builder(order, own), _name(order.common_name), own)
    return Issued(certificate, certificate.pem().encode(), _plain_pem(own))


def _other_ca(authority: Authority, order: Order) -> Issued:
    return Authority.create("Some other CA").fulfil(order)


def _missing_intermediate(authority: Authority, order: Order) -> Issued:
    issued = authority.intermediate("Intermediate that is not sent").fulfil(order)
    return Issued(issued.certificate, issued.certificate.pem().encode(), issued.key_pem)


BAD: dict[str, Callable[[Authority, Order], Issued]] = {
    "expired": _expired,
    "not-yet-valid": _not_yet_valid,
    "server-usage": _changed(usage=("serverAuth",)),
    "client-usage": _changed(usage=("clientAuth",)),
    "self-signed": _self_signed,
    "other-ca": _other_ca,
    "wrong-host": _changed(names=("wrong-host.example",)),
    "missing-intermediate": _missing_intermediate,
    "ca-as-leaf": _changed(is_ca=True),
    "weak-key": _changed(key="RSA-1024"),
}
