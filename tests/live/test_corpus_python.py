"""Every Python twin in tests/corpus gives what its JavaScript original gives; a row here says where not, and why.

Both run in our engines, at the same origin, with the same certificates and the same request. Compared are status,
headers, body, the console's lines, the thrown error's name, the cause told, and the subrequests that the trace shows.
A body that is JSON is compared as what it says; a header that came on several lines as one (but Set-Cookie).
A difference that no longer occurs fails, and so does a program that has neither a twin nor a reason to have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import pytest

from mtls_notebook.errors import WorkerThrew
from mtls_notebook.worker.exchange import Invocation
from tests.live.bare_workerd import Outcome
from tests.live.corpus import CAUSES, FILES, LEFT_OUT, TWINS, corpus_session, outcome, run, told, variables_for
from tests.live.corpus_origin import CorpusOrigin
from tests.live.material import Pki

# What JavaScript throws → what Python raises for the same.
NAMES = {
    ("AbortError", "CancelledError"): "a task is cancelled where a signal is aborted",
    ("AggregateError", "ExceptionGroup"): "several errors as one",
    ("Error", "Exception"): "the error of no kind",
    ("Error", "FetchError"): "no answer came: an OSError, as the module `workers` has it",
    ("Error", "RuntimeError"): "what a program throws of its own accord",
    ("EvalError", "RuntimeError"): "a class of its own that Python lacks",
    ("RangeError", "ValueError"): "a value of the right type, out of its range",
    ("SyntaxError", "JSONDecodeError"): "text that is no JSON: a ValueError",
    ("TypeError", "AttributeError"): "nothing has no attributes",
    ("TypeError", "BodyUsedError"): "a body is read once: an OSError, as the module `workers` has it",
    ("TypeError", "FetchError"): "a body that cannot be unpacked did not come through",
    ("TypeError", "ValueError"): "text that cannot be a header",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """In which fields a twin differs from its original, where those part (see `apart`), and why they should.

    None stands for values that are too long, or that hold a port.
    """

    fields: Mapping[str, set[tuple[str, str]] | None]
    why: str


OWN_ENCODINGS = Difference({"body": None}, "Python asks for the encodings that it can unpack, and for no others")

DIFFERENCES: dict[str, Difference] = {
    "announcement": OWN_ENCODINGS,
    "bad-headers": Difference(
        {"body": {("x", "ValueError"), ("ü€", "ValueError")}},
        "workerd takes a name without a letter and text that no header carries unharmed",
    ),
    "bad-methods": Difference(
        {"body": {("TRACE", "TypeError")}}, "TRACE is forbidden to a fetch (Fetch standard §2.2.1); workerd allows it"
    ),
    "bad-urls": Difference(
        {"body": {("fetched", "TypeError")}}, "only workerd fetches data: addresses, which need no network"
    ),
    "brotli": Difference(
        {"body": {("plain text", "\ufffd\0\x10plain text\x03")}}, "Python cannot unpack br, and never asks for it"
    ),
    "brotli-passed-on": Difference(
        {"headers": None, "body": {("plain text", "\x90\0\x10plain text\x03")}},
        "Python hands br on as it came, header and all; the other host unpacks it and drops the header",
    ),
    "console-levels": Difference({"lines": None}, "print has two levels: log, and error by way of sys.stderr"),
    "gzip": Difference(
        {"body": {("'gzip'", "None"), ("'30'", "None")}},
        "headers of a body that was unpacked here say nothing of how it was packed",
    ),
    "gzip-passed-on": Difference({"headers": None}, "what was unpacked goes out unpacked, and says so"),
    "redirect-post": Difference(
        {"body": {("[['content-type', 'text/plain;charset=UTF-8']]", "[]")}},
        "a body that is dropped takes its Content-Type along (Fetch standard §4.4); workerd leaves it",
    ),
    "rejection-unhandled": Difference(
        {
            "lines": {
                (
                    "Uncaught (in promise) Error: nobody\n    at Object.fetch (cell:4:20)",
                    "Task exception was never retrieved: RuntimeError: nobody",
                )
            }
        },
        "each says what no code caught, in its language's words",
    ),
    "request-headers": Difference(
        {"body": None}, "equal names leave as one line here, as several there: they mean the same (RFC 9110 §5.3)"
    ),
    "throws-in-timer": Difference(
        {
            "lines": {
                (
                    "Uncaught (in setTimeout) Error: in a timer\n    at cell:4:30",
                    "Exception in callback fails() at <worker throws-in-timer>:7: RuntimeError: in a timer",
                )
            }
        },
        "each says what no code caught, in its language's words",
    ),
    "url-answer": Difference({"body": None}, "a Response has no `type` in Python"),
    "what-the-origin-sees": OWN_ENCODINGS,
}

STREAMS = "the streams API is JavaScript's; Python has asynchronous generators (stream-*)"
LANGUAGE = "shows JavaScript itself; Python's own answer is CPython, which needs no showing"
SCRIPT = "service-worker syntax is JavaScript's"
MUTABLE = "headers are an http.client.HTTPMessage: those may be changed"
THROWN = "only exceptions can be raised in Python"
CONSOLE = "Python prints: its lines are what print makes of them, without format, groups or tables"

WITHOUT_TWIN = {
    "abort-reason": "a cancelled task has no reason but a text",
    "answer-immutable": MUTABLE,
    "base64": LANGUAGE,
    "cache": "the module `workers` has no cache",
    "compression-streams": STREAMS,
    "console-format": CONSOLE,
    "console-methods": CONSOLE,
    "console-values": CONSOLE,
    "crypto": "Web Crypto is JavaScript's; Python has hashlib",
    "detached-fetch": "a method taken from its object keeps it in Python",
    "environment-shape": LANGUAGE,
    "eval-refused": "Python runs code from text in production too",
    "fixed-length-stream": STREAMS,
    "global-scope-fetch": "a module's top level cannot await in Python",
    "html-rewriter": "the module `workers` has no HTMLRewriter",
    "module-state": LANGUAGE,
    "never-settles": "a task that waits for ever ends with its deadline: see test_python_worker",
    "node-modules": LANGUAGE,
    "order-of-tasks": LANGUAGE,
    "raw-socket": "the module `workers` has no sockets",
    "request-immutable": MUTABLE,
    "response-error": "the module `workers` has no Response.error",
    "service-worker": SCRIPT,
    "service-worker-late": SCRIPT,
    "service-worker-object": SCRIPT,
    "service-worker-rejects": SCRIPT,
    "service-worker-sloppy": SCRIPT,
    "service-worker-throws": SCRIPT,
    "service-worker-twice": SCRIPT,
    "service-worker-wait-until": SCRIPT,
    "structured-clone": LANGUAGE,
    "text-decoder": LANGUAGE,
    "throws-dom-exception": "DOMException is JavaScript's",
    "throws-null": THROWN,
    "throws-object": THROWN,
    "throws-string": THROWN,
    "typescript": LANGUAGE,
    "url-parts": LANGUAGE,
    "websocket-out": "the module `workers` has no WebSocket",
}

# A reset may overtake what was sent before it: which of two causes is told is the network's choice (see CAUSES).
AS_IT_HAPPENS = {"no-http", "reset"}


# The trace is taken when the answer is there: what nobody waits for may have begun by then, or ended, or not.
UNDER_WAY = {"abort-during", "abort-timeout", "promise-any", "promise-race", "wait-until"}


@dataclass(frozen=True, slots=True)
class Runs:
    """What each program came to, by its name: the JavaScript original, and its twin."""

    originals: dict[str, Invocation]
    twins: dict[str, Invocation]


@pytest.fixture(scope="module")
def runs(pki: Pki) -> Iterator[Runs]:
    origin = CorpusOrigin(pki)
    try:
        with corpus_session(pki, variables_for(origin)) as session:
            yield Runs(run(session, {name: FILES[name] for name in TWINS}), run(session, TWINS))
    finally:
        origin.close()


def compared(one: Outcome, field: str) -> object:
    """Return a field as it is compared here: a body as the text or the JSON it is, a header's lines as one."""
    value = told(one, field)
    if field == "headers":
        return joined(one)
    return said(value) if isinstance(value, bytes) else value


