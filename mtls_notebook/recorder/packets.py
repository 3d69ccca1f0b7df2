"""A recorded connection as the Ethernet frames that could have carried it: for tools that read packets.

The payloads and their times are what the tap saw. Everything around them is drawn in, because a
program without capture rights never sees it: Ethernet, IP and TCP headers, the opening and the
closing of the connection. What may not live here: file formats (`pcapng`), files, the clock.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from .events import Bytes, Event, Kind, Side, Target

SEGMENT_BYTES = 1460
"""The most payload a frame carries: what Ethernet's 1,500 bytes leave after IPv4 and TCP headers."""

TLS_PORT = 443
"""The server's port in every frame of a TLS connection.

Readers choose a dissector by port before they look at the bytes, and a free loopback port may be
any protocol's own; on 443 they decrypt without being told. The real port stands in the comment.
"""

_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10
_WINDOW = 65_535
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP = 6
_HOP_LIMIT = 64
_CLIENT_PORTS = range(49_152, 65_536)  # RFC 6335 §6: dynamic ports
# Locally administered; the last byte tells the sides apart.
_HARDWARE: dict[Side, bytes] = {"client": b"\x02\0\0\0\0\x01", "server": b"\x02\0\0\0\0\x02"}
# Who we are is not recorded: loopback talks to itself, else an address for documentation (RFC 5737, RFC 3849).
_OURS = {4: ip_address("192.0.2.1"), 6: ip_address("2001:db8::1")}
_OTHER: dict[Side, Side] = {"client": "server", "server": "client"}

T = TypeVar("T")
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Frame:
    """One Ethernet frame at `at_ns` (the recording's clock); `comment` is for the reader, "" for most."""

    at_ns: int
    data: bytes
    comment: str = ""


def frames(events: Sequence[Event], ordinal: int = 0, comment: str = "") -> tuple[Frame, ...]:
    """Return one connection's frames in order, () when TCP never came up. Times never go back.

    `ordinal` tells connections of one file apart: our port, which is not recorded, is made from it.
    `comment` joins what the first frame says about the connection.
    """
    peer = _first(events, Kind.CONNECTED, str)
    if peer is None:
        return ()
    wire = _Wire.between(events, peer, _CLIENT_PORTS[ordinal % len(_CLIENT_PORTS)])
    note = ". ".join(part for part in (*_about(events, peer, wire), comment) if part)
    drawn = [*wire.opening(_first_at(events, Kind.RESOLVED, Kind.CONNECTED), _first_at(events, Kind.CONNECTED), note)]
    for event in events:
        if event.kind is Kind.WIRE and isinstance(event.data, Bytes):
            drawn += wire.payload(event.at_ns, event.data)
        elif event.kind is Kind.CLOSED:
            drawn += wire.closing(event.at_ns)
    return _in_time(drawn)


