"""The recorded handshakes of tests/captures, decoded, and forged messages for what none of them holds.

What may not live here: tests, and anything that makes captures.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mtls_notebook.spans import Field
from mtls_notebook.tls.messages import (
    TLS12,
    Context,
    Message,
    Sender,
    decode,
    decode_alert,
    decode_change_cipher_spec,
    next_context,
)

FOLDER = Path(__file__).resolve().parents[2] / "captures"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
ALERT, HANDSHAKE = 21, 22


@dataclass(frozen=True, slots=True)
class Sample:
    """One handshake message and what it takes to decode it."""

    name: str
    raw: bytes
    sender: Sender
    context: Context


def capture(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def decoded(name: str) -> list[Message]:
    """Return every message of a capture in its order, alerts and ChangeCipherSpec too."""
    return [message for message, _ in decoded_with_context(name)]


def decoded_with_context(name: str) -> list[tuple[Message, Context]]:
    context, found = Context(), []
    for entry in capture(name)["messages"]:
        raw, sender = bytes.fromhex(entry["hex"]), entry["sender"]
        if entry["content_type"] == HANDSHAKE:
            message = decode(raw, sender, context)
        else:
            read = decode_alert if entry["content_type"] == ALERT else decode_change_cipher_spec
            message = read(raw, sender)
        found.append((message, context))
        context = next_context(context, message)
    return found


def only(name: str, kind: str, sender: Sender | None = None) -> Message:
    """Return the first message of `kind` in a capture."""
    return next(m for m in decoded(name) if m.kind == kind and sender in (None, m.sender))


def walk(field: Field, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield every field below `field` with its path; `field` itself has the path ()."""
    yield path, field
    for child in field.children:
        yield from walk(child, (*path, child.name))


# Forged bytes


def vec(prefix: int, *parts: bytes) -> bytes:
    """Return a vector: its length in `prefix` bytes, then its parts."""
    body = b"".join(parts)
    return len(body).to_bytes(prefix, "big") + body


def message(kind: int, *parts: bytes) -> bytes:
    return bytes([kind]) + vec(3, *parts)


def extension(number: int, *parts: bytes) -> bytes:
    return number.to_bytes(2, "big") + vec(2, *parts)


def client_hello(*extensions: bytes) -> bytes:
    return message(1, b"\x03\x03", bytes(32), b"\0", vec(2, b"\x13\x01"), b"\1\0", vec(2, *extensions))


def server_hello(*extensions: bytes, suite: int = 0x1301) -> bytes:
    return message(2, b"\x03\x03", bytes(32), b"\0", suite.to_bytes(2, "big"), b"\0", vec(2, *extensions))


def hello_retry_request(*extensions: bytes) -> bytes:
    random = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    return message(2, b"\x03\x03", random, b"\0\x13\x01\0", vec(2, *extensions))


def encrypted_extensions(*extensions: bytes) -> bytes:
    return message(8, vec(2, *extensions))


def certificate(*extensions: bytes) -> bytes:
    return message(11, b"\0", vec(3, vec(3, b"certificate"), vec(2, *extensions)))


def certificate_request(*extensions: bytes) -> bytes:
    return message(13, b"\0", vec(2, *extensions))


