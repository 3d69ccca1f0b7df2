"""Frames and the file that holds them, taken apart again by readers written here from the RFCs."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.recorder.events import Bytes, Event, EventData, Kind, Side, Target
from mtls_notebook.recorder.packets import SEGMENT_BYTES, Frame, frames
from mtls_notebook.recorder.pcapng import pcapng

PEERS = ("127.0.0.1:43210", "203.0.113.9:8443", "::1:43210", "2001:db8::5:443", "fe80::1%eth0:443")
PORT = {"client": 49_152, "server": 443}


@dataclass(frozen=True)
class Segment:
    """A TCP segment as read back from a frame; checksums are what they sum up to, 0xFFFF when right."""

    source: str
    ports: tuple[int, int]
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    checksums: tuple[int, ...]


def ones_sum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def segment(frame: Frame) -> Segment:
    kind, packet = frame.data[12:14], frame.data[14:]
    if kind == b"\x08\x00":
        header, body = packet[:20], packet[20 : int.from_bytes(packet[2:4], "big")]
        assert (header[0], header[9], 14 + int.from_bytes(header[2:4], "big")) == (0x45, 6, len(frame.data))
        addresses, sums = header[12:20], (ones_sum(header),)
    else:
        assert kind == b"\x86\xdd"
        header, body = packet[:40], packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
        assert (header[0] >> 4, header[6], 54 + int.from_bytes(header[4:6], "big")) == (6, 6, len(frame.data))
        addresses, sums = header[8:40], ()
    *ports, sequence, acknowledged, offset, flags = struct.unpack("!HHIIBB", body[:14])
    assert offset == 5 << 4
    pseudo = addresses + len(body).to_bytes(4, "big") + (6).to_bytes(4, "big")
    source = str(ip_address(addresses[: len(addresses) // 2]))
    return Segment(source, tuple(ports), sequence, acknowledged, flags, body[20:], (*sums, ones_sum(pseudo + body)))


def connection(sent: list[tuple[Side, bytes]], peer: str = PEERS[0], *, closed: bool = True) -> list[Event]:
    steps: list[tuple[Kind, EventData]] = [
        (Kind.CONNECTING, Target("origin.example", 443)),
        (Kind.RESOLVED, peer.rpartition(":")[0]),
        (Kind.CONNECTED, peer),
        (Kind.TLS_STARTED, "origin.example"),
        *((Kind.WIRE, Bytes.of(sender, data)) for sender, data in sent),
    ]
    if closed:
        steps.append((Kind.CLOSED, ""))
    return [Event(1_000 + 10 * at, 7, kind, data) for at, (kind, data) in enumerate(steps)]


WIRE = st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=4_000)), max_size=8)


@given(WIRE, st.sampled_from(PEERS))
def test_the_segments_put_together_are_what_each_side_sent(sent: list[tuple[Side, bytes]], peer: str) -> None:
    streams: dict[int, bytes] = defaultdict(bytes)
    expected: dict[int, int] = {}
    for one in map(segment, frames(connection(sent, peer))):
        port = one.ports[0]
        assert one.sequence == expected.get(port, one.sequence)
        assert one.acknowledged == (expected.get(one.ports[1], 0) if one.flags & 0x10 else 0)
        assert set(one.checksums) == {0xFFFF}
        assert len(one.payload) <= SEGMENT_BYTES
        expected[port] = one.sequence + len(one.payload) + bool(one.flags & 0x03)
        streams[port] += one.payload
    for side, port in PORT.items():
        assert streams[port] == b"".join(data for sender, data in sent if sender == side)


@pytest.mark.parametrize("peer", PEERS)
def test_the_peer_has_its_real_address_and_we_one_that_is_nobody_s(peer: str) -> None:
    syn, syn_ack, *_ = map(segment, frames(connection([], peer)))
    assert syn_ack.source == peer.rpartition(":")[0].partition("%")[0]
    ours = ip_address(syn.source)
    assert ours.is_loopback if ip_address(syn_ack.source).is_loopback else str(ours) in ("192.0.2.1", "2001:db8::1")


def test_a_connection_opens_and_closes_as_tcp_does() -> None:
    flags = [(one.ports[0], one.flags) for one in map(segment, frames(connection([])))]
    client, server = PORT["client"], PORT["server"]
    opening = [(client, 0x02), (server, 0x12), (client, 0x10)]
    assert flags == [*opening, (client, 0x11), (server, 0x11), (client, 0x10)]


def test_an_open_connection_is_not_drawn_closed() -> None:
    assert not any(one.flags & 0x01 for one in map(segment, frames(connection([("client", b"x")], closed=False))))


def test_where_tcp_never_came_up_there_is_no_frame() -> None:
    assert (
        frames([Event(1, 1, Kind.CONNECTING, Target("nowhere.invalid", 443)), Event(2, 1, Kind.CLOSED, "gaierror")])
        == ()
    )


def test_times_never_go_back_even_where_two_threads_stamped_crosswise() -> None:
    events = connection([("client", b"a"), ("server", b"b")])
    events[4], events[5] = events[5], events[4]
    at = [frame.at_ns for frame in frames(events)]
    assert at == sorted(at)


def test_bytes_that_were_counted_but_not_kept_leave_a_gap_that_is_told() -> None:
    events = connection([("server", b"kept")])
    events[4] = Event(events[4].at_ns, 7, Kind.WIRE, Bytes("server", b"kept", 1_004))
    told = [frame for frame in frames(events) if "1,000 bytes that the server sent" in frame.comment]
    fin = [segment(frame) for frame in frames(events)][-2]
    assert len(told) == 1
    assert (fin.flags & 0x01, fin.sequence) == (1, 1 + 1_004)


def test_the_first_frame_names_the_host_the_real_address_and_the_remark() -> None:
    first, *others = frames(connection([("client", b"x")]), 0, "Binding MY_CERT")
    assert "origin.example:443 at 127.0.0.1:43210" in first.comment
    assert "Port 443 stands for 43210" in first.comment
    assert first.comment.endswith("Binding MY_CERT")
    assert {frame.comment for frame in others} == {""}


def test_a_connection_without_tls_keeps_its_port() -> None:
    events = [event for event in connection([]) if event.kind is not Kind.TLS_STARTED]
    first = frames(events)[0]
    assert (segment(first).ports[1], "stands for" in first.comment) == (43210, False)


def test_the_server_s_own_recording_has_its_client_on_the_other_side() -> None:
    events = [Event(1, 1, Kind.CONNECTED, "127.0.0.1:50123"), Event(2, 1, Kind.WIRE, Bytes.of("client", b"hello"))]
    sent = [one for one in map(segment, frames(events)) if one.payload]
    assert [(one.ports, one.payload) for one in sent] == [((50123, 443), b"hello")]


# -- the file


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body; both lengths of a block must agree and divide by 4."""
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        yield kind, data[8 : length - 4]
        data = data[length:]


