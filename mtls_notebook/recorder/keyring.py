"""Which key protects a side's next record, as the messages of a connection settle it.

Fed with every handshake message and ChangeCipherSpec in order, it turns logged secrets into openers
at the moments the RFCs name. No bytes of a wire are cut here, and no message is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..tls.extensions import find
from ..tls.messages import TLS12, TLS13, HelloRetryRequest, Message, ServerHello, decode_or_keep
from ..tls.records import Record
from .events import Event, Kind, Side
from .key_schedule import TRAFFIC_SECRETS, Derived, Suite, suite_of, tls12_values, tls13_values
from .record_protection import Opener, Plain, Tls13Opener, tls12_opener

APPLICATION_DATA = 23
ENCRYPT_THEN_MAC = 22

Secrets = Mapping[tuple[str, bytes], bytes]
"""Key log label and client random → secret."""


def secrets_of(events: Iterable[Event]) -> Secrets:
    """Return the secrets among the events; a line that is none of the key log format is passed over."""
    found: dict[tuple[str, bytes], bytes] = {}
    for event in events:
        words = event.data.split() if event.kind is Kind.SECRET and isinstance(event.data, str) else ()
        if len(words) == 3:
            try:
                found[words[0], bytes.fromhex(words[1])] = bytes.fromhex(words[2])
            except ValueError:
                continue
    return found


class Keyring:
    """The keys of one connection. `version` is 0 until a ServerHello chose one."""

    def __init__(self, secrets: Secrets) -> None:
        self.version = 0
        self._secrets = secrets
        self._client_random = b""
        self._chosen: ServerHello | None = None
        self._openers: dict[Side, list[Opener]] = {"client": [], "server": []}
        self._changed: set[Side] = set()

    def protects(self, sender: Side, record: Record) -> bool:
        """Return whether the record is encrypted. Source: RFC 8446 §5.1, RFC 5246 §7.1."""
        if self.version >= TLS13:
            return record.content_type == APPLICATION_DATA
        return sender in self._changed or record.content_type == APPLICATION_DATA

    def open(self, sender: Side, record: Record) -> Plain | None:
        """Return what is inside a protected record, None when no key at hand opens it.

        A key that has had its time is given up only when a later one fits: a server may refuse early
        data, and then the client moves on without a word.
        """
        openers = self._openers[sender]
        for index, opener in enumerate(openers):
            if (plain := opener.open(record)) is not None:
                del openers[:index]
                return plain
        return None

    def heard(self, sender: Side, raw: bytes) -> None:
        """Take in one whole handshake message."""
        step = STEPS.get(raw[0])
        if step is not None:
            step(self, sender, raw)

    def changed(self, sender: Side) -> None:
        """Take in a ChangeCipherSpec: in TLS 1.2 the sender's next record is under new keys."""
        if self.version == 0 or self.version >= TLS13:  # 0: a TLS 1.3 client may send one before any ServerHello
            return
        self._changed.add(sender)
        self._openers[sender] = self._opener_12(sender)

    @property
    def suite(self) -> Suite | None:
        """The suite that was chosen, None when there is none or its records cannot be opened here."""
        return suite_of(self._chosen.cipher_suite) if self._chosen is not None else None

    def values(self) -> tuple[Derived, ...]:
        """Return the keys of the latest handshake with what they came from; none where secrets are missing."""
        suite, hello = self.suite, self._chosen
        if suite is None or hello is None:
            return ()
        if self.version >= TLS13:
            return tls13_values(suite, self._traffic_secrets())
        master = self._secrets.get(("CLIENT_RANDOM", self._client_random))
        if master is None or self.version != TLS12:
            return ()
        return tls12_values(suite, master, self._client_random, hello.random)

    def _opener_12(self, sender: Side) -> list[Opener]:
        suite, hello = self.suite, self._chosen
        values = {value.label: value.value for value in self.values()}
        if suite is None or hello is None or not values:
            return []
        outside = find(hello.extensions, ENCRYPT_THEN_MAC) is not None
        return [tls12_opener(suite, values, sender, encrypt_then_mac=outside)]

    def _traffic_secrets(self) -> dict[str, bytes]:
        return {label: value for (label, random), value in self._secrets.items() if random == self._client_random}

    def _client_hello(self, _sender: Side, raw: bytes) -> None:
        self._client_random = raw[6:38]

    def _server_hello(self, _sender: Side, raw: bytes) -> None:
        message = decode_or_keep(raw, "server")
        value = message.value if isinstance(message, Message) else None
        if not isinstance(value, ServerHello) or isinstance(value, HelloRetryRequest):
            return
        self._chosen, self.version = value, value.selected_version
        suite = self.suite
        if self.version < TLS13 or suite is None:
            return
        secrets = self._traffic_secrets()
        for label, owner, _ in TRAFFIC_SECRETS:
            if label in secrets:
                side: Side = "client" if owner == "client" else "server"
                self._openers[side].append(Tls13Opener(suite, secrets[label]))

    def _next_key(self, sender: Side, _raw: bytes) -> None:
        """Drop the key whose last message this was. The last key stays: Finished comes again after the handshake."""
        if self.version >= TLS13 and len(self._openers[sender]) > 1:
            del self._openers[sender][0]

    def _key_update(self, sender: Side, _raw: bytes) -> None:
        openers = self._openers[sender]
        if openers and isinstance(openers[0], Tls13Opener):
            openers[0] = openers[0].updated()


Step = Callable[[Keyring, Side, bytes], None]

STEPS: dict[int, Step] = {
    1: Keyring._client_hello,
    2: Keyring._server_hello,
    5: Keyring._next_key,
    20: Keyring._next_key,
    24: Keyring._key_update,
}
"""Handshake type → what it means for the keys: ClientHello, ServerHello, EndOfEarlyData, Finished, KeyUpdate.

Source: RFC 8446 §4.6.3, §7.1, appendix A; RFC 5246 §7.1.
"""
