"""Names inside a certificate: distinguished names and the nine kinds of GeneralName.

What may not live here: whether a name matches a host, and where in a certificate names stand.
Source: RFC 5280 §4.1.2.4 (Name), §4.2.1.6 (GeneralName).
"""

from __future__ import annotations

import ipaddress

from ..spans import Field
from .der import CONSTRUCTED, CONTEXT, Contents, Reader, Shape
from .der_types import (
    ANY,
    IA5_STRING,
    STRING,
    either,
    explicit,
    identifier,
    implicit,
    listed,
    sequence,
    words,
)
from .distinguished_name import ATTRIBUTE_NAMES, escape_value

# Distinguished names


def _type_and_value(body: Reader) -> Contents:
    kind = body.element("type", _ATTRIBUTE_TYPE)
    value = body.element("value", ATTRIBUTE_VALUE)
    if isinstance(value.value, str) and body.data[value.span[0]] in STRING.readers:
        text = escape_value(value.value)
    else:
        text = "#" + body.data[slice(*value.span)].hex()
    return None, f"{words(kind)}={text}"


def _relative_name(body: Reader) -> Contents:
    items = _attributes(body)
    return None, "+".join(items)


def _attributes(body: Reader) -> list[str]:
    items = []
    while body.remaining:
        items.append(body.element("AttributeTypeAndValue", ATTRIBUTE).meaning)
    return items


def _name(body: Reader) -> Contents:
    """Source: RFC 4514 §2.1 for the order of the text."""
    parts = []
    while body.remaining:
        parts.append(body.element("RelativeDistinguishedName", RELATIVE_NAME).meaning)
    return None, ",".join(reversed(parts)) or "an empty name"


_ATTRIBUTE_TYPE = identifier(ATTRIBUTE_NAMES)
ATTRIBUTE_VALUE = either(STRING, ANY)
ATTRIBUTE = sequence("AttributeTypeAndValue", _type_and_value)
RELATIVE_NAME = Shape("RelativeDistinguishedName", {0x31: _relative_name})
NAME = sequence("Name", _name)


# General names


def _other_name(body: Reader) -> Contents:
    kind = body.element("type-id", identifier(OTHER_NAMES))
    value = body.element("value", explicit(0, "element", ANY))
    return None, ": ".join(filter(None, (words(kind), words(value))))


def _address(body: Reader) -> Contents:
    """Read an address, or in nameConstraints an address and its mask.

    Source: RFC 5280 §4.2.1.6, §4.2.1.10.
    """
    octets = body.data[body.position : body.end]
    if len(octets) in {4, 16}:
        return body.contents(octets, str(ipaddress.ip_address(octets)))
    if len(octets) in {8, 32}:
        half = len(octets) // 2
        return body.contents(octets, "/".join(str(ipaddress.ip_address(o)) for o in (octets[:half], octets[half:])))
    raise body.error("is no address: 4 or 16 bytes, twice as many with a mask")


def _opaque_parts(body: Reader) -> Contents:
    return listed(body, lambda: body.element("element", ANY))


# Microsoft's user principal name, RFC 8398, RFC 4985, RFC 6955's and Kerberos's names.
OTHER_NAMES = {
    "1.3.6.1.4.1.311.20.2.3": "userPrincipalName",
    "1.3.6.1.5.5.7.8.5": "xmppAddr",
    "1.3.6.1.5.5.7.8.7": "dnsSRV",
    "1.3.6.1.5.5.7.8.9": "SmtpUTF8Mailbox",
    "1.3.6.1.5.2.2": "KRB5PrincipalName",
    "1.3.6.1.5.5.7.8.4": "hardwareModuleName",
}
_ADDRESS = Shape("iPAddress", {0x04: _address})
_PARTS = sequence("SEQUENCE", _opaque_parts)

# Name, how its text begins elsewhere in this package (`pki.extensions.general_name`), and type.
_ALTERNATIVES = (
    ("otherName", "otherName", implicit(0, sequence("OtherName", _other_name))),
    ("rfc822Name", "email", implicit(1, IA5_STRING)),
    ("dNSName", "DNS", implicit(2, IA5_STRING)),
    ("x400Address", "x400Address", implicit(3, _PARTS)),
    # A CHOICE cannot be tagged implicitly, so the Name keeps its own tag inside.
    ("directoryName", "DirName", explicit(4, "Name", NAME)),
    ("ediPartyName", "ediPartyName", implicit(5, _PARTS)),
    ("uniformResourceIdentifier", "URI", implicit(6, IA5_STRING)),
    ("iPAddress", "IP", implicit(7, _ADDRESS)),
    ("registeredID", "RID", implicit(8, identifier({}))),
)
_BY_TAG = {tag: (name, prefix) for name, prefix, shape in _ALTERNATIVES for tag in shape.readers}
GENERAL_NAME = Shape("GeneralName", {tag: read for *_, shape in _ALTERNATIVES for tag, read in shape.readers.items()})


def general_name(body: Reader, name: str = "") -> tuple[Field, str]:
    """Read a GeneralName; return it and its text, such as "DNS:example.com".

    Shape: without a `name` the field is called after the kind: "dNSName".
    """
    kind, prefix = _BY_TAG.get(body.next_tag, ("GeneralName", ""))
    field = body.element(name or kind, GENERAL_NAME)
    return field, f"{prefix}:{words(field)}"


def _general_names(body: Reader) -> Contents:
    texts = []
    while body.remaining:
        texts.append(general_name(body)[1])
    return f"{len(texts)} names" if len(texts) != 1 else "1 name", ", ".join(texts)


GENERAL_NAMES = sequence("GeneralNames", _general_names)
DISTRIBUTION_POINT_NAME = Shape(
    "DistributionPointName",
    {
        CONTEXT | CONSTRUCTED | 0: GENERAL_NAMES.readers[0x30],
        CONTEXT | CONSTRUCTED | 1: RELATIVE_NAME.readers[0x31],
    },
)
