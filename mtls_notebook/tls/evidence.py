"""What travels beside a certificate: OCSP responses, certificate timestamps, delegated credentials.

The outer TLS structures are read here; the ASN.1 inside (an OCSP response, a public key) stays one
leaf, as certificates do.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtls_notebook.tls.names import SCT_VERSIONS, SIGNATURE_SCHEMES, STATUS_TYPES
from mtls_notebook.tls.reader import Reader

OCSP, OCSP_MULTI = 1, 2


@dataclass(frozen=True, slots=True)
class CertificateStatusRequest:
    """Whose OCSP answers a client takes: DER ResponderIDs, none meaning anyone; and DER extensions."""

    status_type: int
    responder_id_list: tuple[bytes, ...]
    request_extensions: bytes


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """Stapled OCSP: DER OCSPResponses, one for each certificate (or one in all, for `ocsp`)."""

    status_type: int
    responses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedCertificateTimestamp:
    """A log's promise to publish a certificate.

    Units: `timestamp` in milliseconds since 1970.
    """

    version: int
    log_id: bytes
    timestamp: int
    extensions: bytes
    algorithm: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class DelegatedCredential:
    """A short-lived key that a certificate's owner signed for.

    Units: `valid_time` in seconds after the certificate's notBefore. `subject_public_key_info` is DER.
    """

    valid_time: int
    expected_algorithm: int
    subject_public_key_info: bytes
    algorithm: int
    signature: bytes


def status_request(reader: Reader) -> CertificateStatusRequest:
    """Return a ClientHello's status_request.

    Source: RFC 6066 §8.
    """
    status_type = reader.u8("status_type", STATUS_TYPES)
    return _ocsp_request(reader, status_type)


def status_request_v2(reader: Reader) -> tuple[CertificateStatusRequest, ...]:
    """Return a ClientHello's status_request_v2, whose items carry their length.

    Source: RFC 6961 §2.2.
    """
    return reader.items("certificate_status_req_list", 2, "CertificateStatusRequestItemV2", _request_v2, minimum=1)


def _request_v2(reader: Reader) -> CertificateStatusRequest:
    status_type = reader.u8("status_type", STATUS_TYPES)
    return reader.nested("request", 2, lambda body: _ocsp_request(body, status_type))


def _ocsp_request(reader: Reader, status_type: int) -> CertificateStatusRequest:
    if status_type not in (OCSP, OCSP_MULTI):
        return CertificateStatusRequest(status_type, (), reader.rest("request"))
    responders = reader.vectors("responder_id_list", 2, "ResponderID", 2, item_minimum=1)
    return CertificateStatusRequest(status_type, responders, reader.vector("request_extensions", 2))


def certificate_status(reader: Reader) -> CertificateStatus:
    """Return a CertificateStatus: a TLS 1.2 message and a TLS 1.3 certificate's extension alike.

    Source: RFC 6066 §8, RFC 6961 §2.2, RFC 8446 §4.4.2.1.
    """
    status_type = reader.u8("status_type", STATUS_TYPES)
    if status_type == OCSP:
        return CertificateStatus(status_type, (reader.vector("response", 3, minimum=1),))
    if status_type == OCSP_MULTI:
        responses = reader.vectors("ocsp_response_list", 3, "OCSPResponse", 3, minimum=1)
        return CertificateStatus(status_type, responses)
    return CertificateStatus(status_type, (reader.rest("response"),))


def certificate_timestamps(reader: Reader) -> tuple[SignedCertificateTimestamp | bytes, ...]:
    """Return a list of certificate timestamps; one of an unknown version stays bytes.

    Source: RFC 6962 §3.3.
    """
    return reader.many("sct_list", 2, lambda r, _: r.nested("SerializedSCT", 2, _sct, minimum=1), minimum=1)


def _sct(reader: Reader) -> SignedCertificateTimestamp | bytes:
    """Return one timestamp.

    Source: RFC 6962 §3.2.
    """
    version = reader.u8("sct_version", SCT_VERSIONS)
    if version not in SCT_VERSIONS:
        return reader.rest("data")
    return SignedCertificateTimestamp(
        version=version,
        log_id=reader.opaque("log_id", 32),
        timestamp=reader.u64("timestamp"),
        extensions=reader.vector("sct_extensions", 2),
        algorithm=reader.u16("algorithm", SIGNATURE_SCHEMES),
        signature=reader.vector("signature", 2),
    )


def delegated_credential(reader: Reader) -> DelegatedCredential:
    """Return the credential beside a certificate.

    Source: RFC 9345 §4.
    """
    return DelegatedCredential(
        valid_time=reader.u32("valid_time"),
        expected_algorithm=reader.u16("dc_cert_verify_algorithm", SIGNATURE_SCHEMES),
        subject_public_key_info=reader.vector("ASN1_subjectPublicKeyInfo", 3, minimum=1),
        algorithm=reader.u16("algorithm", SIGNATURE_SCHEMES),
        signature=reader.vector("signature", 2, minimum=1),
    )
