"""What can happen on a connection, as values in the order it happened.

An `Event` is written once and never changed; a connection's recording is nothing but its
events. Whoever wants a picture folds them (`recorder.handshake`). No sockets, no clock here:
the tap stamps `at_ns` with `time.monotonic_ns()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Side = Literal["client", "server"]


class Kind(StrEnum):
    """Event kinds; the comment says what `Event.data` holds."""

    CONNECTING = "connecting"  # Target
    RESOLVED = "resolved"  # str: the address that will be tried
    CONNECTED = "connected"  # str: the peer's address, TCP is up
    LOCAL = "local"  # str: our own address and port, by which the other end's recording is found
    TLS_STARTED = "tls-started"  # str: the server name sent (SNI), "" if none
    WIRE = "wire"  # Bytes: what crossed the socket, in one read or write
    ENDED = "ended"  # Side: whose TCP stream came to its end; what TLS says to that side afterwards nobody hears
    MESSAGE = "message"  # Bytes: one whole handshake message, decrypted, header included
    ALERT = "alert"  # Bytes: two bytes, level and description, decrypted
    CHANGE_CIPHER_SPEC = "change-cipher-spec"  # Bytes
    SECRET = "secret"  # noqa: S105 - str: one SSLKEYLOGFILE line; never leaves memory unless exported on request
    TLS_DONE = "tls-done"  # Agreed
    TLS_FAILED = "tls-failed"  # Failure
    REQUEST = "request"  # Request
    RESPONSE = "response"  # int: the HTTP status; a Status where answers may overtake each other
    PEER_VERIFIED = "peer-verified"  # Verified: (server's recording) what the origin made of the client's chain
    CLOSED = "closed"  # str: "" or why


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection is meant to go; `via` is the address it is led to instead (connect-to).

    `proxy` is the URL, without credentials, of the proxy that it goes through; "" when it goes straight.
    """

    host: str
    port: int
    via: tuple[str, int] | None = None
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes and who sent them. `total` counts what crossed when `data` was cut to bound memory."""

    sender: Side
    data: bytes
    total: int

    @classmethod
    def of(cls, sender: Side, data: bytes) -> Bytes:
        """Return all of `data` as sent by `sender`."""
        return cls(sender, data, len(data))


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides settled on: `version` "TLSv1.3", `cipher` as OpenSSL names it, ALPN, resumption."""

    version: str
    cipher: str
    alpn: str
    resumed: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why TLS ended: OpenSSL's reason name, and the verify code when *we* refused the peer (0: we did not)."""

    reason: str
    verify_code: int = 0
    verify_message: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request that travelled inside; `ordinal` counts the requests on this connection from 1."""

    method: str
    target: str
    ordinal: int


class Status(int):
    """An HTTP status that knows which request it answers: `ordinal` as in Request, for HTTP/2's many at once."""

    ordinal: int

    def __new__(cls, code: int, ordinal: int) -> Status:
        """Return `code` as the answer to request number `ordinal`."""
        made = super().__new__(cls, code)
        made.ordinal = ordinal
        return made


def answers(data: object, ordinal: int) -> bool:
    """Return whether a RESPONSE's data may belong to request `ordinal`; a plain int answers the latest request."""
    return not isinstance(data, Status) or data.ordinal == ordinal


@dataclass(frozen=True, slots=True)
class Verified:
    """The origin's verdict on the client's chain (X509_V_ERR code; 0 is X509_V_OK)."""

    code: int
    message: str
    depth: int


EventData = Target | Bytes | Agreed | Failure | Request | Verified | str | int


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at `at_ns` (monotonic clock) on connection number `connection`."""

    at_ns: int
    connection: int
    kind: Kind
    data: EventData

    def __repr__(self) -> str:
        data = "<not shown>" if self.kind is Kind.SECRET else repr(self.data)
        return f"Event({self.at_ns}, {self.connection}, {self.kind.name}, {data})"
