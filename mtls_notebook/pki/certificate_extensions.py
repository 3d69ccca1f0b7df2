"""The extensions of a certificate: one reader per extension, one row in `EXTENSIONS`.

An extension without a row, or one whose contents are damaged, keeps its bytes under a name of its own;
the rest of the certificate is read all the same, for a learner's certificate is often the odd one.

What may not live here: what an extension means for a connection (`certificate_prose` says what it is for).
Source: RFC 5280 §4.2; others at their row.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from .certificate_names import DISTRIBUTION_POINT_NAME, GENERAL_NAMES, general_name
from .certificate_timestamps import timestamp_list
from .der import CONSTRUCTED, CONTEXT, Contents, Reader, Shape
from .der_types import (
    ANY,
    BOOLEAN,
    GENERALIZED_TIME,
    IA5_STRING,
    INTEGER,
    NULL,
    OCTET_STRING,
    STRING,
    counted,
    either,
    identifier,
    implicit,
    integer,
    named_bits,
    sequence,
    sequence_of,
    words,
)
from .extensions import EXTENDED_KEY_USAGES

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
REASONS = (
    "unused",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
)
NETSCAPE_TYPES = ("sslClient", "sslServer", "smime", "objectSigning", "reserved", "sslCA", "smimeCA", "objectSigningCA")
ACCESS_METHODS = {
    "1.3.6.1.5.5.7.48.1": "ocsp",
    "1.3.6.1.5.5.7.48.2": "caIssuers",
    "1.3.6.1.5.5.7.48.3": "timeStamping",
    "1.3.6.1.5.5.7.48.5": "caRepository",
}
# RFC 5280 §4.2.1.4 and the CA/Browser Forum's assurance levels.
POLICIES = {
    "2.5.29.32.0": "anyPolicy",
    "2.23.140.1.1": "extended-validation",
    "2.23.140.1.2.1": "domain-validated",
    "2.23.140.1.2.2": "organization-validated",
    "2.23.140.1.2.3": "individual-validated",
}
QUALIFIERS = {"1.3.6.1.5.5.7.2.1": "id-qt-cps", "1.3.6.1.5.5.7.2.2": "id-qt-unotice"}
TLS_FEATURES = {5: "status_request", 17: "status_request_v2"}

_POLICY = identifier(POLICIES)


# Who the certificate is for, and what its key may do


def _basic_constraints(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.9."""
    authority = body.optional("cA", BOOLEAN)
    length = body.optional("pathLenConstraint", INTEGER)
    text = "a CA" if authority and authority.value else "not a CA"
    below = f", at most {words(length)} CA(s) below it" if length else ""
    return bool(authority and authority.value), text + below


