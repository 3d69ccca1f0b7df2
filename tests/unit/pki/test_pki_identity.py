"""A chain and a key become an identity in every form they are found in, or are refused with a reason."""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openssl_cli import openssl

from mtls_notebook import errors
from mtls_notebook.pki.authority import BAD, KEYS, Authority, Issued, Order, issue_bad
from mtls_notebook.pki.identity import Identity, read_certificates, read_identity, read_pkcs12

PASSWORD = b"open sesame"
PASS = ("-passout", f"pass:{PASSWORD.decode()}")


def der(pem: bytes) -> bytes:
    return openssl("x509", "-outform", "DER", stdin=pem)


def one_line(pem: bytes) -> bytes:
    first, *body, last = pem.strip().split(b"\n")
    return b"\n".join([first, b"".join(body), last])


KEY_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "PKCS#8": lambda pem: pem,
    "PKCS#1 or SEC 1": lambda pem: openssl("pkey", "-traditional", stdin=pem),
    "DER": lambda pem: openssl("pkey", "-outform", "DER", stdin=pem),
    "traditional DER": lambda pem: openssl("pkey", "-traditional", "-outform", "DER", stdin=pem),
    "encrypted PKCS#8": lambda pem: openssl("pkcs8", "-topk8", *PASS, stdin=pem),
    "encrypted PKCS#8 DER": lambda pem: openssl("pkcs8", "-topk8", "-outform", "DER", *PASS, stdin=pem),
    "encrypted PKCS#8 with scrypt": lambda pem: openssl("pkcs8", "-topk8", "-scrypt", *PASS, stdin=pem),
    "encrypted PKCS#8 with 3DES": lambda pem: openssl("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", *PASS, stdin=pem),
    "traditional encrypted": lambda pem: openssl("pkey", "-traditional", "-aes128", *PASS, stdin=pem),
    "traditional encrypted with 3DES": lambda pem: openssl("pkey", "-traditional", "-des3", *PASS, stdin=pem),
    "CRLF": lambda pem: pem.replace(b"\n", b"\r\n"),
    "byte order mark": lambda pem: b"\xef\xbb\xbf" + pem,
    "UTF-16": lambda pem: pem.decode().encode("utf-16"),
    "indented": lambda pem: b"\n  " + pem.replace(b"\n", b"\n  "),
    "on one long line": one_line,
    "bag attributes before": lambda pem: b"Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <none>\n" + pem,
    "garbage behind": lambda pem: pem + b"\n\x00\xffend of mail\n",
    "a public key before": lambda pem: openssl("pkey", "-pubout", stdin=pem) + pem,
}

CERTIFICATE_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "PEM": lambda pem: pem,
    "DER": der,
    "DER with a line end": lambda pem: der(pem) + b"\r\n",
    "text before": lambda pem: openssl("x509", "-text", stdin=pem),
    "TRUSTED CERTIFICATE": lambda pem: openssl("x509", "-trustout", "-addtrust", "clientAuth", stdin=pem),
    "PKCS#7": lambda pem: openssl("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", stdin=pem),
    "PKCS#7 DER": lambda pem: openssl("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER", stdin=pem),
    "the same twice": lambda pem: pem + pem,
}


@pytest.fixture(params=["ec_pair", "rsa_pair"])
def pair(request: pytest.FixtureRequest) -> Issued:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Issued)
    return found


@pytest.mark.parametrize("form", KEY_FORMS)
def test_a_key_is_accepted_in_every_form(pair: Issued, form: str) -> None:
    identity = read_identity(pair.certificate_pem, KEY_FORMS[form](pair.key_pem), PASSWORD)
    assert identity.chain == (pair.certificate,)
    assert identity.notes == ()


@pytest.mark.parametrize("form", CERTIFICATE_FORMS)
def test_a_certificate_is_accepted_in_every_form(pair: Issued, form: str) -> None:
    identity = read_identity(CERTIFICATE_FORMS[form](pair.certificate_pem), pair.key_pem)
    assert identity.chain == (pair.certificate,)
    assert identity.notes == ()


def test_a_curve_named_before_its_key_is_no_obstacle(ec_pair: Issued) -> None:
    parameters = openssl("ecparam", "-name", "prime256v1")
    assert b"EC PARAMETERS" in parameters
    identity = read_identity(ec_pair.certificate_pem, parameters + KEY_FORMS["PKCS#1 or SEC 1"](ec_pair.key_pem))
    assert (identity.chain, identity.notes) == ((ec_pair.certificate,), ())


@pytest.mark.parametrize("key", [kind for kind in KEYS if kind != "RSA-1024"])
def test_every_kind_of_key_that_tls_can_use_is_accepted(authority: Authority, key: str) -> None:
    identity = authority.issue("client", key=key).identity()  # type: ignore[arg-type]
    assert identity.key_type == identity.leaf.key
    assert identity.signature_schemes


