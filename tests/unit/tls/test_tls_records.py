"""Streams are cut into records and records joined to messages, whatever their borders."""

from __future__ import annotations

import itertools

import pytest
from captured import HANDSHAKE, NAMES, capture, message
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import DecodeError
from mtls_notebook.tls.names import CONTENT_TYPES
from mtls_notebook.tls.records import Record, bytes_left, handshake_messages, iter_records, looks_like

messages = st.lists(st.builds(message, st.integers(0, 255), st.binary(max_size=40)), max_size=6)


def record(content_type: int, fragment: bytes) -> bytes:
    return bytes([content_type, 3, 3]) + len(fragment).to_bytes(2, "big") + fragment


def cut(data: bytes, borders: list[int]) -> list[bytes]:
    """Return `data` in pieces, cut at `borders` (taken modulo its length)."""
    points = sorted({border % (len(data) + 1) for border in borders} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(points)]


@pytest.mark.parametrize("name", NAMES)
def test_records_tile_every_captured_stream(name: str) -> None:
    for stream in map(bytes.fromhex, capture(name)["wire"].values()):
        position = 0
        for found in iter_records(stream):
            assert found.offset == position
            assert found.content_type in CONTENT_TYPES
            assert found.legacy_version in (0x0301, 0x0303)
            position = found.end
        assert position == len(stream)
        assert bytes_left(stream) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_first_message_on_the_wire_is_the_first_one_recorded(name: str) -> None:
    recorded = capture(name)
    stream = bytes.fromhex(recorded["wire"]["client"])
    fragments = [r.fragment for r in iter_records(stream) if r.content_type == HANDSHAKE]
    assert next(handshake_messages(fragments)).hex() == recorded["messages"][0]["hex"]


@given(messages, st.lists(st.integers(0, 400), max_size=8))
def test_messages_come_out_whole_wherever_records_are_cut(sent: list[bytes], borders: list[int]) -> None:
    assert list(handshake_messages(cut(b"".join(sent), borders))) == sent


@given(messages, st.binary(max_size=3))
def test_a_message_that_has_not_arrived_whole_is_not_yielded(sent: list[bytes], start: bytes) -> None:
    assert list(handshake_messages([*sent, start])) == sent


@given(st.lists(st.tuples(st.sampled_from([20, 21, 22, 23]), st.binary(max_size=30)), max_size=5), st.integers(0, 200))
def test_records_stop_before_one_that_has_not_arrived_whole(parts: list[tuple[int, bytes]], end: int) -> None:
    whole = b"".join(record(*part) for part in parts)
    stream = whole[: end % (len(whole) + 1)]
    found = list(iter_records(stream))
    assert found == list(iter_records(whole))[: len(found)]
    assert sum(5 + len(r.fragment) for r in found) + bytes_left(stream) == len(stream)


@given(st.binary(max_size=60))
def test_any_stream_gives_records_or_a_decode_error(stream: bytes) -> None:
    try:
        assert all(stream[r.offset] == r.content_type for r in iter_records(stream))
    except DecodeError as error:
        assert 0 <= error.offset < len(stream)


def test_an_error_counts_its_offset_from_the_start_of_the_stream() -> None:
    for bad, path, offset in (
        (b"HTTP/", "TLSPlaintext.type", 7),
        (b"\x16\x05\x01\0\0", "TLSPlaintext.legacy_record_version", 8),
        (b"\x16\x03\x01\xff\xff", "TLSPlaintext.length", 10),
    ):
        with pytest.raises(DecodeError) as caught:
            list(iter_records(record(21, b"\2\x28") + bad))
        assert (caught.value.path, caught.value.offset) == (path, offset)


def test_a_record_knows_where_the_next_one_starts() -> None:
    assert list(iter_records(record(22, b"ab") + record(23, b""))) == [
        Record(22, 0x0303, b"ab", 0),
        Record(23, 0x0303, b"", 7),
    ]


@pytest.mark.parametrize(
    ("said", "protocol"),
    [
        (b"\x16\x03\x03\x00\x7a\x02", "tls"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "tls"),
        (b"HTTP/1.1 400 Bad Request\r\n", "http"),
        (b"<html>\r\n<head><title>400 The plain HTTP request", "http"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "ssh"),
        (b"220 mail.example.com ESMTP Postfix\r\n", "smtp"),
        (b"220-mail.example.com ESMTP\r\n", "smtp"),
        (b"220 FTP server ready\r\n", "unknown"),
        (b"", "unknown"),
        (b"\x16\x03", "unknown"),
        (b"\x16\x09\x09", "unknown"),
    ],
)
def test_a_peer_is_known_by_its_first_bytes(said: bytes, protocol: str) -> None:
    assert looks_like(said) == protocol
