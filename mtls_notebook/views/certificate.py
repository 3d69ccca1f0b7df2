"""The certificate card: a passport, not a dump.

Who it is, who vouches for it, how long it is valid and what it may be used for, at a glance; every byte
folded below. What may not live here: reading certificates (`pki.certificate`), private keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anywidget
import traitlets

from ..pki.certificate import Certificate, warnings
from ..session.store import Stored
from . import assets, static
from .fields import Glossary, certificate_anatomy
from .text import counted, grouped_hex, size, visible

SOON = timedelta(days=30)
BYTES_SHOWN = 8192
FIELDS_SHOWN = 900

# Usage → what it lets the certificate do, for people who do not know the RFC names.
USAGES = {
    "clientAuth": "proves a client to a server: mTLS needs it",
    "serverAuth": "proves a server to a client",
    "codeSigning": "signs programs",
    "emailProtection": "signs and encrypts mail",
    "timeStamping": "signs points in time",
    "OCSPSigning": "signs revocation answers",
    "anyExtendedKeyUsage": "any purpose",
    "digitalSignature": "signs handshakes (CertificateVerify)",
    "contentCommitment": "signs what may not be denied later",
    "keyEncipherment": "decrypts the session key of RSA key exchange",
    "dataEncipherment": "decrypts data directly",
    "keyAgreement": "agrees on keys",
    "keyCertSign": "issues certificates",
    "cRLSign": "signs revocation lists",
}


class CertificateWidget(anywidget.AnyWidget):
    """Shows one certificate with the chain above it."""

    _esm = assets.module("dom.js", "keys.js", "bytes.js", "certificate.js", render="renderCertificate")
    _css = assets.stylesheet("theme.css", "bytes.css", "certificate.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, chain: Sequence[Certificate], stored: Stored | None = None) -> None:
        super().__init__(state=state(chain, stored))
        self._chain = tuple(chain)
        self._stored = stored

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        page, words = html(self._chain, self._stored), text(self._chain, self._stored)
        return static.bundle(self.model_id, page, words)


def state(chain: Sequence[Certificate], stored: Stored | None = None, now: datetime | None = None) -> dict[str, Any]:
    """Return all that `certificate.js` draws, as plain JSON; `chain` is leaf first, `now` aware UTC."""
    leaf = chain[0]
    moment = now or datetime.now(UTC)
    glossary = Glossary()
    return {
        "label": f"Certificate {name(leaf)}",
        "name": name(leaf),
        "role": "certificate authority" if leaf.is_ca else "leaf",
        "path": path(chain),
        "validity": validity(leaf, moment),
        "names": [visible(entry) for entry in leaf.subject_alternative_names],
        "usages": [_usage(usage) for usage in (*leaf.extended_key_usage, *leaf.key_usage)],
        "warnings": [visible(words) for words in warnings(leaf, moment)],
        "facts": [{"name": label, "value": value} for label, value in _facts(leaf, stored)],
        "copies": [{"name": label, "value": value} for label, value in _copies(leaf, stored)],
        "anatomy": certificate_anatomy(leaf.der, glossary, FIELDS_SHOWN, BYTES_SHOWN),
        "glossary": glossary.state(),
        "size": size(len(leaf.der)),
    }


def validity(certificate: Certificate, now: datetime) -> dict[str, Any]:
    """Return the validity bar: its ends, where today stands (percent, kept inside) and a verdict with its tone."""
    start, end = certificate.not_before, certificate.not_after
    passed = (now - start) / (end - start) if end > start else 1.0
    words, tone = _verdict(start, end, now)
    return {
        "from": f"{start:%Y-%m-%d}",
        "to": f"{end:%Y-%m-%d}",
        "from_exactly": f"{start:%Y-%m-%d %H:%M:%S} UTC",
        "to_exactly": f"{end:%Y-%m-%d %H:%M:%S} UTC",
        "today": f"{now:%Y-%m-%d}",
        "percent": round(100 * min(max(passed, 0.0), 1.0), 1),
        "verdict": {"text": words, "tone": tone},
    }


def path(chain: Sequence[Certificate]) -> list[str]:
    """Return the names from the root down to the leaf; an issuer that was not sent comes first."""
    names = [name(certificate) for certificate in reversed(chain)]
    top = chain[-1]
    return names if top.is_self_signed else [_first_name(visible(top.issuer)), *names]


def name(certificate: Certificate) -> str:
    """Return what people call this certificate: its common name, else its first name, else its subject."""
    return visible(certificate.common_name or certificate.subject) or "(no name)"


def line(certificate: Certificate) -> str:
    """Return the certificate in one stable line."""
    return f"<Certificate {name(certificate)}, issued by {_first_name(visible(certificate.issuer))}>"


def text(chain: Sequence[Certificate], stored: Stored | None = None) -> str:
    """Return the certificate as plain text; an ID and a date are all that differs between equal runs."""
    return static.facts(_summary(chain, stored))


def html(chain: Sequence[Certificate], stored: Stored | None = None) -> str:
    """Return the certificate as HTML that survives sanitising: the card's facts as a table."""
    leaf = chain[0]
    heading = f"<p><strong>{static.escape(name(leaf))}</strong></p>"
    table = static.html_table(("Certificate", ""), [pair for pair in _summary(chain, stored) if pair[1]])
    prints = static.html_table(
        ("Fingerprint", ""),
        (("SHA-256", grouped_hex(leaf.fingerprint_sha256)), ("SHA-1", grouped_hex(leaf.fingerprint_sha1))),
    )
    return heading + table + static.folded("Fingerprints", prints)


