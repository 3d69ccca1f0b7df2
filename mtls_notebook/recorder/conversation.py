"""What has been said so far on a connection, kept the way its proofs speak of it: the transcript.

A handshake starts over with a TLS 1.2 renegotiation, a HelloRetryRequest folds the first ClientHello into its
hash, TLS 1.3's authentication after the handshake branches off. All of that is here; what is proved with it is
not, and no key is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ..tls.authentication import Certificate, CertificateEntry, CertificateRequest, CompressedCertificate
from ..tls.extensions import find
from ..tls.messages import TLS13, Context, HelloRetryRequest, Message, ServerHello, Undecoded, next_context
from .events import Side
from .key_schedule import algorithm_of

EXTENDED_MASTER_SECRET = 23
FINISHED, MESSAGE_HASH = 20, 254
NEVER_COUNTED = frozenset({0, 24})
"""HelloRequest and KeyUpdate are part of no transcript. Source: RFC 5246 §7.4.1.1, RFC 8446 §4.4.1."""


class Conversation:
    """One connection's transcript and the few facts its proofs need; `algorithm` is "" until a hash was chosen.

    `retried` is true between a HelloRetryRequest and the second ClientHello, `complete` once a TLS 1.3 handshake is.
    """

    def __init__(self) -> None:
        self.context = Context()
        self.algorithm = ""
        self.randoms: dict[Side, bytes] = {"client": b"", "server": b""}
        self.leaves: dict[Side, CertificateEntry | None] = {"client": None, "server": None}
        self.session_hash = b""
        self.key_updates: dict[Side, int] = {"client": 0, "server": 0}
        self.complete = False
        self._extended_master_secret = False
        self._said: list[bytes] = []
        self._late: dict[bytes, list[bytes]] = {}
        self.retried = False

    @property
    def version(self) -> int:
        """The ProtocolVersion, 0 until a server chose one."""
        return self.context.version if self.randoms["server"] else 0

    @property
    def transcript(self) -> bytes:
        """The messages that the next proof is about, one after the other. Source: RFC 8446 §4.4, RFC 5246 §7.4.8."""
        return b"".join(self._said)

    def transcript_hash(self) -> bytes:
        """Return the hash of the transcript. Source: RFC 8446 §4.4.1."""
        return hashlib.new(self.algorithm, self.transcript).digest()

    def hear(self, message: Message | Undecoded) -> None:
        """Take in the next handshake message."""
        value = message.value if isinstance(message, Message) else None
        if self.complete and message.kind != "ClientHello":
            self._hear_late(message, value)
            return
        before = BEFORE.get(message.raw[0])
        if before is not None:
            before(self, message, value)
        if self._counts(message):
            self._said.append(message.raw)
        after = AFTER.get(message.raw[0])
        if after is not None:
            after(self, message, value)

    def _counts(self, message: Message | Undecoded) -> bool:
        # TLS 1.2 counts a ticket, which comes before Finished; a TLS 1.3 server may send one before the client's.
        ticket = message.kind == "NewSessionTicket" and self.version >= TLS13
        return message.raw[0] not in NEVER_COUNTED and not ticket

    # -- what single messages mean -----------------------------------------------------------------

    def _client_hello(self, message: Message | Undecoded, _value: object) -> None:
        if not self.retried:
            self._said, self._late, self.complete = [], {}, False
            self.session_hash, self.algorithm = b"", ""
            self.leaves = {"client": None, "server": None}
        self.retried = False
        self.randoms = {"client": message.raw[6:38], "server": b""}

    def _server_hello(self, message: Message | Undecoded, value: object) -> None:
        if not isinstance(value, ServerHello):
            return
        self.algorithm = algorithm_of(value.cipher_suite)
        if isinstance(value, HelloRetryRequest):
            self._retry()
            return
        self.context = next_context(self.context, message)
        self.randoms["server"] = value.random
        self._extended_master_secret = find(value.extensions, EXTENDED_MASTER_SECRET) is not None

    def _retry(self) -> None:
        """Put the hash of the first ClientHello in its place. Source: RFC 8446 §4.4.1."""
        if self.algorithm and self._said:
            digest = self.transcript_hash()
            self._said = [bytes([MESSAGE_HASH]) + len(digest).to_bytes(3, "big") + digest]
        self.retried = True

    def _certificate(self, message: Message | Undecoded, value: object) -> None:
        if isinstance(value, CompressedCertificate):
            value = value.certificate
        entries = value.entries if isinstance(value, Certificate) else ()
        self.leaves[message.sender] = entries[0] if entries else None

    def _client_key_exchange(self, _message: Message | Undecoded, _value: object) -> None:
        """Note the hash that an extended master secret is bound to. Source: RFC 7627 §3."""
        if self._extended_master_secret and self.algorithm:
            self.session_hash = self.transcript_hash()

    def _finished(self, message: Message | Undecoded, _value: object) -> None:
        self.complete = self.context.version >= TLS13 and message.sender == "client"

    # -- after a TLS 1.3 handshake -------------------------------------------------------------------

    def _hear_late(self, message: Message | Undecoded, value: Any) -> None:
        """Take in a message after the handshake: only a later authentication has a transcript.

        Source: RFC 8446 §4.4 (its Handshake Context), §4.6.2.
        """
        if message.kind == "KeyUpdate":
            self.key_updates[message.sender] += 1
        elif isinstance(value, CertificateRequest):
            self._late[value.certificate_request_context or b""] = [*self._main(), message.raw]
        elif message.sender == "client" and message.kind in ("Certificate", "CompressedCertificate"):
            inner = value.certificate if isinstance(value, CompressedCertificate) else value
            asked = getattr(inner, "certificate_request_context", None) or b""
            self._said = [*self._late.get(asked, self._main()), message.raw]
            self._certificate(message, value)
        elif message.sender == "client" and message.kind in ("CertificateVerify", "Finished"):
            self._said.append(message.raw)

    def _main(self) -> list[bytes]:
        """Return the handshake's own messages, ClientHello to the client's first Finished."""
        finished = [index for index, raw in enumerate(self._said) if raw[:1] == bytes([FINISHED])]
        end = finished[:2][-1] + 1 if finished else len(self._said)  # a damaged recording may lack one, or both
        return self._said[:end]


Step = Callable[[Conversation, Message | Undecoded, object], None]

BEFORE: dict[int, Step] = {1: Conversation._client_hello, 2: Conversation._server_hello}
"""Handshake type → what it changes before it joins the transcript."""

AFTER: dict[int, Step] = {
    11: Conversation._certificate,
    16: Conversation._client_key_exchange,
    20: Conversation._finished,
    25: Conversation._certificate,
}
"""Handshake type → what it changes once it stands in the transcript."""