def u16(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


OCSP_REQUEST = vec(2, vec(2, b"responder")) + vec(2, b"extensions")
SCT = b"\0" + bytes(32) + bytes(8) + vec(2) + u16(0x0403) + vec(2, b"signature")
ECH_CONTENTS = (b"\7" + u16(0x20) + vec(2, bytes(32)) + vec(2, u16(1, 1)) + b"\x40" + vec(1, b"public.example")) + vec(
    2, u16(9), vec(2, b"x")
)
ECH_CONFIGS = vec(2, u16(0xFE0D), vec(2, ECH_CONTENTS), u16(0xFE0C), vec(2, b"older"))
POINT = b"\4" + bytes(64)
OID_OF_KEY_USAGE = bytes.fromhex("0603551d0f")
COMMON_NAME = bytes.fromhex("300d310b300906035504030c02") + b"CA"
SIGNED_DH = vec(2, b"p") + vec(2, b"g") + vec(2, b"Ys")


def tls12(key_exchange: str) -> Context:
    return Context(TLS12, key_exchange)


_FORGED: dict[str, tuple[bytes, Sender, Context]] = {
    "ServerName of two kinds": (
        client_hello(extension(0, vec(2, b"\0", vec(2, b"a.example"), b"\7", vec(2, b"?\xff")))),
        "client",
        Context(),
    ),
    "flags": (
        client_hello(*(extension(n) for n in (4, 18, 22, 23, 35, 42, 49)), extension(0x2A2A), extension(0x1234, b"?")),
        "client",
        Context(),
    ),
    "rare numbers": (
        client_hello(
            extension(1, b"\2"),
            extension(15, b"\1"),
            extension(28, u16(0x4001)),
            extension(58, b"\2\1"),
            extension(27, vec(1, u16(1, 2))),
            extension(19, vec(1, b"\2\0")),
            extension(20, vec(1, b"\0")),
            extension(21, bytes(7)),
            extension(34, vec(2, u16(0x0403))),
            extension(50, vec(2, u16(0x0904))),
            extension(44, vec(2, b"cookie")),
            extension(47, vec(2, vec(2, COMMON_NAME), vec(2, b"no name"))),
            extension(0xFD00, vec(1, u16(10, 51))),
        ),
        "client",
        Context(),
    ),
    "status requests": (
        client_hello(
            extension(5, b"\1", OCSP_REQUEST),
            extension(17, vec(2, b"\2", vec(2, OCSP_REQUEST), b"\1", vec(2, OCSP_REQUEST))),
        ),
        "client",
        Context(),
    ),
    "a status request of no known kind": (client_hello(extension(5, b"\5???")), "client", Context()),
    "an early hello": (
        client_hello(extension(0xFE0D, b"\0", u16(1, 1), b"\7", vec(2, b"enc"), vec(2, b"payload"))),
        "client",
        Context(),
    ),
    "the inner hello": (client_hello(extension(0xFE0D, b"\1")), "client", Context()),
    "a hello from the future": (client_hello(extension(0xFE0D, b"\5??")), "client", Context()),
    "curve points": (
        client_hello(
            extension(
                51,
                vec(2, u16(23), vec(2, POINT), u16(0x11EB), vec(2, POINT, bytes(1184)), u16(513), vec(2, bytes(1184))),
            )
        ),
        "client",
        Context(),
    ),
    "a point that is too short": (client_hello(extension(51, vec(2, u16(23), vec(2, b"\4")))), "client", Context()),
    "a hybrid answer": (
        server_hello(extension(43, b"\3\4"), extension(51, u16(0x11EB), vec(2, POINT, bytes(1088)))),
        "server",
        Context(),
    ),
    "retry with a cookie": (
        hello_retry_request(extension(43, b"\3\4"), extension(44, vec(2, b"c")), extension(0xFE0D, bytes(8))),
        "server",
        Context(),
    ),
    "answers": (
        encrypted_extensions(
            extension(0),
            extension(19, b"\2"),
            extension(20, b"\0"),
            extension(58, b"\2"),
            extension(0xFE0D, ECH_CONFIGS),
        ),
        "server",
        Context(),
    ),
    "TLS 1.2 answers": (
        server_hello(extension(5), extension(17), extension(18, vec(2, vec(2, SCT))), suite=0xC02B),
        "server",
        Context(),
    ),
    "all a certificate carries": (
        certificate(
            extension(5, b"\1", vec(3, b"answer")),
            extension(18, vec(2, vec(2, SCT), vec(2, b"\5other"))),
            extension(34, bytes(4), u16(0x0403), vec(3, b"key"), u16(0x0403), vec(2, b"signature")),
        ),
        "server",
        Context(),
    ),
    "all a request asks": (
        certificate_request(
            extension(13, vec(2, u16(0x0403))),
            extension(18),
            extension(5),
            extension(47, vec(2, vec(2, COMMON_NAME))),
            extension(48, vec(2, vec(1, OID_OF_KEY_USAGE), vec(2, b"values"))),
        ),
        "server",
        Context(),
    ),
    "an empty list of authorities": (certificate_request(extension(47, vec(2))), "server", Context()),
    "a ticket for early data": (
        message(4, bytes(8), vec(1, b"n"), vec(2, b"ticket"), vec(2, extension(42, bytes(4)))),
        "server",
        Context(),
    ),
    "KeyUpdate": (message(24, b"\1"), "client", Context()),
    "EndOfEarlyData": (message(5), "client", Context()),
    "message_hash": (message(254, bytes(32)), "client", Context()),
    "CertificateStatus of many": (
        message(22, b"\2", vec(3, vec(3, b"one"), vec(3))),
        "server",
        tls12("ECDHE"),
    ),
    "CertificateStatus of no known kind": (message(22, b"\7???"), "server", tls12("ECDHE")),
    "CompressedCertificate": (
        message(
            25,
            u16(1),
            (len(certificate()) - 4).to_bytes(3, "big"),
            vec(3, zlib.compress(certificate()[4:])),
        ),
        "server",
        Context(),
    ),
    "CompressedCertificate in brotli": (message(25, u16(2), b"\0\1\0", vec(3, b"brotli")), "server", Context()),
    "ServerKeyExchange of an unknown kind": (message(12, b"any bytes"), "server", tls12("")),
    "ServerKeyExchange on an explicit curve": (message(12, b"\1any bytes"), "server", tls12("ECDHE")),
    "ServerKeyExchange, anonymous": (message(12, SIGNED_DH), "server", tls12("DH_anon")),
    "ServerKeyExchange, SRP": (
        message(12, vec(2, b"N"), vec(2, b"g"), vec(1, b"s"), vec(2, b"B"), u16(0x0401), vec(2, b"signature")),
        "server",
        tls12("SRP_signed"),
    ),
    "ServerKeyExchange, RSA_PSK": (message(12, vec(2, b"hint")), "server", tls12("RSA_PSK")),
    "ServerKeyExchange, TLS 1.1": (
        message(12, b"\3", u16(23), vec(1, POINT), vec(2, b"signature")),
        "server",
        Context(0x0302, "ECDHE"),
    ),
    "ClientKeyExchange of an unknown kind": (message(16, b"any bytes"), "client", tls12("")),
    "ClientKeyExchange, implicit": (message(16), "client", tls12("ECDH")),
    "ClientKeyExchange, static": (message(16, vec(2, b"Yc")), "client", tls12("DH")),
    "ClientKeyExchange, RSA_PSK": (message(16, vec(2, b"me"), vec(2, b"secret")), "client", tls12("RSA_PSK")),
    "ClientKeyExchange, SRP": (message(16, vec(2, b"A")), "client", tls12("SRP")),
    "CertificateRequest, TLS 1.1": (message(13, vec(1, b"\1\x40"), vec(2)), "server", Context(0x0302, "RSA")),
    "CertificateVerify, TLS 1.1": (message(15, vec(2, b"signature")), "client", Context(0x0302, "RSA")),
    "a ClientHello without extensions": (
        message(1, b"\3\1", bytes(32), b"\0", vec(2, u16(47)), b"\1\0"),
        "client",
        Context(),
    ),
    "a ServerHello without extensions": (message(2, b"\3\1", bytes(32), b"\0", u16(47), b"\0"), "server", Context()),
}

FORGED = tuple(Sample(name, *row) for name, row in _FORGED.items())
CAPTURED = tuple(
    Sample(f"{name} #{number} {found.kind}", found.raw, found.sender, context)
    for name in NAMES
    for number, (found, context) in enumerate(decoded_with_context(name))
    if found.kind not in ("Alert", "ChangeCipherSpec")
)
SAMPLES = CAPTURED + FORGED
"""Every handshake message there is to test with."""
