"""A URL taken apart, and the head of a request to it: where to connect, what to ask for, which headers frame it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import httpx

from ...errors import ConnectError
from ..exchange import Outgoing
from .carrier import Head
from .connections import Origin


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart: where to connect, what to ask for, and how the Host header spells it."""

    origin: Origin
    target: bytes
    host_header: bytes


PORTS = {"https": 443, "http": 80}


@lru_cache(maxsize=1024)  # a worker asks for few URLs many times
def place_of(text: str) -> Place:
    """Return the URL with an ASCII host (IDNA) and an encoded target. Raises ConnectError."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConnectError(f"{text!r} is no URL: {error}", "Write it whole: https://host/path") from error
    if url.scheme not in PORTS or not url.host:
        raise ConnectError(f"{text!r} cannot be fetched.", "Use an absolute https:// (or http://) URL.")
    host = url.raw_host.decode("ascii")
    origin = Origin(url.scheme, host, url.port or PORTS[url.scheme])
    spelled = f"[{host}]" if ":" in host else host
    usual = origin.port == PORTS[url.scheme]
    return Place(origin, url.raw_path, (spelled if usual else f"{spelled}:{origin.port}").encode())


BODY_METHODS = {"POST", "PUT", "PATCH"}  # RFC 9110 §8.6: these say Content-Length: 0 for an empty body


def head_of(request: Outgoing, place: Place) -> tuple[Head, bytes | Iterable[bytes]]:
    """Return the request's head with Host and framing, and its body. Raises ConnectError for a bad header."""
    headers = [(b"Host", place.host_header)]
    framed = False
    for name, value in request.headers:
        lower = name.lower()
        framed = framed or lower in ("content-length", "transfer-encoding")
        if lower != "host":
            headers.append((name.encode("latin-1"), value.encode("latin-1")))
    body = request.body
    if not framed:
        if not isinstance(body, bytes):
            headers.append((b"Transfer-Encoding", b"chunked"))
        elif body or request.method in BODY_METHODS:
            headers.append((b"Content-Length", str(len(body)).encode()))
    return Head(request.method, place.target, headers), body
