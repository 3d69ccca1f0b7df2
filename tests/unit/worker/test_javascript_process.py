"""A workerd process's configuration and log lines, without the process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.exchange import LogLine
from mtls_notebook.worker.javascript.workerd_config import Limits, Module, Plan, capnp_text, configuration
from mtls_notebook.worker.javascript.workerd_process import LogPipe

LINE = {"timestamp": 1, "level": "warn", "message": "hello"}
SYSTEM = {"timestamp": "1", "level": "error", "source": "workerd/server.c++:1", "message": "went wrong"}


@given(st.text())
def test_a_capnp_string_reads_back_as_what_it_says(text: str) -> None:
    literal = capnp_text(text)
    assert literal.isascii()
    assert literal[0] == literal[-1] == '"'
    # Cap'n Proto's \xNN escapes are bytes of UTF-8, as Python's are of Latin-1.
    assert literal[1:-1].encode().decode("unicode_escape").encode("latin-1").decode() == text


def test_the_configuration_holds_each_binding_and_variable_and_nothing_that_could_end_a_string() -> None:
    plan = Plan(
        (Module('main"', ""), Module("cell", "", "commonJsModule")),
        False,
        {"A": "/s/1", 'B"': "/s/2"},
        "/s/0",
        {"TEXT": 'x"; y', "NUMBER": 1},
    )
    text = configuration(plan, Limits(heap_mb=64))
    assert 'modules = [(name = "main\\x22", esModule = embed "module-0.js"), (name = "cell", commonJsModule' in text
    assert '(name = "A", service = "binding-0")' in text
    assert '(name = "B\\x22", service = "binding-1")' in text
    assert 'address = "unix:/s/2"' in text
    assert '(name = "TEXT", text = "x\\x22; y")' in text
    assert '(name = "NUMBER", json = "1")' in text
    assert '"--max-old-space-size=64"' in text
    assert "typescript" not in text


class Piped:
    """A LogPipe on a pipe that the test writes into."""

    def __init__(self, limits: Limits) -> None:
        self.reader, self.writer = os.pipe()
        self.lines: list[LogLine] = []
        self.pipe = LogPipe(self.reader, self.lines.append, limits)

    def write(self, *values: object) -> None:
        os.write(self.writer, b"".join(json.dumps(value, separators=(",", ":")).encode() + b"\n" for value in values))
        self.pipe.drain()

    def said(self) -> list[tuple[str, str]]:
        return [(line.level, line.text) for line in self.lines]


@pytest.fixture
def piped() -> Iterator[Piped]:
    made = Piped(Limits(log_lines=3, log_chars=100))
    yield made
    os.close(made.writer)
    os.close(made.reader)


def test_a_workers_line_is_emitted_and_workerds_own_is_set_aside(piped: Piped) -> None:
    piped.write(LINE, SYSTEM)
    assert piped.said() == [("warn", "hello")]
    assert piped.pipe.last_said() == "went wrong"
    assert piped.pipe.last_said() == ""


def test_a_line_that_arrives_in_pieces_is_one_line(piped: Piped) -> None:
    whole = json.dumps(LINE).encode() + b"\n"
    for at in range(len(whole)):
        os.write(piped.writer, whole[at : at + 1])
        piped.pipe.drain()
    assert piped.said() == [("warn", "hello")]


def test_output_that_is_no_json_is_workerds_last_words(piped: Piped) -> None:
    os.write(piped.writer, b"*** Received signal #6\n[1, 2]\n")
    piped.pipe.drain()
    assert list(piped.pipe.said) == ["*** Received signal #6", "[1, 2]"]
    assert piped.said() == []


def test_too_many_lines_are_cut_once_until_the_refill(piped: Piped) -> None:
    piped.write(*[LINE] * 10)
    assert piped.said()[:3] == [("warn", "hello")] * 3
    assert len(piped.said()) == 4
    assert "3 lines shown" in piped.said()[3][1]
    piped.pipe.refill()
    piped.write(LINE)
    assert piped.said()[4:] == [("warn", "hello")]


def test_too_much_text_is_cut_and_what_workerd_says_still_counts(piped: Piped) -> None:
    piped.write(LINE | {"message": "x" * 99}, LINE, LINE, SYSTEM | {"message": 'a "source" of it'})
    assert [level for level, _ in piped.said()] == ["warn", "warn"]
    assert piped.pipe.last_said() == 'a "source" of it'


def test_a_worker_that_writes_like_workerd_is_still_a_worker(piped: Piped) -> None:
    piped.write(LINE | {"message": '{"source":"forged"}'})
    assert piped.said() == [("warn", '{"source":"forged"}')]


def test_a_flood_keeps_nothing_of_a_line_without_an_end(piped: Piped) -> None:
    for _ in range(40):
        os.write(piped.writer, b"x" * 65536)
        piped.pipe.drain()
    os.write(piped.writer, b"\n")
    piped.pipe.drain()
    assert len(piped.pipe.last_said()) <= 1 << 20
