"""The certificates a user has uploaded: ids, names, a limit, rotation, deletion.

Uploading under a name that is taken is a rotation: the new certificate gets a new id, the old one is
gone, and its id leads to its successor for as long as that lives, so a binding made before still works.
What may not live here: bindings (the caller asks them before deleting), files, messages of the magics.
"""

from __future__ import annotations

import difflib
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..errors import AmbiguousName, StoreFull, UnknownCertificate
from ..pki.identity import Identity

LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Stored:
    """An uploaded identity. `replaces` is the id it took over from in a rotation, else None."""

    id: str
    name: str | None
    identity: Identity
    uploaded_on: datetime
    replaces: str | None = None


class CertificateStore:
    """Identities by id and by name. Names are unique here; safe to use from several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._by_id: dict[str, Stored] = {}
        self._successors: dict[str, str] = {}

    def add(self, identity: Identity, name: str | None = None) -> Stored:
        """Return the identity as stored under a new id, in the place of one with the same name.

        Raises: StoreFull when it would be one too many; nothing is stored then.
        """
        stored = Stored(str(uuid.uuid4()), name or None, identity, datetime.now(UTC))
        with self._lock:
            previous = self._named(name) if name else None
            if previous is None and len(self._by_id) >= self._limit:
                raise StoreFull(
                    f"The store holds {self._limit:,} certificates, as many as an account may have.",
                    "Delete one: %mtls_certificates --delete NAME",
                )
            if previous is not None:
                stored = replace(stored, replaces=previous.id)
                del self._by_id[previous.id]
                self._successors[previous.id] = stored.id
            self._by_id[stored.id] = stored
        return stored

    def resolve(self, ref: str) -> Stored:
        """Return what is stored under the id or the name `ref`; an id rotated away leads to its successor.

        Raises: UnknownCertificate, listing what there is.
        """
        with self._lock:
            found = self._by_id.get(self._current_id(ref)) or self._named(ref)
            if found is None:
                raise self._unknown(ref)
            return found

    get = resolve

    def rename(self, ref: str, name: str | None) -> Stored:
        """Return what is stored under `ref`, from now on called `name` (None: nameless).

        Raises: UnknownCertificate; AmbiguousName when another certificate has that name.
        """
        with self._lock:
            stored = self.resolve(ref)
            other = self._named(name) if name else None
            if other is not None and other.id != stored.id:
                raise AmbiguousName(
                    f"Another certificate is called {name!r} already.", "Choose another name, or delete that one."
                )
            self._by_id[stored.id] = renamed = replace(stored, name=name or None)
            return renamed

    def delete(self, ref: str) -> Stored:
        """Return what was stored under `ref`, which is gone now.

        Raises: UnknownCertificate.
        """
        with self._lock:
            stored = self.resolve(ref)
            del self._by_id[stored.id]
            self._successors = {old: new for old, new in self._successors.items() if self._leads_on(new)}
            return stored

    def clear(self) -> None:
        """Forget every certificate and its key."""
        with self._lock:
            self._by_id.clear()
            self._successors.clear()

    def __iter__(self) -> Iterator[Stored]:
        with self._lock:
            return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, ref: object) -> bool:
        with self._lock:
            return isinstance(ref, str) and (self._leads_on(ref) or self._named(ref) is not None)

    def __repr__(self) -> str:
        return f"<CertificateStore with {len(self)} certificate(s)>"

    def _named(self, name: str) -> Stored | None:
        return next((stored for stored in self._by_id.values() if stored.name == name), None)

    def _current_id(self, ref: str) -> str:
        ref = ref.strip().lower() if _is_uuid(ref) else ref
        while ref in self._successors:
            ref = self._successors[ref]
        return ref

    def _leads_on(self, ref: str) -> bool:
        return self._current_id(ref) in self._by_id

    def _unknown(self, ref: str) -> UnknownCertificate:
        names = [stored.name or stored.id for stored in self._by_id.values()]
        if not names:
            hint = "The store is empty. Upload one: %mtls_upload --cert cert.pem --key key.pem --name NAME"
        else:
            hint = _listing(ref, names)
        return UnknownCertificate(f"No certificate answers to {ref!r}.", hint)


def record(stored: Stored) -> dict[str, str | bool | None]:
    """Return the record the certificates API would show: everything but the key.

    Shape: times in RFC 3339, UTC; `serial_number` decimal; `signature` the signature algorithm.
    """
    leaf = stored.identity.leaf
    return {
        "id": stored.id,
        "name": stored.name,
        "ca": leaf.is_ca,
        "certificates": "".join(certificate.pem() for certificate in stored.identity.chain),
        "issuer": leaf.issuer,
        "serial_number": str(leaf.serial_number),
        "signature": leaf.signature_algorithm,
        "uploaded_on": _rfc3339(stored.uploaded_on),
        "expires_on": _rfc3339(leaf.not_after),
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text.strip())
    except ValueError:
        return False
    return True


def _listing(ref: str, names: list[str], shown: int = 8) -> str:
    close = difflib.get_close_matches(ref, names, n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return f"{meant}There is: {', '.join(names[:shown])}{more}."
