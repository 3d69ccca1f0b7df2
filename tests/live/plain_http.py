"""A plain HTTP origin on loopback, and the simplest Fetcher that reaches it: no TLS, no pool, no trace.

For tests of the JavaScript engine, whose other side may be any Fetcher. What may not live here: tests.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

from mtls_notebook.errors import ConnectError
from mtls_notebook.worker.exchange import Headers, Incoming, Outgoing


class PlainOrigin:
    """An HTTP/1.1 server on 127.0.0.1 whose paths behave as `_Handler.PATHS` says. Close it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.left = threading.Semaphore(0)  # released when a client hangs up on /endless or /silent
        self.reached = threading.Semaphore(0)  # released when a request for them arrives
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.origin = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Return (host, port)."""
        return "127.0.0.1", self._server.server_address[1]

    def close(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    origin: PlainOrigin


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def answer(self) -> None:
        self.server.origin.requests.append(f"{self.command} {self.path}")
        act = self.PATHS.get(urlsplit(self.path).path, type(self).echo)
        act(self)

    do_GET = do_POST = do_PUT = do_HEAD = answer

    def echo(self) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": self.body().decode("latin-1"),
        }
        self.whole(json.dumps(seen).encode(), ("Content-Type", "application/json"))

    def compressed(self) -> None:
        self.whole(gzip.compress(b"plain text"), ("Content-Encoding", "gzip"))

    def redirect(self) -> None:
        self.whole(b"", ("Location", "/landed"), status=302)

    def refuse(self) -> None:
        self.whole(b"no certificate", status=403)

    def broken(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        self.silent()

    def silent(self) -> None:
        self.server.origin.reached.release()
        self.connection.recv(1)  # returns when the client hangs up
        self.server.origin.left.release()
        self.close_connection = True

    def early(self) -> None:
        self.whole(b"answered before reading")
        self.body()

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def chunks(self) -> Iterator[bytes]:
        while length := int(self.rfile.readline(), 16):
            yield self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()

    def duplex(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in self.chunks():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def whole(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    PATHS: ClassVar[dict[str, Callable[[_Handler], None]]] = {
        "/gzip": compressed,
        "/redirect": redirect,
        "/refuse": refuse,
        "/broken": broken,
        "/endless": endless,
        "/silent": silent,
        "/early": early,
        "/duplex": duplex,
    }


class PlainFetcher:
    """Sends every request to one origin, whatever host it names, on a connection of its own.

    `label` arrives as the header X-Fetcher: it tells bindings apart as a certificate would. Full duplex:
    a streamed body is sent by a second thread while the answer is read.
    """

    def __init__(self, origin: PlainOrigin, label: str = "") -> None:
        self._address = origin.address
        self._label = label

    def send(self, request: Outgoing) -> Incoming:
        """Return the origin's answer. Raises ConnectError."""
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        on_abandon = getattr(request, "on_abandon", None)
        try:
            connection.connect()
            peer = connection.sock
            if on_abandon is not None:
                on_abandon(lambda: _shut(peer))
            self._write(connection, request)
            return PlainAnswer(connection, connection.getresponse(), peer)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectError(f"no answer: {error!r}") from error

    def _write(self, connection: http.client.HTTPConnection, request: Outgoing) -> None:
        url = urlsplit(request.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", url.netloc), ("X-Fetcher", self._label), *request.headers):
            if name.lower() != "content-length":
                connection.putheader(name, value)
        if isinstance(request.body, bytes):
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            return
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        threading.Thread(target=_upload, args=(connection.sock, request.body), daemon=True).start()


class PlainAnswer:
    """An answer read as it comes (exchange.Incoming)."""

    def __init__(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, peer: socket.socket
    ) -> None:
        self._connection = connection
        self._response = response
        self._peer = peer
        self.status = response.status
        self.reason = response.reason
        self.headers: Headers = tuple(response.getheaders())

    def __iter__(self) -> Iterator[bytes]:
        try:
            while chunk := self._response.read1(65536):
                yield chunk
            if self._response.length:
                raise ConnectError("the body broke off")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectError("the body broke off") from error

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def abort(self) -> None:
        """End it from another thread: whoever reads wakes up."""
        _shut(self._peer)


class DeadFetcher:
    """Fails as a fetch does whose handshake was refused."""

    def send(self, _request: Outgoing) -> Incoming:
        """Raise ConnectError."""
        raise ConnectError("the handshake was refused")


def _upload(peer: socket.socket, body: Iterator[bytes]) -> None:
    try:
        for chunk in body:
            peer.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        peer.sendall(b"0\r\n\r\n")
    except (OSError, ConnectError):
        _shut(peer)


def _shut(peer: socket.socket) -> None:
    try:
        peer.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
