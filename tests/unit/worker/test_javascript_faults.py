"""What workerd and the host module report, as errors: pure, no process."""

from __future__ import annotations

import json

import pytest

from mtls_notebook.errors import EngineUnavailable, NotAResponse, WorkerSyntaxError, WorkerThrew
from mtls_notebook.worker.exchange import HttpResponse
from mtls_notebook.worker.javascript.faults import ended, gave_up, told, uncaught
from mtls_notebook.worker.javascript.workerd_config import Limits
from mtls_notebook.worker.javascript.workerd_process import Ending

LIMITS = Limits(heap_mb=128, memory_mb=512)

SHOWN = "TypeError: x\n    at deep (cell:7:3)\n    at async Object.fetch (cell:2:9)"
STACK = SHOWN + "\n    at async Object.fetch (notebook-host:70:22)"


def threw(**fields: str) -> bytes:
    return json.dumps({"kind": "threw", "name": "TypeError", "message": "x", "stack": STACK} | fields).encode()


def test_a_throw_has_the_place_of_its_first_frame_in_the_cell() -> None:
    error = told(threw(), "cell")
    assert isinstance(error, WorkerThrew)
    assert error.message == "TypeError: x (line 7, column 3 of the cell)"
    assert (error.name, error.line, error.column) == ("TypeError", 7, 3)
    assert error.stack == SHOWN


def test_a_named_worker_is_named_in_message_and_stack_whatever_its_name_contains() -> None:
    error = told(threw(), r"my\1 worker")
    assert isinstance(error, WorkerThrew)
    assert error.message.endswith(r"of my\1 worker)")
    assert r"at deep (my\1 worker:7:3)" in error.stack


def test_a_throw_without_a_place_has_none() -> None:
    error = told(threw(stack="TypeError: x", message=""), "cell")
    assert isinstance(error, WorkerThrew)
    assert (error.message, error.line, error.column) == ("TypeError", 0, 0)


@pytest.mark.parametrize("kind", ["threw-value", "not-a-response"])
def test_values_are_quoted_in_one_line(kind: str) -> None:
    error = told(json.dumps({"kind": kind, "message": "{\n  a: 1\n}"}).encode(), "cell")
    assert "{ a: 1 }" in error.message


def test_every_kind_of_report_has_a_hint_of_one_line() -> None:
    reports = [
        {"kind": "threw", "name": "E", "message": "m", "stack": ""},
        {"kind": "threw-value", "message": "5"},
        {"kind": "not-a-response", "message": "5"},
        {"kind": "body-used"},
        {"kind": "no-handler", "names": [], "exported": None},
        {"kind": "no-handler", "names": ["a"], "exported": "{}"},
    ]
    for report in reports:
        error = told(json.dumps(report).encode(), "cell")
        assert error.hint, report
        assert "\n" not in error.message + error.hint


STARTS = [
    ("Uncaught SyntaxError: Unexpected token '}'\n  at cell:1:8", WorkerSyntaxError, "(line 1, column 9 of the cell)"),
    ("Uncaught SyntaxError: Unexpected token '}'\n  at cell:4", WorkerSyntaxError, "(line 4, column 1 of the cell)"),
    ("Uncaught Error: x\n  at cell:3:8 in f\n  at cell:5:1", WorkerThrew, "(line 3, column 8 of the cell)"),
    ("Uncaught SyntaxError: Bad JSON at position 1\n  at cell:2:8", WorkerThrew, "(line 2, column 8 of the cell)"),
    ('Uncaught Error: No such module "x".\n  imported from "cell"', WorkerSyntaxError, 'No such module "x".'),
    ("Error transpiling cell : Unsupported\n    enum", WorkerSyntaxError, "TypeScript: Unsupported enum"),
]


@pytest.mark.parametrize(("words", "kind", "end"), STARTS)
def test_a_worker_that_did_not_start_is_told_by_workerds_last_line(words: str, kind: type, end: str) -> None:
    error = ended(Ending(1, ("a warning", f"service main: {words}")), "cell", LIMITS)
    assert type(error) is kind
    assert error.message.endswith(end)


def test_memory_death_and_a_missing_binary_have_their_own_words() -> None:
    heap = ended(
        Ending(-6, ("V8 fatal error; location = Reached heap limit; message = …", "*** signal")), "cell", LIMITS
    )
    assert heap.message == "The worker ran out of memory (128 MB)"
    full = ended(Ending(1, ("stack: /lib/x", "1234 live pages; spans: 5 ns/span")), "cell", LIMITS)
    assert full.message == "The worker ran out of memory (512 MB)"
    assert isinstance(ended(Ending(127, ("sh: 1: exec: workerd: not found",)), "cell", LIMITS), EngineUnavailable)
    assert "status -9" in ended(Ending(-9, ()), "cell", LIMITS).message


def test_an_answer_that_broke_off_names_what_was_thrown_if_workerd_did() -> None:
    line = "Uncaught exception: workerd/jsg/value.h:1511: failed: remote.jsg.RangeError: mid\nstream"
    assert uncaught(line).message.endswith("before its end: RangeError: mid stream")
    assert uncaught("").message.endswith("its body stream failed")
    assert "nothing settles" in uncaught("… would never generate a response. …").message


def test_only_workerds_own_answer_counts_as_giving_up() -> None:
    own = HttpResponse(500, "Internal Server Error", (("Connection", "close"), ("Content-Length", "21")), b"")
    assert gave_up(own)
    assert not gave_up(HttpResponse(500, "", (("Content-Length", "21"), ("Content-Type", "text/plain")), b""))
    assert not gave_up(HttpResponse(502, "", own.headers, b""))


def test_no_response_is_its_own_error() -> None:
    assert isinstance(told(b'{"kind": "not-a-response", "message": "undefined"}', "cell"), NotAResponse)
