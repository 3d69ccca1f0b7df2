"""A response's body as plain data: JSON as a tree, text, a picture, or a size and the first bytes.

The body is whatever a worker or an origin sent, so it is looked at by content as well as by its
content-type, under bounds of size and depth. What may not live here: HTTP status, headers, widgets.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from ..worker.exchange import HttpResponse
from .text import counted, shortened, size, visible

TEXT_LIMIT = 60_000
IMAGE_LIMIT_BYTES = 400_000
NODE_LIMIT = 1_500
DEPTH_LIMIT = 40
STRING_LIMIT = 2_000
PREVIEW_BYTES = 64
OPEN_DEPTH = 2

# How each kind of picture begins → its media type. SVG is text and is shown as such.
IMAGES = {
    re.compile(rb"\x89PNG\r\n\x1a\n"): "image/png",
    re.compile(rb"\xff\xd8\xff"): "image/jpeg",
    re.compile(rb"GIF8[79]a"): "image/gif",
    re.compile(rb"RIFF.{4}WEBP", re.DOTALL): "image/webp",
}


_NOT_JSON = object()


class _Raw(str):
    """A JSON number as it was written: no precision is lost on the way to the reader."""


def body(response: HttpResponse) -> dict[str, Any]:
    """Return what to draw for a response's body.

    Shape: {"kind": "empty"} or "json" with "root", "text" with "text", "image" with "source",
    "bytes" with "hex"; each but the first with "size".
    """
    data = response.body
    if not data:
        return {"kind": "empty", "size": "no body"}
    about = {"size": size(len(data))}
    return about | (_image(data) or _json(response) or _text(data) or _bytes(data))


def body_text(response: HttpResponse) -> str:
    """Return the body as plain text: JSON indented, text as it is, anything else as its size."""
    value = _parsed(response)
    if value is not _NOT_JSON:
        return visible(_indented(value, "\n"), lines=True)
    drawn = body(response)
    return str(drawn["text"]) if drawn["kind"] == "text" else f"({_KINDS[drawn['kind']]}{drawn['size']})"


_KINDS = {"empty": "", "image": "a picture, ", "bytes": "binary, "}


def _image(data: bytes) -> dict[str, Any] | None:
    kind = next((name for start, name in IMAGES.items() if start.match(data)), "")
    if not kind or len(data) > IMAGE_LIMIT_BYTES:
        return None
    return {"kind": "image", "source": f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"}


def _json(response: HttpResponse) -> dict[str, Any] | None:
    value = _parsed(response)
    return None if value is _NOT_JSON else {"kind": "json", "root": _Tree(NODE_LIMIT).node("", value, 0)}


def _parsed(response: HttpResponse) -> Any:
    """Return the body as JSON with numbers as written and names in order, _NOT_JSON when it is none."""
    data = response.body
    declared = "json" in response.header("content-type").lower()
    if not data or len(data) > TEXT_LIMIT or not (declared or data.lstrip()[:1] in (b"{", b"[")):
        return _NOT_JSON
    try:
        value = json.loads(data, parse_int=_Raw, parse_float=_Raw, parse_constant=_Raw, object_pairs_hook=_Pairs)
        return value if _depth_fits(value) else _NOT_JSON
    except (ValueError, RecursionError):
        return _NOT_JSON


def _depth_fits(value: Any, depth: int = 0) -> bool:
    if depth > DEPTH_LIMIT:
        return False
    return all(_depth_fits(item, depth + 1) for _, item in _describe(value)[2])


def _indented(value: Any, newline: str) -> str:
    """Return JSON text with each item on a line of its own, two spaces in."""
    if isinstance(value, _Raw):
        return value
    if not isinstance(value, list) or not value:
        return "{}" if isinstance(value, _Pairs) else json.dumps(value, ensure_ascii=False)
    named = isinstance(value, _Pairs)
    inner = newline + "  "
    labels = (json.dumps(key, ensure_ascii=False) + ": " if named else "" for key, _ in _describe(value)[2])
    items = (label + _indented(item, inner) for label, (_, item) in zip(labels, _describe(value)[2], strict=True))
    opening, closing = "{}" if named else "[]"
    return opening + inner + ("," + inner).join(items) + newline + closing


def _text(data: bytes) -> dict[str, Any] | None:
    if b"\0" in data[:4096]:
        return None
    try:
        words = data[: 4 * TEXT_LIMIT].decode("utf-8", "strict" if len(data) <= 4 * TEXT_LIMIT else "ignore")
    except UnicodeDecodeError:
        return None
    return {"kind": "text", "text": shortened(visible(words, lines=True), TEXT_LIMIT)}


def _bytes(data: bytes) -> dict[str, Any]:
    return {"kind": "bytes", "hex": data[:PREVIEW_BYTES].hex(" "), "more": len(data) > PREVIEW_BYTES}


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its order and its repeated names kept."""


class _Tree:
    """A JSON value as nodes {"key", "text", "kind", "open", "children"}, at most `allowance` of them."""

    def __init__(self, allowance: int) -> None:
        self._left = allowance

    def node(self, key: str, value: Any, depth: int) -> dict[str, Any]:
        """Return the node of `value`, its children included as far as the allowance reaches."""
        self._left -= 1
        kind, words, inner = _describe(value)
        children = self._children(inner, depth)
        return {
            "key": visible(shortened(key, STRING_LIMIT)),
            "kind": kind,
            "text": words,
            "open": depth < OPEN_DEPTH,
            "children": children,
            "hidden": len(inner) - len(children),
        }

    def _children(self, inner: list[tuple[str, Any]], depth: int) -> list[dict[str, Any]]:
        nodes = []
        for key, value in inner:
            if self._left <= 0:
                break
            nodes.append(self.node(key, value, depth + 1))
        return nodes


def _describe(value: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """Return a JSON value's kind, its words, and what it holds."""
    if isinstance(value, _Pairs):
        return "object", "{ " + counted(len(value), "name") + " }" if value else "{}", value
    if isinstance(value, list):
        words = "[ " + counted(len(value), "item") + " ]" if value else "[]"
        return "array", words, [(str(i), item) for i, item in enumerate(value)]
    if isinstance(value, _Raw):
        return "number", shortened(value, STRING_LIMIT), []
    if isinstance(value, str):
        return "string", visible(shortened(json.dumps(value, ensure_ascii=False), STRING_LIMIT)), []
    return "literal", json.dumps(value), []