@given(st.lists(st.builds(Frame, st.integers(0, 2**62), st.binary(min_size=14, max_size=99), st.text(max_size=9))))
def test_a_frame_comes_back_with_its_bytes_its_time_and_its_comment(written: list[Frame]) -> None:
    epoch = 1_700_000_000_000_000_000
    read = []
    for kind, body in blocks(pcapng(written, "", epoch)):
        if kind == 6:
            _, high, low, kept, length = struct.unpack_from("<IIIII", body)
            rest = body[20 + length + -length % 4 :]
            comment = rest[4 : 4 + struct.unpack_from("<H", rest, 2)[0]].decode() if rest else ""
            assert kept == length
            read.append(Frame((high << 32 | low) - epoch, body[20 : 20 + length], comment))
    assert read == written


@pytest.mark.parametrize("keylog", ["", "CLIENT_RANDOM 00 11\n", "CLIENT_RANDOM 00 1111\n"])
def test_secrets_stand_before_the_first_packet_and_only_where_there_are_some(keylog: str) -> None:
    found = list(blocks(pcapng(frames(connection([])), keylog, 0)))
    assert [kind for kind, _ in found][:2] == [0x0A0D0D0A, 1]
    secrets = [(place, body) for place, (kind, body) in enumerate(found) if kind == 0xA]
    if not keylog:
        assert secrets == []
        return
    [(place, body)] = secrets
    kind, length = struct.unpack_from("<II", body)
    assert (place, kind, body[8 : 8 + length]) == (2, 0x544C534B, keylog.encode())
