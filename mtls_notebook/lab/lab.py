"""Somewhere live to connect to, with no set-up: a CA, origins on loopback, and a folder of certificates.

The lab stands in for the service that enforces mTLS and hands out a client certificate. It knows
nothing of sessions: whoever starts it trusts `authority` and routes with `connect_to`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import LabError
from ..pki.authority import Authority, Issued, Order, issue_bad
from ..pki.certificate import Certificate
from . import folder
from .catalogue import CLIENTS, DEFAULT_ORIGIN, ORIGINS, OriginKind
from .folder import LabFile
from .origin import LOOPBACK, Limits, Origin

DEFAULT_DIRECTORY = "mtls-lab"
DEFAULT_HOST = "example-secure-origin.com"
CLIENT_NAME = "my-client"
CA_NAME = "mtls-lab CA"
OTHER_CA_NAME = "mtls-lab other CA"
CA_FILE = "ca.pem"
HTTPS_PORT = 443
CLOCK_SKEW = timedelta(hours=1)
LIFETIME = timedelta(days=90)

# RFC 1123 §2.1: letters, digits, hyphens; at least two labels, the last of them not a number.
_HOST_NAME = re.compile(r"(?!.{240})(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!\d+$)(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class RunningOrigin:
    """One origin of the lab: what it is called (`host`) and where it really is (`url`, `port`)."""

    name: str
    kind: OriginKind
    host: str
    port: int
    url: str
    origin: Origin

    @property
    def named_url(self) -> str:
        """Return the URL a worker uses; it leads to `url` through the lab's connect-to table."""
        return f"https://{self.host}"


