"""Proxies from the environment: which one a connection goes through, and the way through it.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` in either case, as curl and urllib read them. Loopback
never goes through a proxy. Credentials in a proxy's URL go to the proxy and nowhere else: no message, repr,
recording or trace has them. What may not live here: TLS, which begins when the tunnel stands.
Source: RFC 9110 §9.3.6 (CONNECT), RFC 7617 (Basic).
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ...pki.sensitive import Sensitive
from ...recorder.tap import TappedStream

_USUAL_PORT = 80  # as urllib has it; most proxies' URLs name theirs
_LARGEST_ANSWER_BYTES = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r?\n)")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class ProxyFailed(Exception):
    """The way through the proxy did not come to be; `failure` is the doctor's word for why."""

    def __init__(self, failure: str, proxy: str, status: int = 0) -> None:
        super().__init__(f"{failure}: {proxy}")
        self.failure = failure
        self.proxy = proxy
        self.status = status


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to be spoken to in plain HTTP: `url` has no credentials, `authorization` is the header's value."""

    url: str
    host: str
    port: int
    authorization: Sensitive | None = field(default=None, repr=False)

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens."""
        return self.host, self.port


def proxy_for(scheme: str, host: str, port: int, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """Return the proxy that the environment names for an origin, None where it is to be reached straight.

    Raises ProxyFailed for a proxy that cannot be used: SOCKS, TLS to the proxy, a URL that is none.
    """
    settings = _settings(os.environ if environment is None else environment)
    named = settings.get(f"{scheme}_proxy") or settings.get("all_proxy")
    if not named or _is_loopback(host) or _is_excepted(host, port, settings.get("no_proxy", "")):
        return None
    return _parsed(named)


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by lower-case name; where both spellings are set, the lower-case one counts."""
    wanted = {name: value for name, value in environment.items() if name.lower().endswith("_proxy")}
    return {name.lower(): value.strip() for name, value in sorted(wanted.items())}


def _parsed(named: str) -> Proxy:
    spelled = named if "://" in named else f"http://{named}"
    scheme = spelled.partition("://")[0].lower()
    try:
        parts = urlsplit(spelled)
        host, port = parts.hostname, parts.port or _USUAL_PORT
    except ValueError:
        host, port = None, 0
    if not host:
        # Not even a part of it is shown: what is wrong with it may be an unescaped password.
        raise ProxyFailed("proxy-url", "the environment names")
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    if scheme != "http":
        raise ProxyFailed("proxy-scheme", url)
    return Proxy(url, host, port, _basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> Sensitive | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return Sensitive(b"Basic " + base64.b64encode(pair))


# -- which hosts are reached straight -------------------------------------------------------------


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    entries = (entry for entry in re.split(r"[\s,]+", exceptions.lower()) if entry)
    return any(_matches(entry, host.lower().rstrip("."), port) for entry in entries)


def _matches(entry: str, host: str, port: int) -> bool:
    """Return whether NO_PROXY's `entry` covers the origin: `*`, a name and all below it, an address, a network."""
    if entry == "*":
        return True
    address = _address(host)
    if (network := _network(entry)) is not None:
        return address is not None and address in network
    name, _, number = entry.rpartition(":")
    if name and number.isdigit() and (":" not in name or name.startswith("[")):
        if int(number) != port:
            return False
        entry = name
    if address is not None:
        return _address(entry) == address
    suffix = entry.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


# -- the tunnel -------------------------------------------------------------------------------------


def dig(stream: TappedStream, proxy: Proxy, host: str, port: int, timeout_s: float) -> None:
    """Have the proxy connect to the origin: what is said on `stream` from now on reaches that.

    Raises ProxyFailed, OSError. Nothing of this is recorded: the request may hold credentials.
    """
    named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {named} HTTP/1.1".encode("ascii"), f"Host: {named}".encode("ascii")]
    if proxy.authorization is not None:
        lines.append(b"Proxy-Authorization: " + bytes(proxy.authorization))
    connection = stream.aside(timeout_s)
    connection.sendall(b"\r\n".join([*lines, b"", b""]))
    answer = b""
    while (end := _END_OF_HEAD.search(answer)) is None and len(answer) < _LARGEST_ANSWER_BYTES:
        data = connection.recv(4096)
        if not data:
            break
        answer += data
    told = _STATUS_LINE.match(answer)
    if end is None or told is None:
        raise ProxyFailed("proxy-silent" if not answer else "proxy-garbled", proxy.url)
    status = int(told[1])
    if not 200 <= status < 300:
        raise ProxyFailed(_refusal(status, proxy), proxy.url, status)
    if end.end() < len(answer):
        raise ProxyFailed("proxy-garbled", proxy.url)  # in TLS the client speaks first: this is no origin's


def _refusal(status: int, proxy: Proxy) -> str:
    if status != 407:
        return "proxy-refused"
    return "proxy-credentials" if proxy.authorization is None else "proxy-denied"
