"""DER Names: who a server says it trusts, as a span subtree and as RFC 4514 text.

A CertificateRequest carries each accepted CA as the DER of its X.501 Name. This is the little DER
that needs; certificates are taken apart elsewhere, by `pki`. Nothing here judges a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mtls_notebook.spans import Field
from mtls_notebook.tls.reader import Reader

T = TypeVar("T")
Attribute = tuple[str, str]
"""A dotted object identifier and its value as text."""
RelativeName = tuple[Attribute, ...]

SEQUENCE, SET, OBJECT_IDENTIFIER = 0x30, 0x31, 0x06

DER_TAGS: dict[int, str] = {
    0x03: "BIT STRING",
    0x04: "OCTET STRING",
    0x06: "OBJECT IDENTIFIER",
    0x0C: "UTF8String",
    0x12: "NumericString",
    0x13: "PrintableString",
    0x14: "TeletexString",
    0x16: "IA5String",
    0x1A: "VisibleString",
    0x1C: "UniversalString",
    0x1E: "BMPString",
    0x30: "SEQUENCE",
    0x31: "SET",
}
"""The tags found in names. Source: X.690 §8.1.2, X.680 §8.4."""

STRING_ENCODINGS: dict[int, str] = {
    0x0C: "utf-8",
    0x12: "utf-8",
    0x13: "utf-8",
    0x14: "latin-1",
    0x16: "utf-8",
    0x1A: "utf-8",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""How a string type's bytes become text. Source: RFC 5280 §4.1.2.4.

The ASCII types are read as UTF-8, for some CAs put it there; T.61 as Latin-1, as everyone does.
"""

