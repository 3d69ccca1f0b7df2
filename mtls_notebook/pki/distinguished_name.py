"""X.509 names and other certificate text, made safe to show.

Whoever makes a certificate chooses its text: it may hold markup, terminal escapes or characters
that turn the reading direction. Here such characters become visible `\\XX` escapes (RFC 4514 §2.4)
while everything else stays as it is: markup is data, and views write it as text.
What may not live here: facts about keys, dates or extensions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from cryptography import x509

# RFC 4514 §3, RFC 4519, RFC 2985: the short names people know; any other OID stays dotted.
ATTRIBUTE_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}

_SPECIAL = frozenset('"+,;<>\\')
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible(text: str) -> str:
    """Return `text` with control and format characters written as `\\XX` (their UTF-8 bytes)."""
    return "".join(map(_visible_character, text))


def rfc4514(name: x509.Name) -> str:
    """Return the name as one line, most specific RDN first, joined by commas.

    Source: RFC 4514 §2.
    """
    return ",".join(_rdn(rdn, "+", escape_value) for rdn in reversed(list(name.rdns)))


def legacy(name: x509.Name) -> str:
    """Return the name as OpenSSL once printed it: `/C=US/CN=Cloudflare`, most general RDN first."""
    return "".join("/" + _rdn(rdn, "/", visible) for rdn in name.rdns)


def common_name(name: x509.Name) -> str:
    """Return the last common name of `name` ("" if it has none)."""
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return visible(_text(found[-1].value)) if found else ""


def escape_value(text: str) -> str:
    escaped = "".join("\\" + c if c in _SPECIAL else _visible_character(c) for c in text)
    if text.startswith((" ", "#")):
        escaped = "\\" + escaped
    if text.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def _rdn(rdn: x509.RelativeDistinguishedName, joiner: str, escape: Callable[[str], str]) -> str:
    return joiner.join(
        f"{ATTRIBUTE_NAMES.get(a.oid.dotted_string, a.oid.dotted_string)}={escape(_text(a.value))}" for a in rdn
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else "#" + value.hex()


def _visible_character(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) not in _UNSEEN_CATEGORIES:
        return character
    return "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
