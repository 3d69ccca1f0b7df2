"""TLS contexts, one per identity, trust, versions and protocols: building one costs 2 to 40 ms, so they are kept.

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

Protocols = tuple[str, ...]
"""What ALPN offers (RFC 7301), the most wanted first."""
HTTP1_ONLY: Protocols = ("http/1.1",)  # worth saying: some servers want to be told
HTTP2_TOO: Protocols = ("h2", "http/1.1")


@dataclass(slots=True)
class Contexts:
    """The contexts of one session."""

    _made: dict[object, ssl.SSLContext] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(
        self,
        identity: Identity | None,
        trust: Trust,
        versions: Versions = DEFAULT_VERSIONS,
        protocols: Protocols = HTTP1_ONLY,
    ) -> ssl.SSLContext:
        """Return the context that presents `identity` (None: no certificate) and trusts `trust`."""
        key = (identity, trust.key, versions, protocols)  # an Identity equals only itself: its chain counts too
        with self._lock:
            if key not in self._made:
                self._made[key] = _build(identity, trust, versions, protocols)
            return self._made[key]

    def forget(self) -> None:
        """Drop every context, and with them the keys they hold."""
        with self._lock:
            self._made.clear()


def _build(identity: Identity | None, trust: Trust, versions: Versions, protocols: Protocols) -> ssl.SSLContext:
    # Not create_default_context(): that honours SSLKEYLOGFILE and would write secrets to disk.
    context = watch(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.minimum_version, context.maximum_version = versions
    context.post_handshake_auth = True
    context.set_alpn_protocols(protocols)
    trust.load_into(context)
    if identity is not None:
        identity.load_into(context)
    return context
