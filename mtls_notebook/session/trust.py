"""Which CAs are trusted to vouch for a server.

A `Trust` is a value: adding an authority makes a new one, and its `key` is cheap to hash, because a
context with the system's roots takes tens of milliseconds to build and must be cached.
What may not live here: client certificates, and the cache itself.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace

from ..errors import MaterialError
from ..pki.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Trust:
    """The system's roots (if `system`) and the uploaded `authorities`."""

    system: bool = True
    authorities: tuple[Certificate, ...] = ()

    @property
    def key(self) -> tuple[bool, tuple[str, ...]]:
        """Return a small hashable value, equal for equal trust."""
        return self.system, tuple(authority.fingerprint_sha256 for authority in self.authorities)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is unusual about the authorities, one sentence each."""
        return tuple(
            f"{pinned.subject} is no CA but a self-signed certificate: it vouches for itself alone."
            for pinned in self.authorities
            if not pinned.is_ca
        )

    def with_authority(self, certificate: Certificate) -> Trust:
        """Return this trust and `certificate`: a CA, or a self-signed server certificate to pin.

        Raises: MaterialError when the certificate could vouch for nobody.
        """
        if not certificate.is_ca and not certificate.is_self_signed:
            raise MaterialError(
                f"{certificate.subject} is no CA: {certificate.issuer} issued it, it vouches for nobody.",
                "Give the CA's own certificate: --ca-cert PATH",
            )
        known = certificate.fingerprint_sha256 in self.key[1]
        return self if known else replace(self, authorities=(*self.authorities, certificate))

    def without_authority(self, certificate: Certificate) -> Trust:
        """Return this trust without `certificate`; itself where that is not trusted."""
        return replace(self, authorities=tuple(a for a in self.authorities if a != certificate))

    def load_into(self, context: ssl.SSLContext) -> None:
        """Make `context` trust these and nothing more.

        Give a bare SSLContext: `create_default_context` obeys SSLKEYLOGFILE and may write secrets to disk.
        """
        if self.system:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self.authorities:
            context.load_verify_locations(cadata=b"".join(authority.der for authority in self.authorities))
