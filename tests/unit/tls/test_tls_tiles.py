"""The invariants of decoding: leaves tile the message, and any bytes give a value or a DecodeError."""

from __future__ import annotations

import time

import pytest
from captured import NAMES, SAMPLES, Sample, client_hello, decoded, extension, message, vec, walk
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import DecodeError
from mtls_notebook.spans import Field, leaves
from mtls_notebook.tls.messages import (
    MESSAGES,
    Context,
    Message,
    Undecoded,
    decode,
    decode_alert,
    decode_change_cipher_spec,
    decode_or_keep,
)
from mtls_notebook.tls.summary import LONGEST, acceptable_parties, certificate_chain, summary

KEY_EXCHANGES = ("", "ECDHE", "DHE", "RSA", "PSK", "DHE_PSK", "ECDHE_PSK", "RSA_PSK", "SRP", "ECDH", "DH_anon")
contexts = st.builds(Context, st.sampled_from([0x0301, 0x0303, 0x0304]), st.sampled_from(KEY_EXCHANGES))


def assert_tiled(root: Field, length: int) -> None:
    """Fail unless children lie in order inside their parent and the leaves cover every byte once."""
    assert root.span == (0, length)
    for path, field in walk(root):
        starts = [child.span[0] for child in field.children]
        assert starts == sorted(starts), path
        assert all(field.span[0] <= child.span[0] <= child.span[1] <= field.span[1] for child in field.children), path
    position = 0
    for leaf in leaves(root):
        assert leaf.span[0] == position < leaf.span[1], leaf.name
        position = leaf.span[1]
    assert position == length


@pytest.mark.parametrize("name", NAMES)
def test_the_leaves_of_every_captured_message_tile_it(name: str) -> None:
    for found in decoded(name):
        assert_tiled(found.field, len(found.raw))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_leaves_of_every_sample_tile_it(sample: Sample) -> None:
    assert_tiled(decode(sample.raw, sample.sender, sample.context).field, len(sample.raw))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_an_integer_leaf_says_what_its_bytes_say(sample: Sample) -> None:
    for leaf in leaves(decode(sample.raw, sample.sender, sample.context).field):
        bytes_there = sample.raw[slice(*leaf.span)]
        if isinstance(leaf.value, bytes):
            assert leaf.value == bytes_there
        elif leaf.name != "length":  # a DER length may be in its long form
            assert leaf.value == int.from_bytes(bytes_there, "big")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_message_cut_anywhere_is_kept_undecoded(sample: Sample) -> None:
    for end in range(len(sample.raw)):
        kept = decode_or_keep(sample.raw[:end], sample.sender, sample.context)
        assert isinstance(kept, Undecoded)
        assert kept.raw == sample.raw[:end]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_body_cut_with_its_length_corrected_gives_a_value_or_a_decode_error(sample: Sample) -> None:
    for end in range(4, len(sample.raw)):
        raw = sample.raw[:1] + (end - 4).to_bytes(3, "big") + sample.raw[4:end]
        assert_value_or_decode_error(raw, sample.context)


def assert_value_or_decode_error(raw: bytes, context: Context) -> None:
    found = decode_or_keep(raw, "server", context)
    assert len(summary(found)) <= LONGEST
    acceptable_parties(found)
    certificate_chain(found)
    if isinstance(found, Message):
        assert_tiled(found.field, len(raw))
    else:
        assert found.error.path
        assert 0 <= found.error.offset <= len(raw)


@given(st.sampled_from(SAMPLES), contexts, st.data())
def test_a_mutated_message_gives_a_value_or_a_decode_error(sample: Sample, other: Context, data: st.DataObject) -> None:
    raw = bytearray(sample.raw)
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        raw[data.draw(st.integers(0, len(raw) - 1), "at")] = data.draw(st.integers(0, 255), "byte")
    assert_value_or_decode_error(bytes(raw), data.draw(st.sampled_from([sample.context, other]), "context"))


@given(st.sampled_from(sorted(MESSAGES)), st.binary(max_size=300), contexts)
def test_any_body_gives_a_value_or_a_decode_error(kind: int, body: bytes, context: Context) -> None:
    assert_value_or_decode_error(message(kind, body), context)


@given(st.binary(max_size=40), contexts)
def test_any_bytes_give_a_value_or_a_decode_error(raw: bytes, context: Context) -> None:
    assert_value_or_decode_error(raw, context)


@given(st.binary(max_size=4))
def test_any_bytes_are_an_alert_and_a_change_cipher_spec_or_a_decode_error(raw: bytes) -> None:
    for read in (decode_alert, decode_change_cipher_spec):
        try:
            found = read(raw, "server")
        except DecodeError as error:
            assert 0 <= error.offset <= len(raw)
        else:
            assert_tiled(found.field, len(raw))


def test_decoding_time_grows_in_step_with_length() -> None:
    def cost(count: int) -> float:
        raw = client_hello(extension(16, vec(2, b"\1h" * count)), extension(51, vec(2, b"\0\x1d\0\1k" * count)))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            decode(raw, "client")
            best = min(best, time.process_time() - start)
        return best

    assert cost(8_000) < 40 * cost(1_000)  # 8 times when linear, 64 when quadratic
