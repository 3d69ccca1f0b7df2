"""Which key follows from which secret: TLS 1.3's key schedule and TLS 1.2's PRF, every value with its name.

A recording holds the traffic secrets (TLS 1.3) or the master secret (TLS 1.2) that the TLS library
logged; everything else a reader can recompute is derived here. Bytes in, bytes out: no record, no message and no
event may appear in this file. Values never show in a repr.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..tls.cipher_suites import CIPHER_SUITES

VERIFY_DATA_LENGTH = 12
"""Bytes of a TLS 1.2 Finished. Source: RFC 5246 §7.4.9."""


@dataclass(frozen=True, slots=True)
class Derived:
    """One value on the way to a key or a proof: what it is called, where it is defined, what it came from."""

    label: str
    value: bytes = field(repr=False)
    source: str
    from_: str


@dataclass(frozen=True, slots=True)
class Cipher:
    """How a cipher protects records. Units: bytes; `iv_length` is the part of the nonce that is derived."""

    kind: str  # "GCM", "CCM", "CCM_8", "POLY1305", "CBC"
    key_length: int
    iv_length: int


CIPHERS: dict[str, Cipher] = {
    "AES_128_GCM": Cipher("GCM", 16, 4),
    "AES_256_GCM": Cipher("GCM", 32, 4),
    "AES_128_CCM": Cipher("CCM", 16, 4),
    "AES_256_CCM": Cipher("CCM", 32, 4),
    "AES_128_CCM_8": Cipher("CCM_8", 16, 4),
    "AES_256_CCM_8": Cipher("CCM_8", 32, 4),
    "CHACHA20_POLY1305": Cipher("POLY1305", 32, 12),
    "AES_128_CBC": Cipher("CBC", 16, 0),
    "AES_256_CBC": Cipher("CBC", 32, 0),
}
"""The part of a suite's name that names its cipher → how that cipher is keyed in TLS 1.2.

Source: RFC 5288 §3, RFC 6655 §3, RFC 7905 §2, RFC 5246 §6.2.3.2 and appendix C.
"""

MACS = {"SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}
"""The last word of a CBC suite's name → the hash of its record MAC."""

TLS13_IV_LENGTH = 12
"""Bytes. Source: RFC 8446 §5.3."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What a cipher suite's name settles. `algorithm` is the hash of key schedule, PRF and Finished.

    `mac` is the record MAC's hash, "" for AEAD ciphers.
    """

    name: str
    cipher: Cipher
    algorithm: str
    mac: str = ""

    @property
    def mac_length(self) -> int:
        """The length in bytes of the record MAC and of its key, 0 for AEAD ciphers."""
        return hashlib.new(self.mac).digest_size if self.mac else 0


def algorithm_of(number: int) -> str:
    """Return the hash of suite `number`'s key schedule, PRF and Finished, "" when it is not known here.

    Source: RFC 8446 §B.4, RFC 5246 §5 (TLS 1.2: SHA-256 unless the suite names a stronger one).
    """
    name = CIPHER_SUITES.get(number, "")
    if not name or any(word in name for word in FOREIGN_HASHES):
        return ""
    return "sha384" if name.endswith("_SHA384") else "sha256"


FOREIGN_HASHES = ("SM3", "GOST", "KUZNYECHIK", "MAGMA")
"""Words in the names of suites that bring a hash of their own. Source: RFC 8998 §2, RFC 9189 §4, RFC 9367 §4."""


def suite_of(number: int) -> Suite | None:
    """Return what suite `number` is made of, None for one whose records cannot be opened here."""
    name = CIPHER_SUITES.get(number, "")
    parts = name.partition("_WITH_")[2] or name.removeprefix("TLS_")
    cipher, last = parts, ""
    if parts not in CIPHERS:
        cipher, _, last = parts.rpartition("_")
    if cipher not in CIPHERS or last not in ("", *MACS):
        return None
    return Suite(name, CIPHERS[cipher], algorithm_of(number), MACS[last] if CIPHERS[cipher].kind == "CBC" else "")


# -- TLS 1.3 ---------------------------------------------------------------------------------------


