"""Opening protected records with keys that are known: TLS 1.3's AEAD, TLS 1.2's AEAD and CBC with HMAC.

One opener per sender and key; it counts the records that it opened. Nothing here knows whose turn
it is or what a plaintext means; nothing here protects a record.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from ..tls.records import Record
from .key_schedule import Suite, next_traffic_secret, traffic_keys

EXPLICIT_NONCE_LENGTH = 8
"""Bytes of the nonce that a TLS 1.2 AES record carries. Source: RFC 5288 §3."""
BLOCK = 16

Plain = tuple[int, bytes]
"""The content type that was inside, and the plaintext."""


class Aead(Protocol):
    """What the AEAD ciphers have in common."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the plaintext. Raises InvalidTag."""


class Opener(Protocol):
    """Opens one sender's records under one key, in order."""

    def open(self, record: Record) -> Plain | None:
        """Return what is inside, None when the key does not fit the record (and nothing was counted)."""


def aead(suite: Suite, key: bytes) -> Aead:
    """Return the suite's AEAD cipher."""
    kind = suite.cipher.kind
    if kind == "POLY1305":
        return ChaCha20Poly1305(key)
    if kind in ("CCM", "CCM_8"):
        return AESCCM(key, tag_length=8 if kind == "CCM_8" else 16)
    return AESGCM(key)


class Tls13Opener:
    """TLS 1.3: the nonce is the record's number, the content type hides inside. Source: RFC 8446 §5.2–§5.4."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        key, iv = traffic_keys(suite, secret)
        self._suite, self._secret = suite, secret
        self._aead, self._iv, self._opened = aead(suite, key), int.from_bytes(iv, "big"), 0

    def open(self, record: Record) -> Plain | None:
        """Return the inner content type and the plaintext without its padding."""
        nonce = (self._iv ^ self._opened).to_bytes(12, "big")
        inner = _decrypted(self._aead, nonce, record.fragment, _header(record, len(record.fragment)))
        padded = inner.rstrip(b"\0") if inner is not None else b""
        if not padded:
            return None
        self._opened += 1
        return padded[-1], padded[:-1]

    def updated(self) -> Tls13Opener:
        """Return the opener of what follows a KeyUpdate. Source: RFC 8446 §7.2."""
        return Tls13Opener(self._suite, next_traffic_secret(self._suite.algorithm, self._secret))


class Tls12AeadOpener:
    """TLS 1.2 with an AEAD cipher. Source: RFC 5246 §6.2.3.3, RFC 5288 §3, RFC 6655 §3, RFC 7905 §2."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        self._aead, self._iv, self._opened = aead(suite, key), iv, 0
        self._explicit = 0 if suite.cipher.kind == "POLY1305" else EXPLICIT_NONCE_LENGTH
        self._tag = 8 if suite.cipher.kind == "CCM_8" else 16

    def open(self, record: Record) -> Plain | None:
        """Return the record's content type and its plaintext."""
        length = len(record.fragment) - self._explicit - self._tag
        if length < 0:
            return None
        covered = self._opened.to_bytes(8, "big") + _header(record, length)
        plain = _decrypted(self._aead, self._nonce(record), record.fragment[self._explicit :], covered)
        if plain is None:
            return None
        self._opened += 1
        return record.content_type, plain

    def _nonce(self, record: Record) -> bytes:
        if self._explicit:
            return self._iv + record.fragment[: self._explicit]
        return (int.from_bytes(self._iv, "big") ^ self._opened).to_bytes(12, "big")


class Tls12CbcOpener:
    """TLS 1.2 with AES-CBC and HMAC, the MAC inside the encryption or around it.

    Source: RFC 5246 §6.2.3.2, RFC 7366 §3 (encrypt_then_mac).
    """

    def __init__(self, suite: Suite, key: bytes, mac_key: bytes, *, encrypt_then_mac: bool) -> None:
        self._aes, self._mac, self._mac_key = algorithms.AES(key), suite.mac, mac_key
        self._mac_length, self._opened = suite.mac_length, 0
        self._unwrap = self._mac_outside if encrypt_then_mac else self._mac_inside

    def open(self, record: Record) -> Plain | None:
        """Return the record's content type and its plaintext."""
        plain = self._unwrap(record)
        if plain is None:
            return None
        self._opened += 1
        return record.content_type, plain

    def _mac_outside(self, record: Record) -> bytes | None:
        sealed, mac = record.fragment[: -self._mac_length], record.fragment[-self._mac_length :]
        return self._padding_off(sealed) if self._fits(record, sealed, mac) else None

    def _mac_inside(self, record: Record) -> bytes | None:
        content = self._padding_off(record.fragment)
        if content is None or len(content) < self._mac_length:
            return None
        plain, mac = content[: -self._mac_length], content[-self._mac_length :]
        return plain if self._fits(record, plain, mac) else None

    def _fits(self, record: Record, covered: bytes, mac: bytes) -> bool:
        header = self._opened.to_bytes(8, "big") + _header(record, len(covered))
        return hmac.compare_digest(hmac.digest(self._mac_key, header + covered, self._mac), mac)

    def _padding_off(self, sealed: bytes) -> bytes | None:
        if len(sealed) < 2 * BLOCK or len(sealed) % BLOCK:
            return None
        decryptor = Cipher(self._aes, modes.CBC(sealed[:BLOCK])).decryptor()
        padded = decryptor.update(sealed[BLOCK:]) + decryptor.finalize()
        length = padded[-1] + 1
        return padded[:-length] if padded.endswith(bytes([length - 1]) * length) else None


def tls12_opener(suite: Suite, keys: Mapping[str, bytes], sender: str, *, encrypt_then_mac: bool) -> Opener:
    """Return the opener of what `sender` protects; `keys` maps the key block's names to values.

    Source: RFC 5246 §6.3 (the names).
    """
    key, mac_key, iv = (keys.get(f"{sender}_write_{part}", b"") for part in ("key", "MAC_key", "IV"))
    if suite.cipher.kind == "CBC":
        return Tls12CbcOpener(suite, key, mac_key, encrypt_then_mac=encrypt_then_mac)
    return Tls12AeadOpener(suite, key, iv)


def _header(record: Record, length: int) -> bytes:
    return bytes([record.content_type]) + record.legacy_version.to_bytes(2, "big") + length.to_bytes(2, "big")


def _decrypted(cipher: Aead, nonce: bytes, data: bytes, covered: bytes) -> bytes | None:
    try:
        return cipher.decrypt(nonce, data, covered)
    except (InvalidTag, ValueError):  # ValueError: fewer bytes than a tag
        return None
