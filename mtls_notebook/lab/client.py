"""What an established connection tells about its client: chain, verdict, SNI.

The one place where pyOpenSSL's view of a peer becomes the project's values.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from ..pki.certificate import Certificate, tls_client_auth, verified_text
from ..recorder.events import Agreed
from .context import Observed
from .routes import Client


def client_of(tls: SSL.Connection, observed: Observed, agreed: Agreed) -> Client:
    """Return what the connection `tls`, its handshake done, tells about its client."""
    chain = presented_chain(tls)
    verdict = observed.verdict
    # A resumed connection takes the certificate from its session; it was judged when that began.
    verified = verified_text(verdict.code, verdict.message) if verdict else verified_text(0, "ok")
    server_name = (tls.get_servername() or b"").decode("ascii", "replace")
    return Client(agreed, server_name, tls_client_auth(chain, verified, bool(chain)))


def presented_chain(tls: SSL.Connection) -> tuple[Certificate, ...]:
    """Return the client's certificates as it sent them, leaf first; () if it sent none."""
    leaf = tls.get_peer_certificate(as_cryptography=True)
    if leaf is None:
        return ()
    # On the server's side OpenSSL leaves the leaf out of the chain; do not depend on it.
    rest = [cert for cert in tls.get_peer_cert_chain(as_cryptography=True) or () if cert != leaf]
    return tuple(Certificate.from_der(cert.public_bytes(Encoding.DER)) for cert in (leaf, *rest))
