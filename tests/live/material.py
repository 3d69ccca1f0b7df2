"""The certificates of the live tests: one CA, one server, and clients good and bad, as PEM files.

What may not live here: certificates made by anything but `pki.authority`, servers, key material in a
repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtls_notebook.pki.authority import Authority, Issued, KeyKind, Order, issue_bad

SERVER_NAMES = ("localhost", "127.0.0.1", "example.com")

# Client certificates that every server here accepts, by the kind of their key.
GOOD: dict[str, KeyKind] = {"good": "P-256", "rsa": "RSA-2048", "ed25519": "Ed25519"}

# Client certificates with one fault each: rows of `pki.authority.BAD`.
BAD = ("expired", "not-yet-valid", "server-usage", "self-signed", "other-ca", "missing-intermediate")


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths of a PEM certificate (chain, leaf first) and of its unencrypted PEM key."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pki:
    """The CA's certificate, the server's pair, and the clients' pairs by name (rows of GOOD and BAD)."""

    ca: Path
    server: Pair
    clients: Mapping[str, Pair]


def write_pki(directory: Path) -> Pki:
    """Return certificates that were just issued and written below `directory`."""
    authority = Authority.create("Live test CA")
    ca = directory / "ca.pem"
    ca.write_bytes(authority.certificate_pem)
    server = authority.issue("localhost", usage=("serverAuth",), names=SERVER_NAMES)
    clients = {name: authority.issue(name, key=key) for name, key in GOOD.items()}
    clients |= {name: issue_bad(authority, name, Order(name)) for name in BAD}
    pairs = {name: _write(directory, f"client-{name}", issued) for name, issued in clients.items()}
    return Pki(ca, _write(directory, "server", server), pairs)


def _write(directory: Path, stem: str, issued: Issued) -> Pair:
    pair = Pair(directory / f"{stem}.pem", directory / f"{stem}.key")
    pair.cert.write_bytes(issued.certificate_pem)
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(issued.key_pem)
    return pair
