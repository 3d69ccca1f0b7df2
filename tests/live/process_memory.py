"""What another process holds in its memory, page by page, and the forms in which it could hold a private key.

Linux shows a process's memory to its parent in /proc. What may not live here: tests, and how a key comes to be
where it is found.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

PIECE_BYTES = 16  # a needle: no chance finds 16 random bytes, and a torn copy of a key still holds some
_READ_BYTES = 1 << 23
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NEVER_READ = ("[vvar]", "[vvar_vclock]", "[vsyscall]")  # the kernel's own, the same in every process


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's readable mappings: (first address, end, file or other name)."""

    pid: int
    mappings: tuple[tuple[int, int, str], ...]

    @staticmethod
    def of(pid: int) -> Memory:
        """Return the mappings as they are now."""
        rows = [line.split(maxsplit=5) for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines()]
        named = [(*_bounds(row[0]), row[5].strip() if len(row) > 5 else "") for row in rows if row[1][0] == "r"]
        return Memory(pid, tuple(row for row in named if row[2] not in _NEVER_READ))

    def holds(self, needles: Mapping[str, bytes]) -> set[str]:
        """Return the names of the needles that are in memory. Raises PermissionError where tracing is forbidden."""
        overlap = max(map(len, needles.values())) - 1
        found: set[str] = set()
        before, edge = b"", -1
        for at, data in self.pages():
            whole = (before if at == edge else b"") + data
            found |= {name for name, needle in needles.items() if name not in found and needle in whole}
            before, edge = whole[-overlap:], at + len(data)
        return found

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield (address, bytes) of everything that can be read; pages that were never touched hold nothing."""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            for first, end in self.touched():
                for at in range(first, end, _READ_BYTES):
                    yield from _read(memory.fileno(), at, min(at + _READ_BYTES, end))

    def touched(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of pages that are present or swapped out, of all mappings."""
        with open(f"/proc/{self.pid}/pagemap", "rb", buffering=0) as map_:
            for first, end, _name in self.mappings:
                yield from _present(map_.fileno(), first, end)


def _bounds(text: str) -> tuple[int, int]:
    first, _, end = text.partition("-")
    return int(first, 16), int(end, 16)


def _present(pagemap: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges whose pagemap entries say present (bit 63) or swapped (bit 62); each entry has 8 bytes."""
    step = _PAGE_BYTES << 16
    for at in range(first, end, step):
        count = (min(at + step, end) - at) // _PAGE_BYTES
        top = os.pread(pagemap, 8 * count, at // _PAGE_BYTES * 8)[7::8]
        page = 0
        while page < len(top):
            there = top[page] & 0xC0 != 0
            start = page
            while page < len(top) and (top[page] & 0xC0 != 0) == there:
                page += 1
            if there:
                yield at + start * _PAGE_BYTES, at + page * _PAGE_BYTES


def _read(memory: int, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    try:
        data = os.pread(memory, end - first, first)
    except PermissionError:
        raise
    except OSError:
        data = b""
    if data:
        yield first, data
    if (at := first + len(data)) < end:  # one page cannot be read (a guard, or just unmapped): go on behind it
        yield from _read(memory, at + _PAGE_BYTES - at % _PAGE_BYTES, end) if at + _PAGE_BYTES < end else ()


# ---- a key's forms


def key_forms(key_pem: bytes) -> dict[str, bytes]:
    """Return by name pieces of an unencrypted key: of its numbers either way round, and of its base64 text."""
    key = load_pem_private_key(key_pem, None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    forms: dict[str, bytes] = {}
    for name, number in _secrets(key).items():
        for at in range(0, len(number) - PIECE_BYTES + 1, max(PIECE_BYTES, len(number) // 2)):
            forms[f"{name}, big-endian from {at}"] = number[at : at + PIECE_BYTES]
            forms[f"{name}, little-endian from {at}"] = number[::-1][at : at + PIECE_BYTES]
        forms |= {f"{name}, {what}": text for what, text in _as_base64(der, number).items()}
    return forms


def _secrets(key: object) -> dict[str, bytes]:
    """Return the numbers that must stay secret, big-endian (for Ed25519: the seed)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"seed": key.private_bytes_raw()}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {"scalar": key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")}
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    values = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    return {name: value.to_bytes((value.bit_length() + 7) // 8, "big") for name, value in values.items()}


def _as_base64(der: bytes, number: bytes) -> dict[str, bytes]:
    """Return base64 of the number as it stands in the DER, whose three-byte groups PEM keeps, within one PEM line."""
    start = der.index(number)
    first = -(-start // 3) * 3  # the first group that is secret as a whole
    line_end = first - first % 48 + 48  # a PEM line holds 48 bytes
    if line_end - first < 12:
        first, line_end = line_end, line_end + 48
    inside = der[first : min(first + 12, line_end, start + len(number))]
    text = base64.b64encode(inside[: len(inside) // 3 * 3])
    return {"base64": text, "base64 as UTF-16": text.decode("ascii").encode("utf-16-le")}
