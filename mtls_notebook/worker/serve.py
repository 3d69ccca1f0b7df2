"""A worker as a live HTTPS origin on loopback, so that a worker can be the server's end of mutual TLS.

TLS, client certificates and HTTP/1.1 are the lab's (`lab.origin`); here a request becomes the worker's, with
what the connection says of its client in `request.cf`, and the worker's response becomes the origin's answer.
Bodies pass as they come, in both directions at once: a slow client slows the worker down, and one that leaves
ends the worker's stream.
As in production a client certificate that does not verify reaches the worker, which decides (`certVerified`),
unless client certificates are required: then the handshake refuses it.
What may not live here: languages, sockets, what a certificate means.
"""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for

from ..errors import EngineUnavailable, MtlsNotebookError, UsageError, WorkerError, WorkerStopped, WorkerTimeout
from ..lab.catalogue import OriginKind
from ..lab.origin import LOOPBACK, Limits, Origin
from ..lab.recording import Recording
from ..lab.routes import Answer, Asked, Client
from ..lab.wire import ConnectionOver
from ..pki.authority import Authority
from ..pki.certificate import Certificate
from .exchange import Headers, HttpRequest, Program, Streamed
from .python.hops import OF_A_CONNECTION, absolute

HTTPS_PORT = 443
MOST_BODY_BYTES = 2 << 30  # production takes 100 MB and more, by plan; nothing is held here, so this only ends floods
TIMEOUT_S = 60.0
_LOOK_S = 0.25  # how often a silent worker's client is looked at: is it still there?

SERVER = ("server", "mtls-notebook")
OPTIONAL = OriginKind(
    "runs a worker; a client certificate is asked for",
    "The worker reads request.cf.tlsClientAuth and decides.",
    client_auth="http",
)
REQUIRED = OriginKind(
    "runs a worker; a client certificate is required",
    "Whoever has none that verifies is refused in the handshake and never reaches the worker.",
    client_auth="required",
)

# What production calls TLS 1.3's cipher suites in request.cf.tlsCipher; older suites keep OpenSSL's names.
CIPHERS = {
    "TLS_AES_128_GCM_SHA256": "AEAD-AES128-GCM-SHA256",
    "TLS_AES_256_GCM_SHA384": "AEAD-AES256-GCM-SHA384",
    "TLS_CHACHA20_POLY1305_SHA256": "AEAD-CHACHA20-POLY1305-SHA256",
}
# First match wins; what is thrown by the worker's own code is the last row.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UsageError, 400),
    (WorkerTimeout, 504),
    (WorkerStopped, 503),
    (CancelledError, 503),
    (EngineUnavailable, 503),
    (MtlsNotebookError, 500),
)

