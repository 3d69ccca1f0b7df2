"""A connection's events as decoded messages: what was said, by whom, encrypted or not, in which act.

Pure: no sockets, no clock. Which step of the story a message belongs to is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import DecodeError
from ..tls.messages import (
    TLS13,
    Context,
    Message,
    Undecoded,
    decode_alert,
    decode_change_cipher_spec,
    decode_or_keep,
    next_context,
)
from .events import Bytes, Event, Kind, Side
from .flows import Key


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it crossed; `encrypted` says whether an onlooker could not read it."""

    at_ns: int
    message: Message | Undecoded
    encrypted: bool

    @property
    def key(self) -> Key:
        """Return the message's name and its sender."""
        return self.message.kind, self.message.sender

    @property
    def value(self) -> object:
        """Return the typed message, None when it did not decode."""
        return self.message.value if isinstance(self.message, Message) else None


_DECODERS = {Kind.ALERT: decode_alert, Kind.CHANGE_CIPHER_SPEC: decode_change_cipher_spec}


def transcript(story: Iterable[Event]) -> tuple[Sent, ...]:
    """Return every handshake message, alert and ChangeCipherSpec, decoded in the light of those before it.

    Source: RFC 8446 §2 (encrypted from ServerHello on), RFC 5246 §7.1 (from ChangeCipherSpec on).
    """
    context, settled = Context(), False
    changed: set[Side] = set()
    sent: list[Sent] = []
    for event in story:
        if event.kind is not Kind.MESSAGE and event.kind not in _DECODERS:
            continue
        assert isinstance(event.data, Bytes)
        sender = event.data.sender
        message = _decode(event.kind, event.data.data, sender, context)
        is_change = event.kind is Kind.CHANGE_CIPHER_SPEC
        hidden = settled and not is_change if context.version == TLS13 else sender in changed
        sent.append(Sent(event.at_ns, message, hidden))
        context = next_context(context, message)
        settled = settled or message.kind == "ServerHello"
        if is_change:
            changed.add(sender)
    return tuple(sent)


def _decode(kind: Kind, raw: bytes, sender: Side, context: Context) -> Message | Undecoded:
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return decode_or_keep(raw, sender, context)
    try:
        return decoder(raw, sender)
    except DecodeError as error:
        return Undecoded("Alert" if kind is Kind.ALERT else "ChangeCipherSpec", sender, raw, error)


def acts(sent: Sequence[Sent]) -> list[list[Sent]]:
    """Return the messages split into handshakes: the first, then each one on top of it.

    A later one starts with HelloRequest or ClientHello (renegotiation, RFC 5246 §7.4.1.1) or, in TLS 1.3,
    with a CertificateRequest after the client has finished (RFC 8446 §4.6.2).
    """
    found: list[list[Sent]] = [[]]
    for item in sent:
        if _starts_anew(item, found[-1]):
            found.append([])
        found[-1].append(item)
    return found


_OPENERS = {("HelloRequest", "server"), ("ClientHello", "client"), ("CertificateRequest", "server")}


def _starts_anew(item: Sent, act: Sequence[Sent]) -> bool:
    said = {one.key for one in act}
    return item.key in _OPENERS and {("Finished", "client")} <= said
