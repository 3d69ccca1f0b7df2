"""Handshake messages, alerts and ChangeCipherSpec: bytes in, a typed `Message` with its span tree out.

This is the door to the package. `MESSAGES` says which function reads which handshake type; the
functions live by subject in `hello`, `authentication`, `key_exchange` and `control`.
Nothing here reads records, talks to a peer, or judges what it reads.
"""

from __future__ import annotations

from collections.abc import Callable

from mtls_notebook.errors import DecodeError
from mtls_notebook.spans import Field, Span
from mtls_notebook.tls import names
from mtls_notebook.tls.authentication import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    Finished,
    certificate,
    certificate_request,
    certificate_verify,
    compressed_certificate,
    finished,
)
from mtls_notebook.tls.cipher_suites import key_exchange
from mtls_notebook.tls.control import (
    Alert,
    ChangeCipherSpec,
    EndOfEarlyData,
    HelloRequest,
    KeyUpdate,
    MessageHash,
    NewSessionTicket,
    ServerHelloDone,
    alert,
    change_cipher_spec,
    key_update,
    message_hash,
    new_session_ticket,
)
from mtls_notebook.tls.envelope import TLS12, TLS13, Context, Message, Sender, Undecoded
from mtls_notebook.tls.evidence import CertificateStatus, certificate_status
from mtls_notebook.tls.extensions import Extension
from mtls_notebook.tls.hello import (
    ClientHello,
    EncryptedExtensions,
    HelloRetryRequest,
    ServerHello,
    client_hello,
    encrypted_extensions,
    server_hello,
)
from mtls_notebook.tls.key_exchange import (
    ClientKeyExchange,
    ServerKeyExchange,
    client_key_exchange,
    server_key_exchange,
)
from mtls_notebook.tls.reader import Reader
from mtls_notebook.tls.summary import acceptable_parties, certificate_chain, summary

__all__ = [
    "Alert",
    "Certificate",
    "CertificateEntry",
    "CertificateRequest",
    "CertificateStatus",
    "CertificateVerify",
    "ChangeCipherSpec",
    "ClientHello",
    "ClientKeyExchange",
    "CompressedCertificate",
    "Context",
    "EncryptedExtensions",
    "EndOfEarlyData",
    "Extension",
    "Field",
    "Finished",
    "HelloRequest",
    "HelloRetryRequest",
    "KeyUpdate",
    "MESSAGES",
    "Message",
    "MessageHash",
    "NewSessionTicket",
    "Sender",
    "ServerHello",
    "ServerHelloDone",
    "ServerKeyExchange",
    "Span",
    "TLS12",
    "TLS13",
    "Undecoded",
    "acceptable_parties",
    "certificate_chain",
    "decode",
    "decode_alert",
    "decode_change_cipher_spec",
    "decode_or_keep",
    "next_context",
    "summary",
]

HEADER_LENGTH = 4
LARGEST_MESSAGE = 1 << 18
"""The longest message decoded here, in bytes: above what TLS libraries accept, and walked within a second or so."""


def decode(raw: bytes, sender: Sender, context: Context = Context()) -> Message:  # noqa: B008 (frozen)
    """Return one whole handshake message decoded; `raw` includes the four-byte header.

    Raises: DecodeError, and nothing else, naming the field path and the offset in `raw`.
    Source: RFC 8446 §4.
    """
    kind, body = MESSAGES.get(raw[0], (_unread(raw[0]), None)) if raw else ("Handshake", None)
    reader = Reader(raw, kind)
    _header(reader)
    if body is None:
        raise reader.error(f"{_named(raw[0])} is not a message this decoder reads", "msg_type", 0)
    value = body(reader, context)
    reader.finish()
    kind = "HelloRetryRequest" if isinstance(value, HelloRetryRequest) else kind
    return Message(kind, sender, value, _root(kind, reader), raw)


def decode_or_keep(raw: bytes, sender: Sender, context: Context = Context()) -> Message | Undecoded:  # noqa: B008
    """Return the decoded message, or the bytes with the reason why they do not decode."""
    try:
        return decode(raw, sender, context)
    except DecodeError as error:
        known = MESSAGES.get(raw[0]) if raw else None
        kind = known[0] if known else _unread(raw[0]) if raw else "Handshake"
        return Undecoded(kind, sender, raw, error)


def decode_alert(raw: bytes, sender: Sender) -> Message:
    """Return an alert, decrypted: two bytes.

    Raises: DecodeError. Source: RFC 8446 §6.
    """
    return _decode_whole("Alert", alert, raw, sender)


def decode_change_cipher_spec(raw: bytes, sender: Sender) -> Message:
    """Return a ChangeCipherSpec: one byte.

    Raises: DecodeError. Source: RFC 5246 §7.1, RFC 8446 §D.4.
    """
    return _decode_whole("ChangeCipherSpec", change_cipher_spec, raw, sender)


def _decode_whole(kind: str, body: Callable[[Reader], object], raw: bytes, sender: Sender) -> Message:
    reader = Reader(raw, kind)
    value = body(reader)
    reader.finish()
    return Message(kind, sender, value, _root(kind, reader), raw)


def next_context(context: Context, message: Message | Undecoded) -> Context:
    """Return the context for the messages after `message`: a ServerHello settles version and key exchange."""
    value = message.value if isinstance(message, Message) else None
    if not isinstance(value, ServerHello):
        return context
    return Context(value.selected_version, key_exchange(value.cipher_suite))


def _header(reader: Reader) -> None:
    reader.u8("msg_type", names.HANDSHAKE_TYPES)
    length = reader.u24("length")
    if len(reader.data) > LARGEST_MESSAGE:
        raise reader.error(f"{len(reader.data):,} bytes are more than the {LARGEST_MESSAGE:,} read here", "length", 1)
    if length != reader.remaining:
        raise reader.error(f"declares {length:,} bytes, {reader.remaining:,} follow", "length", 1)


def _root(kind: str, reader: Reader) -> Field:
    return Field(kind, (0, len(reader.data)), None, tuple(reader.fields))


def _unread(msg_type: int) -> str:
    return f"HandshakeType {msg_type}"


def _named(msg_type: int) -> str:
    return names.HANDSHAKE_TYPES.get(msg_type) or f"handshake type {msg_type}"


Body = Callable[[Reader, Context], object]

MESSAGES: dict[int, tuple[str, Body]] = {
    0: ("HelloRequest", lambda *_: HelloRequest()),
    1: ("ClientHello", lambda reader, _: client_hello(reader)),
    2: ("ServerHello", lambda reader, _: server_hello(reader)),
    4: ("NewSessionTicket", new_session_ticket),
    5: ("EndOfEarlyData", lambda *_: EndOfEarlyData()),
    8: ("EncryptedExtensions", lambda reader, _: encrypted_extensions(reader)),
    11: ("Certificate", certificate),
    12: ("ServerKeyExchange", server_key_exchange),
    13: ("CertificateRequest", certificate_request),
    14: ("ServerHelloDone", lambda *_: ServerHelloDone()),
    15: ("CertificateVerify", certificate_verify),
    16: ("ClientKeyExchange", client_key_exchange),
    20: ("Finished", lambda reader, _: finished(reader)),
    22: ("CertificateStatus", lambda reader, _: certificate_status(reader)),
    24: ("KeyUpdate", lambda reader, _: key_update(reader)),
    25: ("CompressedCertificate", compressed_certificate),
    254: ("message_hash", lambda reader, _: message_hash(reader)),
}
"""Handshake type → kind and the function that reads its body.

Source: IANA "TLS HandshakeType" (RFC 8446 §4, RFC 5246 §7.4).
"""
