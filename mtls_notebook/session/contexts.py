"""TLS contexts, one per identity, trust and versions: building one costs 2 to 40 ms, so they are kept.

Every context is watched by the recorder, verifies the server and its name (there is no switch
that turns this off), and holds its key in memory only (`Identity.load_into`).
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field

from ..pki.identity import Identity
from ..recorder.tap import watch
from .trust import Trust

Versions = tuple[ssl.TLSVersion, ssl.TLSVersion]
DEFAULT_VERSIONS: Versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@dataclass(slots=True)
class Contexts:
    """The contexts of one session."""

    _made: dict[object, ssl.SSLContext] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, identity: Identity | None, trust: Trust, versions: Versions = DEFAULT_VERSIONS) -> ssl.SSLContext:
        """Return the context that presents `identity` (None: no certificate) and trusts `trust`."""
        key = (identity, trust.key, versions)  # an Identity equals only itself: its chain counts too
        with self._lock:
            if key not in self._made:
                self._made[key] = _build(identity, trust, versions)
            return self._made[key]

    def forget(self) -> None:
        """Drop every context, and with them the keys they hold."""
        with self._lock:
            self._made.clear()


def _build(identity: Identity | None, trust: Trust, versions: Versions) -> ssl.SSLContext:
    # Not create_default_context(): that honours SSLKEYLOGFILE and would write secrets to disk.
    context = watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.minimum_version, context.maximum_version = versions
    context.post_handshake_auth = True
    context.set_alpn_protocols(["http/1.1"])  # the one protocol that is spoken here; some servers want to be told
    trust.load_into(context)
    if identity is not None:
        identity.load_into(context)
    return context