def hkdf_extract(algorithm: str, salt: bytes, secret: bytes) -> bytes:
    """Return HKDF-Extract(salt, secret). Source: RFC 5869 §2.2."""
    return hmac.digest(salt, secret, algorithm)


def hkdf_expand_label(algorithm: str, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """Return `length` bytes of HKDF-Expand-Label. Source: RFC 8446 §7.1."""
    full = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    output, block = b"", b""
    for counter in range(1, 256):
        if len(output) >= length:
            break
        block = hmac.digest(secret, block + info + bytes([counter]), algorithm)
        output += block
    return output[:length]


def derive_secret(algorithm: str, secret: bytes, label: str, transcript_hash: bytes | None = None) -> bytes:
    """Return Derive-Secret; without a hash, over no messages at all. Source: RFC 8446 §7.1."""
    seen = empty_hash(algorithm) if transcript_hash is None else transcript_hash
    return hkdf_expand_label(algorithm, secret, label, seen, len(seen))


def empty_hash(algorithm: str) -> bytes:
    """Return the hash of no bytes."""
    return hashlib.new(algorithm).digest()


def stages(algorithm: str, psk: bytes, shared_secret: bytes) -> tuple[Derived, Derived, Derived]:
    """Return the three secrets that all others come from: early, handshake and master.

    `psk` is b"" where there is none; `shared_secret` what both sides computed from the key shares.
    Source: RFC 8446 §7.1.
    """
    zeros, source = bytes(len(empty_hash(algorithm))), "RFC 8446 §7.1"
    early = hkdf_extract(algorithm, zeros, psk or zeros)
    handshake = hkdf_extract(algorithm, derive_secret(algorithm, early, "derived"), shared_secret)
    master = hkdf_extract(algorithm, derive_secret(algorithm, handshake, "derived"), zeros)
    return (
        Derived("Early Secret", early, source, "PSK" if psk else "zeros"),
        Derived("Handshake Secret", handshake, source, "Early Secret, (EC)DHE shared secret"),
        Derived("Master Secret", master, source, "Handshake Secret"),
    )


def traffic_keys(suite: Suite, secret: bytes) -> tuple[bytes, bytes]:
    """Return the write key and IV of a traffic secret. Source: RFC 8446 §7.3."""
    key = hkdf_expand_label(suite.algorithm, secret, "key", b"", suite.cipher.key_length)
    return key, hkdf_expand_label(suite.algorithm, secret, "iv", b"", TLS13_IV_LENGTH)


def finished_key(algorithm: str, secret: bytes) -> bytes:
    """Return the key of the HMAC in Finished and in a PSK binder. Source: RFC 8446 §4.4.4."""
    return hkdf_expand_label(algorithm, secret, "finished", b"", len(empty_hash(algorithm)))


def next_traffic_secret(algorithm: str, secret: bytes) -> bytes:
    """Return the application traffic secret after a KeyUpdate. Source: RFC 8446 §7.2."""
    return hkdf_expand_label(algorithm, secret, "traffic upd", b"", len(secret))


def resumption_psk(algorithm: str, resumption_master_secret: bytes, ticket_nonce: bytes) -> bytes:
    """Return the PSK that a NewSessionTicket stands for. Source: RFC 8446 §4.6.1."""
    length = len(resumption_master_secret)
    return hkdf_expand_label(algorithm, resumption_master_secret, "resumption", ticket_nonce, length)


def binder_keys(algorithm: str, psk: bytes, label: str) -> tuple[Derived, ...]:
    """Return the secrets that lead from a PSK to the HMAC key of its binder, in order.

    `label` is "res binder" for a PSK from a ticket, "ext binder" for one agreed elsewhere.
    Source: RFC 8446 §7.1, §4.2.11.2.
    """
    early = stages(algorithm, psk, b"")[0]
    binder = derive_secret(algorithm, early.value, label)
    key = finished_key(algorithm, binder)
    return (
        early,
        Derived("binder_key", binder, "RFC 8446 §7.1", "Early Secret"),
        Derived("finished_key", key, "RFC 8446 §4.4.4", "binder_key"),
    )


TRAFFIC_SECRETS: tuple[tuple[str, str, str], ...] = (
    ("CLIENT_EARLY_TRAFFIC_SECRET", "client", "c e traffic"),
    ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "client", "c hs traffic"),
    ("SERVER_HANDSHAKE_TRAFFIC_SECRET", "server", "s hs traffic"),
    ("CLIENT_TRAFFIC_SECRET_0", "client", "c ap traffic"),
    ("SERVER_TRAFFIC_SECRET_0", "server", "s ap traffic"),
)
"""Key log label, whose records it protects, its label in Derive-Secret; in the order a connection meets them.

Source: RFC 8446 §7.1, RFC 9850 §2.2.
"""

