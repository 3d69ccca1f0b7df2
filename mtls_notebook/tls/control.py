"""Messages about the connection itself: tickets, key updates, markers, alerts."""

from __future__ import annotations

from dataclasses import dataclass

from mtls_notebook.tls import names
from mtls_notebook.tls.envelope import TLS13, Context
from mtls_notebook.tls.extensions import Extension, read_extensions
from mtls_notebook.tls.reader import Reader, meaning_of


@dataclass(frozen=True, slots=True)
class NewSessionTicket:
    """A ticket to resume with; TLS 1.2 has only the lifetime and the ticket.

    Units: `ticket_lifetime` in seconds.
    """

    ticket_lifetime: int
    ticket_age_add: int | None
    ticket_nonce: bytes
    ticket: bytes
    extensions: tuple[Extension, ...]


@dataclass(frozen=True, slots=True)
class KeyUpdate:
    """The sender changes its keys; 1 in `request_update` asks the receiver to do the same."""

    request_update: int


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """A TLS 1.2 server asks for a new handshake."""


@dataclass(frozen=True, slots=True)
class ServerHelloDone:
    """A TLS 1.2 server has said all it has to say for now."""


@dataclass(frozen=True, slots=True)
class EndOfEarlyData:
    """The client's last byte under the early data key."""


@dataclass(frozen=True, slots=True)
class MessageHash:
    """The hash that stands in the transcript for the first ClientHello after a HelloRetryRequest."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """Why a side ends the connection, or that it has nothing more to send."""

    level: int
    description: int
    name: str


@dataclass(frozen=True, slots=True)
class ChangeCipherSpec:
    """From here on the sender encrypts (TLS 1.2); for show only in TLS 1.3."""

    type: int


def new_session_ticket(reader: Reader, context: Context) -> NewSessionTicket:
    """Return a NewSessionTicket of the context's version.

    Source: RFC 8446 §4.6.1, RFC 5077 §3.3.
    """
    if context.version < TLS13:
        lifetime = reader.u32("ticket_lifetime_hint")
        return NewSessionTicket(lifetime, None, b"", reader.vector("ticket", 2), ())
    return NewSessionTicket(
        ticket_lifetime=reader.u32("ticket_lifetime"),
        ticket_age_add=reader.u32("ticket_age_add"),
        ticket_nonce=reader.vector("ticket_nonce", 1),
        ticket=reader.vector("ticket", 2, minimum=1),
        extensions=read_extensions(reader, "NewSessionTicket"),
    )


def key_update(reader: Reader) -> KeyUpdate:
    """Return a KeyUpdate.

    Source: RFC 8446 §4.6.3.
    """
    return KeyUpdate(reader.u8("request_update", names.KEY_UPDATE_REQUESTS))


def message_hash(reader: Reader) -> MessageHash:
    """Return the hash that stands for the first ClientHello.

    Source: RFC 8446 §4.4.1.
    """
    return MessageHash(reader.rest("hash"))


def alert(reader: Reader) -> Alert:
    """Return an alert.

    Source: RFC 8446 §6.
    """
    level = reader.u8("level", names.ALERT_LEVELS)
    description = reader.u8("description", names.ALERTS)
    return Alert(level, description, meaning_of(names.ALERTS, description, 1))


def change_cipher_spec(reader: Reader) -> ChangeCipherSpec:
    """Return a ChangeCipherSpec.

    Source: RFC 5246 §7.1.
    """
    return ChangeCipherSpec(reader.u8("type", names.CHANGE_CIPHER_SPEC_TYPES))
