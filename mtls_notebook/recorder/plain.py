"""Facts of a handshake as plain data, told alike by every file format that is read by programs.

What may not live here: a whole document, and anything secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..errors import NotACertificate
from ..pki.certificate import Certificate
from .handshake import Handshake


def alert(shake: Handshake) -> dict[str, Any] | None:
    """Return {"number", "name", "sender"} of the alert that ended the connection, None if none did."""
    if (seen := shake.alert) is None:
        return None
    return {"number": seen.number, "name": seen.name, "sender": seen.sender}


def chain(ders: Sequence[bytes]) -> list[dict[str, str]]:
    """Return {"subject", "issuer", "sha256"} for each DER certificate, in order.

    Names are RFC 4514 text, "" when the DER is no certificate; `sha256` is lowercase hex.
    """
    return [_certificate(der) for der in ders]


def _certificate(der: bytes) -> dict[str, str]:
    try:
        certificate = Certificate.from_der(der)
        subject, issuer = certificate.subject, certificate.issuer
    except NotACertificate:
        subject = issuer = ""
    return {"subject": subject, "issuer": issuer, "sha256": hashlib.sha256(der).hexdigest()}
