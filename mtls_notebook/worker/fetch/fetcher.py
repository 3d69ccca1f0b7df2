"""`env.NAME.fetch`: one code path to the origin for both languages, over the recorder's tap.

httpx, known here and in `address` only, so that a successor is little work, gives URLs, decoding and
the face of an ordinary client. What is here: one pool per binding, the binding's certificate and
hosts, the trace of every subrequest, and failures turned into a diagnosis.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx

from ...diagnosis.doctor import Case, Diagnosis, examine
from ...errors import ConnectError, HandshakeRefused, HostNotAllowed
from ...pki.certificate import Certificate
from ...recorder.events import Kind
from ...recorder.handshake import fold
from ...recorder.phases import Setup
from ...recorder.tap import current_exchange
from ...session.bindings import Binding
from ..exchange import Headers, Incoming, Outgoing, Subrequest
from ..journal import Journal
from .address import Place, head_of, place_of
from .carrier import (
    READ_TIMEOUT_S,
    SENT_AT_ONCE_BYTES,
    AnswerHead,
    Carrier,
    Head,
    NotProcessed,
    OnlyHttp1,
    pieces,
)
from .connections import Connections, Ways
from .failures import FAILED, failure_of, spoken_instead
from .http1 import Http1
from .proxy import ProxyFailed
from .replay import Replay
from .timing import Departure, WatchedExchange

T = TypeVar("T")

_HEAD_BYTES = 2048  # of a refused request's body: enough for the title in which nginx names the reason
_SHORT_BYTES = 64 * 1024
_SENT_AT_ONCE_BYTES = 16 * 1024  # a socket takes that much without waiting for its reader
_REFUSALS = {"refused-by-server", "refused-by-client"}
_SAFE_TO_REPEAT = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110 §9.2.1
_MOST_TRIES = 3


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
        ways: Ways,
        journal: Journal,
    ) -> None:
        self.journal = journal
        self._binding = binding
        self._offered = presented.certificate if presented else None
        self._offered_name = presented.name if presented else ""
        self.binding_name = binding.name if binding else ""
        self.fingerprint = self._offered.fingerprint_sha256 if self._offered else ""
        self.recording = ways.recording
        self._connections = Connections(ways)

    def send(self, request: Outgoing) -> Answer:
        """Return the origin's answer once its headers are there. Raises ConnectError (with `.diagnosis`)."""
        place = place_of(request.url)
        run = _Run(self, request, place)
        request.on_abandon(run.abort)
        if self._binding is not None and not self._binding.allows(place.origin.host):
            raise run.failed(_not_allowed(self._binding, place.origin.host))
        try:
            return self.exchange(run)
        except FAILED as error:
            raise self.refusal(run, error) from error

    def begin(self, request: Outgoing) -> Begun | None:
        """Return the request under way on a kept connection, for a loop that waits by itself instead of a thread.

        None: no connection is kept, or the request is a stream or long; `send` it then. Raises ConnectError.
        """
        if not isinstance(request.body, bytes) or len(request.body) > _SENT_AT_ONCE_BYTES:
            return None
        place = place_of(request.url)
        if self._binding is not None and not self._binding.allows(place.origin.host):
            return None  # `send` says so
        connection = self._connections.borrow_kept(place.origin)
        if connection is None:
            return None
        return Begun(_Run(self, request, place), self._connections, connection)

    def close(self) -> None:
        """Close every idle connection."""
        self._connections.close()

    def exchange(self, run: _Run) -> Answer:
        """Send; again when the origin did nothing with it, or a kept connection was over before anything was said."""
        for _ in range(_MOST_TRIES - 1):
            try:
                return run.once(self._connections)
            except FAILED as error:
                if isinstance(error, OnlyHttp1):
                    self._connections.prefer_http1(run.place.origin)
                if not run.begins_anew(error):
                    raise
        return run.once(self._connections)

    def refusal(self, run: _Run, error: Exception) -> ConnectError:
        """Return the error to raise for a failed exchange: translated, diagnosed, noted in the trace."""
        failure = failure_of(error, connected=run.exchange.stream is not None)
        if run.exchange.aborted:
            failure = "abandoned"
        events = () if run.exchange.connection is None else self.recording.events(run.exchange.connection)
        if failure == "tls" and (other := spoken_instead(events)):
            failure = other
        shake = fold(events) if events else None
        proxy = {"proxy": error.proxy, "proxy_status": error.status} if isinstance(error, ProxyFailed) else {}
        diagnosis = examine(self.case(run, failure=failure, handshake=shake, **proxy))
        assert diagnosis is not None  # a named failure always has words
        kind = HandshakeRefused if shake is not None and shake.outcome in _REFUSALS else ConnectError
        return run.failed(_with(kind(diagnosis.cause, diagnosis.fix), diagnosis))

    def case(self, run: _Run, **found: Any) -> Case:
        """Return what the doctor needs to know about one exchange."""
        if "handshake" not in found and run.exchange.connection is not None:
            found["handshake"] = fold(self.recording.events(run.exchange.connection))
        return Case(
            host=run.host,
            name=self._offered_name,
            offered=self._offered,
            now=datetime.now(UTC),
            **found,
        )


