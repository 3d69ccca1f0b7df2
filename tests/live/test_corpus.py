"""Every program of tests/corpus gives the same under our host as in workerd alone; a row here says where not, and why.

Compared are status, headers, body, the thrown error's name, and the console's lines. Both sides reach the same
origin with the same certificates: ours through the bridge and Python's TLS, the other through workerd's own.
A program says in its first line what it shows, and in `// request: {…}` what it is asked.
"""

from __future__ import annotations

import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import WorkerError, WorkerThrew
from mtls_notebook.worker.exchange import HttpRequest, Invocation
from tests.live.bare_workerd import Outcome, Program, bare_workerd
from tests.live.corpus_origin import CorpusOrigin
from tests.live.material import Pki
from tests.live.servers import free_port

FOLDER = Path(__file__).parent.parent / "corpus"
FILES = {path.stem: path for path in sorted(FOLDER.iterdir()) if path.suffix in (".js", ".ts")}
BINDINGS = {"GOOD": "good", "RSA": "rsa", "ED": "ed25519", "REFUSED": "other-ca", "EXPIRED": "expired"}
TIMEOUT_S = 20.0

# They speak about one connection or one moment.
LEFT_OUT = {"date", "connection", "content-length", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Difference:
    """In which fields of the outcome a program differs from workerd alone, and why it should."""

    fields: set[str]
    why: str


OWN_NAME = Difference({"error"}, "workerd's own report knows built-in classes only; ours keeps the error's name")
NAMED_KIND = Difference({"error"}, "what is no answer has a name of its own here; workerd says TypeError")
LATE = Difference({"lines"}, "ours shows what no code caught; workerd alone swallows it")

DIFFERENCES: dict[str, Difference] = {
    "abort-before": OWN_NAME,
    "abort-timeout": OWN_NAME,
    "brotli-passed-on": Difference({"headers", "body"}, "Python cannot unpack br: the host does, and drops the header"),
    "console-methods": Difference({"lines"}, "workerd alone prints the five levels only and does not indent"),
    "rejection-unhandled": LATE,
    "returns-nothing": NAMED_KIND,
    "returns-text": NAMED_KIND,
    "returns-used-body": NAMED_KIND,
    "throws-dom-exception": OWN_NAME,
    "throws-in-timer": LATE,
    "throws-own-class": OWN_NAME,
    "websocket-out": Difference({"body"}, "the bridge carries no WebSocket and says so before an origin is asked"),
}

# What ours says where workerd alone says "internal error" or "connection lost".
CAUSES = {
    "connection-refused": "localhost refused the TCP connection",
    "expired-certificate": "expired",
    "global-fetch": "certificate",
    "no-http": "localhost",
    "refused-certificate": "localhost",
    "reset": r"localhost (reset the|closed the|.* then closed the) connection",  # as the segments happen to arrive
    "unknown-host": "no-such-host.invalid",
}


def asked(path: Path) -> HttpRequest:
    """Return the request that the program's head names: GET / where it names none."""
    found = re.search(r"^// request: (\{.*\})$", path.read_text("utf-8"), re.M)
    given: dict[str, Any] = json.loads(found[1]) if found else {}
    body = str(given.get("body", "")).encode() * int(given.get("repeat", 1))
    headers = tuple((name, value) for name, value in given.get("headers", ()))
    url = "https://worker.local" + given.get("url", "/")
    return HttpRequest(given.get("method", "GET"), url, headers, body, given.get("cf", {}))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each program came to: `ours` and `theirs`, by its name; `told` our errors, if any."""

    ours: dict[str, Outcome]
    theirs: dict[str, Outcome]
    told: dict[str, WorkerError | None]


@pytest.fixture(scope="module")
def outcomes(pki: Pki) -> Outcomes:
    origin = CorpusOrigin(pki)
    variables = {
        "ORIGIN": origin.url,
        "OTHER": f"https://127.0.0.1:{origin.port}",
        "CLOSED": f"https://localhost:{free_port()}",
        "TEXT": 'a "text" ü',
        "NUMBER": 1.5,
        "OBJECT": {"list": [1, None]},
    }
    try:
        with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
            theirs = judged(Path(folder), pki, variables)
        invocations = run(pki, variables)
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


def run(pki: Pki, variables: dict[str, object]) -> dict[str, Invocation]:
    """Return what our host makes of every program."""
    with Session() as session:
        session.trust_authority(pki.ca)
        for binding, name in BINDINGS.items():
            pair = pki.clients[name]
            session.upload(pair.cert, pair.key, name=name)
            session.bind([f"{binding}={name}"])
        session.variables.update(variables)

        def one(name: str) -> Invocation:
            code = FILES[name].read_text("utf-8")
            with session.worker(code, language="ts" if FILES[name].suffix == ".ts" else "js", name=name) as worker:
                return worker.fetch(asked(FILES[name]), timeout_s=TIMEOUT_S)

        with ThreadPoolExecutor(2) as pool:
            return dict(zip(FILES, pool.map(one, FILES), strict=True))


def outcome(invocation: Invocation) -> Outcome:
    """Return an invocation as the judge would tell it."""
    lines = tuple((line.level, line.text) for line in invocation.logs)
    response, error = invocation.response, invocation.error
    if response is None:
        name = error.name if isinstance(error, WorkerThrew) else type(error).__name__
        return Outcome(500, (), b"", name or "Error", lines)
    return Outcome(response.status, response.headers, response.body, "", lines)


def differing(ours: Outcome, theirs: Outcome) -> dict[str, tuple[object, object]]:
    """Return the fields in which the two differ, with both values."""
    if ours.error and theirs.error:  # how each runtime dresses a 500 is no behaviour of the program
        pairs: list[tuple[str, object, object]] = [
            ("error", ours.error, theirs.error),
            ("lines", ours.lines, theirs.lines),
        ]
    else:
        pairs = [(field.name, _told(ours, field.name), _told(theirs, field.name)) for field in fields(Outcome)]
    return {name: (mine, other) for name, mine, other in pairs if mine != other}


def _told(outcome: Outcome, field: str) -> object:
    value = getattr(outcome, field)
    if field != "headers":
        return value
    return sorted((name.lower(), text) for name, text in value if name.lower() not in LEFT_OUT)


@pytest.mark.parametrize("name", FILES)
def test_a_program_gives_the_same_as_in_workerd_alone(name: str, outcomes: Outcomes) -> None:
    found = differing(outcomes.ours[name], outcomes.theirs[name])
    allowed = DIFFERENCES.get(name)
    assert set(found) == (allowed.fields if allowed else set()), found


@pytest.mark.parametrize("name", CAUSES)
def test_a_failed_fetch_is_told_by_its_cause_where_workerd_gives_none(name: str, outcomes: Outcomes) -> None:
    told = outcomes.told[name]
    assert isinstance(told, WorkerThrew)
    assert re.search(CAUSES[name], told.message)
    assert told.hint


def test_every_row_of_the_tables_is_a_program_and_every_program_says_what_it_shows() -> None:
    assert DIFFERENCES.keys() | CAUSES.keys() <= FILES.keys()
    for path in FILES.values():
        assert re.match(r"// \S.*[.:]\n", path.read_text("utf-8")), path.name
