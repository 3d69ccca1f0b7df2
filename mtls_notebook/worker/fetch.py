"""`env.NAME.fetch`: one code path to the origin for both languages, over the recorder's tap.

The only file that knows httpx and httpcore as clients, so that a successor of either is one
file's work. httpcore's pool does HTTP/1.1 and keep-alive; what is ours is here: one pool per
binding, the binding's certificate and hosts, the trace of every subrequest, and failures
turned into a diagnosis.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx

from ..diagnosis.doctor import Case, Diagnosis, examine
from ..errors import ConnectError, HandshakeRefused, HostNotAllowed
from ..pki.certificate import Certificate
from ..recorder.events import Bytes, Kind
from ..recorder.handshake import fold
from ..recorder.recording import Recording
from ..recorder.tap import Exchange, Route, TapBackend, TappedStream, current_exchange
from ..session.bindings import Binding
from ..tls.records import looks_like
from .exchange import Headers, Outgoing, Subrequest
from .journal import Journal

_TIMEOUTS_S = {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}
_HEAD_BYTES = 2048  # of a refused request's body: enough for the title in which nginx names the reason
_SAFE_TO_REPEAT = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110 §9.2.1


@dataclass(frozen=True, slots=True)
class Presented:
    """The certificate that a binding presents, with the name that the store gives it."""

    certificate: Certificate
    name: str


class BoundFetcher:
    """What stands behind one binding: a pool of recorded connections that present its certificate.

    `binding` and `presented` are None for the plain, global fetch. Thread-safe.
    """

    def __init__(
        self,
        binding: Binding | None,
        presented: Presented | None,
        context: ssl.SSLContext,
        recording: Recording,
        journal: Journal,
        route: Route,
    ) -> None:
        self.journal = journal
        self._binding = binding
        self._offered = presented.certificate if presented else None
        self._offered_name = presented.name if presented else ""
        self._recording = recording
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=64,
            max_keepalive_connections=32,
            keepalive_expiry=30.0,
            network_backend=TapBackend(recording, route),
        )

    def send(self, request: Outgoing) -> Answer:
        """Return the origin's answer once its headers are there. Raises ConnectError (with `.diagnosis`)."""
        url = _url(request.url)
        run = _Run(self, request, url)
        if self._binding is not None and not self._binding.allows(url.host.decode()):
            raise run.failed(_not_allowed(self._binding, url.host.decode()))
        try:
            return Answer(run, self._exchange(run))
        except _HTTP_ERRORS as error:
            raise self.refusal(run, error) from error

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    def _exchange(self, run: _Run) -> httpcore.Response:
        """Send once; once more when a kept connection turned out to be over before anything was said."""
        try:
            return run.once(self._pool)
        except _HTTP_ERRORS as error:
            stale = run.exchange.reused and _failure(error) in ("closed", "reset")
            if not (stale and run.may_repeat):
                raise
            run.exchange = Exchange(run.exchange.method, run.exchange.target)
            return run.once(self._pool)

    def refusal(self, run: _Run, error: Exception) -> ConnectError:
        """Return the error to raise for a failed exchange: translated, diagnosed, noted in the trace."""
        failure = _failure(error)
        events = () if run.exchange.connection is None else self._recording.events(run.exchange.connection)
        if failure == "tls" and (other := _no_tls(events)):
            failure = other
        shake = fold(events) if events else None
        diagnosis = examine(self.case(run, failure=failure, handshake=shake))
        assert diagnosis is not None  # a named failure always has words
        kind = HandshakeRefused if shake is not None and shake.alert is not None else ConnectError
        return run.failed(_with(kind(diagnosis.cause, diagnosis.fix), diagnosis))

    def case(self, run: _Run, **found: Any) -> Case:
        """Return what the doctor needs to know about one exchange."""
        if "handshake" not in found and run.exchange.connection is not None:
            found["handshake"] = fold(self._recording.events(run.exchange.connection))
        return Case(
            host=run.host,
            name=self._offered_name,
            offered=self._offered,
            now=datetime.now(UTC),
            **found,
        )

    def subrequest(self, request: Outgoing) -> Subrequest:
        """Return the trace's first word on a request that is about to start."""
        return Subrequest(
            binding=self._binding.name if self._binding else "",
            method=request.method,
            url=request.url,
            fingerprint=self._offered.fingerprint_sha256 if self._offered else "",
            started_ns=time.monotonic_ns(),
        )


