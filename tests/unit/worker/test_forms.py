"""FormData, Blob and File: what goes out as multipart comes back the same."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtls_notebook.worker.python.forms import Blob, File, FormData, encode_multipart, parse_form, parse_multipart

line_free = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).filter(
    lambda text: not any(escape in text for escape in ("%22", "%0D", "%0A"))
)


def shown(form: FormData) -> list[tuple[object, ...]]:
    """Return the fields as values; a file without a media type counts as binary, as RFC 7578 wants it sent."""
    return [
        (name, value.content, value.content_type or "application/octet-stream", getattr(value, "name", None))
        if isinstance(value, Blob)
        else (name, value)
        for name, value in form.items()
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(line_free, st.one_of(line_free, st.binary(), st.builds(File, st.binary(), line_free)))))
def test_every_form_comes_back_from_multipart_as_it_went(fields: list[tuple[str, str | bytes | File]]) -> None:
    form = FormData(fields)
    assert shown(parse_multipart(*encode_multipart(form))) == shown(form)


def test_line_ends_of_text_fields_become_crlf_and_those_of_files_stay() -> None:
    form = FormData({"text": "a\nb\rc\r\nd", "file": b"a\nb\rc\r\nd"})
    again = parse_multipart(*encode_multipart(form))
    assert again["text"] == "a\r\nb\r\nc\r\nd"
    assert again["file"].content == b"a\nb\rc\r\nd"


def test_a_form_reads_like_a_dict_and_keeps_every_value_of_a_name() -> None:
    form = FormData({"a": "1", "b": "2"})
    form.append("a", "3")
    assert list(form) == ["a", "b", "a"]
    assert form["a"] == "1"
    assert form.get_all("a") == ["1", "3"]
    assert list(form.items()) == [("a", "1"), ("b", "2"), ("a", "3")]
    assert form.get("c", "none") == "none"
    assert len(form) == 3


def test_setting_a_name_replaces_all_its_values_at_the_first_ones_place() -> None:
    form = FormData([("a", "1"), ("b", "2"), ("a", "3")])
    form["a"] = "9"
    assert list(form.items()) == [("a", "9"), ("b", "2")]
    del form["a"]
    assert "a" not in form
    with pytest.raises(KeyError):
        form["a"]


def test_a_blob_takes_one_part_or_several() -> None:
    assert Blob("grün").content == "grün".encode()
    assert Blob(b"\x00\x01").content == b"\x00\x01"
    assert Blob(["a", b"b", Blob("c")]).content == b"abc"
    assert Blob(File("x", "n", "text/plain")).content_type == "text/plain"
    with pytest.raises(TypeError, match="int"):
        Blob([1])  # type: ignore[list-item]


def test_a_slice_of_a_blob_counts_from_either_end() -> None:
    blob = Blob("0123456789", "text/plain")
    assert asyncio.run(blob.slice(2, 5).text()) == "234"
    assert asyncio.run(blob.slice(-2).bytes()) == b"89"
    assert blob.size == 10


def test_an_urlencoded_body_keeps_empty_values_and_repeated_names() -> None:
    form = parse_form(b"a=1&a=2&b=&c=x%20y+z", "application/x-www-form-urlencoded; charset=utf-8")
    assert list(form.items()) == [("a", "1"), ("a", "2"), ("b", ""), ("c", "x y z")]


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"{}", "application/json"),
        (b"", ""),
        (b"--x\r\n", "multipart/form-data"),
        (b"no boundary here", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n', "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_that_is_no_form_is_a_type_error(data: bytes, content_type: str) -> None:
    with pytest.raises(TypeError):
        parse_form(data, content_type)


def test_a_preamble_and_an_unquoted_name_are_understood() -> None:
    data = b"preamble\r\n--x\r\ncontent-disposition: form-data; name=plain\r\n\r\nvalue\r\n--x--\r\n"
    assert list(parse_multipart(data, 'multipart/form-data; boundary="x"').items()) == [("plain", "value")]