ATTRIBUTE_NAMES: dict[str, str] = {
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
"""Source: RFC 4514 §3. Types outside this table are written as dotted numbers."""

ATTRIBUTE_MEANINGS: dict[str, str] = {
    "2.5.4.3": "commonName",
    "2.5.4.4": "surname",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "givenName",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
}
"""Attribute types in words. Source: RFC 4519 §2, X.520, RFC 2985 §5.2.1."""


def read_name(reader: Reader) -> str:
    """Return the RFC 4514 text of the DER Name that fills `reader`.

    Raises: DecodeError when the bytes are no Name.
    Source: RFC 5280 §4.1.2.4.
    """
    relative_names = element(reader, "RDNSequence", SEQUENCE, _all(_relative_name))
    return rfc4514(relative_names)


def read_name_or_bytes(reader: Reader) -> tuple[bytes, str]:
    """Return the DER that fills `reader` and its text; a body that is no Name stays one leaf.

    Not an error: the oddity is the peer's, and the rest of its message is worth reading.
    """
    der = reader.data[reader.position : reader.end]
    text = reader.attempt(read_name)
    if text is None:
        reader.rest("data")
    return der, not_a_name(der) if text is None else text


def name_text(der: bytes) -> str:
    """Return the RFC 4514 text of a DER Name, or a remark that it is none."""
    return read_name_or_bytes(Reader(der, "Name"))[1]


def not_a_name(der: bytes) -> str:
    """Return what stands in place of a name that does not decode."""
    return f"(not a DER Name: {len(der)} bytes)"


def rfc4514(relative_names: tuple[RelativeName, ...]) -> str:
    """Return a name as text, the last part first: "CN=client,O=Example".

    Source: RFC 4514 §2.1–§2.4; a value of a type without a short name is written as text too, not as #hex.
    """
    return ",".join(
        "+".join(f"{ATTRIBUTE_NAMES.get(kind, kind)}={_escape(value)}" for kind, value in attributes)
        for attributes in reversed(relative_names)
    )


def read_object_identifier(reader: Reader) -> str:
    """Return the dotted form of the DER OBJECT IDENTIFIER that comes next."""
    return element(reader, "OBJECT IDENTIFIER", OBJECT_IDENTIFIER, _dotted)


def element(reader: Reader, name: str, tag: int, parse: Callable[[Reader], T]) -> T:
    """Return what `parse` makes of the contents of one DER element that must carry `tag`."""

    def read(inner: Reader) -> T:
        offset = inner.position
        found = inner.u8("tag", DER_TAGS)
        if found != tag:
            raise inner.error(f"expected {DER_TAGS[tag]}, found tag 0x{found:02x}", "tag", offset)
        return _contents(inner, parse)

    return reader.struct(name, read)


def _contents(reader: Reader, parse: Callable[[Reader], T]) -> T:
    length = _length(reader)
    if length > reader.remaining:
        raise reader.error(f"declares {length} bytes, {reader.remaining} left", "length")
    body = Reader(reader.data, "contents", reader.position, reader.position + length, reader)
    value = parse(body)
    body.finish()
    reader.position = body.position
    reader.fields += body.fields
    return value


def _length(reader: Reader) -> int:
    """Read a definite DER length of at most four bytes.

    Source: X.690 §8.1.3.
    """
    start = reader.position
    if not reader.remaining:
        raise reader.error("needs 1 byte, 0 left", "length")
    first = reader.data[start]
    if first < 0x80:
        return reader.u8("length")
    size = first & 0x7F
    if not 1 <= size <= 4 or size >= reader.remaining:
        raise reader.error(f"length octet 0x{first:02x} is not usable DER", "length", start)
    value = int.from_bytes(reader.data[start + 1 : start + 1 + size], "big")
    reader.position = start + 1 + size
    reader.fields.append(Field("length", (start, reader.position), value))
    return value


def _all(parse: Callable[[Reader], T]) -> Callable[[Reader], tuple[T, ...]]:
    def read(reader: Reader) -> tuple[T, ...]:
        values: list[T] = []
        while reader.remaining:
            values.append(parse(reader))
        return tuple(values)

    return read


def _relative_name(reader: Reader) -> RelativeName:
    return element(reader, "RelativeDistinguishedName", SET, _all(_attribute))


def _attribute(reader: Reader) -> Attribute:
    return element(reader, "AttributeTypeAndValue", SEQUENCE, _type_and_value)


def _type_and_value(reader: Reader) -> Attribute:
    kind = element(reader, "type", OBJECT_IDENTIFIER, _dotted)
    return kind, reader.struct("value", _string)


def _dotted(reader: Reader) -> str:
    offset = reader.position
    contents = reader.data[offset : reader.end]
    dotted = dotted_identifier(contents)
    if not dotted:
        raise reader.error("is no object identifier", "identifier", offset)
    reader.opaque("identifier", len(contents), lambda _: ATTRIBUTE_MEANINGS.get(dotted, dotted))
    return dotted


def dotted_identifier(contents: bytes) -> str:
    """Return the dotted form of an object identifier's content octets; "" if they are none.

    Source: X.690 §8.19. Arcs above 2^64 are refused: they occur in no registry and cost time.
    """
    arcs: list[int] = []
    arc = 0
    for octet in contents:
        arc = arc << 7 | octet & 0x7F
        if arc >> 64:
            return ""
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs or contents[-1] & 0x80:
        return ""
    first = min(arcs[0] // 40, 2)
    return ".".join(str(n) for n in (first, arcs[0] - 40 * first, *arcs[1:]))


def _string(reader: Reader) -> str:
    tag = reader.u8("tag", DER_TAGS)
    return _contents(reader, lambda body: _text(body, tag))


def _text(reader: Reader, tag: int) -> str:
    contents = reader.data[reader.position : reader.end]
    encoding = STRING_ENCODINGS.get(tag)
    text = contents.decode(encoding, "backslashreplace") if encoding else "#" + contents.hex()
    reader.rest("string", lambda _: text)
    return text


def _escape(value: str) -> str:
    """Return an attribute's value with what RFC 4514 §2.4 reserves escaped."""
    escaped = "".join(f"\\{char}" if char in '\\"+,;<>' else char for char in value).replace("\0", "\\00")
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    return escaped[:-1] + "\\ " if escaped.endswith(" ") and len(value) > 1 else escaped
