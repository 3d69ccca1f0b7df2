"""Certificates and runs of a worker for the views to show, made when asked for.

What may not live here: handshakes (`replay` has recorded ones).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from mtls_notebook.diagnosis.doctor import Diagnosis
from mtls_notebook.errors import UsageError, WorkerThrew
from mtls_notebook.pki.authority import Authority
from mtls_notebook.pki.certificate import Certificate
from mtls_notebook.recorder.phases import Setup
from mtls_notebook.session.store import CertificateStore, Stored
from mtls_notebook.worker.calls.rows import Result, Results
from mtls_notebook.worker.exchange import (
    Headers,
    HttpRequest,
    HttpResponse,
    Invocation,
    LogLine,
    Subrequest,
    WorkerSource,
)
from tests.unit.views.replay import handshake

MS = 1_000_000
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202eevil"
SHOWN = "<img src=x onerror=alert(1)>⟨U+001B⟩[31m⟨U+202E⟩evil"
JSON = ("content-type", "application/json")
DIAGNOSIS = Diagnosis(
    "The server wants a client certificate and got none.",
    ("alert certificate_required (116)", "the client's Certificate was empty"),
    "Fetch through the binding: env.MY_CERT.fetch(…)",
)


@cache
def stored() -> Stored:
    """Return a stored client certificate with an intermediate above it."""
    authority = Authority.create("views root").intermediate("views issuing")
    issued = authority.issue("my-client-cert", usage=("clientAuth",), names=("client.example.com",))
    return CertificateStore().add(issued.identity(), "my-client-cert")


def chain() -> tuple[Certificate, ...]:
    """Return the chain of `stored`, leaf first."""
    return stored().identity.chain


def answer(body: bytes, *headers: tuple[str, str], status: int = 200) -> HttpResponse:
    """Return a response with `body`."""
    return HttpResponse(status, "OK" if status == 200 else "", headers, body)


def timed(sub: Subrequest, *begun_ms: float) -> Subrequest:
    """Return `sub` with the beginnings of its phases: those of a new connection if it has one, sending, waiting."""
    *opened, ready, sent = (int(at * MS) for at in begun_ms)
    return replace(sub, setup=Setup(*opened) if opened else None, ready_ns=ready, sent_ns=sent)


def run(**changes: object) -> Invocation:
    """Return a run with three subrequests: a handshake, its connection again, and a refusal."""
    mutual = replace(handshake("tls13-mtls"), connection=1)
    refused = replace(handshake("tls13-refused"), connection=2)
    url = "https://origin.example/"
    fingerprint = chain()[0].fingerprint_sha256
    trace = (
        timed(Subrequest("MY_CERT", "GET", url, fingerprint, 0, 3 * MS, 4 * MS, 200, 1), 0.1, 0.3, 0.8, 2.2, 2.3),
        timed(Subrequest("MY_CERT", "GET", url, fingerprint, 4 * MS, 5 * MS, 6 * MS, 200, 1, True), 4.5, 4.75),
        timed(
            Subrequest("", "GET", url, "", 6 * MS, None, 8 * MS, None, 2, diagnosis=DIAGNOSIS), 6.1, 6.3, 6.5, 7, 7.5
        ),
    )
    headers: Headers = (JSON, ("x-evil", HOSTILE))
    whole = Invocation(
        source=WorkerSource("js", "export default {}"),
        request=HttpRequest(),
        response=HttpResponse(200, "OK", headers, b'{"path": "/", "big": 12345678901234567890}'),
        error=None,
        logs=(LogLine("log", "asking", 1), LogLine("error", HOSTILE + "\nnext line", 2)),
        trace=trace,
        handshakes=(mutual, refused),
        elapsed_ns=8_000_000,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def results() -> Results:
    """Return what five requests came to: two answers, a refusal by the origin, a throw, and one that is no request."""
    thrown = WorkerThrew("TypeError: " + HOSTILE, "Look at line 3.")
    thrown.name = "TypeError"
    answered = run()
    return Results(
        [
            Result(0, "GET /orders/1", 12 * MS, answered),
            Result(1, "GET /orders/2", 8 * MS, answered),
            Result(2, "GET /orders/3", 9 * MS, run(response=HttpResponse(403, "Forbidden", (), b""))),
            Result(3, "GET /throw", 5 * MS, run(response=None, error=thrown)),
            Result(4, "int", 0, None, UsageError("An int is no request.", 'Write "/path".')),
        ],
        total=5,
        elapsed_ns=40 * MS,
    )
