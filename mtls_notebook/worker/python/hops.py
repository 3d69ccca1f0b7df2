"""A worker's fetch from hop to hop: which URLs and methods are fetched, and what a redirect leaves of a request.

How one hop reaches an origin is behind `Ports`, which the engine sets for each invocation.
What may not live here: threads, connections, and the classes that a worker sees.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

from .bodies import Source, Stream

Pairs = list[tuple[str, str]]

REDIRECTS = (301, 302, 303, 307, 308)
_MODES = ("follow", "manual")  # "error" is refused in production: look at the status instead
_MOST_REDIRECTS = 20  # Fetch standard §4.4
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 §5.6.2
_NOT_IN_A_HOST = re.compile(r"[\x00-\x20<>^|%\x7f]")  # URL standard §3.1, as far as urlsplit lets it pass

# What workerd knows as a method, but TRACE (Fetch standard §2.2.1 forbids it): others fail in production too.
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE", "QUERY", "SEARCH", "BAN"}
_METHODS |= {"COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK", "ACL", "REPORT", "MKACTIVITY"}
_METHODS |= {"CHECKOUT", "MERGE", "MSEARCH", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE"}

# They describe one connection or one encoding of a body: the next connection has its own.
OF_A_CONNECTION = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_LEFT_BEHIND = OF_A_CONNECTION | {"host", "content-length"}
_OF_THE_BODY = {"content-encoding", "content-language", "content-location", "content-type"}
_OF_THE_ORIGIN = {"authorization", "cookie", "proxy-authorization"}


class FetchError(OSError):
    """A subrequest that came to nothing. The worker learns no more than in production; the cell shows the cause."""


class Arrival(Stream, Protocol):
    """What one hop came back with; `discard` lets go of a body that nobody reads."""

    status: int
    reason: str
    headers: Pairs

    async def discard(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Leg:
    """One hop to be made, through the binding of that name ("": the global fetch)."""

    binding: str
    method: str
    url: str
    headers: Pairs
    body: bytes | Source = b""  # a source is a stream: it can be sent once


@dataclass(frozen=True, slots=True)
class Ports:
    """How a worker's calls reach the world: one hop of a subrequest, and work that outlives the response."""

    hop: Callable[[Leg], Awaitable[Arrival]]
    wait_until: Callable[[Awaitable[Any]], None]


_current: ContextVar[Ports] = ContextVar("ports")


def open_ports(ports: Ports) -> None:
    """Make `ports` those of this task and of every task it starts."""
    _current.set(ports)


def current_ports() -> Ports:
    """Return the ports of the invocation under way. Raises RuntimeError outside of one."""
    found = _current.get(None)
    if found is None:
        raise RuntimeError("fetch and waitUntil work only while the worker answers a request.")
    return found


async def follow(leg: Leg, mode: str) -> tuple[Arrival, str, bool]:
    """Return the last answer, its URL, and whether there was a redirect before it.

    Raises FetchError, TypeError. Source: Fetch standard §4.4 (HTTP-redirect fetch).
    """
    leg = Leg(leg.binding, leg.method, urldefrag(leg.url)[0], _fit_to_travel(leg.headers), leg.body)
    for hops in range(_MOST_REDIRECTS + 1):
        arrival = await current_ports().hop(leg)
        location = next((value for name, value in arrival.headers if name.lower() == "location"), None)
        if arrival.status not in REDIRECTS or location is None or mode == "manual":
            return arrival, leg.url, hops > 0
        await arrival.discard()
        leg = _next_leg(leg, arrival.status, absolute(location, leg.url))
    raise TypeError(f"Too many redirects: more than {_MOST_REDIRECTS}.")


def _next_leg(leg: Leg, status: int, url: str) -> Leg:
    dropped: set[str] = set()
    method = leg.method
    body: bytes | Source = leg.body
    if (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD")):
        method, body, dropped = "GET", b"", dropped | _OF_THE_BODY
    if isinstance(body, Source):
        raise TypeError(f"The origin redirects with {status}, and a streamed body cannot be sent a second time.")
    if _origin(leg.url) != _origin(url):
        dropped |= _OF_THE_ORIGIN
    headers = [(name, value) for name, value in leg.headers if name.lower() not in dropped]
    return Leg(leg.binding, method, urldefrag(url)[0], headers, body)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]


def _fit_to_travel(headers: Pairs) -> Pairs:
    return [(name, value) for name, value in headers if name.lower() not in _LEFT_BEHIND]


@lru_cache(maxsize=1024)  # a worker asks for few URLs many times
def absolute(url: str, base: str = "") -> str:
    """Return `url` (seen from `base`), its host in lower case. Raises TypeError for what cannot be fetched."""
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TypeError(f"Invalid URL: {url!r} ({error})") from None
    if not parts.scheme or not host:
        raise TypeError(f"Invalid URL: {url!r} (write it whole: https://host/path)")
    if odd := _NOT_IN_A_HOST.search(host):
        raise TypeError(f"Invalid URL: {url!r} (no host has {odd[0]!r} in its name)")
    if parts.scheme not in ("http", "https"):
        raise TypeError(f"Fetch API cannot load: {url!r} (only https:// and http://)")
    name, at, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{name}{at}{place.lower()}", path=parts.path or "/"))


def checked_method(method: str) -> str:
    """Return the method in capitals. Raises TypeError for one that cannot be fetched."""
    named = str(getattr(method, "value", method)).upper()
    if named not in _METHODS:
        raise TypeError(f"{method!r} is not a method that can be fetched.")
    return named


def checked_mode(mode: str) -> str:
    """Return the redirect mode. Raises TypeError for one that is none."""
    if mode not in _MODES:
        raise TypeError(f"redirect={mode!r} is none of {', '.join(_MODES)} (with manual, look at the status).")
    return mode


@lru_cache(maxsize=1024)
def is_token(name: str) -> bool:
    """Return whether `name` can be a header's name."""
    return _TOKEN.fullmatch(name) is not None
