"""What is made of a response's body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.views import body as view
from tests.unit.views.material import HOSTILE, JSON, SHOWN, answer

KEYS = {"json": "root", "text": "text", "image": "source", "bytes": "hex", "empty": "size"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(categories=("L", "N", "P"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=300))
def test_any_bytes_become_something_to_draw(data: bytes) -> None:
    drawn = view.body(answer(data))
    assert KEYS[drawn["kind"]] in drawn
    assert "\x1b" not in json.dumps(drawn, ensure_ascii=False).replace("\\u001b", "\x1b")
    assert isinstance(view.body_text(answer(data)), str)


@given(VALUES)
def test_the_plain_text_of_json_is_the_same_json(value: Any) -> None:
    response = answer(json.dumps(value).encode(), JSON)
    assert json.loads(view.body_text(response)) == value
    assert view.body(response)["kind"] == "json"


def test_numbers_are_shown_as_they_were_written() -> None:
    root = view.body(answer(b'{"big": 12345678901234567890, "one": 1.0, "tiny": 1e-400}'))["root"]
    assert [child["text"] for child in root["children"]] == ["12345678901234567890", "1.0", "1e-400"]


def test_a_repeated_name_is_shown_twice() -> None:
    root = view.body(answer(b'{"a": 1, "a": 2}'))["root"]
    assert [(child["key"], child["text"]) for child in root["children"]] == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize("data", [b"[" * 100_000, b"[" * 50 + b"]" * 50, b'{"a":' * 5000, b'{"a": 1', b"{\xff}"])
def test_json_that_is_too_deep_or_broken_is_not_drawn_as_a_tree(data: bytes) -> None:
    assert view.body(answer(data, JSON))["kind"] in ("text", "bytes")


def test_a_long_list_is_cut_and_says_how_much_is_left() -> None:
    root = view.body(answer(json.dumps(list(range(5000))).encode(), JSON))["root"]
    assert len(root["children"]) + root["hidden"] == 5000
    assert len(root["children"]) < view.NODE_LIMIT


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "data:image/png"),
        (b"\xff\xd8\xff\xe0", "data:image/jpeg"),
        (b"GIF89a", "data:image/gif"),
        (b"RIFF\0\0\0\0WEBP", "data:image/webp"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(start: bytes, kind: str) -> None:
    drawn = view.body(answer(start + b"\0rest", ("content-type", "text/plain")))
    assert drawn["kind"] == "image"
    assert drawn["source"].startswith(kind + ";base64,")


def test_svg_is_shown_as_text_since_it_can_hold_scripts() -> None:
    drawn = view.body(answer(b"<svg><script>alert(1)</script></svg>", ("content-type", "image/svg+xml")))
    assert drawn["kind"] == "text"


def test_hostile_text_is_shown_with_its_unseen_characters_named() -> None:
    assert view.body(answer(HOSTILE.encode()))["text"] == SHOWN
    root = view.body(answer(json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False).encode(), JSON))["root"]
    assert "\u202e" not in json.dumps(root, ensure_ascii=False)


def test_binary_is_told_by_its_size_and_first_bytes() -> None:
    drawn = view.body(answer(bytes(range(256))))
    assert drawn == {"kind": "bytes", "size": "256 B", "hex": bytes(range(64)).hex(" "), "more": True}
    assert view.body_text(answer(bytes(range(256)))) == "(binary, 256 B)"


def test_no_body_is_said_to_be_none() -> None:
    assert view.body_text(answer(b"")) == "(no body)"
