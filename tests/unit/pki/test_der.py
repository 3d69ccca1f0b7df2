"""The DER reader alone: what it refuses, what it keeps, and that no bytes make it stumble."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_certificates import assert_tiled, integer, seq, tlv

from mtls_notebook.errors import DecodeError
from mtls_notebook.pki.der import DEEPEST, LARGEST, read, tag_name
from mtls_notebook.pki.der_types import ANY, INTEGER, sequence_of
from mtls_notebook.spans import Field

elements = st.recursive(
    st.builds(tlv, st.sampled_from([0x04, 0x80, 0x0A]), st.binary(max_size=200)),
    lambda inner: st.builds(
        lambda tag, parts: tlv(tag, *parts), st.sampled_from([0x30, 0x31, 0xA3]), st.lists(inner, max_size=4)
    ),
    max_leaves=20,
)


def message_of(data: bytes) -> str:
    """Return why `data` is refused as a value of any type."""
    with pytest.raises(DecodeError) as caught:
        read(data, "Value", ANY)
    return caught.value.message


@given(elements)
def test_any_well_formed_element_becomes_a_tree_that_tiles_it(data: bytes) -> None:
    assert_tiled(read(data, "Value", ANY), len(data))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_tree_or_a_decode_error(data: bytes) -> None:
    assert_tree_or_decode_error(data)


@given(elements, st.data())
def test_a_changed_element_is_a_tree_or_a_decode_error(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    changed[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert_tree_or_decode_error(bytes(changed))


@given(elements)
def test_an_element_cut_anywhere_is_a_decode_error_inside_what_is_left(data: bytes) -> None:
    for end in range(len(data)):
        with pytest.raises(DecodeError) as caught:
            read(data[:end], "Value", ANY)
        assert caught.value.path.startswith("Value")
        assert 0 <= caught.value.offset <= end


def assert_tree_or_decode_error(data: bytes) -> None:
    try:
        root = read(data, "Value", ANY)
    except DecodeError as error:
        assert error.path
        assert 0 <= error.offset <= len(data)
    else:
        assert_tiled(root, len(data))


def test_an_element_has_its_tag_its_length_and_then_its_contents() -> None:
    assert read(b"\x02\x01\x05", "Number", INTEGER) == Field(
        "Number",
        (0, 3),
        5,
        (
            Field("tag", (0, 1), 2, (), "INTEGER"),
            Field("length", (1, 2), 1),
            Field("contents", (2, 3), 5),
        ),
    )


def test_empty_contents_leave_no_leaf() -> None:
    root = read(b"\x30\x00", "List", sequence_of("List", "Item", INTEGER))
    assert [child.name for child in root.children] == ["tag", "length"]
    assert root.value == "0 items"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is missing"),
        (b"\x30", "ends before its length"),
        (b"\x30\x80\x00\x00", "indefinite length"),
        (b"\x04\x81\x01a", "in more bytes than DER allows"),
        (b"\x04\x82\x00\x81" + b"a" * 0x81, "in more bytes than DER allows"),
        (b"\x04\x85\x00\x00\x00\x00\x01a", "has a length of 5 bytes"),
        (b"\x04\x84\xff\xff\xff\xff", "declares 4294967295 bytes, 0 left"),
        (b"\x04\x82\x01", "has a length of 2 bytes"),
        (b"\x04\x02a", "declares 2 bytes, 1 left"),
        (b"\x04\x01ab", "1 byte left over"),
        (b"\x1f\x1e\x00", "a tag that DER does not write"),
        (b"\x1f\x80\x1f\x00", "a tag that DER does not write"),
        (b"\x1f\xff\xff\xff\x7f\x00", "a tag that DER does not write"),
        (b"\x1f", "a tag that DER does not write"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_der_forbids_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    assert reason in message_of(data)


def test_a_wrong_type_is_named_beside_the_one_that_belongs_there() -> None:
    with pytest.raises(DecodeError) as caught:
        read(seq(integer(1), tlv(4, b"x")), "List", sequence_of("List", "Item", INTEGER))
    assert caught.value.message == "List.Item at byte 5: is OCTET STRING, not INTEGER"


def test_an_element_cannot_reach_beyond_the_one_around_it() -> None:
    inner = b"\x02\x03\x01"
    with pytest.raises(DecodeError, match="declares 3 bytes, 1 left"):
        read(tlv(0x30, inner) + b"\x01\x01", "List", ANY)


def nested(depth: int) -> bytes:
    data = tlv(5)
    for _ in range(depth - 1):
        data = seq(data)
    return data


def test_elements_nest_as_deep_as_the_limit_and_no_deeper() -> None:
    assert_tiled(read(nested(DEEPEST), "Value", ANY), len(nested(DEEPEST)))
    assert f"more than {DEEPEST} elements deep" in message_of(nested(DEEPEST + 1))
    assert "elements deep" in message_of(nested(5000))


def test_data_as_large_as_the_limit_is_read_and_larger_is_refused_unseen() -> None:
    largest = tlv(4, b"a" * (LARGEST - 5))
    assert len(largest) == LARGEST
    assert read(largest, "Value", ANY).span == (0, LARGEST)
    assert f"{LARGEST + 1:,} bytes" in message_of(largest + b"a")


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x30, "SEQUENCE"),
        (0x00, "[UNIVERSAL 0]"),
        (0x82, "[2]"),
        (0xA0, "[0] constructed"),
        (0x41, "[APPLICATION 1]"),
        (0xE3, "[PRIVATE 3] constructed"),
        (0x9F1F, "[31]"),
        (0xBF8101, "[129] constructed"),
    ],
)
def test_a_tag_is_written_as_in_asn1(tag: int, text: str) -> None:
    assert tag_name(tag) == text


def test_a_tag_of_several_bytes_is_one_leaf() -> None:
    root = read(b"\x9f\x81\x01\x01a", "Value", ANY)
    assert [child.span for child in root.children] == [(0, 3), (3, 4), (4, 5)]
