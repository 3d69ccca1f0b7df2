"""The list of signed certificate timestamps (SCTs): TLS's encoding inside a certificate's DER.

What may not live here: the names of logs (they change monthly) and checking a log's signature.
Source: RFC 6962 §3.2, §3.3.
"""

from __future__ import annotations

from datetime import UTC, datetime

from .certificate_keys import SIGNATURES
from .der import Contents, Reader

VERSIONS = {0: "v1"}
HASHES = {4: "sha256", 5: "sha384", 6: "sha512"}
SIGNERS = {1: "rsa", 3: "ecdsa"}
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_LAST_MOMENT = 253_402_300_799_999  # the end of the year 9999 in milliseconds
_KEY_ID_BYTES = 32


def timestamp_list(body: Reader) -> Contents:
    """Read a SignedCertificateTimestampList; the value counts them.

    Units: timestamps are milliseconds since 1970 (UTC).
    """
    length = body.number("vector_length", 2)
    if length != body.remaining:
        raise body.error(f"declares {length} bytes, {body.remaining} are there", "vector_length")
    moments = []
    while body.remaining:
        moments.append(body.structure("SerializedSCT", 2 + _next_length(body), _serialized)[1])
    count = len(moments)
    return f"{count} timestamp{'' if count == 1 else 's'}", ", ".join(moments)


def _next_length(body: Reader) -> int:
    return int.from_bytes(body.data[body.position : min(body.position + 2, body.end)], "big")


def _serialized(body: Reader) -> Contents:
    body.number("vector_length", 2)
    if body.number("sct_version", 1, VERSIONS) not in VERSIONS:
        return body.rest("opaque_sct"), "a timestamp of an unknown version"
    body.octets("log_id", _KEY_ID_BYTES)
    moment = _timestamp(body)
    body.structure("extensions", 2 + _next_length(body), _extensions)
    body.structure("signature", body.remaining, _signature)
    return None, moment


def _timestamp(body: Reader) -> str:
    octets = body.data[body.position : min(body.position + 8, body.end)]
    milliseconds = int.from_bytes(octets, "big")
    if milliseconds > _LAST_MOMENT:
        raise body.error(f"is {milliseconds} milliseconds, beyond the calendar", "timestamp")
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    text = f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03} UTC"
    body.number("timestamp", 8, {milliseconds: text})
    return text


def _extensions(body: Reader) -> Contents:
    body.number("vector_length", 2)
    return body.rest("data"), ""


def _signature(body: Reader) -> Contents:
    """Source: RFC 5246 §4.7 (digitally-signed)."""
    hash_name = HASHES.get(body.number("hash", 1, HASHES), "?")
    signer = body.number("signature_algorithm", 1, SIGNERS)
    length = body.number("vector_length", 2)
    if length != body.remaining:
        raise body.error(f"declares {length} bytes, {body.remaining} are there", "vector_length")
    meaning = f"{SIGNERS.get(signer, '?')} with {hash_name}"
    if signer != 3:
        return body.rest("data"), meaning
    body.attempt(SIGNATURES[_ECDSA_WITH_SHA256])
    return None, meaning