class Lab:
    """A running lab; make one with `Lab.start`, end it with `stop()` or a with block.

    `origins` are the running origins by name, `connect_to` maps (host, port) to the loopback address,
    `authority` is the CA to trust, `directory` the folder that holds the client certificates.
    """

    def __init__(self, directory: Path, host: str, limits: Limits | None) -> None:
        self.directory = directory
        self.host = host
        self.origins: dict[str, RunningOrigin] = {}
        self.connect_to: dict[tuple[str, int], tuple[str, int]] = {}
        self.running = True
        self._limits = limits
        self._ca = Authority.create(CA_NAME)
        self._other_ca = Authority.create(OTHER_CA_NAME)

    @classmethod
    def start(
        cls,
        directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
        host: str = DEFAULT_HOST,
        origins: Sequence[str] = (DEFAULT_ORIGIN,),
        *,
        limits: Limits | None = None,
    ) -> Lab:
        """Return a lab whose origins listen and whose folder is written.

        Shape: the first of `origins` answers as `host`, the others as NAME.`host`.
        Raises: LabError for an unknown origin, an impossible host, a folder that is not the lab's.
        """
        names = tuple(dict.fromkeys(origins)) or (DEFAULT_ORIGIN,)
        for name in names:
            _kind(name)
        lab = cls(Path(directory), _checked_host(host), limits)
        folder.write(lab.directory, lab._files())
        try:
            for name in names:
                lab.add(name)
        except BaseException:
            lab.stop()
            raise
        return lab

    @property
    def authority(self) -> Certificate:
        """Return the CA that issued the good certificates: the one to trust."""
        return self._ca.certificate

    @property
    def clients(self) -> dict[str, tuple[Path, Path]]:
        """Return the client certificates in the folder: kind → certificate file, key file."""
        return {
            kind: (self.directory / client.certificate_file, self.directory / client.key_file)
            for kind, client in CLIENTS.items()
        }

    def add(self, name: str) -> RunningOrigin:
        """Return the origin `name`, started now unless it already runs. Raises: LabError."""
        kind = _kind(name)
        if not self.running:
            raise LabError("The lab is stopped.", "Start it again: %mtls_lab")
        if name in self.origins:
            return self.origins[name]
        host = f"{name}.{self.host}" if self.origins else self.host
        running = self._started(name, kind, host)
        self.origins[name] = running
        self.connect_to[(host, HTTPS_PORT)] = (LOOPBACK, running.port)
        return running

    def status(self) -> list[str]:
        """Return what runs and where the certificates are, as lines to print."""
        if not self.running:
            return [f"The lab is stopped. Its certificates are still in {self.directory}/."]
        width = max(len(running.named_url) for running in self.origins.values())
        return [
            "The lab runs on this machine only; no public host is reached.",
            *(_line(running, width) for running in self.origins.values()),
            f"Client certificate: {self.directory}/cert.pem, key: {self.directory}/key.pem, "
            f"CA: {self.directory}/{CA_FILE}",
            f"Certificates to see refused: {', '.join(kind for kind in CLIENTS if kind != 'good')} "
            f"({self.directory}/NAME-cert.pem, NAME-key.pem)",
        ]

    def stop(self) -> None:
        """End every origin and its threads; the folder stays. Safe to call twice."""
        self.running = False
        for running in self.origins.values():
            running.origin.stop()
        self.connect_to.clear()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"origins {', '.join(self.origins)}" if self.running else "stopped"
        return f"<Lab {self.directory}/: {state}>"

    def _started(self, name: str, kind: OriginKind, host: str) -> RunningOrigin:
        issued = self._server_certificate(kind, host)
        accepts = self._ca if kind.accepts == "lab" else self._other_ca
        origin = Origin.start(
            name,
            kind,
            certificate_pem=issued.certificate_pem,
            key_pem=issued.key_pem,
            accepts=(accepts.certificate,),
            limits=self._limits,
        )
        return RunningOrigin(name, kind, host, origin.port, origin.url, origin)

    def _server_certificate(self, kind: OriginKind, host: str) -> Issued:
        order = Order(host, usage=("serverAuth",), names=(host, "localhost", LOOPBACK))
        if kind.certificate == "good":
            return _issue(self._ca, order)
        if kind.certificate == "untrusted":
            return _issue(self._other_ca, order)
        return issue_bad(self._ca, kind.certificate, order)

    def _client_certificate(self, kind: str) -> Issued:
        order = Order(CLIENT_NAME if kind == "good" else f"{kind}-client")
        if kind == "good":
            return _issue(self._ca, order)
        if kind == "other-ca":
            return _issue(self._other_ca, order)
        return issue_bad(self._ca, kind, order)

    def _files(self) -> dict[str, LabFile]:
        files = {
            ".gitignore": LabFile(b"*\n"),
            "README.txt": LabFile(_readme().encode()),
            CA_FILE: LabFile(self._ca.certificate_pem),
        }
        for kind, client in CLIENTS.items():
            issued = self._client_certificate(kind)
            files[client.certificate_file] = LabFile(issued.certificate_pem)
            files[client.key_file] = LabFile(issued.key_pem, secret=True)
        return files


def _issue(authority: Authority, order: Order) -> Issued:
    now = datetime.now(UTC)
    return authority.issue(
        order.common_name,
        usage=order.usage,
        names=order.names,
        key=order.key,
        not_before=now - CLOCK_SKEW,
        not_after=now + LIFETIME,
    )


def _kind(name: str) -> OriginKind:
    kind = ORIGINS.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, ORIGINS, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise LabError(f"There is no origin {name!r}.", f"{meant}There are: {', '.join(ORIGINS)}.")
    return kind


def _checked_host(host: str) -> str:
    lowered = host.lower()
    if not _HOST_NAME.fullmatch(lowered):
        raise LabError(
            f"The lab cannot answer as {host!r}: that is no host name.",
            f"Give a name with a dot and no port, like --as {DEFAULT_HOST}",
        )
    return lowered


def _line(running: RunningOrigin, width: int) -> str:
    return f"  {running.named_url:<{width}} → {LOOPBACK}:{running.port}  {running.name}: {running.kind.title}"


def _readme() -> str:
    rows = [f"  {c.certificate_file:24} {c.key_file:23} {c.verdict}" for c in CLIENTS.values()]
    return "\n".join(
        [
            "Throwaway certificates, made by the mTLS lab for one session. They protect nothing:",
            "do not trust ca.pem anywhere else, do not use these keys for anything else.",
            "Starting the lab again replaces them; deleting this folder is always fine.",
            "",
            f"  {CA_FILE:24} {'':23} the CA of the lab's origins and clients",
            *rows,
            "",
        ]
    )
