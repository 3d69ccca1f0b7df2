"""What the origin answers, path by path: pure functions from what was asked to an answer.

An answer's body is an iterable, taken chunk by chunk as it is sent. No sockets, no h11, no TLS:
the facts about the connection arrive in `Asked.client`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..recorder.events import Agreed
from .context import ClientAuth

Headers = tuple[tuple[str, str], ...]

JSON = "application/json"
BLOCK = bytes(range(256)) * 64
MOST_BYTES = 1 << 30
MOST_CHUNKS = 1_000
MOST_HOPS = 100
MOST_SECONDS = 600.0
CHUNK_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Client:
    """What the connection tells about the client: TLS facts, SNI, and `request.cf.tlsClientAuth`."""

    agreed: Agreed
    server_name: str
    auth: dict[str, str | bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Header names are lower case; `body` can be taken once; `pause` waits some seconds."""

    method: str
    target: str
    headers: Headers
    body: Iterator[bytes]
    client: Client
    pause: Callable[[float], None]

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Return what follows the first "?", still encoded."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """Return the values of `name` (lower case) joined by ", ", "" if absent."""
        return ", ".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; without a Content-Length header its body goes out chunked."""

    status: int
    headers: Headers = ()
    body: Iterable[bytes] = ()


Route = Callable[[Asked, str], Answer]


def answer(asked: Asked, client_auth: ClientAuth) -> Answer:
    """Return what the origin says to `asked`, given how it treats client certificates."""
    if asked.method == "CONNECT":
        return as_json(405, {"error": "this is an origin, no proxy"})
    if client_auth == "http" and asked.client.auth["certVerified"] != "SUCCESS":
        return _forbidden(asked)
    head, _, rest = asked.path.lstrip("/").partition("/")
    return ROUTES.get(head, _describe)(asked, rest)


def as_json(status: int, value: object, *extra: tuple[str, str]) -> Answer:
    """Return `value` as a readable JSON answer."""
    text = (json.dumps(value, indent=2) + "\n").encode()
    return Answer(status, (("content-type", JSON), ("content-length", str(len(text))), *extra), (text,))


def _describe(asked: Asked, rest: str) -> Answer:
    agreed = asked.client.agreed
    return as_json(
        200,
        {
            "method": asked.method,
            "path": asked.path,
            "query": asked.query,
            "host": asked.header("host"),
            "headers": {name: asked.header(name) for name, _ in asked.headers},
            "body": _digest(asked.body),
            "tls": {
                "version": agreed.version,
                "cipher": agreed.cipher,
                "serverName": asked.client.server_name,
                "resumed": agreed.resumed,
            },
            "tlsClientAuth": asked.client.auth,
        },
    )


def _digest(body: Iterable[bytes]) -> dict[str, str | int]:
    digest, length = hashlib.sha256(), 0
    for chunk in body:
        digest.update(chunk)
        length += len(chunk)
    return {"sha256": digest.hexdigest(), "length": length}


def _forbidden(asked: Asked) -> Answer:
    verified = str(asked.client.auth["certVerified"])
    presented = asked.client.auth["certPresented"] == "1"
    error = (
        f"the client certificate was not accepted ({verified.removeprefix('FAILED:')})"
        if presented
        else "a client certificate is required"
    )
    return as_json(403, {"error": error, "tlsClientAuth": asked.client.auth})


def _headers(asked: Asked, rest: str) -> Answer:
    return as_json(200, {"headers": [[name, value] for name, value in asked.headers]})


def _echo(asked: Asked, rest: str) -> Answer:
    # With both framings chunked wins (RFC 9112 §6.3), and the length may be a lie.
    length = "" if asked.header("transfer-encoding") else asked.header("content-length")
    sized = (("content-length", length),) if length else ()
    content_type = asked.header("content-type") or "application/octet-stream"
    return Answer(200, (("content-type", content_type), *sized), asked.body)


def _status(asked: Asked, rest: str) -> Answer:
    number = _number(rest, 599)
    if number is None or number < 200:
        return _misused("/status/NNN, NNN from 200 to 599")
    if number in (204, 304):
        return Answer(int(number))
    return as_json(int(number), {"status": int(number)})


def _redirect(asked: Asked, rest: str) -> Answer:
    if not rest:
        return _see(dict(urllib.parse.parse_qsl(asked.query)).get("to") or "/")
    hops = _number(rest, MOST_HOPS)
    if hops is None or hops < 1:
        return _misused(f"/redirect?to=URL or /redirect/N, N from 1 to {MOST_HOPS}")
    return _see(f"/redirect/{int(hops) - 1}" if hops > 1 else "/")


def _see(location: str) -> Answer:
    safe = urllib.parse.quote(location, safe="%/:?#[]@!$&'()*+,;=~")
    return as_json(302, {"location": safe}, ("location", safe))


def _stream(asked: Asked, rest: str) -> Answer:
    count = _number(rest, MOST_CHUNKS)
    pause_s = _number(dict(urllib.parse.parse_qsl(asked.query)).get("pause", str(CHUNK_PAUSE_S)), MOST_SECONDS)
    if count is None or pause_s is None:
        return _misused(f"/stream/N?pause=SECONDS, N up to {MOST_CHUNKS}")
    return Answer(200, (("content-type", "text/plain; charset=utf-8"),), _chunks(asked, int(count), pause_s))


def _chunks(asked: Asked, count: int, pause_s: float) -> Iterator[bytes]:
    for number in range(1, count + 1):
        if number > 1:
            asked.pause(pause_s)
        yield f"chunk {number} of {count}\n".encode()


def _bytes(asked: Asked, rest: str) -> Answer:
    length = _number(rest, MOST_BYTES)
    if length is None:
        return _misused(f"/bytes/N, N up to {MOST_BYTES}")
    whole, part = divmod(int(length), len(BLOCK))
    body = itertools.chain(itertools.repeat(BLOCK, whole), (BLOCK[:part],))
    return Answer(200, (("content-type", "application/octet-stream"), ("content-length", str(int(length)))), body)


def _slow(asked: Asked, rest: str) -> Answer:
    seconds = _number(rest, MOST_SECONDS)
    if seconds is None:
        return _misused(f"/slow/S, S up to {MOST_SECONDS:g} seconds")
    asked.pause(seconds)
    return _describe(asked, "")


def _misused(usage: str) -> Answer:
    return as_json(400, {"error": f"use it as {usage}"})


def _number(text: str, most: float) -> float | None:
    """Return `text` as a number from 0 to `most`, None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= most else None


ROUTES: dict[str, Route] = {
    "bytes": _bytes,
    "echo": _echo,
    "headers": _headers,
    "redirect": _redirect,
    "slow": _slow,
    "status": _status,
    "stream": _stream,
}
