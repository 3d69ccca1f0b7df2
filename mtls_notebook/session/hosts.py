"""Which hosts a binding may present its certificate to.

Patterns are anchored: `api.example.com` is that host alone, `*.corp.example` any host with one label or
more in front of `corp.example`, never `corp.example` itself. An address matches only itself.
What may not live here: name resolution; a pattern speaks of the name in the URL.
"""

from __future__ import annotations

import ipaddress
import re

from ..errors import ConfigError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def normal(host: str) -> str:
    """Return `host` as it is compared: lower case, IDNA, no final dot, addresses in their short form."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return _ascii(bare.removesuffix(".")).lower()


def parse_pattern(text: str) -> str:
    """Return the pattern in its normal form.

    Raises: ConfigError for a URL, a port, or a star that is not the whole first label.
    """
    pattern = normal(text)
    if _is_address(pattern) or _PATTERN.fullmatch(pattern):
        return pattern
    raise ConfigError(
        f"{text!r} is not a host pattern.",
        "Give api.example.com, or *.corp.example for the hosts below it; no scheme, port or path.",
    )


def parse_hosts(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the binding name and the patterns in `MY_CERT=api.example.com,*.corp.example`.

    Raises: ConfigError.
    """
    name, equals, patterns = (part.strip() for part in text.partition("="))
    found = tuple(parse_pattern(p) for p in patterns.split(",") if p.strip())
    if not (name and equals and found):
        raise ConfigError(
            f"{text!r} is not of the form NAME=HOST,HOST.",
            "For example: MY_CERT=api.example.com,*.corp.example",
        )
    return name, found


def matches(pattern: str, host: str) -> bool:
    """Return whether `pattern` (in normal form) covers `host`."""
    host = normal(host)
    if not pattern.startswith("*.") or _is_address(host):
        return host == pattern
    suffix = pattern[1:]
    return host.endswith(suffix) and len(host) > len(suffix) and not host.startswith(".")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
