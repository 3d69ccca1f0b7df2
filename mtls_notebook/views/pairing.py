"""Files that were dropped together, sorted into identities: certificates and keys find each other.

File names and the order of the drop say nothing here: a key belongs to the certificate with its public
key, an issuer to what it signed. What is still incomplete (locked, or one half of a pair) is returned for
the next try. What may not live here: widgets, the store, and any key for longer than one call.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import (
    KeyMismatch,
    MaterialError,
    NoPrivateKey,
    NotACertificate,
    NotALeaf,
    PasswordRequired,
    WrongPassword,
)
from ..pki.algorithms import public_key_sha256
from ..pki.certificate import Certificate, is_issued_by
from ..pki.identity import CHAIN_LIMIT, LARGEST_FILE_BYTES, Identity, read_identity, read_pkcs12
from ..pki.material import Material, examine
from ..pki.private_key import Password, open_key
from ..pki.sensitive import Sensitive

T = TypeVar("T")

Issuers = Mapping[bytes, Sequence[tuple["_Contents", Certificate]]]


@dataclass(frozen=True, slots=True)
class File:
    """A dropped file: its name, for people to read, and its content."""

    name: str
    data: Sensitive


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A file that is no identity (yet), and why."""

    file: File
    error: MaterialError


@dataclass(frozen=True, slots=True)
class Sorting:
    """What became of the files.

    Shape: `locked` need a passphrase, `alone` lack their other half, `refused` will never do; `issuers` are
    CA certificates kept for the chains of those that wait.
    """

    found: tuple[Identity, ...] = ()
    locked: tuple[Unfinished, ...] = ()
    alone: tuple[Unfinished, ...] = ()
    refused: tuple[Unfinished, ...] = ()
    issuers: tuple[File, ...] = ()

    @property
    def waiting(self) -> tuple[File, ...]:
        """Return the files to try again, with the next drop or the next passphrase."""
        return (*(each.file for each in (*self.locked, *self.alone)), *self.issuers)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What one file holds: certificates, and the public keys (SHA-256) of its private keys."""

    file: File
    certificates: tuple[Certificate, ...]
    keys: frozenset[str]
    passphrase: Sensitive | None


def pair(files: Iterable[File], passphrases: Sequence[Sensitive] = ()) -> Sorting:
    """Return the identities in `files` and what is left; each of `passphrases` is tried on every locked file.

    Odd content raises nothing: every file ends up in one part of the answer.
    """
    identities: list[Identity] = []
    contents: list[_Contents] = []
    locked: list[Unfinished] = []
    refused: list[Unfinished] = []
    for file in {hashlib.sha256(file.data).digest(): file for file in files}.values():
        try:
            opened = _open(file, passphrases)
        except MaterialError as error:
            kind = locked if isinstance(error, PasswordRequired | WrongPassword) else refused
            kind.append(Unfinished(file, error))
        else:
            (identities if isinstance(opened, Identity) else contents).append(opened)  # type: ignore[arg-type]
    made, used, faults = _identities(contents)
    refused += faults
    alone, authorities = _halves([each for each in contents if each.file not in used])
    if not (locked or alone):
        refused += [_authority(each) for each in authorities]
        authorities = []
    return Sorting(
        _distinct([*identities, *made]),
        tuple(locked),
        tuple(alone),
        tuple(refused),
        tuple(each.file for each in authorities),
    )


def _open(file: File, passphrases: Sequence[Sensitive]) -> Identity | _Contents:
    """Return the identity of an archive, or what another file holds. Raises MaterialError."""
    material = examine(file.data) if len(file.data) <= LARGEST_FILE_BYTES else Material()
    if material.is_pkcs12:
        return _with_any(passphrases, lambda word: read_pkcs12(file.data, word, label=file.name))
    if not material.certificates and not material.keys:
        return read_identity(file.data, cert_label=file.name)  # which says what it holds instead
    certificates = tuple(Certificate.from_der(der, file.name) for der in material.certificates)

    def contents(word: Sensitive | None) -> _Contents:
        keys = (open_key(encoded, Password(word), file.name) for encoded in material.keys)
        return _Contents(file, certificates, frozenset(public_key_sha256(key.public_key()) for key in keys), word)

    return _with_any(passphrases, contents)


def _with_any(passphrases: Sequence[Sensitive], read: Callable[[Sensitive | None], T]) -> T:
    """Return what `read` makes of the first passphrase that fits, none at all being the first to try."""
    refusal: MaterialError
    for word in (None, *passphrases):
        try:
            return read(word)
        except (PasswordRequired, WrongPassword) as error:
            refusal = error
    raise refusal


def _identities(contents: Sequence[_Contents]) -> tuple[list[Identity], set[File], list[Unfinished]]:
    """Return an identity for each certificate whose key is there, the files that took part, and what failed."""
    holders = {key: each for each in contents for key in each.keys}
    issuers = _issuers(contents)
    found: list[Identity] = []
    faults: list[Unfinished] = []
    used: set[File] = set()
    for each in contents:
        for leaf in each.certificates:
            if (holder := holders.get(leaf.public_key_sha256)) is None:
                continue
            above = _above(leaf, issuers)
            used |= {each.file, holder.file, *(other.file for other, _ in above)}
            try:
                found.append(_identity(leaf, each, holder, [issuer for _, issuer in above]))
            except MaterialError as error:
                faults.append(Unfinished(each.file, error))
    return found, used, faults


def _identity(leaf: Certificate, source: _Contents, holder: _Contents, above: Sequence[Certificate]) -> Identity:
    """Return the identity of `leaf`, with the authorities of its own file and those found elsewhere."""
    authorities = (c for c in (*source.certificates, *above) if c.is_ca and c != leaf)
    pool = "".join(certificate.pem() for certificate in dict.fromkeys((leaf, *authorities)))
    return read_identity(
        pool.encode(),
        holder.file.data,
        holder.passphrase,
        cert_label=source.file.name,
        key_label=holder.file.name,
    )


def _issuers(contents: Sequence[_Contents]) -> Issuers:
    """Return the authorities by their subject."""
    found: defaultdict[bytes, list[tuple[_Contents, Certificate]]] = defaultdict(list)
    for each in contents:
        for certificate in each.certificates:
            if certificate.is_ca:
                found[certificate.subject_der].append((each, certificate))
    return found


def _above(leaf: Certificate, issuers: Issuers) -> list[tuple[_Contents, Certificate]]:
    """Return the authorities above `leaf`, nearest first, and the files they are in."""
    chain: list[tuple[_Contents, Certificate]] = []
    current = leaf
    while len(chain) < CHAIN_LIMIT and not current.is_self_signed:
        above = (pair for pair in issuers.get(current.issuer_der, ()) if is_issued_by(current, pair[1]))
        if (nearest := next(above, None)) is None:
            break
        chain.append(nearest)
        current = nearest[1]
    return chain


def _halves(rest: Sequence[_Contents]) -> tuple[list[Unfinished], list[_Contents]]:
    """Return the certificates and keys that lack each other, and the files that hold authorities alone."""
    keys = [each for each in rest if each.keys]
    leaves = [each for each in rest if not each.keys and any(not c.is_ca for c in each.certificates)]
    authorities = [each for each in rest if not each.keys and all(c.is_ca for c in each.certificates)]
    if len(keys) == len(leaves) == 1:
        return [_mismatch(leaves[0], keys[0]), _without_key(leaves[0])], authorities
    return [*map(_without_certificate, keys), *map(_without_key, leaves)], authorities


def _mismatch(leaf: _Contents, key: _Contents) -> Unfinished:
    certificate = next(c for c in leaf.certificates if not c.is_ca)
    message = (
        f"{key.file.name} does not hold the key of {leaf.file.name}. Public key SHA-256: "
        f"{', '.join(sorted(key.keys))} (key), {certificate.public_key_sha256} (certificate)."
    )
    return Unfinished(key.file, KeyMismatch(message, "Drop the key that was made for this certificate."))


def _without_certificate(each: _Contents) -> Unfinished:
    message = f"{each.file.name} holds a private key, and no dropped file holds its certificate."
    return Unfinished(each.file, NotACertificate(message, "Drop the certificate too: it is paired by its public key."))


def _without_key(each: _Contents) -> Unfinished:
    leaf = next(c for c in each.certificates if not c.is_ca)
    message = f"{each.file.name} holds a certificate ({leaf.subject}), and no dropped file holds its private key."
    return Unfinished(each.file, NoPrivateKey(message, "Drop the key file too: it is paired by its public key."))


def _authority(each: _Contents) -> Unfinished:
    message = f"{each.file.name} holds a CA certificate ({each.certificates[0].subject}): nobody presents it."
    return Unfinished(each.file, NotALeaf(message, "To trust a server's CA: %mtls_upload --ca-cert PATH"))


def _distinct(identities: Sequence[Identity]) -> tuple[Identity, ...]:
    """Return one identity for each certificate: the one with the longest chain."""
    best: dict[str, Identity] = {}
    for identity in identities:
        known = best.get(identity.fingerprint)
        if known is None or len(known.chain) < len(identity.chain):
            best[identity.fingerprint] = identity
    return tuple(best.values())