_ONLY_FINISHED = frozenset({"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"})


def tls13_values(suite: Suite, secrets: Mapping[str, bytes]) -> tuple[Derived, ...]:
    """Return what follows from each logged TLS 1.3 secret, in the order a connection meets them.

    `secrets` maps key log labels to values; those that were not logged are left out.
    """
    return tuple(value for row in TRAFFIC_SECRETS if row[0] in secrets for value in _below(suite, row, secrets))


def _below(suite: Suite, row: tuple[str, str, str], secrets: Mapping[str, bytes]) -> Iterator[Derived]:
    label, sender, inner = row
    secret = secrets[label]
    key, iv = traffic_keys(suite, secret)
    yield Derived(label, secret, "RFC 8446 §7.1", f'Derive-Secret with "{inner}", logged by the TLS library')
    yield Derived(f"{sender}_write_key", key, "RFC 8446 §7.3", label)
    yield Derived(f"{sender}_write_iv", iv, "RFC 8446 §7.3", label)
    if label in _ONLY_FINISHED:
        yield Derived(f"{sender} finished_key", finished_key(suite.algorithm, secret), "RFC 8446 §4.4.4", label)


# -- TLS 1.2 ---------------------------------------------------------------------------------------


def prf(algorithm: str, secret: bytes, label: str, seed: bytes, length: int) -> bytes:
    """Return `length` bytes of TLS 1.2's PRF. Source: RFC 5246 §5."""
    seed = label.encode("ascii") + seed
    output, a = b"", seed
    while len(output) < length:
        a = hmac.digest(secret, a, algorithm)
        output += hmac.digest(secret, a + seed, algorithm)
    return output[:length]


def master_secret(algorithm: str, pre_master_secret: bytes, randoms: bytes) -> bytes:
    """Return the 48-byte master secret; `randoms` is the client's and then the server's. Source: RFC 5246 §8.1."""
    return prf(algorithm, pre_master_secret, "master secret", randoms, 48)


def extended_master_secret(algorithm: str, pre_master_secret: bytes, session_hash: bytes) -> bytes:
    """Return the master secret bound to the handshake, ClientHello to ClientKeyExchange. Source: RFC 7627 §4."""
    return prf(algorithm, pre_master_secret, "extended master secret", session_hash, 48)


def finished_12(algorithm: str, master: bytes, sender: str, transcript_hash: bytes) -> bytes:
    """Return a TLS 1.2 Finished's verify_data. Source: RFC 5246 §7.4.9."""
    return prf(algorithm, master, f"{sender} finished", transcript_hash, VERIFY_DATA_LENGTH)


def tls12_values(suite: Suite, master: bytes, client_random: bytes, server_random: bytes) -> tuple[Derived, ...]:
    """Return the key block cut into its parts, the master secret first; parts of no bytes are left out.

    Source: RFC 5246 §6.3.
    """
    lengths = (suite.mac_length, suite.cipher.key_length, suite.cipher.iv_length)
    block = prf(suite.algorithm, master, "key expansion", server_random + client_random, 2 * sum(lengths))
    source, values, start = "RFC 5246 §6.3", [Derived("master_secret", master, "RFC 5246 §8.1", "key log")], 0
    for name, length in zip(("write_MAC_key", "write_key", "write_IV"), lengths, strict=True):
        for sender in ("client", "server"):
            if length:
                part = block[start : start + length]
                values.append(Derived(f"{sender}_{name}", part, source, "master_secret, both randoms"))
            start += length
    return tuple(values)
