"""The module that a Python worker imports as `workers`, with the platform's names and behaviour.

The platform's own SDK needs the browser side of its runtime and cannot run here, so this is
a compatible one for CPython. Only what a worker may touch lives here; bodies are in `bodies`,
redirects in `hops`, and how a request reaches an origin is the engine's.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from http import HTTPMethod, HTTPStatus
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

from .bodies import Body, BodyUsedError, Source, to_source
from .forms import Blob, File, FormData
from .hops import (
    REDIRECTS,
    Arrival,
    FetchError,
    Leg,
    absolute,
    checked_method,
    checked_mode,
    current_ports,
    follow,
    is_token,
)

Headers = dict[str, str] | list[tuple[str, str]]
AnyHeaders = HTTPMessage | Mapping[str, str] | Iterable[tuple[str, str]]

_NULL_BODY_STATUSES = (101, 103, 204, 205, 304)  # Fetch standard §2.2.3

# Members of the platform's RequestInit that mean nothing here; any other name is a typing error.
_WITHOUT_MEANING = {"cache", "credentials", "duplex", "integrity", "keepalive", "mode", "priority", "referrer"}


class HttpStatusError(OSError):
    """`raise_for_status` on a response whose status is 400 or above."""

    def __init__(self, status: int, status_text: str, url: str) -> None:
        side = "Client" if status < 500 else "Server"
        super().__init__(f"{status} {side} Error: {status_text}" + (f" for url: {url}" if url else ""))
        self.status = status
        self.status_text = status_text
        self.url = url


class _JsonBothWays:
    """`Response.json(data)` makes a response, `await response.json()` reads one."""

    def __get__(self, instance: Response | None, owner: type[Response]) -> Any:
        return owner.from_json if instance is None else instance._parsed_json


class Request(Body):
    """A request, whether it came in or is about to go out.

    Raises TypeError for a URL, method, body or option that is none, ValueError for a header that is none.
    """

    url: str
    redirect: str
    cf: SimpleNamespace | None
    _method: str

    def __init__(
        self,
        input: str | Request,
        *,
        method: str | None = None,
        headers: AnyHeaders | None = None,
        body: Any = None,
        redirect: str | None = None,
        cf: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        _refuse_unknown(others)
        base = input if isinstance(input, Request) else None
        self.url = base.url if base else absolute(str(input))
        self._method = checked_method(method if method is not None else base._method if base else "GET")
        self.redirect = checked_mode(redirect or (base.redirect if base else "follow"))
        self.cf = SimpleNamespace(**cf) if cf is not None else base.cf if base else None
        inherited = base._source if base and body is None else None
        if self._method in ("GET", "HEAD") and (body is not None or (method and inherited)):
            raise TypeError("Request with a GET or HEAD method cannot have a body.")
        message = to_headers(headers if headers is not None else base.headers if base else None)
        source, media_type = to_source(body, "Request")
        _imply(message, media_type)
        super().__init__(base._take() if base and body is None else source, message)

    @property
    def method(self) -> HTTPMethod | str:
        """Return the method as http.HTTPMethod where it is a registered one."""
        with suppress(ValueError):
            return HTTPMethod(self._method)
        return self._method

    def clone(self) -> Request:
        """Return a copy whose body can be read too. Raises BodyUsedError."""
        source = self._shared()
        copy = Request(self.url, method=self._method, headers=self.headers, redirect=self.redirect)
        copy.cf, copy._source = self.cf, source
        return copy

    async def json(self, **options: Any) -> Any:
        """Return the body parsed as JSON. Raises json.JSONDecodeError."""
        return await self._parsed_json(**options)

    def __repr__(self) -> str:
        return f"Request(method={self._method!r}, url={self.url!r})"


class Response(Body):
    """A response, whether it came from an origin or is the worker's answer.

    Raises TypeError for a body that is none, ValueError for a status or header that is none.
    """

    def __init__(
        self,
        body: Any = None,
        status: int | HTTPStatus | None = None,
        status_text: str = "",
        headers: AnyHeaders | None = None,
    ) -> None:
        self.status = 200 if status is None else int(status)
        if not 200 <= self.status <= 599:
            raise ValueError(f"A Response has a status in the range of 200 to 599, not {self.status}.")
        if body is not None and self.status in _NULL_BODY_STATUSES:
            raise TypeError(f"Response with null body status ({self.status}) cannot have a body.")
        source, media_type = to_source(body, "Response")
        self.status_text = _checked_line(status_text, "status_text") or _phrase(self.status)
        self.url = ""
        self.redirected = False
        message = to_headers(headers)
        _imply(message, media_type)
        super().__init__(source, message)

    json = _JsonBothWays()

    @property
    def ok(self) -> bool:
        """Return whether the status is 200 to 299."""
        return 200 <= self.status <= 299

    @classmethod
    def from_json(
        cls, data: Any, status: int = 200, status_text: str = "", headers: AnyHeaders | None = None
    ) -> Response:
        """Return a response that carries `data` as JSON. Raises TypeError for what JSON cannot hold."""
        message = to_headers(headers)
        _imply(message, "application/json")
        return cls(json_module.dumps(data), status, status_text, message)

    @classmethod
    def redirect(cls, url: str, status: int = 302) -> Response:
        """Return a redirect to `url`. Raises ValueError for a status that is none, TypeError for a relative URL."""
        if int(status) not in REDIRECTS:
            raise ValueError(f"{int(status)} is not a redirect status code: {', '.join(map(str, REDIRECTS))}.")
        return cls(None, status, headers={"location": absolute(str(url))})

    def clone(self) -> Response:
        """Return a copy whose body can be read too. Raises BodyUsedError."""
        return self._copy(self._shared())

    def replace_body(self, body: Any) -> Response:
        """Return a copy with another body, the headers as they are. Raises TypeError."""
        source, media_type = to_source(body, "Response")
        copy = self._copy(source)
        _imply(copy.headers, media_type)
        return copy

    def raise_for_status(self) -> None:
        """Raise HttpStatusError when the status is 400 or above."""
        if self.status >= 400:
            raise HttpStatusError(self.status, self.status_text, self.url)

    def __repr__(self) -> str:
        media_type = self.headers.get("content-type")
        said = f", content_type={media_type!r}" if media_type else ""
        return f"Response(status={self.status}, status_text={self.status_text!r}{said})"

    def _copy(self, source: Source | None) -> Response:
        copy = Response(None, self.status, self.status_text, self.headers)
        copy.url, copy.redirected, copy._source = self.url, self.redirected, source
        return copy

    @classmethod
    def _of(cls, arrival: Arrival, url: str, redirected: bool, bodiless: bool) -> Response:
        made = cls.__new__(cls)  # what came over HTTP need not be checked as what a worker writes
        Body.__init__(made, None, _joined(arrival.headers))
        made.status, made.status_text, made.url, made.redirected = arrival.status, arrival.reason, url, redirected
        made._source = None if bodiless else Source(stream=arrival)
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
    current_ports().wait_until(work)


async def fetch(
    resource: str | Request,
    *,
    fetcher: Callable[..., Coroutine[Any, Any, Response]] | None = None,
    **options: Any,
) -> Response:
    """Return the origin's response. Without `fetcher` (a binding's fetch) no certificate is presented.

    `options` are those of Request: headers, body, method, redirect, cf.
    Raises FetchError when no response came, TypeError or ValueError for what cannot be fetched.
    """
    if fetcher is not None:
        return await fetcher(resource, **options)
    return await fetch_through("", resource, **options)


async def fetch_through(binding: str, resource: str | Request, **options: Any) -> Response:
    """Return the response to `resource` as fetched through `binding`, redirects followed hop by hop."""
    given = {name: value for name, value in options.items() if value is not None}
    request = resource if isinstance(resource, Request) and not given else Request(resource, **given)
    source = request._take()
    body = b"" if source is None else await source.whole() if source.is_held else source
    leg = Leg(binding, request._method, request.url, list(request.headers.items()), body)
    arrival, url, redirected = await follow(leg, request.redirect)
    bodiless = leg.method == "HEAD" or arrival.status in _NULL_BODY_STATUSES
    if bodiless:
        await arrival.discard()
    return Response._of(arrival, url, redirected, bodiless)


def to_headers(headers: AnyHeaders | None) -> HTTPMessage:
    """Return headers as `http.client` has them; a name's values become one, except those of Set-Cookie.

    Raises TypeError for what holds no pairs, ValueError for a name or value that cannot be sent.
    """
    checked = []
    for name, value in _pairs(headers):
        if not is_token(name):
            raise ValueError(f"{name!r} is not a name that a header can have.")
        checked.append((name, _checked_line(value, f"Header {name!r}")))
    return _joined(checked)


def _joined(headers: Iterable[tuple[str, str]]) -> HTTPMessage:
    message = HTTPMessage()
    seen: set[str] = set()
    for name, text in headers:
        lower = name.lower()
        if lower in seen and lower != "set-cookie":
            message.replace_header(name, f"{message[name]}, {text}")
        else:
            message.set_raw(name, text)  # as `message[name] = text`, without asking a mail policy about it
            seen.add(lower)
    return message


def _pairs(headers: AnyHeaders | None) -> list[tuple[str, str]]:
    listed: Any = headers.items() if isinstance(headers, HTTPMessage | Mapping) else headers or ()
    try:
        return [(str(name), str(value)) for name, value in listed]
    except (TypeError, ValueError):
        raise TypeError("Headers are a dict, or a list of (name, value) pairs.") from None


def _checked_line(value: str, what: str) -> str:
    text = value.strip(" \t")
    if text.isascii() and text.isprintable():
        return text
    if any(sign in text for sign in "\r\n\0"):
        raise ValueError(f"{what} holds a line break.")
    if not text.isascii() and any(ord(sign) > 255 for sign in text):
        raise ValueError(f"{what} holds a character beyond Latin-1: encode it, for instance with urllib.parse.quote.")
    return text


def _imply(message: HTTPMessage, media_type: str) -> None:
    if media_type and "content-type" not in message:
        message["content-type"] = media_type


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    if unknown := sorted(options.keys() - _WITHOUT_MEANING):
        raise TypeError(f"Request has no option {unknown[0]!r}: method, headers, body, redirect, cf.")


__all__ = [
    "Blob",
    "BodyUsedError",
    "FetchError",
    "File",
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
