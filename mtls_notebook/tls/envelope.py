"""What decoding returns and what it must be told: a message, an undecoded message, the context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtls_notebook.errors import DecodeError
from mtls_notebook.spans import Field

Sender = Literal["client", "server"]

TLS12, TLS13 = 0x0303, 0x0304


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message.

    Shape: `kind` is the RFC name ("ClientHello"), `value` the dataclass of that kind, `field` the root
    of the span tree with span (0, len(raw)); a handshake message's first children are msg_type and length.
    """

    kind: str
    sender: Sender
    value: object
    field: Field
    raw: bytes


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A message that did not decode, kept with the reason; `kind` is the best name known."""

    kind: str
    sender: Sender
    raw: bytes
    error: DecodeError


@dataclass(frozen=True, slots=True)
class Context:
    """What a decoder must know that is not in the bytes.

    `version` is the negotiated ProtocolVersion (0x0303 is TLS 1.2); `key_exchange` the TLS 1.2 suite's:
    "ECDHE", "DHE", "RSA", "PSK" …, "" when there is none or it is not known.
    """

    version: int = TLS13
    key_exchange: str = ""