class _Run:
    """One subrequest under way: its exchange on the tap and its line in the trace."""

    def __init__(self, fetcher: BoundFetcher, request: Outgoing, url: httpcore.URL) -> None:
        self.fetcher = fetcher
        self.request = request
        self.url = url
        self.exchange = Exchange(request.method, url.target.decode("latin-1"))
        self.line = fetcher.subrequest(request)
        self.number = fetcher.journal.begin(self.line)

    @property
    def host(self) -> str:
        return self.url.host.decode("ascii", "replace")

    @property
    def may_repeat(self) -> bool:
        return self.request.method in _SAFE_TO_REPEAT and isinstance(self.request.body, bytes)

    def once(self, pool: httpcore.ConnectionPool) -> httpcore.Response:
        token = current_exchange.set(self.exchange)
        try:
            response = pool.handle_request(_http_request(self.request, self.url))
        finally:
            current_exchange.reset(token)
        if self.exchange.stream is not None:
            self.exchange.stream.record(Kind.RESPONSE, response.status)
        return response

    def note(self, **changes: Any) -> None:
        """Write what is now known into the trace."""
        exchange = self.exchange
        self.line = replace(self.line, connection=exchange.connection, reused=exchange.reused, **changes)
        self.fetcher.journal.update(self.number, self.line)

    def failed(self, error: ConnectError) -> ConnectError:
        self.note(ended_ns=time.monotonic_ns(), diagnosis=getattr(error, "diagnosis", None))
        return error


class Answer:
    """An origin's answer (see exchange.Incoming): status, raw headers, and the raw body as it comes."""

    def __init__(self, run: _Run, response: httpcore.Response) -> None:
        self._run = run
        self._response = response
        self._head = bytearray()
        self._received = 0
        self._open = True
        self.status = response.status
        self.reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
        self.headers: Headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers)
        run.note(status=self.status, headers_ns=time.monotonic_ns())

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's raw bytes. Raises ConnectError when it breaks off."""
        try:
            for chunk in self._response.iter_stream():
                self._received += len(chunk)
                if self.status >= 400 and len(self._head) < _HEAD_BYTES:
                    self._head += chunk[:_HEAD_BYTES]
                yield chunk
        except _HTTP_ERRORS as error:
            self._open = False
            raise self._run.fetcher.refusal(self._run, _broken_off(error)) from error
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back (or close it when the body was not read to its end), once."""
        if not self._open:
            return
        self._open = False
        self._response.close()
        diagnosis = None
        if self.status >= 400:
            case = self._run.fetcher.case(self._run, status=self.status, body=bytes(self._head))
            diagnosis = examine(case)
        self._run.note(ended_ns=time.monotonic_ns(), response_bytes=self._received, diagnosis=diagnosis)

    def abort(self) -> None:
        """End the connection from another thread; whoever reads the body gets an error at once."""
        if isinstance(self._run.exchange.stream, TappedStream):
            self._run.exchange.stream.abort()


def decoded(answer: Answer) -> Iterator[bytes]:
    """Yield the body with its Content-Encoding undone (gzip, deflate, and what httpx has codecs for)."""
    if not any(name.lower() == "content-encoding" for name, _ in answer.headers):
        yield from answer
        return
    response = httpx.Response(answer.status, headers=list(answer.headers), stream=_Stream(answer))
    yield from response.iter_bytes()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer

    def close(self) -> None:
        self._answer.close()


class FetcherTransport(httpx.BaseTransport):
    """A binding as the transport of an ordinary httpx.Client, for Python that is no worker."""

    def __init__(self, fetcher: BoundFetcher) -> None:
        self._fetcher = fetcher

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the origin's response. Raises ConnectError with a diagnosis, not httpx's own errors."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw)
        sized = any(k.lower() in ("content-length", "transfer-encoding") for k, _ in headers)
        body = request.stream if sized else b""
        answer = self._fetcher.send(Outgoing(request.method, str(request.url), headers, body))
        return httpx.Response(answer.status, headers=list(answer.headers), stream=_Stream(answer))

    def close(self) -> None:
        """Close the binding's idle connections."""
        self._fetcher.close()


Client = httpx.Client


def client(fetcher: BoundFetcher) -> Client:
    """Return an httpx.Client whose every request goes through `fetcher`."""
    return httpx.Client(transport=FetcherTransport(fetcher), trust_env=False)