class _Run:
    """One subrequest under way: its exchange on the tap and its line in the trace.

    The line is made when somebody reads it (`seen`), and for good at the end: a fetch passes here in a third of a
    millisecond, and most of what is known on the way nobody looks at.
    """

    def __init__(self, fetcher: BoundFetcher, request: Outgoing, place: Place) -> None:
        self.fetcher = fetcher
        self.request = request
        self.place = place
        self._started_ns = time.monotonic_ns()
        self._known: dict[str, Any] = {}
        self._number: int | None = None
        self._replay = None if isinstance(request.body, bytes) else Replay(request.body)
        self.anew()

    @property
    def host(self) -> str:
        return self.place.origin.host

    @property
    def may_repeat(self) -> bool:
        return self.request.method in _SAFE_TO_REPEAT and isinstance(self.request.body, bytes)

    def once(self, connections: Connections) -> Answer:
        head, body = head_of(self.request, self.place)
        token = current_exchange.set(self.exchange)
        try:
            connection = self._connection(connections)
            try:
                self.ready()
                response = self._asked(connection, head, body if self._replay is None else self._replay)
            except BaseException as error:
                connections.discard(connection)
                if self._was_refused_resumption(error, connection):
                    connections.forget_sessions(self.place.origin)
                    raise NotProcessed("the resumed session was refused") from error
                raise
        finally:
            current_exchange.reset(token)
        connection.stream.record(Kind.RESPONSE, response.status)
        return Answer(self, connections, connection, response)

    def begins_anew(self, error: Exception) -> bool:
        """Return whether the request may be sent again after `error`, and make ready for it."""
        stale = self.exchange.reused and self.may_repeat and failure_of(error) in ("closed", "reset")
        if self.exchange.aborted or not (stale or isinstance(error, NotProcessed)):
            return False
        if self._replay is not None and not self._replay.restart():
            return False
        self.anew()
        return True

    def _was_refused_resumption(self, error: BaseException, connection: Carrier) -> bool:
        """A resumed session that is refused after all tells less than a full handshake: that one is made then."""
        is_first = connection.stream.is_resumed and not self.exchange.reused
        return is_first and self.may_repeat and isinstance(error, ssl.SSLError)

    def anew(self) -> None:
        """Forget the connection that was tried; the next one is still to be found."""
        self._known.pop("setup", None)
        self.departure = Departure()
        self.exchange = WatchedExchange(self.request.method, self.place.target.decode("latin-1"), self.note)

    def _connection(self, connections: Connections) -> Carrier:
        """Return a connection. A kept one is there at once; whoever waits for another stands in the trace."""
        connection: Carrier | None = connections.borrow_kept(self.place.origin)
        if connection is None:
            self.note()
            connection = connections.borrow(self.place.origin)
        return connection

    def ready(self) -> None:
        """Note that there is a connection."""
        self.departure.begin()
        self.note(setup=self._setup())

    def _asked(self, connection: Carrier, head: Head, body: bytes | Iterable[bytes]) -> AnswerHead:
        if not isinstance(body, bytes) or len(body) > SENT_AT_ONCE_BYTES:
            return connection.ask(head, self.departure.counted(pieces(body)))
        if not isinstance(connection, Http1):
            self.departure.whole(body)  # it leaves in one write, whose end nobody sees
            return connection.ask(head, body)
        connection.begin(head, body)
        self.departure.whole(body)
        response = connection.response(READ_TIMEOUT_S)
        assert response is not None  # only a wait of no time at all ends without one
        return response

    def abort(self) -> None:
        """End the exchange from another thread; whoever waits for it gets an error at once."""
        self.exchange.abort()

    def note(self, **changes: Any) -> None:
        """Let the trace know what is known now."""
        self._known.update(changes)
        if self._number is None:
            self._number = self.fetcher.journal.begin(self.seen)
        else:
            self.fetcher.journal.update(self._number, self.seen() if "ended_ns" in changes else None)

    def seen(self) -> Subrequest:
        """Return the line of the trace as it is now."""
        return Subrequest(
            self.fetcher.binding_name,
            self.request.method,
            self.request.url,
            self.fetcher.fingerprint,
            self._started_ns,
            connection=self.exchange.connection,
            reused=self.exchange.reused,
            request_bytes=self.departure.bytes,
            ready_ns=self.departure.begun_ns,
            sent_ns=self.departure.ended_ns,
            **self._known,
        )

    def failed(self, error: ConnectError) -> ConnectError:
        diagnosis = getattr(error, "diagnosis", None)
        self.note(ended_ns=time.monotonic_ns(), setup=self._setup(), diagnosis=diagnosis)
        return error

    def _setup(self) -> Setup | None:
        return self._known.get("setup") or self.exchange.setup(self.fetcher.recording)