@dataclass(slots=True)
class _Wire:
    """The two ends and how far each has come; grows with every segment that is drawn."""

    addresses: dict[Side, Address]
    ports: dict[Side, int]
    sequence: dict[Side, int] = field(default_factory=lambda: {"client": 0, "server": 0})

    @classmethod
    def between(cls, events: Sequence[Event], peer: str, invented: int) -> _Wire:
        """Return the ends of a connection to `peer`, "ip:port"; `invented` is the port of ours."""
        host, _, port = peer.rpartition(":")
        known = ip_address(host.partition("%")[0])
        ours = known if known.is_loopback else _OURS[known.version]
        if _first(events, Kind.CONNECTING, Target) is None:  # the server's own recording: the peer is the client
            return cls({"client": known, "server": ours}, {"client": int(port), "server": TLS_PORT})
        shown = TLS_PORT if any(e.kind is Kind.TLS_STARTED for e in events) else int(port)
        return cls({"client": ours, "server": known}, {"client": invented, "server": shown})

    def opening(self, start_ns: int, end_ns: int, note: str) -> Iterator[Frame]:
        """Yield the three-way handshake."""
        yield self._frame(start_ns, "client", _SYN, comment=note)
        yield self._frame(end_ns, "server", _SYN | _ACK)
        yield self._frame(end_ns, "client", _ACK)

    def payload(self, at_ns: int, sent: Bytes) -> Iterator[Frame]:
        """Yield the segments of one read or write; what was counted but not kept leaves a gap, and says so."""
        for start in range(0, len(sent.data), SEGMENT_BYTES):
            yield self._frame(at_ns, sent.sender, _PSH | _ACK, sent.data[start : start + SEGMENT_BYTES])
        if lost := sent.total - len(sent.data):
            self._advance(sent.sender, lost)
            text = f"{lost:,} bytes that the {sent.sender} sent before this were not kept"
            yield self._frame(at_ns, sent.sender, _ACK, comment=text)

    def closing(self, at_ns: int) -> Iterator[Frame]:
        """Yield an orderly end."""
        yield self._frame(at_ns, "client", _FIN | _ACK)
        yield self._frame(at_ns, "server", _FIN | _ACK)
        yield self._frame(at_ns, "client", _ACK)

    def _frame(self, at_ns: int, sender: Side, flags: int, payload: bytes = b"", comment: str = "") -> Frame:
        packet = self._packet(sender, self._segment(sender, flags, payload))
        self._advance(sender, len(payload) + bool(flags & (_SYN | _FIN)))
        ether = _IPV4 if self.addresses[sender].version == 4 else _IPV6
        header = _HARDWARE[_OTHER[sender]] + _HARDWARE[sender] + ether.to_bytes(2, "big")
        return Frame(at_ns, header + packet, comment)

    def _advance(self, sender: Side, count: int) -> None:
        self.sequence[sender] = (self.sequence[sender] + count) % (1 << 32)

    def _segment(self, sender: Side, flags: int, payload: bytes) -> bytes:
        """Return a TCP segment. Source: RFC 9293 §3.1."""
        other = _OTHER[sender]
        acknowledged = self.sequence[other] if flags & _ACK else 0

        def segment(checksum: int) -> bytes:
            ports = self.ports[sender], self.ports[other]
            numbers = self.sequence[sender], acknowledged
            return struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, flags, _WINDOW, checksum, 0) + payload

        blank = segment(0)
        pseudo = self.addresses[sender].packed + self.addresses[other].packed
        return segment(checksum_of(pseudo + struct.pack("!II", len(blank), _TCP) + blank))

    def _packet(self, sender: Side, segment: bytes) -> bytes:
        """Return the IP packet around a segment. Source: RFC 791 §3.1, RFC 8200 §3."""
        source, destination = self.addresses[sender].packed, self.addresses[_OTHER[sender]].packed
        if len(source) == 16:
            return struct.pack("!IHBB", 6 << 28, len(segment), _TCP, _HOP_LIMIT) + source + destination + segment

        def header(checksum: int) -> bytes:
            start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, _HOP_LIMIT, _TCP, checksum)
            return start + source + destination

        return header(checksum_of(header(0))) + segment


def checksum_of(data: bytes) -> int:
    """Return the Internet checksum: the complement of the ones' complement sum of 16-bit words.

    Source: RFC 1071 §1.
    """
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _about(events: Sequence[Event], peer: str, wire: _Wire) -> Iterator[str]:
    """Yield what the reader should know of a connection and cannot see in its packets."""
    target = _first(events, Kind.CONNECTING, Target)
    place = f"{target.host}:{target.port}" if target else ""
    yield f"Connection {events[0].connection} to {place} at {peer}" if target else f"Connection from {peer}"
    if target and not peer.endswith(f":{wire.ports['server']}"):
        yield f"Port {wire.ports['server']} stands for {peer.rpartition(':')[2]}, so that TLS is found without options"


def _in_time(drawn: Sequence[Frame]) -> tuple[Frame, ...]:
    """Return the frames with times that never go back: two threads may stamp their events crosswise."""
    latest = 0
    told: list[Frame] = []
    for frame in drawn:
        latest = max(latest, frame.at_ns)
        told.append(Frame(latest, frame.data, frame.comment))
    return tuple(told)


def _first(events: Sequence[Event], kind: Kind, shape: type[T]) -> T | None:
    return next((e.data for e in events if e.kind is kind and isinstance(e.data, shape)), None)


def _first_at(events: Sequence[Event], *kinds: Kind) -> int:
    return next(e.at_ns for e in events if e.kind in kinds)