def test_certificate_and_key_may_share_one_file_in_either_order(ec_pair: Issued) -> None:
    for combined in (ec_pair.certificate_pem + ec_pair.key_pem, ec_pair.key_pem + ec_pair.certificate_pem):
        assert read_identity(combined).chain == (ec_pair.certificate,)
        assert read_identity(ec_pair.certificate_pem, combined).chain == (ec_pair.certificate,)
        assert read_identity(combined, combined).chain == (ec_pair.certificate,)


def test_a_chain_in_any_order_is_sorted_leaf_first_and_said_so(
    authority: Authority, intermediate: Authority, chained_pair: Issued
) -> None:
    right = (chained_pair.certificate, intermediate.certificate, authority.certificate)
    for order in itertools.permutations(right):
        bundle = "".join(certificate.pem() for certificate in order).encode()
        identity = read_identity(bundle, chained_pair.key_pem)
        assert identity.chain == right
        assert identity.notes == (() if order == right else ("The chain was sorted leaf first.",))


def test_what_does_not_belong_is_left_out_and_said_so(ec_pair: Issued, rsa_pair: Issued) -> None:
    public = openssl("pkey", "-pubout", stdin=ec_pair.key_pem)
    cut = ec_pair.certificate_pem[:200]
    bundle = rsa_pair.certificate_pem + ec_pair.certificate_pem + public + cut
    identity = read_identity(bundle, ec_pair.key_pem, cert_label="cert.pem")
    assert identity.chain == (ec_pair.certificate,)
    assert identity.notes == (
        "A certificate that does not belong to the chain was left out: CN=rsa-client",
        "cert.pem also holds a public key: it was left out.",
        "cert.pem also holds a damaged CERTIFICATE block (it has no END line): it was left out.",
    )


def test_the_key_that_fits_is_chosen_among_several(ec_pair: Issued, rsa_pair: Issued) -> None:
    keys = rsa_pair.key_pem + ec_pair.key_pem
    assert read_identity(ec_pair.certificate_pem, keys).leaf == ec_pair.certificate


ARCHIVES = {
    "of today": (),
    "with RC2-40 and 3DES": ("-legacy",),
    "with RC2-40 for both": ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-RC2-40"),
    "with 3DES for both": ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"),
    "without a checksum": ("-nomac",),
}


def archive(pair: Issued, *options: str, password: bytes = PASSWORD) -> bytes:
    word = f"pass:{password.decode()}"
    # By name, not by pipe: openssl reads the file once for the key and once for the certificates.
    with tempfile.NamedTemporaryFile() as file:
        file.write(pair.certificate_pem + pair.key_pem)
        file.flush()
        return openssl("pkcs12", "-export", "-passout", word, *options, "-in", file.name)


@pytest.mark.parametrize("form", ARCHIVES)
def test_a_pkcs12_archive_is_opened(chained_pair: Issued, intermediate: Authority, form: str) -> None:
    data = archive(chained_pair, *ARCHIVES[form])
    text = PASSWORD.decode()  # as text too: a script's own variable is one, more often than not
    for identity in (
        read_pkcs12(data, PASSWORD),
        read_identity(data, password=lambda: PASSWORD),
        read_pkcs12(data, text),
    ):
        assert identity.chain == (chained_pair.certificate, intermediate.certificate)


def test_an_archive_with_an_empty_password_asks_for_none(ec_pair: Issued) -> None:
    def never() -> bytes:
        raise AssertionError("asked")

    assert read_pkcs12(archive(ec_pair, password=b""), never).leaf == ec_pair.certificate


def test_a_passphrase_is_asked_for_once_and_only_when_needed(ec_pair: Issued) -> None:
    asked: list[bytes] = []

    def ask() -> bytes:
        asked.append(PASSWORD)
        return PASSWORD

    read_identity(ec_pair.certificate_pem, ec_pair.key_pem, ask)
    assert asked == []
    encrypted = KEY_FORMS["encrypted PKCS#8"](ec_pair.key_pem)
    read_identity(ec_pair.certificate_pem, encrypted + encrypted, ask)
    assert asked == [PASSWORD]


def test_a_bundle_of_cas_is_read_in_its_order(authority: Authority, intermediate: Authority) -> None:
    bundle = intermediate.certificate_pem + b"# comment\n" + authority.certificate_pem
    assert read_certificates(bundle) == (intermediate.certificate, authority.certificate)


def x25519(pair: Issued) -> bytes:
    return openssl("genpkey", "-algorithm", "X25519")


def request(pair: Issued) -> bytes:
    return openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", stdin=pair.key_pem)


