"""The proofs of real handshakes hold; spoil what they are about and they do not; without secrets they say so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from mtls_notebook.pki.authority import KeyKind
from mtls_notebook.recorder.decrypt import decrypted, with_messages
from mtls_notebook.recorder.events import Bytes, Event, Kind
from mtls_notebook.recorder.key_schedule import extended_master_secret, master_secret
from mtls_notebook.recorder.keyring import secrets_of
from mtls_notebook.recorder.proofs import Proof, prove
from mtls_notebook.recorder.signatures import SCHEMES, key_der, public_key, subject_public_key_info
from mtls_notebook.tls.authentication import CertificateEntry
from mtls_notebook.tls.names import SIGNATURE_SCHEMES
from tests.unit.recorder.pair import OP_NO_EXTENDED_MASTER_SECRET, Pair, Terms, issued, met, ssl_pair
from tests.unit.recorder.recorded import recorded
from tests.unit.tls.captured import NAMES

KEYS: tuple[KeyKind, ...] = ("P-256", "P-384", "P-521", "RSA-2048", "Ed25519", "Ed448")
NEW_SESSION_TICKET, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE = 4, 15, 16
MUTUAL = {
    "1.2": [
        "Server's signature in ServerKeyExchange",
        "Client's CertificateVerify",
        "Client's Finished",
        "Server's Finished",
    ],
    "1.3": [
        "Server's CertificateVerify",
        "Server's Finished",
        "Client's CertificateVerify",
        "Client's Finished",
    ],
}
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


@cache
def story(version: str = "1.3") -> tuple[Event, ...]:
    return with_messages(met(version=version, client_key="P-256").events)


def verdicts(events: Sequence[Event]) -> dict[str, bool | None]:
    return {proof.title: proof.holds for proof in prove(events)}


def message_bytes(events: Sequence[Event]) -> dict[int, bytes]:
    """Return message index → bytes of the handshake messages."""
    told = [e for e in events if e.kind in (Kind.MESSAGE, Kind.ALERT, Kind.CHANGE_CIPHER_SPEC)]
    return {
        index: event.data.data
        for index, event in enumerate(told)
        if event.kind is Kind.MESSAGE and isinstance(event.data, Bytes)
    }


def spoiled(events: Sequence[Event], message: int, at: int, flip: int = 1) -> list[Event]:
    """Return the events with one byte of one message changed."""
    told = [i for i, e in enumerate(events) if e.kind in (Kind.MESSAGE, Kind.ALERT, Kind.CHANGE_CIPHER_SPEC)]
    changed, data = list(events), events[told[message]].data
    assert isinstance(data, Bytes)
    raw = bytearray(data.data)
    raw[at] ^= flip
    changed[told[message]] = Event(0, 1, Kind.MESSAGE, Bytes.of(data.sender, bytes(raw)))
    return changed


# ---- what holds


@pytest.mark.parametrize("key", KEYS)
@both_versions
def test_every_kind_of_key_proves_itself_on_both_sides(version: str, key: KeyKind) -> None:
    found = prove(met(version=version, server_key=key, client_key=key).events)
    assert [(proof.title, proof.holds) for proof in found] == [(title, True) for title in MUTUAL[version]]


@both_versions
def test_without_a_client_certificate_there_is_one_signature_and_two_macs(version: str) -> None:
    found = verdicts(met(version=version).events)
    assert found == {title: True for title in MUTUAL[version] if title != "Client's CertificateVerify"}


@both_versions
def test_a_proof_stands_at_its_message_and_its_steps_end_in_what_was_sent(version: str) -> None:
    raws = message_bytes(story(version))
    for proof in prove(story(version)):
        assert raws[proof.message_index].endswith(proof.steps[-1].value) or "ServerKeyExchange" in proof.title
        assert proof.steps[-1].value in raws[proof.message_index]
        assert all(step.label and step.source.startswith("RFC ") and step.from_ for step in proof.steps)
        assert proof.why.endswith(".")


@both_versions
def test_a_resumed_handshake_proves_that_both_ends_have_the_secret(version: str) -> None:
    first = Pair(Terms(version=version)).shake_hands()
    again = Pair(Terms(version=version), before=first).shake_hands()
    found = prove(again.events)
    assert not any("Certificate" in proof.title for proof in found)
    macs = [proof.holds for proof in found if "Finished" in proof.title]
    assert macs == [True, True]
    binders = [proof.holds for proof in found if "binder" in proof.title]
    assert binders == ([None] if version == "1.3" else [])


def test_a_hello_retry_request_folds_the_first_client_hello_into_its_hash(tmp_path: Path) -> None:
    events = ssl_pair(tmp_path, curve="secp521r1")
    kinds = [sent.data[0] for sent in decrypted(events) if sent.kind is Kind.MESSAGE]
    assert kinds[:4] == [1, 2, 1, 2]
    assert list(verdicts(events).values()) == [True, True, True]


def test_authentication_after_the_handshake_has_a_transcript_of_its_own(tmp_path: Path) -> None:
    events = ssl_pair(tmp_path, ask_later=True)
    assert [(proof.title, proof.holds) for proof in prove(events)] == [
        ("Server's CertificateVerify", True),
        ("Server's Finished", True),
        ("Client's Finished", True),
        ("Client's CertificateVerify", True),
        ("Client's Finished", True),
    ]
    last = prove(events)[-1]
    assert "client_application_traffic_secret_0" in [step.label for step in last.steps]


# ---- what the master secret is made of


@pytest.mark.parametrize("extended", [True, False])
def test_the_logged_master_secret_is_made_of_the_pre_master_secret_as_the_rfc_says(extended: bool) -> None:
    """With RSA key exchange the server's key opens the pre-master secret: the one place where a test can see it."""
    options = 0 if extended else OP_NO_EXTENDED_MASTER_SECRET
    events = met(version="1.2", suite="AES128-GCM-SHA256", server_key="RSA-2048", options=options).events
    raws = [sent.data for sent in decrypted(events) if sent.kind is Kind.MESSAGE]
    exchange = next(raw for raw in raws if raw[0] == CLIENT_KEY_EXCHANGE)
    key = load_pem_private_key(issued("RSA-2048", "serverAuth").key_pem, None)
    pre_master = key.decrypt(exchange[6:], padding.PKCS1v15())  # type: ignore[union-attr, call-arg]
    finished = next(proof for proof in prove(events) if proof.title == "Client's Finished")
    steps = {step.label: step.value for step in finished.steps}
    logged = next(value for (label, _), value in secrets_of(events).items() if label == "CLIENT_RANDOM")
    assert ("session_hash" in steps) == extended
    if extended:
        made = extended_master_secret("sha256", pre_master, steps["session_hash"])
    else:
        made = master_secret("sha256", pre_master, raws[0][6:38] + raws[1][6:38])
    assert made == logged == steps["master_secret"]


