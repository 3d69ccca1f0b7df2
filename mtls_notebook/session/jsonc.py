"""JSON with comments and trailing commas, as wrangler.jsonc is written.

Comments and trailing commas are replaced by blanks of the same length, so that line and column in an
error are those of the user's file. What may not live here: anything about wrangler.
"""

from __future__ import annotations

import json
import re

from ..errors import ConfigError

# A string runs to its closing quote, or to the end of the text when that is missing: json then says so.
_STRING = r'"(?:\\.|[^"\\])*+(?:"|\Z)'
_COMMENTS = re.compile(rf"({_STRING})|//[^\r\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMAS = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)
_NOT_A_LINE_END = re.compile(r"[^\r\n]")


def parse(text: str, label: str) -> object:
    """Return the value that `text` holds.

    Raises: ConfigError with `label`, line and column.
    """
    try:
        return json.loads(without_comments(text, label))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{label} is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
            "Look at that line; a comma or a quotation mark before it may be missing.",
        ) from error


def without_comments(text: str, label: str) -> str:
    """Return `text` with comments and trailing commas blanked out, every other character in its place.

    Raises: ConfigError when a comment is not closed.
    """

    def blank(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        if match[0].startswith("/*") and (len(match[0]) < 4 or not match[0].endswith("*/")):
            raise _unclosed(text, match.start(), label)
        return _NOT_A_LINE_END.sub(" ", match[0])

    return _TRAILING_COMMAS.sub(lambda match: match[1] or " ", _COMMENTS.sub(blank, text))


def _unclosed(text: str, start: int, label: str) -> ConfigError:
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    return ConfigError(
        f"{label} is not valid JSON: a comment opens and does not end (line {line}, column {column}).",
        "Close it with */",
    )
