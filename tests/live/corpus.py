"""The programs of tests/corpus, what each is asked, and how our engines are made to run them.

    with corpus_session(pki, variables_for(origin)) as session:
        outcomes = {name: outcome(one) for name, one in run(session, FILES).items()}

A program's request stands in its head (`// request: {…}`); its Python twin, of the same name, is asked the same.
What may not live here: tests, and what differs where (each test file has its own table of that).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtls_notebook import Session
from mtls_notebook.errors import WorkerThrew
from mtls_notebook.worker.exchange import HttpRequest, Invocation, Language
from tests.live.bare_workerd import Outcome
from tests.live.corpus_origin import CorpusOrigin
from tests.live.material import Pki
from tests.live.servers import free_port

FOLDER = Path(__file__).parent.parent / "corpus"
FILES = {path.stem: path for path in sorted(FOLDER.iterdir()) if path.suffix in (".js", ".ts")}
TWINS = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
BINDINGS = {"GOOD": "good", "RSA": "rsa", "ED": "ed25519", "REFUSED": "other-ca", "EXPIRED": "expired"}
TIMEOUT_S = 20.0
LANGUAGES: dict[str, Language] = {".js": "js", ".ts": "ts", ".py": "python"}

# They speak about one connection or one moment.
LEFT_OUT = {"date", "connection", "content-length", "transfer-encoding", "keep-alive"}

GONE = "closed the connection without an answer|asked for a client certificate, then closed the connection .*"

# What our engines say, from the first word to the last, where workerd alone says "internal error" or "connection lost".
CAUSES = {
    "connection-refused": r"localhost refused the TCP connection: nothing listens there\.",
    "expired-certificate": r"localhost refused the client certificate expired: it expired on \d{4}-\d\d-\d\d\.",
    "global-fetch": r"localhost requires a client certificate and none was sent \(alert certificate_required\)\.",
    # These two as the segments happen to arrive: a reset overtakes what was sent before it.
    "no-http": rf"localhost ({GONE}|answered with .*HTTP.*)\.",
    "reset": rf"localhost ({GONE}|reset the connection\b.*)\.",
    "refused-certificate": r"localhost refused the client certificate other-ca, issued by CN=Some other CA "
    r"\(alert unknown_ca\)\.",
    "unknown-host": r"no-such-host\.invalid does not resolve to an address\.",
}


def asked(path: Path) -> HttpRequest:
    """Return the request that the program's head names: GET / where it names none."""
    found = re.search(r"^// request: (\{.*\})$", path.read_text("utf-8"), re.M)
    given: dict[str, Any] = json.loads(found[1]) if found else {}
    body = str(given.get("body", "")).encode() * int(given.get("repeat", 1))
    headers = tuple((name, value) for name, value in given.get("headers", ()))
    url = "https://worker.local" + given.get("url", "/")
    return HttpRequest(given.get("method", "GET"), url, headers, body, given.get("cf", {}))


def variables_for(origin: CorpusOrigin) -> dict[str, object]:
    """Return the variables that the programs read."""
    return {
        "ORIGIN": origin.url,
        "OTHER": f"https://127.0.0.1:{origin.port}",
        "CLOSED": f"https://localhost:{free_port()}",
        "TEXT": 'a "text" ü',
        "NUMBER": 1.5,
        "OBJECT": {"list": [1, None]},
    }


@contextmanager
def corpus_session(pki: Pki, variables: Mapping[str, object]) -> Iterator[Session]:
    """Yield a session that has every binding and variable of the corpus."""
    with Session() as session:
        session.trust_authority(pki.ca)
        for binding, name in BINDINGS.items():
            pair = pki.clients[name]
            session.upload(pair.cert, pair.key, name=name)
            session.bind([f"{binding}={name}"])
        session.variables.update(variables)
        yield session


def run(session: Session, programs: Mapping[str, Path]) -> dict[str, Invocation]:
    """Return what the engine of each program's language makes of it."""

    def one(name: str) -> Invocation:
        path = programs[name]
        with session.worker(path.read_text("utf-8"), language=LANGUAGES[path.suffix], name=name) as worker:
            return worker.fetch(asked(FILES[name]), timeout_s=TIMEOUT_S)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(programs, pool.map(one, programs), strict=True))


def outcome(invocation: Invocation) -> Outcome:
    """Return an invocation as the judge would tell it."""
    lines = tuple((line.level, line.text) for line in invocation.logs)
    response, error = invocation.response, invocation.error
    if response is None:
        name = error.name if isinstance(error, WorkerThrew) else type(error).__name__
        return Outcome(500, (), b"", name or "Error", lines)
    return Outcome(response.status, response.headers, response.body, "", lines)


def told(outcome: Outcome, field: str) -> object:
    """Return a field's value as it is compared: headers in order, without those of one connection or moment."""
    value = getattr(outcome, field)
    if field != "headers":
        return value
    return sorted((name.lower(), text) for name, text in value if name.lower() not in LEFT_OUT)
