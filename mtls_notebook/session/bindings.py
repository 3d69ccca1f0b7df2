"""The names a worker sees, and the certificate behind each.

A binding refers to a certificate by id and knows nothing of the store: whoever has both hands over the
store's `resolve`. What may not live here: parsing of configuration files (`config`), certificates.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ..errors import ConfigError, UnknownCertificate
from .config import Config, parse_config, parse_pairs
from .hosts import matches, parse_hosts, parse_pattern

__all__ = ["Binding", "Bindings", "Config", "check", "parse_config", "parse_hosts", "parse_pairs"]


class HasId(Protocol):
    """What a resolver returns: something stored under an id."""

    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Binding:
    """`env.<name>` presents the certificate stored as `certificate_id`, to `hosts` only if there are any."""

    name: str
    certificate_id: str
    hosts: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """Return whether the certificate may be presented to `host` (the name or address in the URL)."""
        return not self.hosts or any(matches(pattern, host) for pattern in self.hosts)


def check(config: Config, resolve: Callable[[str], HasId]) -> tuple[Binding, ...]:
    """Return the bindings of `config`, each referring to its certificate by the id that `resolve` finds.

    Raises: UnknownCertificate naming the binding; then there are none at all.
    """
    return tuple(Binding(name, _resolved(name, ref, resolve)) for name, ref in config.bindings)


def _resolved(name: str, ref: str, resolve: Callable[[str], HasId]) -> str:
    try:
        return resolve(ref).id
    except UnknownCertificate as error:
        raise UnknownCertificate(f"Binding {name}: {error.message}", error.hint) from error


class Bindings:
    """The bindings of a session, by name. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._bindings: dict[str, Binding] = {}

    def apply(self, config: Config, resolve: Callable[[str], HasId]) -> tuple[Binding, ...]:
        """Return the bindings of `config`, which are bound now: all of them, or none when one is refused.

        Raises: UnknownCertificate, naming the binding.
        """
        checked = check(config, resolve)
        self.set(*checked)
        return checked

    def set(self, *bindings: Binding) -> None:
        """Add the bindings; a name that is bound already is bound anew and keeps its hosts."""
        with self._lock:
            self._bindings |= {b.name: self._with_known_hosts(b) for b in bindings}

    def get(self, name: str) -> Binding:
        """Return the binding called `name`.

        Raises: ConfigError, listing what there is.
        """
        with self._lock:
            if name not in self._bindings:
                raise self._unknown(name)
            return self._bindings[name]

    def remove(self, name: str) -> Binding:
        """Return the binding called `name`, which is gone now.

        Raises: ConfigError, listing what there is.
        """
        with self._lock:
            binding = self.get(name)
            del self._bindings[name]
            return binding

    def scope(self, name: str, hosts: Iterable[str]) -> Binding:
        """Return the binding called `name`, which from now on presents its certificate to `hosts` only.

        Raises: ConfigError for an unknown name or a bad pattern. No hosts: no restriction.
        """
        patterns = tuple(parse_pattern(host) for host in hosts)
        with self._lock:
            self._bindings[name] = replace(self.get(name), hosts=patterns)
            return self._bindings[name]

    def move(self, old_id: str, new_id: str) -> tuple[str, ...]:
        """Return the names of the bindings that referred to `old_id`: from now on they refer to `new_id`."""
        with self._lock:
            names = self.using(old_id)
            for name in names:
                self._bindings[name] = replace(self._bindings[name], certificate_id=new_id)
            return names

    def using(self, certificate_id: str) -> tuple[str, ...]:
        """Return the names of the bindings that refer to `certificate_id`."""
        return tuple(b.name for b in self if b.certificate_id == certificate_id)

    def clear(self) -> None:
        """Forget all bindings."""
        with self._lock:
            self._bindings = {}

    def __iter__(self) -> Iterator[Binding]:
        with self._lock:
            return iter(tuple(self._bindings.values()))

    def __len__(self) -> int:
        return len(self._bindings)

    def __contains__(self, name: object) -> bool:
        return name in self._bindings

    def __repr__(self) -> str:
        return f"<Bindings {', '.join(b.name for b in self) or 'none'}>"

    def _with_known_hosts(self, binding: Binding) -> Binding:
        known = self._bindings.get(binding.name)
        return replace(binding, hosts=known.hosts) if known and not binding.hosts else binding

    def _unknown(self, name: str) -> ConfigError:
        names = list(self._bindings)
        close = difflib.get_close_matches(name, names, n=1)
        meant = f"Did you mean {close[0]}? " if close else ""
        listed = f"Bound are: {', '.join(names)}." if names else "Bind one: %mtls_bindings NAME=CERTIFICATE"
        return ConfigError(f"No binding is called {name!r}.", meant + listed)
