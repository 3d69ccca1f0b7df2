"""A certificate's DER as a span tree: every byte has a name, and the names are those of RFC 5280.

The outside is strict: a certificate that breaks off or lies about a length is a `DecodeError`. What
stands inside an extension, a key or a signature may be damaged; then its bytes are kept and say why.

What may not live here: facts for the certificate's card (`pki.certificate`), and judgement.
Source: RFC 5280 §4.1.
"""

from __future__ import annotations

from ..spans import Field
from .certificate_extensions import EXTENSIONS_SHAPE
from .certificate_keys import ALGORITHM, public_key_info, signature_value
from .certificate_names import NAME
from .der import Contents, Reader, read
from .der_types import BIT_STRING, INTEGER, TIME, explicit, implicit, integer, sequence

VERSION = integer({0: "v1", 1: "v2", 2: "v3"})


def tree(der: bytes) -> Field:
    """Return the certificate in `der` as a tree whose leaves tile it.

    Shape: spans count from the certificate's first byte; a node's children are its tag, its length, then
    its contents.
    Raises: DecodeError, naming the field and the byte, when `der` is anything else than one certificate.
    """
    return read(bytes(der), "Certificate", CERTIFICATE)


def _certificate(body: Reader) -> Contents:
    signed = body.element("tbsCertificate", TBS_CERTIFICATE)
    algorithm = body.element("signatureAlgorithm", ALGORITHM)
    body.element("signatureValue", signature_value(str(algorithm.value)))
    return None, signed.meaning


def _tbs_certificate(body: Reader) -> Contents:
    body.optional("version", explicit(0, "Version", VERSION))
    body.element("serialNumber", INTEGER)
    body.element("signature", ALGORITHM)
    body.element("issuer", NAME)
    body.element("validity", VALIDITY)
    subject = body.element("subject", NAME)
    body.element("subjectPublicKeyInfo", PUBLIC_KEY_INFO)
    body.optional("issuerUniqueID", implicit(1, BIT_STRING))
    body.optional("subjectUniqueID", implicit(2, BIT_STRING))
    body.optional("extensions", explicit(3, "Extensions", EXTENSIONS_SHAPE))
    return None, subject.meaning


def _validity(body: Reader) -> Contents:
    first = body.element("notBefore", TIME)
    last = body.element("notAfter", TIME)
    return None, f"{first.meaning} to {last.meaning}"


VALIDITY = sequence("Validity", _validity)
PUBLIC_KEY_INFO = sequence("SubjectPublicKeyInfo", public_key_info)
TBS_CERTIFICATE = sequence("TBSCertificate", _tbs_certificate)
CERTIFICATE = sequence("Certificate", _certificate)
