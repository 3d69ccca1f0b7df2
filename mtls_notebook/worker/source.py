"""From a cell's text to a WorkerSource: which language it is, and what it expects of `env`.

What may not live here: engines, and the notebook.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from ..errors import UsageError
from .exchange import HttpRequest, Language, WorkerSource
from .python.hops import absolute, is_token

# First match wins. A comment or a string may fool a pattern: --language decides then.
_SIGNS: tuple[tuple[Language, re.Pattern[str]], ...] = (
    ("python", re.compile(r"^\s*(async\s+def|def|class)\s+\w+.*:\s*(#.*)?$", re.M)),
    ("python", re.compile(r"^\s*from\s+workers\s+import\b", re.M)),
    (
        "ts",
        re.compile(
            r"^\s*(interface\s+\w+|type\s+\w+\s*=)|\bsatisfies\s+ExportedHandler|\(\s*\w+\s*:\s*Request\b",
            re.M,
        ),
    ),
    ("js", re.compile(r"^\s*export\s+(default|const|class|function|async|\{)|addEventListener\s*\(", re.M)),
    ("js", re.compile(r"^\s*(const|let|var|function|import\s+[\w{*].*from)\b|=>", re.M)),
)


def parse(code: str, language: Language | None = None, name: str = "cell") -> WorkerSource:
    """Return the source of a worker. Raises UsageError when there is no code."""
    if not code.strip():
        raise UsageError("The worker has no code.", "Write the worker in the cell, under the %%worker line.")
    return WorkerSource(language or detect(code), code, name)


def detect(code: str) -> Language:
    """Return the language that the code is written in."""
    for language, sign in _SIGNS:
        if sign.search(code):
            return language
    return "python" if _is_python(code) else "js"


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


_ENV_NAMES = re.compile(r"\b(?:env|environment)\s*(?:\?\.|\.)\s*([A-Za-z_$][\w$]*)")


def undeclared(source: WorkerSource, declared: set[str]) -> tuple[str, ...]:
    """Return the names that the code reads from `env` and that nothing declares, in order."""
    names = dict.fromkeys(_ENV_NAMES.findall(source.code))
    return tuple(name for name in names if name not in declared)


_REQUEST = re.compile(r"^(?:([A-Za-z]+)\s+)?(/\S*|https?://\S+)$")


def parse_request(line: str = "/", headers: tuple[str, ...] = (), body: bytes = b"") -> HttpRequest:
    """Return the request of `--request "METHOD /path"` and `--header 'K: V'`. Raises UsageError."""
    method, url = _asked(line)
    return HttpRequest(method or ("POST" if body else "GET"), url, tuple(_header(text) for text in headers), body)


@lru_cache(maxsize=1024)  # a worker is asked for few lines many times
def _asked(line: str) -> tuple[str, str]:
    """Return the method, "" where the line says none, and the URL."""
    match = _REQUEST.match(line.strip())
    if match is None:
        raise UsageError(f"{line!r} is no request.", 'Write it as --request "GET /path".')
    url = match[2] if match[2].startswith("http") else f"https://worker.local{match[2]}"
    try:
        absolute(url)
    except TypeError as error:
        raise UsageError(f"{error}.", "Write it as --request 'GET /path' or 'GET https://host/path'.") from None
    return (match[1] or "").upper(), url


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not is_token(name.strip()) or not text.isprintable() or any(ord(sign) > 255 for sign in text):
        raise UsageError(f"{text!r} is no header.", "Write it as --header 'Name: value'.")
    return name.strip(), value.strip()
