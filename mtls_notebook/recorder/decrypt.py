"""A connection's wire bytes and key log, turned back into records with their plaintext and into messages.

Two uses. It guards the private callback of `recorder.tap`: what it reads from the wire must be what the callback
told. And a recording that has bytes and secrets but no messages (the lab's own side) gets them here.
Pure: events in, values out. Nothing here raises on what a peer sent; where keys are missing,
a record keeps its ciphertext and its plaintext is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..errors import DecodeError
from ..tls.records import Record, iter_records
from .events import Bytes, Event, Kind, Side
from .key_schedule import Derived
from .keyring import APPLICATION_DATA, Keyring, secrets_of

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE = 20, 21, 22
HEADER_LENGTH = 4
TOLD = (Kind.MESSAGE, Kind.ALERT, Kind.CHANGE_CIPHER_SPEC)
"""The kinds of events that are messages, as this module counts them."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One message as it crossed: a whole handshake message, an alert or a ChangeCipherSpec.

    `records` index `records(events)`: those that carried a part of it; `offset` is where it starts in
    the plaintext of the first. `at_ns` is when its last byte crossed.
    """

    kind: Kind
    sender: Side
    data: bytes
    at_ns: int
    records: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class WireRecord:
    """One record. `length` counts the fragment's bytes, `offset` is where its header starts in what `sender` sent.

    `inner_type` is what a protected record turned out to hold, None for one in the open and for one that no
    key opens; `plaintext` is None only for the latter. `message_indices` index `decrypted(events)`.
    """

    sender: Side
    content_type: int
    inner_type: int | None
    length: int
    at_ns: int
    offset: int
    plaintext: bytes | None = field(repr=False)
    message_indices: tuple[int, ...] = ()


def decrypted(events: Iterable[Event]) -> tuple[WireMessage, ...]:
    """Return the messages that the wire bytes hold, as far as the key log opens them, in the order they crossed."""
    return tuple(_Replay(events).sent)


def records(events: Iterable[Event]) -> tuple[WireRecord, ...]:
    """Return every whole record that the recording kept, with its plaintext where the key log opens it."""
    replay = _Replay(events)
    carried: dict[int, list[int]] = {}
    for index, sent in enumerate(replay.sent):
        for record in sent.records:
            carried.setdefault(record, []).append(index)
    return tuple(
        replace(record, message_indices=tuple(carried.get(index, ()))) for index, record in enumerate(replay.records)
    )


def derived_keys(events: Iterable[Event]) -> tuple[Derived, ...]:
    """Return the latest handshake's secrets and keys, in the order a connection meets them; () without a key log."""
    return _Replay(events).keys.values()


