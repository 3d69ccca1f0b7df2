"""The reader returns values, records their spans, and stays inside its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import DecodeError
from mtls_notebook.spans import Field, leaves
from mtls_notebook.tls.reader import Reader, meaning_of

TABLE = {1: "one", 2: "two"}


def test_a_number_is_recorded_with_its_span_and_its_name() -> None:
    reader = Reader(b"\x02\x00\x01", "Test")
    assert (reader.u8("a", TABLE), reader.u16("b", TABLE)) == (2, 1)
    assert reader.fields == [Field("a", (0, 1), 2, (), "two"), Field("b", (1, 3), 1, (), "one")]


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_every_width_are_big_endian(value: int) -> None:
    data = value.to_bytes(8, "big")
    assert Reader(data, "Test").u64("n") == value
    assert Reader(data[4:], "Test").u32("n") == value & 0xFFFFFFFF
    assert Reader(data[5:], "Test").u24("n") == value & 0xFFFFFF


def test_an_unknown_number_is_named_by_its_hex_and_a_number_without_a_table_has_no_name() -> None:
    assert meaning_of(TABLE, 10, 2) == "unknown(0x000a)"
    assert meaning_of(None, 10, 2) == ""


def test_a_vector_records_its_length_and_its_data() -> None:
    reader = Reader(b"\x00\x02hi", "Test")
    assert reader.vector("v", 2) == b"hi"
    length, data = Field("length", (0, 2), 2), Field("data", (2, 4), b"hi")
    assert reader.fields == [Field("v", (0, 4), b"hi", (length, data))]


def test_an_empty_vector_has_no_data_field() -> None:
    reader = Reader(b"\x00", "Test")
    assert reader.vector("v", 1) == b""
    assert [leaf.name for leaf in leaves(reader.fields[0])] == ["length"]


def test_an_empty_rest_leaves_no_field() -> None:
    reader = Reader(b"", "Test")
    assert reader.rest("r") == b""
    assert reader.fields == []


def test_a_vector_of_numbers_counts_its_items() -> None:
    reader = Reader(b"\x04\x00\x01\x00\x02", "Test")
    assert reader.numbers("list", 1, "item", 2, TABLE) == (1, 2)
    (field,) = reader.fields
    assert field.value == "2 items"
    assert [(c.span, c.meaning) for c in field.children[1:]] == [((1, 3), "one"), ((3, 5), "two")]


def test_text_that_is_no_ascii_is_escaped() -> None:
    assert Reader(b"\x03a\xffb", "Test").text("t", 1) == "a\\xffb"


def test_items_are_numbered_in_the_path_of_an_error_and_named_alike_in_the_tree() -> None:
    reader = Reader(b"\x03\x01x\x05", "Test")
    with pytest.raises(DecodeError) as caught:
        reader.items("list", 1, "item", lambda r: r.vector("v", 1))
    assert (caught.value.path, caught.value.offset) == ("Test.list.item[1].v", 3)
    good = Reader(b"\x04\x01x\x01y", "Test")
    assert good.items("list", 1, "item", lambda r: r.vector("v", 1), describe=bytes.decode) == (b"x", b"y")
    assert [(f.name, f.meaning) for f in good.fields[0].children[1:]] == [("item", "x"), ("item", "y")]


def test_a_nested_body_must_be_used_up() -> None:
    with pytest.raises(DecodeError, match=r"^Test\.body at byte 2: 2 bytes left over"):
        Reader(b"\x03abc", "Test").nested("body", 1, lambda r: r.u8("a"))


def test_a_nested_body_cannot_read_past_its_declared_end() -> None:
    with pytest.raises(DecodeError, match=r"^Test\.body\.a at byte 1: needs 2 bytes, 1 left"):
        Reader(b"\x01abc", "Test").nested("body", 1, lambda r: r.u16("a"))


@pytest.mark.parametrize(
    ("data", "limits", "words"),
    [
        (b"\x05abc", {}, "declares 5 bytes, 3 left"),
        (b"\x01a", {"minimum": 2}, "length 1 is below the minimum of 2"),
        (b"\x03abc", {"maximum": 2}, "length 3 is above the maximum of 2"),
        (b"", {}, "needs 1 byte, 0 left"),
    ],
)
def test_a_wrong_length_is_refused_where_the_length_stands(data: bytes, limits: dict, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Reader(data, "Test").vector("v", 1, **limits)
    assert (caught.value.path, caught.value.offset) == ("Test.v", 0)
    assert words in caught.value.message


def test_numbers_that_do_not_divide_are_refused() -> None:
    with pytest.raises(DecodeError, match="3 bytes do not divide into 2-byte items"):
        Reader(b"\x03abc", "Test").numbers("list", 1, "item", 2)


def test_a_failed_attempt_reads_nothing_and_records_nothing() -> None:
    reader = Reader(b"abc", "Test")
    assert reader.attempt(lambda r: r.opaque("x", 2)) is None  # one byte would be left over
    assert reader.attempt(lambda r: r.opaque("x", 4)) is None
    assert (reader.position, reader.fields) == (0, [])
    assert reader.attempt(lambda r: r.opaque("x", 3)) == b"abc"
    assert [f.name for f in reader.fields] == ["x"]


def test_leaves_come_in_the_order_of_their_bytes() -> None:
    inner = Field("b", (1, 3), None, (Field("b1", (1, 2), 1), Field("b2", (2, 3), 2)))
    root = Field("r", (0, 4), None, (Field("a", (0, 1), 0), inner, Field("c", (3, 4), 3)))
    assert [leaf.name for leaf in leaves(root)] == ["a", "b1", "b2", "c"]
