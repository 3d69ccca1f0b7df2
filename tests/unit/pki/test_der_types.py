"""The ASN.1 types: one way to write each value, read as what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_certificates import bits, integer, oid, seq, tlv

from mtls_notebook.errors import DecodeError
from mtls_notebook.pki.der import Shape, read
from mtls_notebook.pki.der_types import (
    ANY,
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    NULL,
    STRING,
    TIME,
    either,
    explicit,
    identifier,
    implicit,
    named_bits,
    words,
)
from mtls_notebook.pki.der_types import integer as integer_named


def value(data: bytes, shape: Shape) -> object:
    return read(data, "Value", shape).value


@given(st.integers(-(1 << 190), 1 << 190))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    data = integer(number)
    minimal = len(data) == 3 or (data[2], data[3] >> 7) not in {(0, 0), (0xFF, 1)}
    if minimal:
        assert value(data, INTEGER) == number
    else:
        with pytest.raises(DecodeError, match="more bytes than it needs"):
            value(data, INTEGER)


def test_a_long_number_stays_bytes_and_tells_its_size() -> None:
    found = read(integer(1 << 2047), "Value", INTEGER)
    assert found.value == b"\x00\x80" + b"\x00" * 255
    assert found.meaning == "a number of 2048 bits"


def test_a_number_may_have_a_name() -> None:
    assert read(integer(2), "Value", integer_named({2: "v3"})).meaning == "v3"
    assert read(integer(3), "Value", integer_named({2: "v3"})).meaning == ""


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 64), max_size=5))
def test_an_object_identifier_is_read_as_it_was_written(first: int, second: int, others: list[int]) -> None:
    dotted = ".".join(map(str, [first, second, *others]))
    assert value(oid(dotted), identifier({})) == dotted


def test_an_arc_of_128_bits_is_read_whole() -> None:
    dotted = "2.25.329800735698586629295641978511506172918"
    assert value(oid(dotted), identifier({dotted: "a UUID"})) == dotted
    assert read(oid(dotted), "Value", identifier({dotted: "a UUID"})).meaning == "a UUID"


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (b"\x01\x01\x01", BOOLEAN),
        (b"\x01\x00", BOOLEAN),
        (b"\x01\x02\xff\xff", BOOLEAN),
        (b"\x02\x00", INTEGER),
        (b"\x02\x02\x00\x7f", INTEGER),
        (b"\x02\x02\xff\x80", INTEGER),
        (b"\x05\x01\x00", NULL),
        (b"\x06\x00", identifier({})),
        (b"\x06\x02\x2a\x80", identifier({})),
        (b"\x06\x03\x2a\x80\x01", identifier({})),
        (tlv(6, b"\x2a" + b"\xff" * 64 + b"\x01"), identifier({})),
        (b"\x03\x00", BIT_STRING),
        (b"\x03\x01\x01", BIT_STRING),
        (b"\x03\x02\x08\x00", BIT_STRING),
        (b"\x03\x02\x01\x01", BIT_STRING),
        (tlv(0x17, b"2601010000Z"), TIME),
        (tlv(0x17, b"260101000000+0100"), TIME),
        (tlv(0x17, b"260230000000Z"), TIME),
        (tlv(0x17, "26010100000\u0660Z".encode()), TIME),
        (tlv(0x18, b"20260101000000.5Z"), TIME),
        (tlv(0x18, b"00000101000000Z"), TIME),
        (tlv(0x24, tlv(4, b"a")), Shape("OCTET STRING", {4: lambda body: body.contents(b"")})),
    ],
    ids=lambda part: part.hex() if isinstance(part, bytes) else part.name,
)
def test_a_value_that_der_writes_differently_is_refused(data: bytes, shape: Shape) -> None:
    with pytest.raises(DecodeError):
        read(data, "Value", shape)


@pytest.mark.parametrize(
    ("tag", "encoding"),
    [
        (0x0C, "utf-8"),
        (0x13, "ascii"),
        (0x14, "latin-1"),
        (0x16, "ascii"),
        (0x1A, "ascii"),
        (0x1C, "utf-32-be"),
        (0x1E, "utf-16-be"),
    ],
)
def test_every_string_type_is_read_in_its_encoding(tag: int, encoding: str) -> None:
    text = "plain" if encoding == "ascii" else "Käse"
    found = read(tlv(tag, text.encode(encoding)), "Value", STRING)
    assert (found.value, found.meaning, words(found)) == (text, "", text)


def test_what_would_not_be_seen_is_written_out_in_the_meaning() -> None:
    found = read(tlv(0x0C, "a\u202eb\x1b[".encode()), "Value", STRING)
    assert found.value == "a\u202eb\x1b["
    assert found.meaning == r"a\E2\80\AEb\1B["


def test_bytes_that_are_no_text_become_escapes() -> None:
    assert value(tlv(0x0C, b"a\xff"), STRING) == r"a\xff"
    assert value(tlv(0x1E, b"\x00a\x00"), STRING) == r"a\x00"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (tlv(0x17, b"491231235959Z"), "2049-12-31 23:59:59 UTC"),
        (tlv(0x17, b"500101000000Z"), "1950-01-01 00:00:00 UTC"),
        (tlv(0x18, b"99991231235959Z"), "9999-12-31 23:59:59 UTC"),
    ],
)
def test_a_time_means_its_moment(data: bytes, text: str) -> None:
    assert read(data, "Value", TIME).meaning == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bits(b"\xa0", 5), "zero, two"),
        (bits(b"\x00\x80", 7), "bit 8"),
        (bits(b""), "no bit is set"),
    ],
)
def test_set_bits_are_named(data: bytes, text: str) -> None:
    assert read(data, "Value", named_bits(("zero", "one", "two"))).meaning == text


def test_tagging_replaces_a_tag_or_wraps_it() -> None:
    assert value(b"\x82\x01\x05", implicit(2, INTEGER)) == 5
    assert value(tlv(0xA2, integer(5)), explicit(2, "number", INTEGER)) == 5
    assert list(implicit(1, Shape("list", {0x30: lambda body: (None, "")})).readers) == [0xA1]


def test_a_choice_reads_each_of_its_types_and_no_other() -> None:
    shape = either(INTEGER, NULL)
    assert (value(integer(1), shape), value(tlv(5), shape)) == (1, None)
    with pytest.raises(DecodeError, match="is BOOLEAN, not INTEGER or NULL"):
        read(b"\x01\x01\xff", "Value", shape)


def test_any_type_is_taken_apart_as_far_as_its_tags_tell() -> None:
    found = read(seq(integer(5), tlv(0x0C, b"text"), tlv(0x80, b"\x01"), b"\x01\x01\xff"), "Value", ANY)
    assert found.value == "4 items"
    assert [child.value for child in found.children[2:]] == [5, "text", b"\x01", True]
    assert found.meaning == "5, text, TRUE"