def with_messages(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events with those messages added that the wire holds and that nobody told yet.

    A message stands right after the wire bytes that completed it and has their time. What is there already
    stays as it is, so doing this twice changes nothing. Where a side refused in the middle of the other's
    flight, the rest of that flight is added too: it crossed, though nobody processed it.
    """
    story = tuple(events)
    told = Counter(_identity(event.kind, event.data) for event in story if isinstance(event.data, Bytes))
    replay = _Replay(story)
    after: dict[int, list[Event]] = {}
    for sent, position in zip(replay.sent, replay.positions, strict=True):
        data = Bytes.of(sent.sender, sent.data)
        if told[_identity(sent.kind, data)] > 0:
            told[_identity(sent.kind, data)] -= 1
            continue
        after.setdefault(position, []).append(Event(sent.at_ns, story[position].connection, sent.kind, data))
    return tuple(event for index, one in enumerate(story) for event in (one, *after.get(index, ())))


def _identity(kind: Kind, data: Bytes) -> tuple[Kind, Side, bytes]:
    return kind, data.sender, data.data


# -- the replay ----------------------------------------------------------------------------------


class _Replay:
    """Reads a connection's wire events once; `positions` tells after which event each message was whole."""

    def __init__(self, events: Iterable[Event]) -> None:
        story = tuple(events)
        self.keys = Keyring(secrets_of(story))
        self.records: list[WireRecord] = []
        self.sent: list[WireMessage] = []
        self.positions: list[int] = []
        self._streams: dict[Side, _Stream] = {"client": _Stream(), "server": _Stream()}
        self._early: list[tuple[int, Record]] = []
        self._position = 0
        for position, part in _tls_parts(story):
            self._position = position
            self._take(part, story[position].at_ns)

    def _take(self, part: Bytes, at_ns: int) -> None:
        for record in self._streams[part.sender].take(part):
            index = len(self.records)
            length = len(record.fragment)
            self.records.append(
                WireRecord(part.sender, record.content_type, None, length, at_ns, record.offset, plaintext=None)
            )
            if self.keys.version == 0 and record.content_type == APPLICATION_DATA:
                self._early.append((index, record))  # its cipher is known only when the ServerHello has come
            else:
                self._read(index, record)

    def _read(self, index: int, record: Record) -> None:
        seen = self.records[index]
        protected = self.keys.protects(seen.sender, record)
        plain = self.keys.open(seen.sender, record) if protected else (record.content_type, record.fragment)
        if plain is None:
            return
        inner, text = plain
        self.records[index] = replace(seen, inner_type=inner if protected else None, plaintext=text)
        if inner == HANDSHAKE:
            self._handshake(index, text)
        elif inner == ALERT:
            for start in range(0, len(text) - 1, 2):
                self._add(Kind.ALERT, text[start : start + 2], (index,), start)
        elif inner == CHANGE_CIPHER_SPEC:
            self._add(Kind.CHANGE_CIPHER_SPEC, text, (index,), 0)
            self.keys.changed(seen.sender)

    def _handshake(self, index: int, text: bytes) -> None:
        sender = self.records[index].sender
        for raw, carriers, offset in self._streams[sender].handshake.add(index, text):
            self._add(Kind.MESSAGE, raw, carriers, offset)
            self.keys.heard(sender, raw)
        if self._early and self.keys.version:
            early, self._early = self._early, []
            for waiting, record in early:
                self._read(waiting, record)

    def _add(self, kind: Kind, data: bytes, carriers: tuple[int, ...], offset: int) -> None:
        last = self.records[carriers[-1]]
        self.sent.append(WireMessage(kind, last.sender, data, last.at_ns, carriers, offset))
        self.positions.append(self._position)


def _tls_parts(story: Sequence[Event]) -> Iterator[tuple[int, Bytes]]:
    """Yield the wire bytes that are TLS with the position of their event: what came before STARTTLS is not."""
    starts = (index for index, event in enumerate(story) if event.kind is Kind.TLS_STARTED)
    first = next(starts, 0)
    for index in range(first, len(story)):
        data = story[index].data
        if story[index].kind is Kind.WIRE and isinstance(data, Bytes):
            yield index, data


class _Stream:
    """What one side sent, cut into records; over at the first byte that was not kept or is no TLS."""

    def __init__(self) -> None:
        self.handshake = _Assembly()
        self._waiting = b""
        self._offset = 0
        self._over = False

    def take(self, part: Bytes) -> Iterator[Record]:
        if self._over:
            return
        self._waiting += part.data
        self._over = part.total > len(part.data)
        base, end = self._offset, 0
        try:
            for record in iter_records(self._waiting):
                end = record.end
                yield replace(record, offset=base + record.offset)
        except DecodeError:
            self._over = True
        self._waiting, self._offset = self._waiting[end:], base + end


class _Assembly:
    """One side's handshake bytes, joined to whole messages; remembers which record brought which byte."""

    def __init__(self) -> None:
        self._waiting = b""
        self._position = 0  # of the first waiting byte, in all handshake bytes of this side
        self._pieces: list[tuple[int, int, int]] = []  # start, end, record

    def add(self, record: int, text: bytes) -> Iterator[tuple[bytes, tuple[int, ...], int]]:
        """Yield each message that is whole now, the records it came in, its offset in the first of them."""
        end = self._position + len(self._waiting)
        self._pieces.append((end, end + len(text), record))
        self._waiting += text
        while len(self._waiting) >= HEADER_LENGTH:
            length = HEADER_LENGTH + int.from_bytes(self._waiting[1:HEADER_LENGTH], "big")
            if length > len(self._waiting):
                return
            raw, self._waiting = self._waiting[:length], self._waiting[length:]
            yield raw, *self._carriers(length)

    def _carriers(self, length: int) -> tuple[tuple[int, ...], int]:
        start = self._position
        self._position += length
        self._pieces = [piece for piece in self._pieces if piece[1] > start]
        carriers = tuple(record for begin, _, record in self._pieces if begin < self._position)
        return carriers, start - self._pieces[0][0]