class Stale(Exception):
    """The kept connection turned out to be over before anything was said: `again` asks on another."""

    def __init__(self, again: Callable[[], Answer]) -> None:
        super().__init__()
        self.again = again


class Begun:
    """A request on a kept connection: wait until `fileno()` is readable, then `step`, until there is an answer."""

    def __init__(self, run: _Run, connections: Connections, connection: Http1) -> None:
        self._run = run
        self._connections = connections
        self._connection = connection
        self._answer: Answer | None = None
        self._is_held = True  # the connection is ours to close
        token = current_exchange.set(run.exchange)
        try:
            run.request.on_abandon(run.abort)
            head, body = head_of(run.request, run.place)
            assert isinstance(body, bytes)
            run.ready()
            self._guarded(lambda: connection.begin(head, body))
            run.departure.whole(body)
        except BaseException:
            self._let_go()
            raise
        finally:
            current_exchange.reset(token)

    def fileno(self) -> int:
        """Return the socket to wait for."""
        return self._connection.stream.fileno()

    def step(self) -> Answer | None:
        """Return the answer once its head, and all of a short body, is there. Raises ConnectError, Stale."""
        if self._answer is None:
            response = self._guarded(lambda: self._connection.response(0))
            if response is None:
                return None
            self._connection.stream.record(Kind.RESPONSE, response.status)
            self._answer = Answer(self._run, self._connections, self._connection, response)
            self._is_held = False
        return self._answer if not self._answer.is_short or self._answer.gather() else None

    def late(self) -> ConnectError:
        """Return the error of an origin that stays silent; the connection is over then."""
        self._let_go()
        return self._run.fetcher.refusal(self._run, TimeoutError("no answer in time"))

    def abandon(self) -> None:
        """End the request: nobody waits for its answer any more."""
        self._run.abort()
        if self._answer is not None:
            self._answer.close()
        elif self._is_held:
            self._let_go()
            self._run.fetcher.refusal(self._run, ConnectionAbortedError("abandoned before it was answered"))

    def _let_go(self) -> None:
        if self._is_held:
            self._is_held = False
            self._connections.discard(self._connection)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except FAILED as error:
            self._let_go()
            if self._run.may_repeat and not self._run.exchange.aborted and failure_of(error) in ("closed", "reset"):
                raise Stale(self._again) from error
            raise self._run.fetcher.refusal(self._run, error) from error

    def _again(self) -> Answer:
        """Return the answer from another connection, waiting for it. Raises ConnectError."""
        run = self._run
        run.anew()
        try:
            return run.fetcher.exchange(run)
        except FAILED as error:
            raise run.fetcher.refusal(run, error) from error


