"""The module that a Python worker imports as `workers`, with the platform's names and behaviour.

The platform's own SDK needs the browser side of its runtime and cannot run here, so this is
a compatible one for CPython. Only what a worker may touch lives here; how a request reaches
an origin is behind `_Ports`, which the engine sets for each program.
"""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from email.message import Message as HeaderMessage
from http import HTTPMethod, HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from .forms import Blob, FormData, encode_multipart, parse_multipart

Headers = dict[str, str] | list[tuple[str, str]]
Pairs = list[tuple[str, str]]
Raw = bytes  # the classes below have methods of that name

_NULL_BODY_STATUSES = {101, 204, 205, 304}
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 20  # as the Fetch standard says (§4.4)


class FetchError(OSError):
    """A subrequest that came to nothing. The worker learns no more than in production; the cell shows the cause."""


class BodyUsedError(OSError):
    """The body was read already."""


class HttpStatusError(OSError):
    """`raise_for_status` on a response whose status is 400 or above."""


@dataclass(frozen=True, slots=True)
class Ports:
    """How a worker's calls reach the world: one hop of a subrequest, and work that outlives the response."""

    hop: Callable[[str, str, str, Pairs, bytes], Awaitable[_Hop]]
    wait_until: Callable[[Awaitable[Any]], None]


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one hop of a fetch came back with; `read` yields the decoded body."""

    status: int
    reason: str
    headers: Pairs
    read: Callable[[], Awaitable[bytes]]


Hop = _Hop
ports: ContextVar[Ports] = ContextVar("ports")


class _Body:
    """What Request and Response share: a body that can be read once."""

    def __init__(self, read: Callable[[], Awaitable[Raw]] | Raw, headers: HeaderMessage) -> None:
        self._read = read
        self.headers = headers
        self.body_used = False

    async def bytes(self) -> Raw:
        """Return the whole body. Raises BodyUsedError the second time."""
        if self.body_used:
            raise BodyUsedError("Body has already been used")
        self.body_used = True
        return self._read if isinstance(self._read, Raw) else await self._read()

    async def buffer(self) -> Raw:
        """Return the whole body (the platform's ArrayBuffer is bytes here)."""
        return await self.bytes()

    async def text(self) -> str:
        """Return the body as UTF-8 text."""
        return (await self.bytes()).decode("utf-8", "replace")

    async def blob(self) -> Blob:
        """Return the body with its media type."""
        return Blob([await self.bytes()], content_type=self.headers.get("content-type", ""))

    async def form_data(self) -> FormData:
        """Return a multipart or urlencoded body's fields. Raises TypeError for another media type."""
        kind = self.headers.get("content-type", "")
        data = await self.bytes()
        if kind.startswith("multipart/form-data"):
            return parse_multipart(data, kind)
        if kind.startswith("application/x-www-form-urlencoded"):
            return FormData(parse_qsl(data.decode(), keep_blank_values=True))
        raise TypeError(f"Unrecognized Content-Type for form data: {kind!r}")

    async def _keep(self) -> Raw:
        """Read the body without using it up, so that a clone can have it too."""
        if self.body_used:
            raise BodyUsedError("Body has already been used")
        if not isinstance(self._read, Raw):
            self._read = await self._read()
        return self._read

    @property
    def body(self) -> AsyncIterator[Raw] | None:
        """Return the body as an asynchronous iterator of one chunk, None when there is none."""
        return None if self._read == b"" else self._chunks()

    async def _chunks(self) -> AsyncIterator[Raw]:
        yield await self.bytes()


class _JsonBothWays:
    """`Response.json(data)` makes a response, `await response.json()` reads one."""

    def __get__(self, instance: Any, owner: type[Response]) -> Any:
        return owner.from_json if instance is None else instance._parse_json


class Request(_Body):
    """A request, whether it came in or is about to go out."""

    def __init__(
        self,
        input: str | Request,
        *,
        method: str | None = None,
        headers: Headers | HeaderMessage | None = None,
        body: Any = None,
        redirect: str = "follow",
        cf: Mapping[str, Any] | None = None,
        **_ignored: Any,
    ) -> None:
        inherited = input if isinstance(input, Request) else None
        self.url: str = inherited.url if inherited else str(input)
        self._method: str = (method or (inherited._method if inherited else "GET")).upper()
        self.redirect = redirect
        self.cf = SimpleNamespace(**cf) if cf else SimpleNamespace()
        message = to_headers(headers if headers is not None else (inherited.headers if inherited else None))
        data, media_type = to_body(body)
        if media_type and "content-type" not in message:
            message["content-type"] = media_type
        read: Any = data if body is not None or inherited is None else inherited._keep
        super().__init__(read, message)

    @property
    def method(self) -> HTTPMethod | str:
        """Return the method as http.HTTPMethod where it is a registered one."""
        try:
            return HTTPMethod(self._method)
        except ValueError:
            return self._method

    def clone(self) -> Request:
        """Return a copy whose body can be read too."""
        return Request(self)

    async def json(self, **options: Any) -> Any:
        """Return the body parsed as JSON."""
        return json_module.loads(await self.text(), **options)


class Response(_Body):
    """A response, whether it came from an origin or is the worker's answer."""

    def __init__(
        self,
        body: str | bytes | FormData | Blob | None = None,
        status: int | HTTPStatus | None = None,
        status_text: str = "",
        headers: Headers | HeaderMessage | None = None,
    ) -> None:
        self.status = int(status or 200)
        if not 200 <= self.status <= 599:
            raise ValueError(
                f"Responses may only be constructed with status codes in the range 200 to 599, not {self.status}"
            )
        data, media_type = to_body(body)
        if data and self.status in _NULL_BODY_STATUSES:
            raise TypeError(f"Response with null body status ({self.status}) cannot have a body.")
        self.status_text = status_text
        self.url = ""
        self.redirected = False
        message = to_headers(headers)
        if media_type and "content-type" not in message:
            message["content-type"] = media_type
        super().__init__(data, message)

    json = _JsonBothWays()

    @property
    def ok(self) -> bool:
        """Return whether the status is 200 to 299."""
        return 200 <= self.status <= 299

    @classmethod
    def from_json(cls, data: Any, status: int = 200, status_text: str = "", headers: Headers | None = None) -> Response:
        """Return a response that carries `data` as JSON."""
        made = cls(json_module.dumps(data), status, status_text, headers)
        if "content-type" not in to_headers(headers):
            del made.headers["content-type"]
            made.headers["content-type"] = "application/json"
        return made

    @classmethod
    def redirect(cls, url: str, status: int = 302) -> Response:
        """Return a redirect to `url`. Raises ValueError for a status that is none."""
        if status not in _REDIRECTS:
            raise ValueError(f"{status} is not a redirect status code.")
        return cls(None, status, headers={"location": url})

    def clone(self) -> Response:
        """Return a copy whose body can be read too. Raises BodyUsedError."""
        if self.body_used:
            raise BodyUsedError("Body has already been used")
        return self._with(self._keep)

    def replace_body(self, body: str | bytes | FormData | None) -> Response:
        """Return a copy with another body."""
        return self._with(to_body(body)[0])

    def raise_for_status(self) -> None:
        """Raise HttpStatusError when the status is 400 or above."""
        if self.status >= 400:
            raise HttpStatusError(f"{self.status} {self.status_text}".rstrip())

    async def _parse_json(self, **options: Any) -> Any:
        return json_module.loads(await self.text(), **options)

    def _with(self, read: Any) -> Response:
        copy = Response(None, 200, self.status_text, self.headers)
        copy.status, copy.url, copy.redirected, copy._read = self.status, self.url, self.redirected, read
        return copy

    @classmethod
    def _of_hop(cls, hop: Hop, url: str, redirected: bool) -> Response:
        made = cls(None, 200, hop.reason, hop.headers)
        made.status, made.url, made.redirected, made._read = hop.status, url, redirected, hop.read
        return made


class WorkerEntrypoint:
    """Base of `class Default(WorkerEntrypoint)`: the platform hands over `ctx` and `env`."""

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


def handler(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an `on_fetch` function as the worker's handler (kept for older code: it changes nothing here)."""
    return function


def waitUntil(work: Awaitable[Any]) -> None:
    """Let `work` go on after the response was given."""
    ports.get().wait_until(work)


async def fetch(
    resource: str | Request,
    *,
    headers: Headers | None = None,
    body: Any = None,
    method: str | None = None,
    redirect: str | None = None,
    cf: Mapping[str, Any] | None = None,
    fetcher: Callable[..., Coroutine[Any, Any, Response]] | None = None,
) -> Response:
    """Return the origin's response. Without `fetcher` (a binding's fetch) no certificate is presented.

    Raises FetchError when no response came, TypeError for what cannot be fetched.
    """
    given = {"headers": headers, "body": body, "method": method, "redirect": redirect, "cf": cf}
    options = {name: value for name, value in given.items() if value is not None}
    if fetcher is not None:
        return await fetcher(resource, **options)
    return await fetch_through("", resource, **options)


async def fetch_through(binding: str, resource: str | Request, **options: Any) -> Response:
    """Return the response to `resource` as fetched through `binding`, redirects followed hop by hop."""
    request = Request(resource, **options) if options or not isinstance(resource, Request) else resource
    check_url(request.url)
    method, url = request._method, request.url
    headers = [(name, value) for name, value in request.headers.items()]
    data = await request.bytes()
    if data and method in ("GET", "HEAD"):
        raise TypeError(f"Request with a {method} or HEAD method cannot have a body.")
    for hops in range(_MOST_REDIRECTS + 1):
        hop = await ports.get().hop(binding, method, url, headers, data)
        location = next((v for k, v in hop.headers if k.lower() == "location"), None)
        if hop.status not in _REDIRECTS or location is None or request.redirect == "manual":
            return Response._of_hop(hop, url, redirected=hops > 0)
        if request.redirect == "error":
            raise TypeError("Unexpected redirect: the request says redirect='error'.")
        await hop.read()
        before, url = url, urljoin(url, location)
        method, data, headers = _next_hop(hop.status, method, data, headers, before, url)
    raise TypeError(f"Too many redirects: more than {_MOST_REDIRECTS}.")


def _next_hop(
    status: int, method: str, data: bytes, headers: Pairs, before: str, after: str
) -> tuple[str, bytes, Pairs]:
    """Return what a redirect leaves of the request (Fetch standard §4.4)."""
    dropped: set[str] = set()
    if (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD")):
        method, data = "GET", b""
        dropped |= {"content-type", "content-length", "content-encoding", "content-language"}
    if urlsplit(before)[:2] != urlsplit(after)[:2]:
        dropped |= {"authorization", "cookie"}
    return method, data, [(name, value) for name, value in headers if name.lower() not in dropped]


def check_url(url: str) -> None:
    """Raise TypeError for a URL that is not absolute http or https."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TypeError(f"Fetch API cannot load: {url!r} is no absolute http(s) URL.")


def to_headers(
    headers: Headers | HeaderMessage | Mapping[str, str] | Iterable[tuple[str, str]] | None,
) -> HeaderMessage:
    """Return headers as the message type that `http.client` uses. Raises ValueError for a line break in one."""
    message = HeaderMessage()
    pairs: Any = headers.items() if isinstance(headers, HeaderMessage | Mapping) else headers or ()
    for name, value in pairs:
        if {"\r", "\n", "\0"} & set(f"{name}{value}"):
            raise ValueError(f"Header {str(name)!r} holds a line break.")
        message[str(name)] = str(value)
    return message


def to_body(body: Any) -> tuple[bytes, str]:
    """Return a body's bytes and the media type it implies. Raises TypeError for what cannot be a body."""
    match body:
        case None:
            return b"", ""
        case str():
            return body.encode(), "text/plain;charset=UTF-8"
        case bytes() | bytearray() | memoryview():
            return bytes(body), ""
        case FormData():
            return encode_multipart(body)
        case Blob():
            return body.content, body.content_type
    raise TypeError(f"Unsupported type in Response: {type(body).__name__}")


__all__ = [
    "Blob",
    "BodyUsedError",
    "FetchError",
    "FormData",
    "Headers",
    "HttpStatusError",
    "Request",
    "Response",
    "WorkerEntrypoint",
    "fetch",
    "handler",
    "waitUntil",
]