# ---- what does not hold


@both_versions
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_changed_byte_anywhere_never_raises_and_is_found_out(version: str, data: st.DataObject) -> None:
    raws = message_bytes(story(version))
    last = prove(story(version))[-1].message_index
    index = data.draw(st.sampled_from([i for i in raws if i <= last and _in_transcript(version, raws[i])]))
    at = data.draw(st.integers(0, len(raws[index]) - 1))
    found = prove(spoiled(story(version), index, at, data.draw(st.integers(1, 255))))
    assert [(proof.title, proof.holds) for proof in found] != [(title, True) for title in MUTUAL[version]]


def _in_transcript(version: str, raw: bytes) -> bool:
    return version == "1.2" or raw[0] != NEW_SESSION_TICKET


@pytest.mark.parametrize(("version", "title"), [(version, title) for version in MUTUAL for title in MUTUAL[version]])
def test_a_spoiled_signature_or_mac_does_not_hold_and_those_before_it_do(version: str, title: str) -> None:
    proof = next(proof for proof in prove(story(version)) if proof.title == title)
    raw = message_bytes(story(version))[proof.message_index]
    found = verdicts(spoiled(story(version), proof.message_index, len(raw) - 1))
    assert found[title] is False
    earlier = MUTUAL[version][: MUTUAL[version].index(title)]
    assert [found[other] for other in earlier] == [True] * len(earlier)