def view_certificate(certificate: Certificate) -> CertificateWidget:
    """Return the card of one certificate alone."""
    return CertificateWidget((certificate,))


def view_stored(stored: Stored) -> CertificateWidget:
    """Return the card of a stored certificate, with its chain, name and ID."""
    return CertificateWidget(stored.identity.chain, stored)


def html_certificate(certificate: Certificate) -> str:
    """Return one certificate alone as HTML."""
    return html((certificate,))


def html_stored(stored: Stored) -> str:
    """Return a stored certificate as HTML."""
    return html(stored.identity.chain, stored)


def text_certificate(certificate: Certificate) -> str:
    """Return one certificate alone as plain text."""
    return text((certificate,))


def text_stored(stored: Stored) -> str:
    """Return a stored certificate as plain text."""
    return text(stored.identity.chain, stored)


def line_stored(stored: Stored) -> str:
    """Return a stored certificate in one line."""
    return f"<Stored {visible(stored.name or stored.id)}: {name(stored.identity.chain[0])}>"


def _summary(chain: Sequence[Certificate], stored: Stored | None) -> list[tuple[str, str]]:
    leaf = chain[0]
    return [
        *_stored_facts(stored),
        ("Subject", visible(leaf.subject)),
        ("Issuer", visible(leaf.issuer)),
        ("Expires on", f"{leaf.not_after:%Y-%m-%d}"),
        ("Key", visible(leaf.key)),
        ("Usage", visible(", ".join((*leaf.extended_key_usage, *leaf.key_usage)))),
        ("Names", visible(", ".join(leaf.subject_alternative_names))),
        ("Chain", " → ".join(path(chain))),
    ]


def _stored_facts(stored: Stored | None) -> list[tuple[str, str]]:
    if stored is None:
        return []
    return [("ID", stored.id), *([("Name", visible(stored.name))] if stored.name else [])]


def _facts(leaf: Certificate, stored: Stored | None) -> list[tuple[str, str]]:
    found = (
        ("Name", (stored.name or "") if stored else ""),
        ("Subject", leaf.subject),
        ("Issuer", leaf.issuer),
        ("Key", leaf.key),
        ("Signed with", leaf.signature_algorithm),
    )
    return [(label, visible(value)) for label, value in found if value]


def _copies(leaf: Certificate, stored: Stored | None) -> list[tuple[str, str]]:
    prints = (
        ("SHA-256", grouped_hex(leaf.fingerprint_sha256)),
        ("SHA-1", grouped_hex(leaf.fingerprint_sha1)),
        ("Serial", leaf.serial_hex),
    )
    return [("ID", stored.id), *prints] if stored else list(prints)


def _usage(usage: str) -> dict[str, str]:
    tone = "proof" if usage == "clientAuth" else "neutral"
    return {"name": visible(usage), "meaning": USAGES.get(usage, "a purpose of its own"), "tone": tone}


def _verdict(start: datetime, end: datetime, now: datetime) -> tuple[str, str]:
    if now > end:
        return "expired", "alert"
    if now < start:
        return "not yet valid", "alert"
    left = counted((end - now).days, "day") + " left"
    return (left, "warm") if end - now <= SOON else (left, "proof")


def _first_name(distinguished_name: str) -> str:
    """Return the value of the first RDN of RFC 4514 text, the whole text when it has none."""
    first = distinguished_name.replace("\\,", "\0").split(",", 1)[0].replace("\0", ",")
    return first.partition("=")[2] or distinguished_name
