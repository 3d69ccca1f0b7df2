"""Wire bytes and key log back into records and messages: real handshakes in memory, whole, cut and spoiled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from mtls_notebook.recorder.decrypt import decrypted, derived_keys, records, with_messages
from mtls_notebook.recorder.events import Bytes, Event, Kind, Side
from mtls_notebook.recorder.key_schedule import next_traffic_secret, suite_of, traffic_keys
from mtls_notebook.recorder.keyring import secrets_of
from tests.unit.recorder.pair import OP_NO_ENCRYPT_THEN_MAC, met
from tests.unit.recorder.published import events as rfc8448

AEAD_12 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-AES256-CCM8",
)
CBC_12 = (
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
)
SUITES_13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
)
CASES = [
    *(("1.2", suite, 0) for suite in (*AEAD_12, *CBC_12)),
    *(("1.2", suite, OP_NO_ENCRYPT_THEN_MAC) for suite in CBC_12),
    *(("1.3", suite, 0) for suite in SUITES_13),
]
FINISHED, APPLICATION_DATA = 20, 23
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


@cache
def story(version: str = "1.3") -> tuple[Event, ...]:
    return tuple(met(version=version, client_key="P-256").events)


def told(events: Sequence[Event]) -> list[tuple[Kind, Side, bytes]]:
    return [(sent.kind, sent.sender, sent.data) for sent in decrypted(events)]


def by_side(events: Sequence[Event], side: Side) -> list[tuple[Kind, Side, bytes]]:
    return [item for item in told(events) if item[1] == side]


def rewired(events: Sequence[Event], wire: list[tuple[Side, bytes]]) -> list[Event]:
    """Return the story with other wire bytes, its key log first."""
    data: list[tuple[Kind, Bytes | str]] = [(e.kind, e.data) for e in events if e.kind is Kind.SECRET]  # type: ignore[misc]
    data += [(Kind.WIRE, Bytes.of(side, part)) for side, part in wire]
    return [Event(number, 1, kind, value) for number, (kind, value) in enumerate(data)]


def wire_of(events: Sequence[Event]) -> list[tuple[Side, bytes]]:
    return [(e.data.sender, e.data.data) for e in events if e.kind is Kind.WIRE and isinstance(e.data, Bytes)]


# ---- what opens


@pytest.mark.parametrize(("version", "suite", "options"), CASES)
def test_every_record_of_every_suite_opens(version: str, suite: str, options: int) -> None:
    events = met(version=version, suite=suite, options=options).events
    found = records(events)
    assert [record for record in found if record.plaintext is None] == []
    data = [record.plaintext for record in found if record.inner_type == APPLICATION_DATA]
    assert data == [b"question", b"answer"]
    assert {sent.sender for sent in decrypted(events) if sent.data[:1] == bytes([FINISHED])} == {"client", "server"}


@both_versions
def test_records_and_messages_point_at_each_other(version: str) -> None:
    found, sent = records(story(version)), decrypted(story(version))
    for index, message in enumerate(sent):
        carriers = [found[number] for number in message.records]
        carried = b"".join(record.plaintext or b"" for record in carriers)
        assert carried[message.offset :].startswith(message.data)
        assert all(index in record.message_indices and record.sender == message.sender for record in carriers)
        assert message.at_ns == carriers[-1].at_ns
    pairs = [(number, index) for number, record in enumerate(found) for index in record.message_indices]
    assert sorted(pairs) == sorted((number, index) for index, message in enumerate(sent) for number in message.records)


@both_versions
def test_records_tile_what_each_side_sent(version: str) -> None:
    for side in ("client", "server"):
        end = 0
        for record in records(story(version)):
            if record.sender == side:
                assert record.offset == end
                end += 5 + record.length
        assert end == sum(len(data) for sender, data in wire_of(story(version)) if sender == side)


def test_a_protected_record_shows_what_was_inside_and_an_open_one_has_no_inner_type() -> None:
    hello, *_ = records(story("1.3"))
    protected = [record for record in records(story("1.3")) if record.content_type == APPLICATION_DATA]
    assert (hello.content_type, hello.inner_type) == (22, None)
    assert {record.inner_type for record in protected} == {21, 22, 23}


@both_versions
def test_it_does_not_matter_how_the_bytes_were_read(version: str) -> None:
    """One byte at a time or a flight at a time: the same messages, records and key log."""
    wire = wire_of(story(version))
    single = rewired(story(version), [(side, bytes([byte])) for side, data in wire for byte in data])
    assert told(single) == told(story(version))
    assert [(r.offset, r.plaintext) for r in records(single)] == [
        (r.offset, r.plaintext) for r in records(story(version))
    ]


def test_a_message_cut_over_records_is_joined_and_names_them_all() -> None:
    hello = wire_of(story("1.3"))[0][1][5:]
    parts = [hello[:3], hello[3:100], hello[100:]]
    wire: list[tuple[Side, bytes]] = [("client", b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p) for p in parts]
    [sent] = decrypted(rewired((), wire))
    assert (sent.data, sent.records, sent.offset) == (hello, (0, 1, 2), 0)


# ---- what does not open


@both_versions
def test_without_secrets_the_open_messages_remain_and_the_rest_keeps_its_ciphertext(version: str) -> None:
    bare = [event for event in story(version) if event.kind is not Kind.SECRET]
    whole = records(story(version))
    in_the_open = [
        sent for sent in decrypted(story(version)) if all(whole[number].inner_type is None for number in sent.records)
    ]
    assert told(bare) == [(sent.kind, sent.sender, sent.data) for sent in in_the_open]
    assert len(in_the_open) < len(told(story(version)))
    shut = [record for record in records(bare) if record.plaintext is None]
    assert shut
    assert all(record.inner_type is None and record.message_indices == () for record in shut)
    assert derived_keys(bare) == ()


@both_versions
def test_the_secrets_of_another_connection_open_nothing(version: str) -> None:
    other = met(version=version).events
    foreign = rewired([event for event in other if event.kind is Kind.SECRET], wire_of(story(version)))
    bare = [event for event in story(version) if event.kind is not Kind.SECRET]
    assert told(foreign) == told(bare)


@both_versions
def test_lines_that_are_no_key_log_are_passed_over(version: str) -> None:
    noise = [Event(0, 1, Kind.SECRET, line) for line in ("", "# comment", "A B", "CLIENT_RANDOM zz 00", "a b c d")]
    assert told([*noise, *story(version)]) == told(story(version))


@both_versions
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_wherever_the_kept_bytes_end_what_is_read_is_the_beginning(version: str, data: st.DataObject) -> None:
    events = list(story(version))
    at = data.draw(st.sampled_from([i for i, event in enumerate(events) if event.kind is Kind.WIRE]))
    part = events[at].data
    assert isinstance(part, Bytes)
    kept = data.draw(st.integers(0, len(part.data) - 1))
    events[at] = Event(events[at].at_ns, 1, Kind.WIRE, Bytes(part.sender, part.data[:kept], part.total))
    whole = by_side(story(version), part.sender)
    assert by_side(events, part.sender) == whole[: len(by_side(events, part.sender))]


@both_versions
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_changed_byte_never_raises_and_never_invents_a_protected_record(version: str, data: st.DataObject) -> None:
    wire = wire_of(story(version))
    which = data.draw(st.integers(0, len(wire) - 1))
    side, part = wire[which]
    at, flip = data.draw(st.integers(0, len(part) - 1)), data.draw(st.integers(1, 255))
    wire[which] = side, part[:at] + bytes([part[at] ^ flip]) + part[at + 1 :]
    spoiled = rewired(story(version), wire)
    true = {record.plaintext for record in records(story(version))}
    opened = {r.plaintext for r in records(spoiled) if r.inner_type is not None and r.plaintext is not None}
    assert opened <= true


def test_what_is_no_tls_holds_no_messages() -> None:
    answer: list[tuple[Side, bytes]] = [
        ("client", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
        ("server", b"HTTP/1.1 400\r\n"),
    ]
    assert [sent.sender for sent in decrypted(rewired((), answer))] == ["client"]
    assert [record.sender for record in records(rewired((), answer))] == ["client"]


def test_what_was_said_before_starttls_is_not_read_as_tls() -> None:
    greeting = Event(0, 1, Kind.WIRE, Bytes.of("server", b"220 mail.example ESMTP\r\n"))
    assert told([greeting, *story("1.3")]) == told(story("1.3"))


# ---- keys that change


def test_a_key_update_moves_its_sender_to_the_next_key() -> None:
    """No library here can be told to send one, so two records are sealed as RFC 8446 §7.2 says."""
    events = rfc8448("3")
    suite = suite_of(0x1301)
    secret = next(v for (label, _), v in secrets_of(events).items() if label == "SERVER_TRAFFIC_SECRET_0")
    assert suite is not None
    key_update = _sealed(suite, secret, 3, b"\x18\x00\x00\x01\x00\x16")
    after = _sealed(suite, next_traffic_secret("sha256", secret), 0, b"new key\x17")
    wire: list[tuple[Side, bytes]] = [*wire_of(events), ("server", key_update), ("server", after)]
    *_, update, data = records(rewired(events, wire))
    assert (update.inner_type, data.inner_type, data.plaintext) == (22, 23, b"new key")
    assert decrypted(rewired(events, wire))[-1].data == b"\x18\x00\x00\x01\x00"


def _sealed(suite: object, secret: bytes, number: int, inner: bytes) -> bytes:
    key, iv = traffic_keys(suite, secret)  # type: ignore[arg-type]
    header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    return header + AESGCM(key).encrypt(nonce, inner, header)


def test_padding_inside_a_record_is_no_part_of_its_plaintext() -> None:
    events, suite = rfc8448("3"), suite_of(0x1301)
    secret = next(v for (label, _), v in secrets_of(events).items() if label == "SERVER_TRAFFIC_SECRET_0")
    padded = _sealed(suite, secret, 3, b"short\x17" + bytes(40))
    assert records(rewired(events, [*wire_of(events), ("server", padded)]))[-1].plaintext == b"short"


# ---- events


@both_versions
def test_a_recording_without_messages_gets_them_right_after_the_bytes_that_brought_them(version: str) -> None:
    enriched = with_messages(story(version))
    added = [event for event in enriched if event.kind in (Kind.MESSAGE, Kind.ALERT, Kind.CHANGE_CIPHER_SPEC)]
    assert [event.data.data for event in added if isinstance(event.data, Bytes)] == [
        d for *_, d in told(story(version))
    ]
    for before, event in pairwise(enriched):
        if event.kind is Kind.MESSAGE and before.kind is Kind.WIRE:
            assert isinstance(before.data, Bytes)
            assert isinstance(event.data, Bytes)
            assert (before.at_ns, before.data.sender) == (event.at_ns, event.data.sender)
    assert tuple(event for event in enriched if event not in added) == story(version)


@both_versions
def test_adding_messages_twice_changes_nothing(version: str) -> None:
    once = with_messages(story(version))
    assert with_messages(once) == once


def test_an_alert_that_was_told_already_stays_alone() -> None:
    alert = next(sent for sent in decrypted(story("1.3")) if sent.kind is Kind.ALERT)
    known = Event(10**9, 1, Kind.ALERT, Bytes.of(alert.sender, alert.data))
    enriched = with_messages([*story("1.3"), known])
    same = [event for event in enriched if event.kind is Kind.ALERT and event.data == known.data]
    assert same == [known]


# ---- what stays hidden


def test_no_repr_shows_a_key_or_a_plaintext() -> None:
    shown = repr(derived_keys(story("1.2"))) + repr(records(story("1.3")))
    assert "question" not in shown
    assert "value=" not in shown
    assert "plaintext=" not in shown


def test_the_key_block_has_the_parts_that_the_suite_needs() -> None:
    aead = [value.label for value in derived_keys(met(version="1.2", suite=AEAD_12[0]).events)]
    cbc = [value.label for value in derived_keys(met(version="1.2", suite=CBC_12[0]).events)]
    assert aead == ["master_secret", "client_write_key", "server_write_key", "client_write_IV", "server_write_IV"]
    assert cbc == [
        "master_secret",
        "client_write_MAC_key",
        "server_write_MAC_key",
        "client_write_key",
        "server_write_key",
    ]
