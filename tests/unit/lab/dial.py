"""How the lab's tests reach an origin: Python's ssl and http.client, independent of the package.

What may not live here: anything from mtls_notebook.lab but the values it is handed.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

WAIT_S = 10.0
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def context(folder: Path, client: tuple[Path, Path] | None = None, version: str | None = None) -> ssl.SSLContext:
    """Return a client context that trusts the lab in `folder`, with `client` as its certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(folder / "ca.pem")
    if client:
        made.load_cert_chain(*client)
    if version:
        made.minimum_version = made.maximum_version = VERSIONS[version]
    return made


@contextmanager
def dial(
    port: int,
    tls: ssl.SSLContext,
    host: str = "example-secure-origin.com",
    session: ssl.SSLSession | None = None,
) -> Iterator[ssl.SSLSocket]:
    """Yield a TLS connection to the loopback `port`, asking for `host`."""
    with (
        socket.create_connection(("127.0.0.1", port), WAIT_S) as plain,
        tls.wrap_socket(plain, server_hostname=host, session=session) as sock,
    ):
        yield sock


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body parsed as JSON."""
        return json.loads(self.body)


def ask(
    sock: socket.socket,
    target: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Reply:
    """Send one request on `sock` and return the response."""
    length = [("content-length", str(len(body)))] if body else []
    lines = [f"{name}: {value}" for name, value in (("host", "example.com"), *headers, *length)]
    sock.sendall("\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + body)
    return read_reply(sock, method)


def read_reply(sock: socket.socket, method: str = "GET") -> Reply:
    """Return the next response on `sock`."""
    response = HTTPResponse(sock, method=method)
    try:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, response.read())
    finally:
        response.close()
