"""Text on its way to a reader."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.views import text


@given(st.text())
def test_no_control_or_direction_character_reaches_the_reader(words: str) -> None:
    shown = text.visible(words)
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f") & set(shown)


@given(st.text())
def test_text_shown_once_is_not_changed_again(words: str) -> None:
    once = text.visible(words, lines=True)
    assert text.visible(once, lines=True) == once


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_letters_numbers_and_marks_stay_as_they_are(words: str) -> None:
    assert text.visible(words) == words


def test_an_unseen_character_is_shown_as_its_number() -> None:
    assert text.visible("a\x1b[31m\u202eb") == "a⟨U+001B⟩[31m⟨U+202E⟩b"


def test_newlines_and_tabs_stay_only_where_lines_are_wanted() -> None:
    assert text.visible("a\r\nb\tc", lines=True) == "a\nb\tc"
    assert text.visible("a\nb") == "a⟨U+000A⟩b"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4912, "4.9 kB"), (1_250_000, "1.2 MB")]
)
def test_sizes_are_written_as_people_write_them(count: int, shown: str) -> None:
    assert text.size(count) == shown


@pytest.mark.parametrize(
    ("duration_ns", "shown"), [(750_000, "0.75 ms"), (12_340_000, "12.3 ms"), (1_200_000_000, "1.20 s")]
)
def test_durations_are_written_as_people_write_them(duration_ns: int, shown: str) -> None:
    assert text.milliseconds(duration_ns) == shown


@pytest.mark.parametrize(
    ("detail", "left"),
    [
        ("2 certificates · 1,148 B", "2 certificates"),
        ("SNI example.com · http/1.1", "SNI example.com · http/1.1"),
        ("3.4 ms", ""),
        ("x25519 · TLS_AES_256_GCM_SHA384", "x25519 · TLS_AES_256_GCM_SHA384"),
        ("my-client-cert · ab12cd34ef56ab12cd34ef56ab12cd34", "my-client-cert"),
    ],
)
def test_what_differs_between_two_runs_is_left_out_of_stable_text(detail: str, left: str) -> None:
    assert text.stable(detail) == left


@given(st.text(min_size=1), st.integers(min_value=1, max_value=80))
def test_shortened_text_keeps_the_limit(words: str, limit: int) -> None:
    assert len(text.shortened(words, limit)) <= limit