# -- to the wire -------------------------------------------------------------------------------------


def _url(text: str) -> httpcore.URL:
    """Return the URL with an ASCII host (IDNA) and an encoded target. Raises ConnectError."""
    try:
        raw = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConnectError(f"{text!r} is no URL: {error}", "Write it whole: https://host/path") from error
    if raw.scheme not in ("http", "https") or not raw.host:
        raise ConnectError(f"{text!r} cannot be fetched.", "Use an absolute https:// (or http://) URL.")
    return httpcore.URL(scheme=raw.raw_scheme, host=raw.raw_host, port=raw.port, target=raw.raw_path)


def _http_request(request: Outgoing, url: httpcore.URL) -> httpcore.Request:
    names = {name.lower() for name, _ in request.headers}
    headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
    headers.insert(0, ("Host", _host_header(url)))
    body = request.body
    if isinstance(body, bytes):
        if (body or request.method in ("POST", "PUT", "PATCH")) and "content-length" not in names:
            headers.append(("Content-Length", str(len(body))))
        body = [body] if body else ()
    elif not {"content-length", "transfer-encoding"} & names:
        headers.append(("Transfer-Encoding", "chunked"))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return httpcore.Request(request.method, url, headers=encoded, content=body, extensions={"timeout": _TIMEOUTS_S})


def _host_header(url: httpcore.URL) -> str:
    host = url.host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    usual = {b"https": 443, b"http": 80}[url.scheme]
    return host if url.port in (None, usual) else f"{host}:{url.port}"


# -- from a failure to its name ------------------------------------------------------------------------

_HTTP_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)

# First match wins: (httpcore's error, what caused it, the doctor's word for it).
_FAILURES: tuple[tuple[type[Exception], type[BaseException] | None, str], ...] = (
    (httpcore.ConnectTimeout, None, "connect-timeout"),
    (httpcore.PoolTimeout, None, "connect-timeout"),
    (httpcore.TimeoutException, None, "read-timeout"),
    (httpcore.NetworkError, socket.gaierror, "dns"),
    (httpcore.NetworkError, ConnectionRefusedError, "refused"),
    (httpcore.NetworkError, ssl.SSLEOFError, "closed"),
    (httpcore.NetworkError, ssl.SSLError, "tls"),
    (httpcore.NetworkError, ConnectionError, "reset"),
    (httpcore.ReadError, None, "reset"),
    (httpcore.NetworkError, None, "unreachable"),
    (httpcore.LocalProtocolError, None, "protocol"),
)
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}


def _failure(error: Exception) -> str:
    if isinstance(error, _Truncated):
        return "truncated"
    cause = _cause(error)
    if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
        return "unreachable"
    for kind, caused_by, name in _FAILURES:
        if isinstance(error, kind) and (caused_by is None or isinstance(cause, caused_by)):
            return name
    return "closed" if "disconnected" in str(error) else "protocol"


def _cause(error: Exception) -> BaseException | None:
    """Return the OSError behind an httpcore error: its argument, as the pool cuts the `__cause__` off."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, BaseException) else None


class _Truncated(httpcore.RemoteProtocolError):
    """The body ended before its declared length."""


def _broken_off(error: Exception) -> Exception:
    if isinstance(error, httpcore.TimeoutException) or isinstance(_cause(error), ssl.SSLError):
        return error
    return _Truncated(str(error))


def _no_tls(events: tuple[Any, ...]) -> str:
    """Return "not-tls-…" when the first bytes that the server sent are no TLS record."""
    for event in events:
        if event.kind is Kind.WIRE and isinstance(event.data, Bytes) and event.data.sender == "server":
            said = looks_like(event.data.data)
            return "" if said == "tls" else {"unknown": "not-tls"}.get(said, f"not-tls-{said}")
    return ""


def _with(error: ConnectError, diagnosis: Diagnosis) -> ConnectError:
    error.diagnosis = diagnosis
    return error


def _not_allowed(binding: Binding, host: str) -> ConnectError:
    allowed = ", ".join(binding.hosts)
    cause = f"{binding.name} may not be presented to {host}: it is bound to {allowed}."
    fix = f"If that host is meant too: %mtls_bindings --hosts '{binding.name}={allowed},{host}'"
    return _with(HostNotAllowed(cause, fix), Diagnosis(cause, (f"hosts: {allowed}",), fix))
