"""Trust is a value; a context that loads it accepts the servers it should and no other."""

from __future__ import annotations

import ssl

import pytest

from mtls_notebook.errors import MaterialError
from mtls_notebook.pki.authority import Authority, Issued, Order, issue_bad
from mtls_notebook.session.trust import Trust

SERVER = Order("server", usage=("serverAuth",), names=("example.com",))


def verify_code(trust: Trust, server: Issued) -> int:
    """Return what a client with this trust makes of the server in a real handshake (0: accepted)."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_into(client)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.identity().load_into(serving)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname="example.com")
    two = serving.wrap_bio(to_server, to_client, server_side=True)
    for end in (one, two, one):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_code
    assert one.version() == "TLSv1.3"
    return 0


def test_a_server_is_accepted_only_under_a_trusted_authority(authority: Authority) -> None:
    server = authority.fulfil(SERVER)
    nothing = Trust(system=False)
    assert verify_code(nothing, server) == 20
    trusting = nothing.with_authority(authority.certificate)
    assert verify_code(trusting, server) == 0
    assert verify_code(trusting, Authority.create("Session CA").fulfil(SERVER)) != 0
    assert verify_code(trusting.without_authority(authority.certificate), server) == 20


def test_the_roots_of_the_system_are_loaded_only_when_wanted(authority: Authority) -> None:
    with_roots, without = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    Trust().with_authority(authority.certificate).load_into(with_roots)
    Trust(system=False).with_authority(authority.certificate).load_into(without)
    assert without.get_ca_certs(binary_form=True) == [authority.certificate.der]
    expected = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    expected.load_default_certs()
    assert with_roots.cert_store_stats()["x509"] == expected.cert_store_stats()["x509"] + 1
    assert with_roots.keylog_filename is None and with_roots.verify_mode == ssl.CERT_REQUIRED


def test_trust_is_a_value_with_a_cheap_key(authority: Authority) -> None:
    base = Trust()
    more = base.with_authority(authority.certificate)
    assert base.authorities == () and more.authorities == (authority.certificate,)
    assert more == Trust().with_authority(authority.certificate)
    assert more.key == more.with_authority(authority.certificate).key
    assert len({base.key, more.key, Trust(system=False).key}) == 3
    assert more.without_authority(authority.certificate) == base


def test_a_pinned_self_signed_server_certificate_is_trusted_for_itself_and_noted(authority: Authority) -> None:
    server = issue_bad(authority, "self-signed", SERVER)
    trust = Trust(system=False).with_authority(server.certificate)
    assert verify_code(trust, server) == 0
    assert verify_code(trust, issue_bad(authority, "self-signed", SERVER)) != 0
    assert trust.notes == ("CN=server is no CA but a self-signed certificate: it vouches for itself alone.",)
    assert Trust().with_authority(authority.certificate).notes == ()


def test_a_certificate_that_can_vouch_for_nobody_is_refused(authority: Authority) -> None:
    with pytest.raises(MaterialError, match="CN=server is no CA: CN=Session CA issued it") as caught:
        Trust().with_authority(authority.fulfil(SERVER).certificate)
    assert "--ca-cert" in caught.value.hint
