"""The values that pass between a worker and its surroundings, whatever its language.

No behaviour lives here, only what both engines, the fetch engine and the views agree on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..diagnosis.doctor import Diagnosis
from ..errors import WorkerError
from ..recorder.handshake import Handshake
from ..recorder.phases import REUSED, Phases, Setup

Headers = tuple[tuple[str, str], ...]
Language = Literal["js", "ts", "python"]


@dataclass(frozen=True, slots=True)
class WorkerSource:
    """One worker's code; `name` is shown where a stack would show a file."""

    language: Language
    code: str
    name: str = "cell"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The request a worker answers. `url` is absolute; header names keep their case; `cf` is JSON-like."""

    method: str = "GET"
    url: str = "https://worker.local/"
    headers: Headers = ()
    body: bytes = b""
    cf: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a worker answered, its body whole."""

    status: int
    reason: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the first value of `name` (any case), "" if absent."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    def text(self) -> str:
        """Return the body as UTF-8 text, with U+FFFD where it is none."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body parsed as JSON. Raises json.JSONDecodeError."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One `console.…` or `print` of a worker."""

    level: Literal["log", "debug", "info", "warn", "error"]
    text: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Subrequest:
    """One fetch that a worker made; times are monotonic nanoseconds, None where never reached.

    `binding` is "" for the global fetch, `fingerprint` (SHA-256) "" when no certificate was offered. `ready_ns` is
    when it had a connection, `sent_ns` when its last byte had left, `setup` what a new connection began when
    (None on a reused one). Sizes are those of the bodies as they cross. `phases` says where the time went.
    """

    binding: str
    method: str
    url: str
    fingerprint: str
    started_ns: int
    headers_ns: int | None = None
    ended_ns: int | None = None
    status: int | None = None
    connection: int | None = None
    reused: bool = False
    request_bytes: int = 0
    response_bytes: int = 0
    diagnosis: Diagnosis | None = None
    setup: Setup | None = None
    ready_ns: int | None = None
    sent_ns: int | None = None

    @property
    def phases(self) -> Phases:
        """Return how long each phase took; `phases.tls_ns` is None when the connection was reused."""
        reached = (self.ended_ns, self.headers_ns, self.sent_ns, self.ready_ns, self.started_ns)
        return self.phases_until(next(at for at in reached if at is not None))

    def phases_until(self, end_ns: int, setup: Setup | None = None) -> Phases:
        """Return the phases up to a moment; `setup` is that of a connection which is still being opened."""
        opened = self.setup or setup or REUSED
        begun = (self.started_ns, *opened.begun, self.ready_ns, self.sent_ns, self.headers_ns)
        return Phases.between(begun, end_ns)


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one run of a worker came to: a response or an error, and all that happened on the way.

    `late_logs` grows while `waitUntil` work goes on after the response. `shared`: other requests ran at the same
    time, and some of the lines and subrequests may be theirs (JavaScript does not say whose they are).
    """

    source: WorkerSource
    request: HttpRequest
    response: HttpResponse | None
    error: WorkerError | None
    logs: tuple[LogLine, ...]
    trace: tuple[Subrequest, ...]
    handshakes: Sequence[Handshake]
    elapsed_ns: int
    late_logs: Sequence[LogLine] = ()
    shared: bool = False


Closer = Callable[[], None]


def _never(_close: Closer) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A subrequest on its way out. `body` may be a stream; hop-by-hop headers are the sender's business.

    Whoever sends it calls `on_abandon(close)` once there is something to close; `close` is then called, from
    any thread, when the worker loses interest before the answer's headers are there.
    """

    method: str
    url: str
    headers: Headers
    body: bytes | Iterable[bytes] = b""
    on_abandon: Callable[[Closer], None] = _never


class Incoming(Protocol):
    """An origin's answer; `headers` and body are raw (still encoded). Close it, or read it to the end."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Fetcher(Protocol):
    """What stands behind `env.NAME`: blocking, thread-safe, one request per call, no redirects followed."""

    def send(self, request: Outgoing) -> Incoming:
        """Return the origin's answer once its headers are there. Raises ConnectError."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a worker sees as `env`: fetchers by binding name, `[vars]`, and the certificate-less global fetch."""

    fetchers: Mapping[str, Fetcher]
    fallback: Fetcher
    variables: Mapping[str, object] = field(default_factory=dict)


class Streamed(Protocol):
    """A worker's answer whose body is still being made; its bytes are as its headers say. Close it, or read its end."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    def next_chunk(self, timeout_s: float | None) -> bytes | None:
        """Return the next bytes, b"" at the end; None when none came in time. Raises WorkerError."""

    def close(self) -> None:
        """Let the worker know that nobody listens any more. Safe to call twice, and from any thread."""


class Program(Protocol):
    """A worker made ready to run."""

    def submit(self, request: HttpRequest) -> Future[HttpResponse]:
        """Return a future of the response. It raises WorkerError (thrown, no Response, stopped).

        Cancelling the future ends that request alone, and what it fetches; its `waitUntil` work goes on.
        """

    def open(self, request: HttpRequest, body: Iterable[bytes] | None = None) -> Future[Streamed]:
        """Return a future of the answer, done once its head is there; else as `submit`.

        `body`, when given, is taken chunk by chunk from another thread, instead of the request's own.
        """

    @property
    def here(self) -> Callable[[HttpRequest], Callable[[], HttpResponse]] | None:
        """Make ready what waits for the answer in the thread that calls it, and raises as the future of `submit`.

        None where the program answers on threads of its own only.
        """

    def answers(self, within_s: float) -> bool:
        """Return whether the program still takes turns: code that never yields takes them from everybody."""

    def stop(self) -> None:
        """End everything the program does, from any thread, within a second; it may be started anew."""
