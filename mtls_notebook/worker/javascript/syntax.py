"""Which of the three shapes a JavaScript cell has: that decides how workerd is given its text.

A cell that exports is a module. One that only listens (`addEventListener("fetch", …)`) is a service
worker: a script, or a module when it imports. No grammar lives here: comments and strings are set
aside, then keywords are looked for. What may not live here: running a cell, reporting its faults.
"""

from __future__ import annotations

import re
from typing import Literal

_QUOTES = "\"'`"

Shape = Literal["module", "service-worker", "service-worker-with-imports"]

# In order of appearance in the text, so that a quote in a comment opens nothing, nor a slash in a string.
_ASIDE = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`""",
    re.DOTALL | re.VERBOSE,
)
_EXPORTS = re.compile(r"(?:^|[;}])\s*export\s*(?:default\b|const\b|let\b|var\b|function\b|class\b|async\b|[{*])", re.M)
_LISTENS = re.compile(r"\baddEventListener\s*\(")
_IMPORTS = re.compile(r"""(?:^|[;}])\s*import\s*(?:[\w$]+\b|[{*"'])""", re.M)
_FOR_FETCH = re.compile(r"""\baddEventListener\s*\(\s*["'`]fetch["'`]""")


def shape(code: str) -> Shape:
    """Return the shape of a cell's JavaScript or TypeScript."""
    bare = _ASIDE.sub(_emptied, code)
    if _EXPORTS.search(bare) or not (_LISTENS.search(bare) and _FOR_FETCH.search(code)):
        return "module"
    return "service-worker-with-imports" if _IMPORTS.search(bare) else "service-worker"


def without_comments(code: str) -> str:
    """Return the code with its comments blanked and its strings kept."""
    return _ASIDE.sub(lambda found: found[0] if found[0][0] in _QUOTES else " " + "\n" * found[0].count("\n"), code)


def _emptied(found: re.Match[str]) -> str:
    """Return a string without its text, or a comment's line breaks."""
    text = found[0]
    return text[0] * 2 if text[0] in _QUOTES else " " + "\n" * text.count("\n")
