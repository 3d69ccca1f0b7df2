"""Public values for key exchange, split into the parts their group is made of.

A hybrid group's share is two shares in a row without lengths between them; only the group's
definition says where one ends. The table here holds those definitions and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mtls_notebook.tls.names import NAMED_GROUPS
from mtls_notebook.tls.reader import Reader

Part = tuple[str, int]
"""A part's name and its length in bytes."""

X25519: Part = ("x25519_public_key", 32)
ENCAPSULATION_KEYS: dict[str, Part] = {
    "MLKEM512": ("encapsulation_key", 800),
    "MLKEM768": ("encapsulation_key", 1184),
    "MLKEM1024": ("encapsulation_key", 1568),
}
"""Source: FIPS 203 §8, table 3."""
CIPHERTEXTS: dict[str, Part] = {
    "MLKEM512": ("ciphertext", 768),
    "MLKEM768": ("ciphertext", 1088),
    "MLKEM1024": ("ciphertext", 1568),
}
"""Source: FIPS 203 §8, table 3."""


def _point(coordinate: int) -> tuple[Part, ...]:
    return ("legacy_form", 1), ("X", coordinate), ("Y", coordinate)


CURVES: dict[str, tuple[Part, ...]] = {
    "secp256r1": _point(32),
    "secp384r1": _point(48),
    "secp521r1": _point(66),
}
"""Source: RFC 8446 §4.2.8.2; the curves that hybrids are made of, and P-521."""


def _parts(kem: dict[str, Part]) -> dict[str, tuple[Part, ...]]:
    """Return every group's parts; `kem` holds the client's half (keys) or the server's (ciphertexts)."""
    pure = {name: (part,) for name, part in kem.items()}
    hybrids = {
        "X25519MLKEM768": (kem["MLKEM768"], X25519),
        "SecP256r1MLKEM768": (*CURVES["secp256r1"], kem["MLKEM768"]),
        "SecP384r1MLKEM1024": (*CURVES["secp384r1"], kem["MLKEM1024"]),
        "curveSM2MLKEM768": (*_point(32), kem["MLKEM768"]),
        "X25519Kyber768Draft00": (X25519, kem["MLKEM768"]),
        "SecP256r1Kyber768Draft00": (*CURVES["secp256r1"], kem["MLKEM768"]),
    }
    return CURVES | pure | hybrids


PARTS: dict[str, dict[str, tuple[Part, ...]]] = {
    "client": _parts(ENCAPSULATION_KEYS),
    "server": _parts(CIPHERTEXTS),
}
"""The parts of a share by sender and group; a group without a row is one piece.

Source: draft-ietf-tls-ecdhe-mlkem §4, RFC 8446 §4.2.8.2.
"""


@dataclass(frozen=True, slots=True)
class KeyShareEntry:
    """One public value: NamedGroup and its bytes."""

    group: int
    key_exchange: bytes


def client_shares(reader: Reader) -> tuple[KeyShareEntry, ...]:
    """Return the shares a ClientHello offers.

    Source: RFC 8446 §4.2.8.
    """
    return reader.items("client_shares", 2, "KeyShareEntry", _entry("client"), describe=_group_name)


def server_share(reader: Reader) -> KeyShareEntry:
    """Return the one share a ServerHello answers with.

    Source: RFC 8446 §4.2.8.
    """
    return reader.struct("server_share", _entry("server"), _group_name)


def selected_group(reader: Reader) -> int:
    """Return the group a HelloRetryRequest asks for.

    Source: RFC 8446 §4.2.8.
    """
    return reader.u16("selected_group", NAMED_GROUPS)


def read_public_value(reader: Reader, name: str, prefix: int, group: int, sender: Literal["client", "server"]) -> bytes:
    """Return a length-prefixed public value of `group`, its parts recorded where their lengths fit."""
    parts = PARTS[sender].get(NAMED_GROUPS.get(group, ""), ())

    def split(body: Reader) -> bytes:
        value = body.data[body.position : body.end]
        fits = sum(length for _, length in parts) == len(value)
        for part, length in parts if fits else (("data", len(value)),):
            body.opaque(part, length)
        return value

    return reader.nested(name, prefix, split, minimum=1)


def _entry(sender: Literal["client", "server"]) -> Callable[[Reader], KeyShareEntry]:
    def read(reader: Reader) -> KeyShareEntry:
        group = reader.u16("group", NAMED_GROUPS)
        return KeyShareEntry(group, read_public_value(reader, "key_exchange", 2, group, sender))

    return read


def _group_name(entry: KeyShareEntry) -> str:
    return NAMED_GROUPS.get(entry.group, f"unknown(0x{entry.group:04x})")