def _authority_key_identifier(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.1."""
    key = body.optional("keyIdentifier", implicit(0, OCTET_STRING))
    body.optional("authorityCertIssuer", implicit(1, GENERAL_NAMES))
    serial = body.optional("authorityCertSerialNumber", implicit(2, INTEGER))
    if key and isinstance(key.value, bytes):
        return key.value, key.value.hex()
    return None, f"serial number {words(serial)}" if serial else ""


def _key_identifier(body: Reader) -> Contents:
    octets = body.data[body.position : body.end]
    return body.contents(octets, octets.hex())


def _usage_period(body: Reader) -> Contents:
    """Source: RFC 3280 §4.2.1.4."""
    first = body.optional("notBefore", _period_time(0))
    last = body.optional("notAfter", _period_time(1))
    return None, " to ".join(filter(None, (words(first), words(last))))


def _period_time(number: int) -> Shape:
    ((tag, read),) = GENERALIZED_TIME.readers.items()

    def as_generalized(body: Reader) -> Contents:
        body.tag = tag
        return read(body)

    return Shape(f"[{number}] GeneralizedTime", {CONTEXT | number: as_generalized})


# Where to ask


def _access_description(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.2.1."""
    method = body.element("accessMethod", identifier(ACCESS_METHODS))
    _, text = general_name(body, "accessLocation")
    return None, f"{words(method)} {text}"


def _distribution_point(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.13."""
    name = body.optional("distributionPoint", _POINT_NAME)
    reasons = body.optional("reasons", implicit(1, named_bits(REASONS)))
    issuer = body.optional("cRLIssuer", implicit(2, GENERAL_NAMES))
    return None, " ".join(filter(None, map(words, (name, reasons, issuer))))


def _point_name(body: Reader) -> Contents:
    kind = "nameRelativeToCRLIssuer" if body.next_tag == CONTEXT | CONSTRUCTED | 1 else "fullName"
    name = body.element(kind, DISTRIBUTION_POINT_NAME)
    return None, name.meaning


_POINT_NAME = Shape("[0] DistributionPointName", {CONTEXT | CONSTRUCTED | 0: _point_name})


# Policies


def _policy_information(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.4."""
    policy = body.element("policyIdentifier", _POLICY)
    body.optional("policyQualifiers", sequence_of("policyQualifiers", "PolicyQualifierInfo", _QUALIFIER))
    return policy.value, words(policy)


def _policy_qualifier(body: Reader) -> Contents:
    kind = body.element("policyQualifierId", identifier(QUALIFIERS))
    shape = _NOTICE if kind.meaning == "id-qt-unotice" else either(IA5_STRING, ANY)
    return None, words(body.element("qualifier", shape))


def _user_notice(body: Reader) -> Contents:
    body.optional("noticeRef", sequence("NoticeReference", _notice_reference))
    return None, words(body.optional("explicitText", STRING))


def _notice_reference(body: Reader) -> Contents:
    organization = body.element("organization", STRING)
    body.element("noticeNumbers", sequence_of("noticeNumbers", "noticeNumber", INTEGER))
    return None, words(organization)


def _policy_mapping(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.5."""
    issuers = body.element("issuerDomainPolicy", _POLICY)
    subjects = body.element("subjectDomainPolicy", _POLICY)
    return None, f"{words(issuers)} → {words(subjects)}"


def _policy_constraints(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.11."""
    parts = [body.optional(name, implicit(number, INTEGER)) for number, name in enumerate(_POLICY_CONSTRAINTS)]
    return None, ", ".join(f"{part.name} {words(part)}" for part in parts if part)


_POLICY_CONSTRAINTS = ("requireExplicitPolicy", "inhibitPolicyMapping")
_QUALIFIER = sequence("PolicyQualifierInfo", _policy_qualifier)
_NOTICE = either(sequence("UserNotice", _user_notice), ANY)


# What a CA may name


def _name_constraints(body: Reader) -> Contents:
    """Source: RFC 5280 §4.2.1.10."""
    permitted = body.optional("permittedSubtrees", implicit(0, _SUBTREES))
    excluded = body.optional("excludedSubtrees", implicit(1, _SUBTREES))
    parts = (("permitted", permitted), ("excluded", excluded))
    return None, "; ".join(f"{word} {field.meaning}" for word, field in parts if field)


def _subtree(body: Reader) -> Contents:
    _, text = general_name(body, "base")
    body.optional("minimum", implicit(0, INTEGER))
    body.optional("maximum", implicit(1, INTEGER))
    return None, text


_SUBTREES = sequence_of("GeneralSubtrees", "GeneralSubtree", sequence("GeneralSubtree", _subtree))


# Other documents' extensions


def _attribute_values(body: Reader) -> Contents:
    kind = body.element("type", identifier({}))
    body.element("values", sequence_of("AttributeSet", "element", ANY, 0x31))
    return None, words(kind)


def _template(body: Reader) -> Contents:
    template = body.element("templateID", identifier({}))
    major = body.optional("templateMajorVersion", INTEGER)
    body.optional("templateMinorVersion", INTEGER)
    return None, " version ".join(filter(None, (words(template), words(major))))


class Extension(NamedTuple):
    """A row of `EXTENSIONS`: the extension's name, and the name and type of the element in its extnValue."""

    name: str
    inner: str
    shape: Shape


_POINTS = sequence_of("CRLDistributionPoints", "DistributionPoint", sequence("DistributionPoint", _distribution_point))
_ACCESS = sequence_of("InfoAccess", "AccessDescription", sequence("AccessDescription", _access_description))
_PURPOSES = sequence_of("ExtKeyUsageSyntax", "KeyPurposeId", identifier(EXTENDED_KEY_USAGES))
_KEY_IDENTIFIER = Shape("OCTET STRING", {0x04: _key_identifier})
_AUTHORITY_KEY = sequence("AuthorityKeyIdentifier", _authority_key_identifier)
_POLICIES = sequence_of("CertificatePolicies", "PolicyInformation", sequence("PolicyInformation", _policy_information))
_MAPPINGS = sequence_of("PolicyMappings", "PolicyMapping", sequence("PolicyMapping", _policy_mapping))
_CONSTRAINTS = sequence("PolicyConstraints", _policy_constraints)
_ATTRIBUTES = sequence_of("SubjectDirectoryAttributes", "Attribute", sequence("Attribute", _attribute_values))
_FEATURES = sequence_of("Features", "Feature", integer(TLS_FEATURES))
_TIMESTAMPS = Shape("OCTET STRING", {0x04: timestamp_list})

EXTENSIONS = {
    "2.5.29.9": Extension("subjectDirectoryAttributes", "SubjectDirectoryAttributes", _ATTRIBUTES),
    "2.5.29.14": Extension("subjectKeyIdentifier", "SubjectKeyIdentifier", _KEY_IDENTIFIER),
    "2.5.29.15": Extension("keyUsage", "KeyUsage", named_bits(KEY_USAGES)),
    "2.5.29.16": Extension(
        "privateKeyUsagePeriod", "PrivateKeyUsagePeriod", sequence("PrivateKeyUsagePeriod", _usage_period)
    ),
    "2.5.29.17": Extension("subjectAltName", "GeneralNames", GENERAL_NAMES),
    "2.5.29.18": Extension("issuerAltName", "GeneralNames", GENERAL_NAMES),
    "2.5.29.19": Extension("basicConstraints", "BasicConstraints", sequence("BasicConstraints", _basic_constraints)),
    "2.5.29.30": Extension("nameConstraints", "NameConstraints", sequence("NameConstraints", _name_constraints)),
    "2.5.29.31": Extension("cRLDistributionPoints", "CRLDistributionPoints", _POINTS),
    "2.5.29.32": Extension("certificatePolicies", "CertificatePolicies", _POLICIES),
    "2.5.29.33": Extension("policyMappings", "PolicyMappings", _MAPPINGS),
    "2.5.29.35": Extension("authorityKeyIdentifier", "AuthorityKeyIdentifier", _AUTHORITY_KEY),
    "2.5.29.36": Extension(
        "policyConstraints", "PolicyConstraints", sequence("PolicyConstraints", _policy_constraints)
    ),
    "2.5.29.37": Extension("extKeyUsage", "ExtKeyUsageSyntax", _PURPOSES),
    "2.5.29.46": Extension("freshestCRL", "CRLDistributionPoints", _POINTS),
    "2.5.29.54": Extension("inhibitAnyPolicy", "SkipCerts", INTEGER),
    "1.3.6.1.5.5.7.1.1": Extension("authorityInfoAccess", "AuthorityInfoAccessSyntax", _ACCESS),
    "1.3.6.1.5.5.7.1.11": Extension("subjectInfoAccess", "SubjectInfoAccessSyntax", _ACCESS),
    # ETSI EN 319 412-5
    "1.3.6.1.5.5.7.1.3": Extension("qcStatements", "QCStatements", ANY),
    # RFC 7633
    "1.3.6.1.5.5.7.1.24": Extension("tlsFeature", "Features", _FEATURES),
    # RFC 6960 §4.2.2.2.1
    "1.3.6.1.5.5.7.48.1.5": Extension("ocspNoCheck", "NULL", NULL),
    # RFC 6962 §3.1, §3.3
    "1.3.6.1.4.1.11129.2.4.2": Extension(
        "signedCertificateTimestampList", "SignedCertificateTimestampList", _TIMESTAMPS
    ),
    "1.3.6.1.4.1.11129.2.4.3": Extension("precertificatePoison", "NULL", NULL),
    # Netscape's and Microsoft's, still written by old and by large installations
    "2.16.840.1.113730.1.1": Extension("netscapeCertType", "NetscapeCertType", named_bits(NETSCAPE_TYPES)),
    "2.16.840.1.113730.1.13": Extension("netscapeComment", "NetscapeComment", either(IA5_STRING, ANY)),
    "1.3.6.1.4.1.311.20.2": Extension("enrollCertType", "CertificateTemplateName", STRING),
    "1.3.6.1.4.1.311.21.1": Extension("cAVersion", "CAVersion", INTEGER),
    "1.3.6.1.4.1.311.21.7": Extension("certificateTemplate", "CertificateTemplate", sequence("Template", _template)),
}
"""Object identifier → what the extension is called and what it holds."""

EXTENSION_NAMES = {dotted: extension.name for dotted, extension in EXTENSIONS.items()}
UNKNOWN = "unknownExtension"


def extensions(body: Reader) -> Contents:
    """Read the items of Extensions, each called by its extension's name."""
    count = 0
    while body.remaining:
        body.element(UNKNOWN, _EXTENSION)
        count += 1
    return counted(count), ""


def _extension(body: Reader) -> Contents:
    identity = body.element("extnID", _EXTENSION_ID)
    known = EXTENSIONS.get(str(identity.value))
    body.name = known.name if known else UNKNOWN
    critical = body.optional("critical", BOOLEAN)
    read = partial(_inside, known) if known else _unknown
    value = body.element("extnValue", Shape("OCTET STRING", {0x04: read}))
    said = words(value) if known else str(identity.value)
    return value.value, ("critical: " if critical and critical.value else "") + said


def _inside(known: Extension, body: Reader) -> Contents:
    def read(body: Reader) -> Contents:
        inner = body.element(known.inner, known.shape)
        return inner.value, inner.meaning

    return body.attempt(read)


def _unknown(body: Reader) -> Contents:
    octets = body.data[body.position : body.end]
    return body.contents(octets, f"{len(octets)} bytes that only its maker can read" if octets else "")


_EXTENSION_ID = identifier(EXTENSION_NAMES)
_EXTENSION = sequence("Extension", _extension)
EXTENSIONS_SHAPE = sequence("Extensions", extensions)
