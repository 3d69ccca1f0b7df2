"""A key reaches OpenSSL and a real handshake, and no other place: no file in clear, no repr, no traceback."""

from __future__ import annotations

import copy
import os
import pickle
import re
import ssl
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from IPython.core.ultratb import VerboseTB

from mtls_notebook.errors import MaterialError
from mtls_notebook.pki import handover
from mtls_notebook.pki.authority import Authority, Issued, Order, issue_bad
from mtls_notebook.pki.identity import Identity, read_identity
from mtls_notebook.pki.private_key import Password
from mtls_notebook.pki.sensitive import Sensitive

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Not a literal: a traceback shows source lines too.
WRONG = Sensitive(bytes(reversed(b"emases nepo")))

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def client_context(authority: Authority, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.certificate.der)
    identity.load_into(context)
    return context


def server_context(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.certificate.der)
    authority.issue("server", usage=("serverAuth",), names=("example.com",)).identity().load_into(context)
    return context


def certificate_the_server_sees(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes | None:
    """Return the client certificate (DER) after a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="example.com"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    for _ in range(10):
        waiting = [end for end in waiting if not _is_done(end)]
        if not waiting:
            return ends[1].getpeercert(binary_form=True)
    raise AssertionError("the handshake did not end")


def _is_done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["RSA-2048", "P-256", "P-384", "P-521", "Ed25519", "Ed448"])
def test_the_server_of_a_real_handshake_sees_the_loaded_certificate(
    authority: Authority, key: str, version: str
) -> None:
    identity = authority.intermediate("Between").issue("client", key=key).identity()  # type: ignore[arg-type]
    client = client_context(authority, identity)
    seen = certificate_the_server_sees(client, server_context(authority, VERSIONS[version]))
    assert seen == identity.leaf.der


class Watching(ssl.SSLContext):
    """A context that notes what it is given to load, then loads it."""

    seen: list[tuple[str, bytes, bytes]]

    def load_cert_chain(self, certfile, keyfile=None, password=None):  # type: ignore[no-untyped-def]
        self.seen = [*getattr(self, "seen", []), (certfile, Path(certfile).read_bytes(), password)]
        super().load_cert_chain(certfile, keyfile, password)


def numbers(key: PrivateKeyTypes) -> RSAPrivateNumbers:
    assert isinstance(key, RSAPrivateKey)
    return key.private_numbers()


@pytest.fixture(params=["memory", "temporary file"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "temporary file":
        monkeypatch.setattr(handover, "DESCRIPTORS", str(tmp_path / "no-proc"))
    return str(request.param)


def test_openssl_is_handed_ciphertext_under_a_new_password_each_time(
    rsa_pair: Issued, way: str, tmp_path: Path
) -> None:
    context = Watching(ssl.PROTOCOL_TLS_CLIENT)
    rsa_pair.identity().load_into(context)
    rsa_pair.identity().load_into(context)
    (path, content, first), (_, _, second) = context.seen
    assert path.startswith("/proc/self/fd/" if way == "memory" else str(tmp_path))
    assert b"ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content and b"BEGIN RSA PRIVATE KEY" not in content
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key(content, None)
    assert numbers(load_pem_private_key(content, first)) == numbers(load_pem_private_key(rsa_pair.key_pem, None))
    assert first != second and len(first) >= 32
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_openssl_names_the_reason_and_leaves_no_file(
    authority: Authority, way: str, tmp_path: Path
) -> None:
    weak = issue_bad(authority, "weak-key", Order("weak")).identity()
    with pytest.raises(MaterialError, match="EE_KEY_TOO_SMALL") as caught:
        weak.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert "too short" in caught.value.message and caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opened", [handover.memory_file, handover.temporary_file])
def test_the_file_is_for_this_user_only_and_gone_after_an_error(
    opened: Callable[[bytes], AbstractContextManager[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError), opened(b"secret") as path:
        assert Path(path).read_bytes() == b"secret"
        in_memory = "memfd:" in os.path.realpath(path)
        assert in_memory or os.stat(path).st_mode & 0o777 == 0o600
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == before


def shown_by(value: object) -> str:
    parts = [repr(value), str(value), f"{value}", repr([value])]
    slots = getattr(type(value), "__slots__", ())
    parts += [repr(getattr(value, name, "")) for name in slots]
    return "\n".join(parts)


def test_nothing_that_holds_a_key_shows_it(authority: Authority, rsa_pair: Issued) -> None:
    secrets = [rsa_pair.key_pem[100:140].decode(), repr(bytes(rsa_pair.key_pem[100:140]))[2:-1]]
    for holder in (rsa_pair, rsa_pair.identity(), authority, rsa_pair.key_pem, Password(bytes(rsa_pair.key_pem))):
        assert not any(secret in shown_by(holder) for secret in secrets)
    assert repr(rsa_pair.identity()) == (
        f"<Identity CN=rsa-client sha256:{rsa_pair.certificate.fingerprint_sha256[:16]}>"
    )


def test_nothing_that_holds_a_key_is_pickled_or_copied(authority: Authority, rsa_pair: Issued) -> None:
    identity = rsa_pair.identity()
    for holder in (rsa_pair, identity, identity._key, authority, rsa_pair.key_pem):
        for escape in (pickle.dumps, copy.copy, copy.deepcopy, lambda value: copy.deepcopy([value])):
            with pytest.raises(TypeError, match=r"not pickled or copied"):
                escape(holder)


def test_sensitive_bytes_are_bytes_to_a_parser_and_a_length_to_a_reader() -> None:
    value = Sensitive(b"swordfish")
    assert value == b"swordfish" and b"word" in value
    assert f"{value} {value!s} {value!r}" == " ".join(["<9 bytes, not shown>"] * 3)


class _Broken(ssl.SSLContext):
    def load_cert_chain(self, *args: object, **options: object) -> None:
        raise RuntimeError("broken on purpose")


def verbose_traceback(failing: Callable[[], object]) -> str:
    """Return what `%xmode Verbose` prints for the error of `failing`, values of locals included."""
    try:
        failing()
    except Exception as error:
        return COLOUR.sub("", VerboseTB().text(type(error), error, error.__traceback__))
    raise AssertionError("it did not fail")


def fails_while_loading(pair: Issued) -> None:
    pair.identity().load_into(_Broken(ssl.PROTOCOL_TLS_CLIENT))


def fails_on_a_wrong_passphrase(pair: Issued) -> None:
    key = handover.encrypted_pem(load_pem_private_key(pair.key_pem, None), b"right passphrase")
    read_identity(pair.certificate_pem, key, WRONG)


def fails_on_a_mismatch(pair: Issued) -> None:
    other = Authority.create("Other").issue("other")
    read_identity(other.certificate_pem, pair.key_pem)


def fails_on_a_damaged_key(pair: Issued) -> None:
    lines = pair.key_pem.split(b"\n")
    damaged = Sensitive(b"\n".join([lines[0], b"AAAA" + lines[1][4:], *lines[2:]]))
    del lines
    read_identity(pair.certificate_pem, damaged)


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        (fails_while_loading, "RuntimeError"),
        (fails_on_a_wrong_passphrase, "WrongPassword"),
        (fails_on_a_mismatch, "KeyMismatch"),
        (fails_on_a_damaged_key, "NoPrivateKey"),
    ],
)
def test_a_verbose_traceback_shows_no_key(rsa_pair: Issued, failing: Callable[[Issued], None], error: str) -> None:
    text = verbose_traceback(lambda: failing(rsa_pair))
    assert error in text and failing.__name__ in text
    assert leaked(text, rsa_pair) == []
    assert WRONG.decode() not in text


def test_a_verbose_traceback_would_show_a_key_in_plain_bytes(rsa_pair: Issued) -> None:
    def fails_with(key: bytes) -> None:
        raise RuntimeError(len(key))

    assert leaked(verbose_traceback(lambda: fails_with(bytes(rsa_pair.key_pem))), rsa_pair) != []


def leaked(text: str, pair: Issued) -> list[str]:
    """Return the lines of the key's PEM body of which `text` shows a part that is not in the certificate too."""
    private = [
        line for line in pair.key_pem.decode().split("\n")[1:-2] if line[10:30].encode() not in pair.certificate_pem
    ]
    assert len(private) > 10
    return [line for line in private if line[10:30] in text]
