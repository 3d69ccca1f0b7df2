"""The origin of the worker corpus: HTTPS on loopback that requires a client certificate and names whose it was.

It must be the same for both runtimes that are compared, and bad in ways that no real server is on demand: it
breaks off, resets, stays silent. What may not live here: tests, and anything from the package.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.live.material import Pki

LIMIT_S = 20.0  # of silence


class CorpusOrigin:
    """A running origin; `url` names it by host name. Close it, or `restart` it on the same port."""

    def __init__(self, pki: Pki) -> None:
        self.answered = Count()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.server.cert, pki.server.key)
        context.load_verify_locations(pki.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._context = context
        self.port = 0
        self._open()
        self.url = f"https://localhost:{self.port}"

    def _open(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.context = self._context
        self._server.answered = self.answered
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def restart(self) -> None:
        """End every connection and the listener, and listen again."""
        self.close()
        self._open()

    def close(self) -> None:
        """Stop serving, end the connections, and wait for the threads."""
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class Count:
    """A number that grows, and can be waited for."""

    def __init__(self) -> None:
        self._number = 0
        self._news = threading.Condition()

    def add(self) -> None:
        with self._news:
            self._number += 1
            self._news.notify_all()

    def wait_for(self, number: int, limit_s: float) -> bool:
        """Return whether the count came to `number` within `limit_s` seconds."""
        with self._news:
            return self._news.wait_for(lambda: self._number >= number, limit_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # `server_close` joins them
    request_queue_size = 256
    context: ssl.SSLContext
    answered: Count

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def forget(self, peer: socket.socket) -> None:
        with self._lock:
            self._open.discard(peer)

    def hang_up(self) -> None:
        with self._lock:
            for peer in self._open:
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close without a FIN of its own: after /reset the close itself is the reset."""
        self.forget(request)
        self.close_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that leaves, or is refused, is no fault of a server under test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: ssl.SSLSocket

    def setup(self) -> None:
        self.raw: socket.socket = self.request
        self.raw.settimeout(LIMIT_S)
        self.request = self.server.context.wrap_socket(self.raw.dup(), server_side=True)  # what is wrapped is detached
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def answer(self) -> None:
        head, _, self.rest = urlsplit(self.path).path.lstrip("/").partition("/")
        self.query = dict(parse_qsl(urlsplit(self.path).query))
        self.server.answered.add()
        self.PATHS.get(head, type(self).describe)(self)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = answer

    # ---- what is asked

    def client(self) -> str:
        """Return the common name in the certificate that was presented."""
        names: tuple[tuple[tuple[str, str], ...], ...] = (self.connection.getpeercert() or {})["subject"]  # type: ignore[assignment]
        return dict(pair for names_ in names for pair in names_)["commonName"]

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def chunks(self) -> Iterator[bytes]:
        while length := int(self.rfile.readline(), 16):
            yield self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()

    # ---- answers, by the first part of the path

    def describe(self) -> None:
        body = self.body()
        seen = {
            "client": self.client(),
            "method": self.command,
            "target": self.path,
            "headers": sorted([name.lower(), value] for name, value in self.headers.items()),
            "body": body.decode("latin-1"),
        }
        self.whole(json.dumps(seen).encode(), ("Content-Type", "application/json"))

    def who(self) -> None:
        self.body()
        self.whole(self.client().encode(), ("Content-Type", "text/plain"))

    def status(self) -> None:
        self.body()
        number = int(self.rest)
        if number in (204, 304):
            self.send_response(number)
            self.end_headers()
        else:
            self.whole(f"status {number}".encode(), ("Content-Type", "text/plain"), status=number)

    def redirect(self) -> None:
        self.body()
        to = self.query.get("to", "/").replace("@PORT@", str(self.server.server_address[1]))
        self.whole(b"elsewhere", ("Location", to), status=int(self.rest or 302))

    def loop(self) -> None:
        self.whole(b"", ("Location", self.path), status=302)

    def compressed(self) -> None:
        self.whole(gzip.compress(b"plain text", mtime=0), ("Content-Type", "text/plain"), ("Content-Encoding", "gzip"))

    def brotli(self) -> None:
        self.whole(stored_brotli(b"plain text"), ("Content-Type", "text/plain"), ("Content-Encoding", "br"))

    def deflated_badly(self) -> None:
        self.whole(b"not gzip at all", ("Content-Type", "text/plain"), ("Content-Encoding", "gzip"))

    def cookies(self) -> None:
        self.whole(
            b"", ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2, c; HttpOnly"), ("X-Twice", "1"), ("X-Twice", "2")
        )

    def large_headers(self) -> None:
        self.whole(b"", *((f"X-Large-{n}", "v" * 1000) for n in range(int(self.rest))))

    def latin(self) -> None:
        self.whole("naïve".encode("latin-1"), ("Content-Type", "text/plain; charset=iso-8859-1"))

    def many_bytes(self) -> None:
        self.whole(bytes(range(256)) * (int(self.rest) // 256), ("Content-Type", "application/octet-stream"))

    def stream(self) -> None:
        self.begin()
        for number in range(int(self.rest)):
            self.chunk(f"chunk {number}\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    def echo(self) -> None:
        """Echo while reading: full duplex."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            self.whole(self.body(), ("Content-Type", self.headers.get("Content-Type", "none/none")))
            return
        self.begin()
        for data in self.chunks():
            self.chunk(data)
        self.wfile.write(b"0\r\n\r\n")

    def broken(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def silent(self) -> None:
        self.connection.recv(1)  # returns when the client hangs up
        self.close_connection = True

    def no_http(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n")
        self.close_connection = True

    # ---- writing

    def whole(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None: ...

    PATHS: ClassVar[dict[str, Callable[[_Handler], None]]] = {
        "bad-gzip": deflated_badly,
        "br": brotli,
        "broken": broken,
        "bytes": many_bytes,
        "cookies": cookies,
        "echo": echo,
        "gzip": compressed,
        "large-headers": large_headers,
        "latin": latin,
        "loop": loop,
        "no-http": no_http,
        "redirect": redirect,
        "reset": reset,
        "silent": silent,
        "status": status,
        "stream": stream,
        "who": who,
    }


def stored_brotli(data: bytes) -> bytes:
    """Return `data` (at most 64 kB) as one uncompressed meta-block and an empty last one (RFC 7932 §9.2)."""
    header = (len(data) - 1) << 4 | 1 << 20
    return header.to_bytes(3, "little") + data + b"\x03"
