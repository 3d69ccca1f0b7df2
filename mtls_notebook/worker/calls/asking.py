"""What people write for a request, made into one: a path, "METHOD /path", a dict, or an HttpRequest.

What may not live here: sending it.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from math import isnan
from typing import Any

from ...errors import UsageError
from ..exchange import HttpRequest
from ..source import parse_request

Asked = HttpRequest | str | Mapping[str, Any]

PLACES = ("request", "url", "path")  # how a dict may call where it goes
KEYS = (*PLACES, "method", "headers", "body", "json")
OWN_ORIGIN = "https://worker.local"


def as_request(
    asked: Asked = "/",
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | str = b"",
    json: Any = None,
) -> HttpRequest:
    """Return the request; an HttpRequest is taken as it is. Raises UsageError.

    A dict has the names of these parameters as keys; a value that is None or NaN (a row of a DataFrame has such)
    is not there. `json` becomes the body, with its content type.
    """
    if isinstance(asked, HttpRequest):
        return asked
    if isinstance(asked, Mapping):
        return as_request(**_arguments(asked))
    if not isinstance(asked, str):
        raise UsageError(f"A {type(asked).__name__} is no request.", 'Write "/path", "METHOD /path", or a dict.')
    named = dict(headers or {})
    if json is not None:
        body = _as_json(json)
        if not any(name.lower() == "content-type" for name in named):
            named["Content-Type"] = "application/json"
    data = body.encode() if isinstance(body, str) else body
    if not isinstance(data, bytes):
        raise UsageError(f"A body is text or bytes, not {type(data).__name__}.", "Send other values with json=…")
    parsed = parse_request(f"{method} {asked}" if method else asked, (), data)
    return HttpRequest(parsed.method, parsed.url, tuple(named.items()), data)


def words(request: Asked) -> str:
    """Return a request in short, "GET /orders", for a table."""
    if isinstance(request, HttpRequest):
        return f"{request.method} {request.url.removeprefix(OWN_ORIGIN)}"
    return str(request) if isinstance(request, str) else type(request).__name__


def _arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    given = {str(key): value for key, value in asked.items() if not _is_missing(value)}
    if unknown := [key for key in given if key not in KEYS]:
        raise UsageError(f"A request has no {unknown[0]!r}.", f"It may have: {', '.join(KEYS)}.")
    places = [given.pop(key) for key in PLACES if key in given]
    if len(places) > 1:
        raise UsageError("The request says twice where it goes.", f"Keep one of {', '.join(PLACES)}.")
    return {"asked": places[0] if places else "/", **given}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _as_json(value: Any) -> bytes:
    try:
        return json_text.dumps(value).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"json= cannot be written as JSON: {error}.", "Use numbers, text, lists and dicts.") from None