class Answer:
    """An origin's answer (see exchange.Incoming): status, raw headers, and the raw body as it comes."""

    def __init__(self, run: _Run, connections: Connections, connection: Carrier, response: AnswerHead) -> None:
        self._run = run
        self._connections = connections
        self._connection = connection
        self._head = bytearray()
        self._taken: deque[bytes] = deque()
        self._broken: ConnectError | None = None
        self._received = 0
        self._open = True
        self.status = int(response.status)
        self.reason = response.reason.decode("latin-1")
        self.headers: Headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers)
        length = next((value for name, value in self.headers if name.lower() == "content-length"), "")
        self.is_short = self.status in (204, 304) or (length.isdigit() and int(length) <= _SHORT_BYTES)
        """Whether the body is known to be short."""
        run.note(status=self.status, headers_ns=time.monotonic_ns())

    def gather(self) -> bool:
        """Take in what has come of the body, without waiting; return whether that is all of it (or its failure)."""
        while self._open:
            try:
                chunk = self._connection.next_chunk(0)
            except FAILED as error:
                self._broken = self._broke_off(error)
                return True
            if chunk is None:
                return False
            if not chunk:
                self.close()
            else:
                self._taken.append(self._counted(chunk))
        return True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's raw bytes. Raises ConnectError when it breaks off."""
        while self._taken:
            yield self._taken.popleft()
        if self._broken is not None:
            raise self._broken
        if not self._open:
            return
        try:
            for chunk in self._connection.body():
                yield self._counted(chunk)
        except FAILED as error:
            raise self._broke_off(error) from error
        finally:
            self.close()

    def _counted(self, chunk: bytes) -> bytes:
        self._received += len(chunk)
        if self.status >= 400 and len(self._head) < _HEAD_BYTES:
            self._head += chunk[:_HEAD_BYTES]
        return chunk

    def _broke_off(self, error: Exception) -> ConnectError:
        self._open = False
        self._connections.discard(self._connection)
        return self._run.fetcher.refusal(self._run, error)

    def close(self) -> None:
        """Give the connection back (or close it when the body was not read to its end), once."""
        if not self._open:
            return
        self._open = False
        self._connections.give_back(self._run.place.origin, self._connection)
        diagnosis = None
        if self.status >= 400:
            case = self._run.fetcher.case(self._run, status=self.status, body=bytes(self._head))
            diagnosis = examine(case)
        self._run.note(ended_ns=time.monotonic_ns(), response_bytes=self._received, diagnosis=diagnosis)

    def abort(self) -> None:
        """End the connection from another thread; whoever reads the body gets an error at once."""
        self._run.abort()


def decoded(answer: Incoming) -> Iterator[bytes]:
    """Yield the body with its Content-Encoding undone (gzip, deflate, and what httpx has codecs for).

    Raises ConnectError when it breaks off, or is not encoded as it says.
    """
    if not any(name.lower() == "content-encoding" for name, _ in answer.headers):
        yield from answer
        return
    response = httpx.Response(answer.status, headers=list(answer.headers), stream=_Stream(answer))
    try:
        yield from response.iter_bytes()
    except httpx.DecodingError as error:
        cause = "The body is not encoded as its Content-Encoding says."
        fix = "Ask the origin's operator, or ask for it plain: Accept-Encoding: identity"
        raise _with(ConnectError(cause, fix), Diagnosis(cause, (str(error),), fix)) from error


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: Incoming) -> None:
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


def _with(error: ConnectError, diagnosis: Diagnosis) -> ConnectError:
    error.diagnosis = diagnosis
    return error


def _not_allowed(binding: Binding, host: str) -> ConnectError:
    allowed = ", ".join(binding.hosts)
    cause = f"{binding.name} may not be presented to {host}: it is bound to {allowed}."
    fix = f"If that host is meant too: %mtls_bindings --hosts '{binding.name}={allowed},{host}'"
    return _with(HostNotAllowed(cause, fix), Diagnosis(cause, (f"hosts: {allowed}",), fix))