def joined(one: Outcome) -> list[tuple[str, str]]:
    """Return the headers in order, those of one name (but Set-Cookie) joined: RFC 9110 §5.3."""
    lines = [(name.lower(), value) for name, value in one.headers if name.lower() not in LEFT_OUT]
    names = sorted({name for name, _ in lines} - {"set-cookie"})
    cookies = [line for line in lines if line[0] == "set-cookie"]
    return [(name, ", ".join(value for key, value in lines if key == name)) for name in names] + cookies


def said(body: bytes) -> object:
    """Return what a body says: JSON as its value, other text as it is, other bytes one character each."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")
    try:
        return json.loads(text)
    except ValueError:
        return text


def apart(one: object, other: object) -> Iterator[tuple[str, str]]:
    """Yield where two values part: pairs of words where they are built alike, else the whole values."""
    if isinstance(one, str) and isinstance(other, str):
        words, others = re.findall(r"\w+|\W+", one), re.findall(r"\w+|\W+", other)
        pairs = zip(words, others, strict=True) if len(words) == len(others) else [(one, other)]
        yield from (pair for pair in pairs if pair[0] != pair[1])
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for each in zip(one, other, strict=True):
            yield from apart(*each)
    elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from apart(one[key], other[key])
    elif (type(one), one) != (type(other), other):
        yield repr(one), repr(other)


def parting(original: Invocation, twin: Invocation) -> dict[str, set[tuple[str, str]]]:
    """Return the fields in which the two differ in more than the names of NAMES, and where those part."""
    one, other = outcome(original), outcome(twin)
    found = {
        field.name: set(apart(compared(one, field.name), compared(other, field.name))) for field in fields(Outcome)
    }
    return {name: pairs - NAMES.keys() for name, pairs in found.items() if pairs - NAMES.keys()}


def subrequests(invocation: Invocation) -> list[tuple[str, int | None, str]]:
    """Return binding, status and (where no answer came) cause of every subrequest, in no order of time.

    Whether a body that nobody reads is given up or came whole is the network's choice.
    """
    rows = invocation.trace
    causes = [row.diagnosis.cause if row.diagnosis and row.status is None else "" for row in rows]
    return sorted(((row.binding, row.status, cause) for row, cause in zip(rows, causes, strict=True)), key=str)


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_gives_what_its_original_gives(name: str, runs: Runs) -> None:
    found = parting(runs.originals[name], runs.twins[name])
    allowed = DIFFERENCES[name].fields if name in DIFFERENCES else {}
    assert found.keys() == allowed.keys(), found
    for field, values in allowed.items():
        assert values is None or found[field] == values


@pytest.mark.parametrize("name", sorted(TWINS.keys() - UNDER_WAY - AS_IT_HAPPENS))
def test_a_twin_makes_the_same_subrequests_to_the_same_end(name: str, runs: Runs) -> None:
    assert subrequests(runs.twins[name]) == subrequests(runs.originals[name])


@pytest.mark.parametrize("name", CAUSES)
def test_a_failed_fetch_is_told_by_its_cause_in_both_languages(name: str, runs: Runs) -> None:
    original, twin = runs.originals[name].error, runs.twins[name].error
    assert isinstance(original, WorkerThrew)
    assert isinstance(twin, WorkerThrew)
    assert re.fullmatch(CAUSES[name], twin.message)
    assert twin.hint
    if name not in AS_IT_HAPPENS:
        assert (twin.message, twin.hint) == (original.message, original.hint)


@pytest.mark.parametrize("name", TWINS)
def test_an_error_of_the_twins_own_names_its_place_in_the_twin(name: str, runs: Runs) -> None:
    error = runs.twins[name].error
    if isinstance(error, WorkerThrew):
        assert error.line > 0
        assert (name in CAUSES) != error.message.endswith(f"(line {error.line}, column {error.column} of {name})")


def test_every_pair_of_names_occurs(runs: Runs) -> None:
    found: set[tuple[str, str]] = set()
    for name in TWINS:
        one, other = outcome(runs.originals[name]), outcome(runs.twins[name])
        for field in fields(Outcome):
            found.update(apart(compared(one, field.name), compared(other, field.name)))
    assert found >= NAMES.keys()


def test_every_program_has_a_twin_or_a_reason_to_have_none() -> None:
    assert TWINS.keys() | WITHOUT_TWIN.keys() == FILES.keys()
    assert TWINS.keys() & WITHOUT_TWIN.keys() == set()
    assert len(TWINS) >= 60


def test_every_row_of_the_tables_is_a_twin_and_every_twin_says_what_it_shows() -> None:
    assert DIFFERENCES.keys() | CAUSES.keys() | UNDER_WAY | AS_IT_HAPPENS <= TWINS.keys()
    for path in TWINS.values():
        assert re.match(r"# \S.*[.:]\n", path.read_text("utf-8")), path.name
