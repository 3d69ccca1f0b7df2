"""What the authority issues is what openssl accepts, and each bad kind is refused for its own reason."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mtls_notebook.pki.authority import BAD, KEYS, Authority, Issued, Order, issue_bad


def verify_code(authority: Authority, issued: Issued, folder: Path, *options: str, crl: bytes = b"") -> int:
    """Return the X509_V_ERR number that `openssl verify` ends with (0: accepted)."""
    (folder / "ca.pem").write_bytes(authority.certificate_pem + crl)
    (folder / "chain.pem").write_bytes(issued.certificate_pem)
    files = ["-CAfile", str(folder / "ca.pem"), "-untrusted", str(folder / "chain.pem"), str(folder / "chain.pem")]
    # -x509_strict: extensions must be as RFC 5280 wants them, not merely good enough.
    command = ["openssl", "verify", "-x509_strict", "-no-CAfile", "-no-CApath", *options, *files]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=30)
    errors = [int(number) for number in re.findall(r"^error (\d+) at", done.stderr, re.MULTILINE)]
    assert bool(errors) == (done.returncode != 0), done.stderr
    return errors[0] if errors else 0


@pytest.mark.parametrize("key", [kind for kind in KEYS if kind != "RSA-1024"])
def test_certificates_of_every_key_pass_a_strict_check(key: str, tmp_path: Path) -> None:
    root = Authority.create("Strict CA", key=key)  # type: ignore[arg-type]
    between = root.intermediate("Strict Intermediate", key=key)  # type: ignore[arg-type]
    for issuer in (root, between):
        client = issuer.issue("client", key=key)  # type: ignore[arg-type]
        assert verify_code(root, client, tmp_path, "-purpose", "sslclient") == 0
        server = issuer.issue("server", usage=("serverAuth",), names=("example.com", "127.0.0.1"))
        for host in (("-verify_hostname", "example.com"), ("-verify_ip", "127.0.0.1")):
            assert verify_code(root, server, tmp_path, "-purpose", "sslserver", *host) == 0


# X509_V_ERR numbers; what is no fault in a client's certificate is 0.
CODES = {
    "expired": 10,
    "not-yet-valid": 9,
    "server-usage": 26,
    "client-usage": 0,
    "self-signed": 18,
    "other-ca": 20,
    "wrong-host": 0,
    "missing-intermediate": 20,
    "ca-as-leaf": 0,
    "weak-key": 66,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_client_certificate_is_refused_for_its_own_reason(
    authority: Authority, kind: str, tmp_path: Path
) -> None:
    bad = issue_bad(authority, kind, Order("client"))
    options = ("-purpose", "sslclient", "-auth_level", "2")
    assert verify_code(authority, bad, tmp_path, *options) == CODES[kind]
    good = authority.issue("client")
    assert verify_code(authority, good, tmp_path, *options) == 0


def test_a_server_for_another_host_is_refused_for_its_name(authority: Authority, tmp_path: Path) -> None:
    order = Order("server", usage=("serverAuth",), names=("example.com",))
    options = ("-purpose", "sslserver", "-verify_hostname", "example.com")
    assert verify_code(authority, authority.fulfil(order), tmp_path, *options) == 0
    assert verify_code(authority, issue_bad(authority, "wrong-host", order), tmp_path, *options) == 62
    assert verify_code(authority, issue_bad(authority, "client-usage", order), tmp_path, *options) == 26


def test_a_revocation_list_revokes_what_it_names_and_nothing_else(authority: Authority, tmp_path: Path) -> None:
    kept, revoked = authority.issue("kept"), authority.issue("revoked")
    crl = authority.crl([revoked.certificate.serial_number])
    assert verify_code(authority, kept, tmp_path, "-crl_check", crl=crl) == 0
    assert verify_code(authority, revoked, tmp_path, "-crl_check", crl=crl) == 23


def test_the_root_is_left_out_of_what_is_presented(authority: Authority) -> None:
    between = authority.intermediate("Between")
    below = between.intermediate("Below")
    assert len(authority.issue("x").identity().chain) == 1
    identity = below.issue("x").identity()
    assert identity.chain[1:] == (below.certificate, between.certificate)


def test_two_certificates_never_share_serial_number_or_key(authority: Authority) -> None:
    first, second = authority.issue("same").certificate, authority.issue("same").certificate
    assert first.serial_number != second.serial_number
    assert first.public_key_sha256 != second.public_key_sha256