@both_versions
def test_a_signature_of_another_key_does_not_hold(version: str) -> None:
    """The server's Certificate of one connection in another, made with a new key of the same kind."""
    other = with_messages(met(version=version, server_key="P-256", client_key="P-384").events)
    mine = message_bytes(story(version))
    theirs = {raw[0]: raw for raw in message_bytes(other).values() if raw[0] == CERTIFICATE_VERIFY}
    index = max(i for i, raw in mine.items() if raw[0] == CERTIFICATE_VERIFY)
    events = [
        Event(0, 1, e.kind, Bytes.of("client", theirs[CERTIFICATE_VERIFY]))
        if isinstance(e.data, Bytes) and e.data.data == mine[index]
        else e
        for e in story(version)
    ]
    assert verdicts(events)["Client's CertificateVerify"] is False


# ---- what cannot be told


@both_versions
def test_without_secrets_signatures_are_still_judged_and_macs_say_what_is_missing(version: str) -> None:
    bare = [event for event in story(version) if event.kind is not Kind.SECRET]
    for proof in prove(bare):
        assert proof.holds is (None if "Finished" in proof.title else True)
        assert ("key log" in proof.why) == ("Finished" in proof.title)


@pytest.mark.parametrize("name", NAMES)
def test_whoever_was_captured_signed_what_crossed(name: str) -> None:
    found = [proof for proof in prove(recorded(name)) if "Finished" not in proof.title and "binder" not in proof.title]
    verifies = [raw for raw in message_bytes(recorded(name)).values() if raw[0] == CERTIFICATE_VERIFY]
    assert len([proof for proof in found if "CertificateVerify" in proof.title]) == len(verifies)
    assert [proof for proof in found if proof.holds is not True] == []


def test_a_scheme_that_is_not_known_is_named_and_not_judged() -> None:
    index = next(i for i, raw in message_bytes(story("1.3")).items() if raw[0] == CERTIFICATE_VERIFY)
    unknown = spoiled(spoiled(story("1.3"), index, 4, 0x04 ^ 0x09), index, 5, 0x03 ^ 0x05)
    proof = next(proof for proof in prove(unknown) if proof.message_index == index)
    assert proof.holds is None
    assert "mldsa65" in proof.why


def test_a_recording_that_starts_in_the_middle_says_that_the_beginning_is_missing() -> None:
    late = [e for e in story("1.3") if not (isinstance(e.data, Bytes) and e.data.data[:1] in (b"\x01", b"\x02"))]
    late = [event for event in late if event.kind is not Kind.WIRE]
    assert {proof.holds for proof in prove(late)} == {None}
    assert all("no ServerHello" in proof.why for proof in prove(late))


def test_nothing_recorded_proves_nothing() -> None:
    assert prove(()) == ()


@both_versions
def test_no_proof_shows_a_secret_in_its_repr(version: str) -> None:
    shown = repr(prove(story(version)))
    for secret in secrets_of(story(version)).values():
        assert secret.hex() not in shown
        assert repr(secret) not in shown


@pytest.mark.parametrize("key", KEYS)
def test_the_key_found_in_a_certificate_is_the_one_that_the_whole_certificate_gives(key: KeyKind) -> None:
    der = issued(key, "serverAuth").certificate.der
    whole = x509.load_der_x509_certificate(der).public_key()
    assert subject_public_key_info(der) == whole.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_certificate_cut_anywhere_gives_no_key() -> None:
    der = issued("P-256", "serverAuth").certificate.der
    for end in range(len(der)):
        with pytest.raises(ValueError, match="ends too early"):
            subject_public_key_info(der[:end])


def test_a_bare_public_key_in_the_place_of_a_certificate_is_that_key() -> None:
    bare = subject_public_key_info(issued("Ed25519", "serverAuth").certificate.der)
    assert key_der(public_key(CertificateEntry(bare))) == bare


def test_every_scheme_that_is_checked_has_an_rfc_name() -> None:
    assert [number for number in SCHEMES if number not in SIGNATURE_SCHEMES] == []


def test_a_proof_is_a_value() -> None:
    assert prove(story("1.3")) == prove(story("1.3"))
    assert {type(proof) for proof in prove(story("1.3"))} == {Proof}


def test_a_late_request_in_a_recording_that_lacks_a_finished_is_no_error() -> None:
    events = [e for e in recorded("tls13-post-handshake") if getattr(e.data, "data", b"")[:1] != b"\x14"]
    prove(events)
    for number in range(len(events)):
        prove([*events[:number], *events[number + 1 :]])
