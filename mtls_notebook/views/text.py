"""Text on its way to a reader: made visible, and numbers with their units.

Whatever a server, a certificate or a worker says may hold terminal escapes, characters that turn the
reading direction, or markup. `visible` shows such characters as their numbers; markup stays text because
every view writes text (`textContent`, `html.escape`), never markup. What may not live here: HTML, widgets,
and anything that knows TLS.
"""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Joiners spell words in Persian and Hindi, and emoji; they turn nothing around.
_JOINERS = frozenset("\u200c\u200d")
_PLAIN = re.compile(r"[ -~]*")
_SIZE_OR_TIME = re.compile(r"[\d.,]+ ?(?:B|kB|MB|bytes?|µs|ms|s)|(?:[0-9a-fA-F]{2}:?){8,}…?")


def visible(text: str, *, lines: bool = False) -> str:
    """Return `text` with every unseen character written as `⟨U+202E⟩`; `lines` keeps newlines and tabs."""
    if _PLAIN.fullmatch(text):
        return text
    if lines:
        text = text.replace("\r\n", "\n")
    kept = _JOINERS | {"\n", "\t"} if lines else _JOINERS
    return "".join(c if c in kept else _shown(c) for c in text)


def shortened(text: str, limit: int) -> str:
    """Return `text`, cut to `limit` characters with an ellipsis as the last."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def size(count: int) -> str:
    """Return a number of bytes as people write it: "512 B", "4.9 kB", "1.2 MB"."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1_000_000:.1f} MB"


def milliseconds(duration_ns: int) -> str:
    """Return a duration as people write it: "0.75 ms", "12.3 ms", "1.20 s"."""
    value = duration_ns / 1e6
    if value < 10:
        return f"{value:.2f} ms"
    return f"{value:.1f} ms" if value < 1000 else f"{value / 1000:.2f} s"


def counted(count: int, noun: str) -> str:
    """Return "1 message", "2 messages"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def stable(detail: str) -> str:
    """Return `detail` without the parts that differ between two equal runs: sizes, times, fingerprints.

    Shape: parts are joined by " · ".
    """
    return " · ".join(part for part in detail.split(" · ") if not _SIZE_OR_TIME.fullmatch(part.strip()))


def grouped_hex(digits: str) -> str:
    """Return a fingerprint's hex digits in upper-case pairs with colons."""
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()


def _shown(character: str) -> str:
    unseen = unicodedata.category(character) in _UNSEEN
    return f"⟨U+{ord(character):04X}⟩" if unseen else character
