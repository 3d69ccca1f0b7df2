"""Every program of tests/corpus gives the same under our host as in workerd alone; a row here says where not, and why.

Compared are status, headers, body, the thrown error's name, and the console's lines. Both sides reach the same
origin with the same certificates: ours through the bridge and Python's TLS, the other through workerd's own.
A program says in its first line what it shows, and in `// request: {…}` what it is asked.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from mtls_notebook.errors import WorkerError, WorkerThrew
from tests.live.bare_workerd import Outcome, Program, bare_workerd
from tests.live.corpus import BINDINGS, CAUSES, FILES, asked, corpus_session, outcome, run, told, variables_for
from tests.live.corpus_origin import CorpusOrigin
from tests.live.material import Pki


@dataclass(frozen=True, slots=True)
class Difference:
    """In which fields of the outcome a program differs from workerd alone, and why it should.

    By its name each field has both values, ours first; None where they are too long to stand here.
    """

    fields: Mapping[str, tuple[object, object] | None]
    why: str


def own_name(name: str) -> Difference:
    why = "workerd's own report knows built-in classes only; ours keeps the error's name"
    return Difference({"error": (name, "Error")}, why)


def late(line: str) -> Difference:
    return Difference({"lines": ((("error", line),), ())}, "ours shows what no code caught; workerd alone swallows it")


NAMED_KIND = Difference(
    {"error": ("NotAResponse", "TypeError")}, "what is no answer has a name of its own here; workerd says TypeError"
)

DIFFERENCES: dict[str, Difference] = {
    "abort-before": own_name("AbortError"),
    "abort-timeout": own_name("TimeoutError"),
    "brotli-passed-on": Difference(
        {"headers": None, "body": (b"plain text", b"\x90\x00\x10plain text\x03")},
        "Python cannot unpack br: the host does, and drops the header",
    ),
    "console-methods": Difference({"lines": None}, "workerd alone prints the five levels only and does not indent"),
    "rejection-unhandled": late("Uncaught (in promise) Error: nobody\n    at Object.fetch (cell:4:20)"),
    "returns-nothing": NAMED_KIND,
    "returns-text": NAMED_KIND,
    "returns-used-body": NAMED_KIND,
    "throws-dom-exception": own_name("DataError"),
    "throws-in-timer": late("Uncaught (in setTimeout) Error: in a timer\n    at cell:4:30"),
    "throws-own-class": own_name("Mine"),
    "websocket-out": Difference(
        {"body": (b"[403,true]", b"[200,true]")},
        "the bridge carries no WebSocket and says so before an origin is asked",
    ),
}

LOST = "Network connection lost"  # what a worker is told of any of them, here as in production


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each program came to: `ours` and `theirs`, by its name; `told` our errors, if any."""

    ours: dict[str, Outcome]
    theirs: dict[str, Outcome]
    told: dict[str, WorkerError | None]


@pytest.fixture(scope="module")
def outcomes(pki: Pki) -> Outcomes:
    origin = CorpusOrigin(pki)
    variables = variables_for(origin)
    try:
        with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
            theirs = judged(Path(folder), pki, variables)
        with corpus_session(pki, variables) as session:
            invocations = run(session, FILES)
    finally:
        origin.close()
    ours = {name: outcome(invocation) for name, invocation in invocations.items()}
    return Outcomes(ours, theirs, {name: invocation.error for name, invocation in invocations.items()})


def judged(folder: Path, pki: Pki, variables: dict[str, object]) -> dict[str, Outcome]:
    """Return what workerd alone makes of every program."""
    programs = [
        Program(name, path.read_text("utf-8"), name.startswith("service-worker"), path.suffix == ".ts")
        for name, path in FILES.items()
    ]
    with bare_workerd(folder, pki, BINDINGS, variables, programs) as judge:
        return {name: judge.ask(name, asked(path)) for name, path in FILES.items()}


def differing(ours: Outcome, theirs: Outcome) -> dict[str, tuple[object, object]]:
    """Return the fields in which the two differ, with both values."""
    if ours.error and theirs.error:  # how each runtime dresses a 500 is no behaviour of the program
        pairs: list[tuple[str, object, object]] = [
            ("error", ours.error, theirs.error),
            ("lines", ours.lines, theirs.lines),
        ]
    else:
        pairs = [(field.name, told(ours, field.name), told(theirs, field.name)) for field in fields(Outcome)]
    return {name: (mine, other) for name, mine, other in pairs if mine != other}


@pytest.mark.parametrize("name", FILES)
def test_a_program_gives_the_same_as_in_workerd_alone(name: str, outcomes: Outcomes) -> None:
    found = differing(outcomes.ours[name], outcomes.theirs[name])
    allowed = DIFFERENCES[name].fields if name in DIFFERENCES else {}
    assert found.keys() == allowed.keys(), found
    for field, values in allowed.items():
        assert values is None or found[field] == values


@pytest.mark.parametrize("name", CAUSES)
def test_a_failed_fetch_is_told_by_its_cause_where_workerd_gives_none(name: str, outcomes: Outcomes) -> None:
    error = outcomes.told[name]
    assert isinstance(error, WorkerThrew)
    assert re.fullmatch(CAUSES[name], error.message)
    assert error.hint
    assert outcomes.theirs[name].error == outcomes.ours[name].error == "Error"


def test_no_other_program_is_told_a_cause_and_none_hears_only_that_a_connection_was_lost(outcomes: Outcomes) -> None:
    errors = {name: error for name, error in outcomes.told.items() if error is not None}
    assert {name for name, error in errors.items() if LOST in str(error.__cause__)} == CAUSES.keys()
    assert [name for name, error in errors.items() if LOST in error.message] == []


def test_there_are_at_least_sixty_programs_and_all_were_run(outcomes: Outcomes) -> None:
    assert len(FILES) >= 60
    assert outcomes.ours.keys() == outcomes.theirs.keys() == FILES.keys()


def test_every_row_of_the_tables_is_a_program_and_every_program_says_what_it_shows() -> None:
    assert DIFFERENCES.keys() | CAUSES.keys() <= FILES.keys()
    for path in FILES.values():
        assert re.match(r"// \S.*[.:]\n", path.read_text("utf-8")), path.name