_BODILESS = (204, 205, 304)
_NO_METHODS = ("CONNECT", "TRACE", "TRACK")  # Fetch standard §2.2.1: no Request can have them
# The last is how request.cf reaches workerd: a client that sent it would vouch for itself.
_NOT_SEEN = OF_A_CONNECTION | {"expect", "proxy-authorization", "cf-blob"}
_TELLING_BYTES = 32  # fewer may hold no more than gzip's own header, or the beginning of it
_PACKED = ("gzip", "x-gzip", "deflate")
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 §5.5
_HOST = re.compile(r"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class Served:
    """A worker that answers on loopback; make one with `Served.start`, end it with `stop()` or a with block.

    `host` is what it is called, `port` its TCP port on 127.0.0.1, `connect_to` leads its names there.
    """

    def __init__(self, desk: Desk, origin: Origin, hosts: tuple[str, ...]) -> None:
        self._desk = desk
        self._origin = origin
        self.host = hosts[0]
        self.port = origin.port
        self.connect_to = {(host, HTTPS_PORT): (LOOPBACK, origin.port) for host in hosts}

    @classmethod
    def start(
        cls,
        program: Program,
        *,
        authority: Authority,
        accepts: Sequence[Certificate] | None = None,
        require_client_cert: bool = False,
        hosts: Sequence[str] = ("localhost",),
        timeout_s: float = TIMEOUT_S,
        limits: Limits | None = None,
    ) -> Served:
        """Return `program` as an origin that listens already; `program` is stopped with it.

        `authority` issues its certificate, for `hosts`, localhost and 127.0.0.1; `accepts` are the CAs whose
        clients verify (None: the same authority). A worker that is silent for longer than `timeout_s`, before its
        answer or within it, is stopped.
        Raises: UsageError when nobody could get in, LabError when no port can be had.
        """
        accepted = (authority.certificate,) if accepts is None else tuple(accepts)
        _check(hosts, accepted, require_client_cert)
        own = tuple(dict.fromkeys(host.lower() for host in hosts))
        names = tuple(dict.fromkeys((*own, "localhost", LOOPBACK)))
        issued = authority.issue(own[0], usage=("serverAuth",), names=names)
        desk = Desk(program, own[0], timeout_s)
        origin = Origin.start(
            "worker",
            REQUIRED if require_client_cert else OPTIONAL,
            certificate_pem=issued.certificate_pem,
            key_pem=issued.key_pem,
            accepts=accepted,
            limits=limits,
            respond=desk.answer,
        )
        return cls(desk, origin, own)

    @property
    def url(self) -> str:
        """Return where it really listens; the certificate is valid for that address too."""
        return self._origin.url

    @property
    def named_url(self) -> str:
        """Return the URL that other workers use; it leads to `url` through `connect_to`."""
        return f"https://{self.host}"

    @property
    def connections(self) -> tuple[Recording, ...]:
        """Return the recordings of the latest connections as this end saw them, oldest first."""
        return self._origin.connections

    def recording_of(self, peer_port: int) -> Recording | None:
        """Return the latest connection that came from the client's port `peer_port`."""
        return self._origin.recording_of(peer_port)

    def stop(self) -> None:
        """End the worker, every connection and every thread. Safe to call twice."""
        self._desk.close()  # first: a connection that waits for the worker cannot hear the origin stop
        self._origin.stop()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Served {self.named_url} at {self.url}: {self._origin.kind.title}>"


class Desk:
    """Where an origin's requests meet the program: whatever the worker does, there is an answer."""

    def __init__(self, program: Program, host: str, timeout_s: float) -> None:
        self._program = program
        self._host = host
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # a request must not start the program anew after `close`
        self._closed = False

    def answer(self, asked: Asked) -> Answer:
        """Return what the worker says to `asked`, or a plain text with a status of STATUSES."""
        if asked.method in _NO_METHODS:
            return _plain(405, f"A worker does not see {asked.method} requests.")
        upload = Upload(asked)
        try:
            return self._given(self._opened(asked, upload))
        except (MtlsNotebookError, CancelledError) as error:
            return _too_long() if upload.is_too_long else _told(error)

    def close(self) -> None:
        """Stop the program for good; requests under way are answered with 503."""
        with self._lock:
            self._closed = True
        self._program.stop()

    def _opened(self, asked: Asked, upload: Upload) -> Streamed:
        if upload.is_too_long:
            raise UsageError(f"The request's body is longer than {MOST_BODY_BYTES >> 20} MiB.")
        future = self._open(_request(asked, self._host), upload)
        try:
            while not wait_for((future,), _LOOK_S).done:
                asked.pause(0)
                if upload.is_silent_for(self._timeout_s):
                    self._program.stop()
                    raise WorkerTimeout(f"The worker did not answer within {self._timeout_s:g} s and was stopped.")
        except ConnectionOver:
            future.cancel()
            raise
        return future.result()

    def _open(self, request: HttpRequest, upload: Upload) -> Future[Streamed]:
        with self._lock:
            if self._closed:
                raise WorkerStopped("The worker is served no longer.")
            return self._program.open(request, upload if upload.is_there else None)

    def _given(self, answer: Streamed) -> Answer:
        """Return the worker's answer as the origin's."""
        try:
            coding = next((value for name, value in answer.headers if name.lower() == "content-encoding"), "")
            body = _Download(answer, self._timeout_s, coding.lower() in _PACKED and answer.status not in _BODILESS)
            is_true = _is_packed(body.first, coding)
            headers = tuple((name, _on_the_wire(name, value)) for name, value in _true(answer.headers, is_true))
        except BaseException:
            answer.close()
            raise
        named = () if any(name.lower() == "server" for name, _ in headers) else (SERVER,)
        return Answer(answer.status, (*named, *headers), body)


class Upload:
    """A request's body on its way to the worker: how much has come, and when something came last."""

    def __init__(self, asked: Asked) -> None:
        length = asked.header("content-length")
        self.is_there = bool(asked.header("transfer-encoding")) or length not in ("", "0")
        self.is_too_long = length.isdecimal() and int(length) > MOST_BODY_BYTES
        self._chunks = asked.body
        self._moved_s = time.monotonic()

    def is_silent_for(self, seconds: float) -> bool:
        """Return whether nothing has moved for so long."""
        return time.monotonic() - self._moved_s > seconds

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for chunk in self._chunks:
            length += len(chunk)
            if length > MOST_BODY_BYTES:
                self.is_too_long = True
                raise ConnectionOver("the request's body is too long")
            self._moved_s = time.monotonic()
            yield chunk
            self._moved_s = time.monotonic()


class _Download:
    """A worker's body on its way to the client, b"" where there is none yet. Close it."""

    def __init__(self, answer: Streamed, timeout_s: float, looks_first: bool) -> None:
        self._answer = answer
        self._timeout_s = timeout_s
        self._has_looked = looks_first
        self.first = next((chunk for chunk in self._chunks() if chunk), b"") if looks_first else b""

    def __iter__(self) -> Iterator[bytes]:
        if self._has_looked:
            yield self.first
        try:
            yield from self._chunks()
        except (MtlsNotebookError, CancelledError) as error:
            raise ConnectionOver(f"the worker's response broke off ({error})") from error

    def close(self) -> None:
        """End the worker's stream, if it has not come to its end."""
        self._answer.close()

    def _chunks(self) -> Iterator[bytes]:
        moved_s = time.monotonic()
        while (chunk := self._answer.next_chunk(_LOOK_S)) != b"":
            if chunk is not None:
                yield chunk
                moved_s = time.monotonic()
            elif time.monotonic() - moved_s > self._timeout_s:
                raise WorkerTimeout(f"The worker's response stood still for {self._timeout_s:g} s and was ended.")
            else:
                yield b""


def seen_of(client: Client) -> dict[str, object]:
    """Return `request.cf`: what the connection says of its client, in production's names."""
    cipher = client.agreed.cipher
    return {
        "httpProtocol": "HTTP/1.1",
        "tlsVersion": client.agreed.version,
        "tlsCipher": CIPHERS.get(cipher, cipher),
        "tlsClientAuth": dict(client.auth),
    }


def _check(hosts: Sequence[str], accepts: Sequence[Certificate], required: bool) -> None:
    for host in hosts:
        if not _HOST.fullmatch(host) or ":" in host:
            raise UsageError(f"The worker cannot answer as {host!r}: that is no host name.", "Give api.example.com.")
    if not hosts:
        raise UsageError("The worker has no name to answer as.", "Give at least one host: api.example.com.")
    if required and not accepts:
        raise UsageError(
            "Client certificates are required and no CA is accepted: nobody could connect.",
            "Trust the CA that issues them (%mtls_lab, or %mtls_upload --ca-cert), or leave out --require-client-cert.",
        )


def _request(asked: Asked, host: str) -> HttpRequest:
    headers = tuple((name, value) for name, value in asked.headers if name not in _NOT_SEEN)
    return HttpRequest(asked.method, _url(asked, host), headers, cf=seen_of(asked.client))


def _url(asked: Asked, host: str) -> str:
    """Return the URL asked for (RFC 9112 §3.3). Raises UsageError for one that is none."""
    authority = asked.header("host") or host  # HTTP/1.0 may come without
    url = asked.target if "://" in asked.target.partition("?")[0] else f"https://{authority}{asked.target}"
    try:
        if not _HOST.fullmatch(authority) or not url.startswith("https://"):
            raise TypeError
        return absolute(url)
    except TypeError:
        raise UsageError(f"{asked.target!r} at host {authority!r} is no URL.", "Ask for a path of this host.") from None


def _true(headers: Headers, is_packed: bool) -> Iterator[tuple[str, str]]:
    """Yield the headers that are true of the body."""
    for name, value in headers:
        if name.lower() not in OF_A_CONNECTION and (is_packed or name.lower() != "content-encoding"):
            yield name, value


def _is_packed(first: bytes, coding: str) -> bool:
    """Return whether a body that begins with `first` is as its Content-Encoding says: a worker may only say so."""
    if coding.lower() not in _PACKED:
        return bool(coding)
    try:
        return bool(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(first[:1024], 1)) or len(first) < _TELLING_BYTES
    except zlib.error:
        return False


def _on_the_wire(name: str, value: str) -> str:
    """Return a header's value such that its Latin-1 is the UTF-8 that production sends. Raises WorkerError."""
    if _NOT_IN_A_VALUE.search(value):
        raise WorkerError(f"The worker's header {name} holds a control character.", "Encode it, or leave it out.")
    return value.strip(" \t").encode("utf-8").decode("latin-1")


def _too_long() -> Answer:
    return _plain(413, f"A request's body may hold {MOST_BODY_BYTES >> 20} MiB.")


def _told(error: MtlsNotebookError | CancelledError) -> Answer:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    if isinstance(error, WorkerError):
        return _plain(status, f"{type(error).__name__}: {error}")
    return _plain(status, str(error) or "The worker was stopped.")


def _plain(status: int, text: str) -> Answer:
    body = f"{text}\n".encode()
    headers: Headers = (SERVER, ("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body))))
    return Answer(status, headers, (body,))