def public(pair: Issued) -> bytes:
    return openssl("pkey", "-pubout", stdin=pair.key_pem)


def encrypted(pair: Issued) -> bytes:
    return KEY_FORMS["encrypted PKCS#8"](pair.key_pem)


def old_encrypted(pair: Issued) -> bytes:
    return KEY_FORMS["traditional encrypted"](pair.key_pem)


def openssh(pair: Issued) -> bytes:
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


def secp256k1_pair() -> tuple[bytes, bytes]:
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    return openssl("req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", stdin=key), key


Given = Callable[[Issued], bytes]
cert: Given = lambda pair: pair.certificate_pem  # noqa: E731
key: Given = lambda pair: pair.key_pem  # noqa: E731


def given_as(data: bytes) -> Given:
    return lambda pair: data


# (certificate file, key file, passphrase) → the refusal, and what it must say.
REFUSALS: dict[str, tuple[Given, Given | None, bytes | None, type[Exception], str, str]] = {
    "empty file": (given_as(b" \n"), key, None, errors.UnreadableFile, "cert.pem is empty", "Check the path"),
    "empty key": (cert, given_as(b""), None, errors.UnreadableFile, "key.pem is empty", "Check the path"),
    "huge file": (given_as(b"x" * 2_000_000), key, None, errors.UnreadableFile, "2,000,000 bytes", "Check the path"),
    "public key": (public, key, None, errors.NotACertificate, "holds a public key", "another file"),
    "request": (request, key, None, errors.NotACertificate, "a certificate signing request", "Send the request"),
    "HTML": (given_as(b"\n<!DOCTYPE html><p>"), key, None, errors.NotACertificate, "an HTML page", "fetch"),
    "Base64 only": (given_as(b"MIIB" * 9), key, None, errors.NotACertificate, "Base64 without", "Put the BEGIN"),
    "garbage": (given_as(b"\x00\x01\x02"), key, None, errors.NotACertificate, "nothing that looks like", "BEGIN CERT"),
    "broken DER": (given_as(b"\x30\x03\x02\x01"), key, None, errors.NotACertificate, "DER of an unknown", "BEGIN CERT"),
    "cut PEM": (lambda p: p.certificate_pem[:99], key, None, errors.NotACertificate, "no END line", "BEGIN CERT"),
    "changed PEM": (
        lambda p: p.certificate_pem.replace(b"MII", b"M!I"), key, None, errors.NotACertificate, "Base64", "BEGIN CERT",
    ),
    "hollow PEM": (
        given_as(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"),
        key, None, errors.NotACertificate, "cert.pem is not a readable X.509", "openssl x509",
    ),
    "swapped files": (key, cert, None, errors.NotACertificate, "holds a private key", "swapped"),
    "key as certificate": (key, key, None, errors.NotACertificate, "holds a private key", "BEGIN CERT"),
    "no key": (cert, None, None, errors.NoPrivateKey, "no private key", "--key PATH"),
    "certificate as key": (cert, cert, None, errors.NoPrivateKey, "key.pem holds a certificate", "--key PATH"),
    "public key as key": (cert, public, None, errors.NoPrivateKey, "key.pem holds a public key", "the half"),
    "key file beside a combined one": (
        lambda p: p.certificate_pem + p.key_pem, cert, None, errors.NoPrivateKey, "a certificate", "leave --key out",
    ),
    "OpenSSH key": (cert, openssh, None, errors.NoPrivateKey, "an OpenSSH private key", "ssh-keygen -p -m PKCS8"),
    "damaged key": (
        cert, lambda p: p.key_pem.replace(b"MI", b"MJ"), None, errors.NoPrivateKey, "does not parse", "cut off",
    ),
    "encrypted": (cert, encrypted, None, errors.PasswordRequired, "key.pem is encrypted", "--password-env"),
    "encrypted, old": (cert, old_encrypted, None, errors.PasswordRequired, "key.pem is encrypted", "--password-env"),
    "empty passphrase": (cert, encrypted, b"", errors.PasswordRequired, "key.pem is encrypted", "--password-env"),
    "wrong passphrase": (cert, encrypted, b"no", errors.WrongPassword, "does not open", "again"),
    "wrong passphrase, old": (cert, old_encrypted, b"no", errors.WrongPassword, "does not open", "again"),
    "X25519": (cert, x25519, None, errors.MaterialError, "of kind X25519", "RSA, ECDSA"),
    "archive as certificate": (archive, key, None, errors.NotACertificate, "a PKCS#12 archive", "--pkcs12"),
    "archive, wrong passphrase": (archive, None, b"no", errors.WrongPassword, "cert.pem does not open", "again"),
    "archive, no passphrase": (archive, None, None, errors.PasswordRequired, "cert.pem is encrypted", "--password"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_unusable_material_is_refused_with_what_it_is_and_what_to_do(rsa_pair: Issued, case: str) -> None:
    cert_file, key_file, password, kind, what, then = REFUSALS[case]
    material = cert_file(rsa_pair), key_file(rsa_pair) if key_file else None
    with pytest.raises(errors.MtlsNotebookError) as caught:
        read_identity(*material, password, cert_label="cert.pem", key_label="key.pem")
    assert type(caught.value) is kind
    assert what in caught.value.message
    assert then in caught.value.hint
    lines = rsa_pair.key_pem.decode().split("\n")[1:-2]
    assert not any(line in str(caught.value) for line in lines)


def test_every_refusal_of_the_error_tree_is_proved_above() -> None:
    proved = {row[3] for row in REFUSALS.values()} | {errors.KeyMismatch, errors.NotALeaf}
    assert proved == {errors.MaterialError, *errors.MaterialError.__subclasses__()}


def test_the_key_of_another_certificate_is_refused_naming_both_public_keys(ec_pair: Issued, rsa_pair: Issued) -> None:
    with pytest.raises(errors.KeyMismatch) as caught:
        read_identity(ec_pair.certificate_pem, rsa_pair.key_pem, cert_label="cert.pem", key_label="key.pem")
    assert "key.pem does not hold the key of cert.pem (CN=ec-client)" in caught.value.message
    assert f"{rsa_pair.certificate.public_key_sha256} (key)" in caught.value.message
    assert f"{ec_pair.certificate.public_key_sha256} (certificate)" in caught.value.message


def test_a_ca_as_leaf_is_refused(authority: Authority) -> None:
    bad = issue_bad(authority, "ca-as-leaf", Order("ca"))
    with pytest.raises(errors.NotALeaf, match="holds a CA certificate"):
        bad.identity()


def test_a_curve_without_a_tls_1_3_scheme_is_refused_by_name() -> None:
    with pytest.raises(errors.MaterialError, match="ECDSA secp256k1"):
        read_identity(*secp256k1_pair())


def test_an_rsa_pss_certificate_is_refused_by_name() -> None:
    pss = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    extension = ("-addext", "basicConstraints=critical,CA:FALSE")
    pem = openssl("req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", *extension, stdin=pss)
    with pytest.raises(errors.MaterialError, match="RSA-PSS 2048"):
        read_identity(pem, pss)


def test_an_archive_without_a_key_or_no_archive_at_all_is_refused(ec_pair: Issued) -> None:
    with pytest.raises(errors.NoPrivateKey, match="a PKCS#12 archive with 1 certificate"):
        read_pkcs12(archive(ec_pair, "-nokeys"), PASSWORD, label="me.p12")
    with pytest.raises(errors.MaterialError, match=r"me\.p12 holds a certificate, not a PKCS#12 archive"):
        read_pkcs12(ec_pair.certificate_pem, PASSWORD, label="me.p12")


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "ca-as-leaf"])
def test_a_bad_certificate_is_still_an_identity(authority: Authority, kind: str) -> None:
    bad = issue_bad(authority, kind, Order("bad"))
    assert bad.identity().leaf == bad.certificate


DAMAGE = st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 255)), max_size=4)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.filterwarnings("ignore:PKCS#7 certificates could not be parsed as DER")
@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(["PEM", "DER", "PKCS#12", "PKCS#7"]),
    on_cert=DAMAGE,
    on_key=DAMAGE,
    cut=st.integers(0, 60),
)
def test_mutated_material_gives_an_identity_or_one_of_our_errors(
    form: str, on_cert: list[tuple[int, int]], on_key: list[tuple[int, int]], cut: int
) -> None:
    cert_file, key_file = to_mutate()[form]
    try:
        found = read_identity(damaged(cert_file, on_cert, cut), damaged(key_file, on_key, 0), PASSWORD)
    except errors.MtlsNotebookError as error:
        assert error.message and error.hint
        return
    assert isinstance(found, Identity)


def damaged(data: bytes | None, places: list[tuple[int, int]], cut: int) -> bytes | None:
    if data is None:
        return None
    changed = bytearray(data)
    for place, byte in places:
        changed[place % len(changed)] = byte
    return bytes(changed[: len(changed) - cut])


@functools.cache
def to_mutate() -> dict[str, tuple[bytes, bytes | None]]:
    pair = Authority.create("Mutation CA").issue("client")
    return {
        "PEM": (pair.certificate_pem, pair.key_pem),
        "DER": (der(pair.certificate_pem), KEY_FORMS["DER"](pair.key_pem)),
        "PKCS#12": (archive(pair, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-iter", "1"), None),
        "PKCS#7": (CERTIFICATE_FORMS["PKCS#7 DER"](pair.certificate_pem), pair.key_pem),
    }
