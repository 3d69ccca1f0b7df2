"""Certificates and runs of a worker for the views to show, made when asked for.

What may not live here: handshakes (`replay` has recorded ones).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from mtls_notebook.diagnosis.doctor import Diagnosis
from mtls_notebook.pki.authority import Authority
from mtls_notebook.pki.certificate import Certificate
from mtls_notebook.session.store import CertificateStore, Stored
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


def run(**changes: object) -> Invocation:
    """Return a run with three subrequests: a handshake, its connection again, and a refusal."""
    mutual = replace(handshake("tls13-mtls"), connection=1)
    refused = replace(handshake("tls13-refused"), connection=2)
    url = "https://origin.example/"
    fingerprint = chain()[0].fingerprint_sha256
    trace = (
        Subrequest("MY_CERT", "GET", url, fingerprint, 0, 3_000_000, 4_000_000, 200, 1),
        Subrequest("MY_CERT", "GET", url, fingerprint, 4_000_000, 5_000_000, 6_000_000, 200, 1, True),
        Subrequest("", "GET", url, "", 6_000_000, None, 8_000_000, None, 2, diagnosis=DIAGNOSIS),
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
