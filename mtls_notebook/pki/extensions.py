"""What a certificate's extensions say, as text (RFC 5280 §4.2).

`cryptography` parses extensions as a whole and lazily: one malformed extension makes all of them
fail. They are then called unreadable, the rest of the certificate stays readable.
What may not live here: judgement about what the extensions mean for a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography import x509

from .algorithms import PARSE_ERRORS, UNREADABLE
from .distinguished_name import rfc4514, visible

# RFC 5280 §4.2.1.3: the bit names, by the attribute `cryptography` gives them.
KEY_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
AGREEMENT_USAGES = {"encipher_only": "encipherOnly", "decipher_only": "decipherOnly"}

# RFC 5280 §4.2.1.12 and friends; an OID without a row stays dotted.
EXTENDED_KEY_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.4.1.311.20.2.2": "smartcardLogon",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}

_T = TypeVar("_T", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions of one certificate as text; an absent one is empty."""

    subject_alternative_names: tuple[str, ...] = ()
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    is_ca: bool = False
    subject_key_identifier: str = ""
    authority_key_identifier: str = ""


_UNREADABLE: Final = Extensions((UNREADABLE,), (UNREADABLE,), (UNREADABLE,), False, UNREADABLE, UNREADABLE)


def read(cert: x509.Certificate) -> Extensions:
    """Return what the extensions of `cert` say; every text is "unreadable" when they do not parse."""
    try:
        found = cert.extensions
        return Extensions(
            subject_alternative_names=_subject_alternative_names(found),
            key_usage=_key_usage(found),
            extended_key_usage=_extended_key_usage(found),
            is_ca=bool((basic := _get(found, x509.BasicConstraints)) and basic.ca),
            subject_key_identifier=ski.digest.hex() if (ski := _get(found, x509.SubjectKeyIdentifier)) else "",
            authority_key_identifier=_authority_key_identifier(found),
        )
    except PARSE_ERRORS:
        return _UNREADABLE


def _get(found: x509.Extensions, kind: type[_T]) -> _T | None:
    try:
        return found.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _key_usage(found: x509.Extensions) -> tuple[str, ...]:
    usage = _get(found, x509.KeyUsage)
    if usage is None:
        return ()
    # The last two bits may only be asked for when keyAgreement is set.
    table = KEY_USAGES | AGREEMENT_USAGES if usage.key_agreement else KEY_USAGES
    return tuple(name for attribute, name in table.items() if getattr(usage, attribute))


def _extended_key_usage(found: x509.Extensions) -> tuple[str, ...]:
    usages = _get(found, x509.ExtendedKeyUsage) or ()
    return tuple(EXTENDED_KEY_USAGES.get(oid.dotted_string, oid.dotted_string) for oid in usages)


def _authority_key_identifier(found: x509.Extensions) -> str:
    identifier = _get(found, x509.AuthorityKeyIdentifier)
    return identifier.key_identifier.hex() if identifier and identifier.key_identifier else ""


def _subject_alternative_names(found: x509.Extensions) -> tuple[str, ...]:
    return tuple(map(general_name, _get(found, x509.SubjectAlternativeName) or ()))


def general_name(name: x509.GeneralName) -> str:
    """Return a GeneralName with its kind in front: `DNS:example.com`, `IP:127.0.0.1`."""
    match name:
        case x509.DNSName(value=text):
            return f"DNS:{visible(text)}"
        case x509.RFC822Name(value=text):
            return f"email:{visible(text)}"
        case x509.UniformResourceIdentifier(value=text):
            return f"URI:{visible(text)}"
        case x509.IPAddress(value=address):
            return f"IP:{address}"
        case x509.DirectoryName(value=directory):
            return f"DirName:{rfc4514(directory)}"
        case x509.RegisteredID(value=oid):
            return f"RID:{oid.dotted_string}"
        case x509.OtherName(type_id=oid):
            return f"otherName:{oid.dotted_string}"
        case _:
            return UNREADABLE
