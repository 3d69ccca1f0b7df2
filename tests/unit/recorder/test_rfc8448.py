"""RFC 8448's handshakes, from their records and printed secrets: every value recomputed to what the RFC prints.

The printed private keys lead to the secrets, the secrets open the records, the messages inside give
the transcripts: one wrong bit anywhere and nothing fits. What may not live here: values from anywhere
but the RFC (tests/captures/published/rfc8448.json).
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mtls_notebook.recorder.conversation import Conversation
from mtls_notebook.recorder.decrypt import decrypted, derived_keys, records
from mtls_notebook.recorder.events import Kind
from mtls_notebook.recorder.key_schedule import (
    CIPHERS,
    TRAFFIC_SECRETS,
    Suite,
    derive_secret,
    finished_key,
    resumption_psk,
    stages,
    traffic_keys,
)
from mtls_notebook.recorder.proofs import Proof, prove
from mtls_notebook.tls.messages import Message, NewSessionTicket, decode
from tests.unit.recorder.published import TRACES, events

# Section → the messages it is an example of, c or s before each for who sends it.
STORIES = {
    "3": "cClientHello sServerHello sEncryptedExtensions sCertificate sCertificateVerify sFinished cFinished "
    "sNewSessionTicket cAlert sAlert",
    "4": "cClientHello sServerHello sEncryptedExtensions sFinished cEndOfEarlyData cFinished cAlert sAlert",
    "5": "cClientHello sHelloRetryRequest cClientHello sServerHello sEncryptedExtensions sCertificate "
    "sCertificateVerify sFinished cFinished cAlert sAlert",
    "6": "cClientHello sServerHello sEncryptedExtensions sCertificateRequest sCertificate sCertificateVerify "
    "sFinished cCertificate cCertificateVerify cFinished cAlert sAlert",
    "7": "cClientHello sServerHello sChangeCipherSpec sEncryptedExtensions sCertificate sCertificateVerify "
    "sFinished cChangeCipherSpec cFinished cAlert sAlert",
}
NAMES = {Kind.ALERT: "Alert", Kind.CHANGE_CIPHER_SPEC: "ChangeCipherSpec"}
AFTER_SERVER_FINISHED = {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"}

every_trace = pytest.mark.parametrize("section", TRACES)


def messages(section: str) -> list[Message]:
    return [decode(sent.data, sent.sender) for sent in decrypted(events(section)) if sent.kind is Kind.MESSAGE]


def proofs(section: str) -> dict[str, Proof]:
    psk = bytes.fromhex(TRACES[section].get("psk", ""))
    return {proof.title: proof for proof in prove(events(section), psk)}


def step(proof: Proof, label: str) -> str:
    return next(value.value.hex() for value in proof.steps if value.label == label)


def shared_secret(trace: dict[str, Any]) -> bytes:
    client, server = (bytes.fromhex(trace["private_keys"][side]) for side in ("client", "server"))
    if trace["group"] == "x25519":
        peer = X25519PrivateKey.from_private_bytes(server).public_key()
        return X25519PrivateKey.from_private_bytes(client).exchange(peer)
    ours, theirs = (ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256R1()) for key in (client, server))
    return ours.exchange(ec.ECDH(), theirs.public_key())


def transcript_hashes(section: str) -> dict[str, bytes]:
    """Return the hash after each message, by sender and kind."""
    said, found = Conversation(), {}
    for message in messages(section):
        said.hear(message)
        if said.algorithm:
            found[f"{message.sender} {message.kind}"] = said.transcript_hash()
    return found


@every_trace
def test_every_record_opens_and_holds_the_messages_that_the_section_tells_of(section: str) -> None:
    decoded = iter(messages(section))
    told = [sent.sender[0] + (NAMES.get(sent.kind) or next(decoded).kind) for sent in decrypted(events(section))]
    assert told == STORIES[section].split()
    assert [record for record in records(events(section)) if record.plaintext is None] == []


@every_trace
def test_every_proof_holds(section: str) -> None:
    assert {title: proof.holds for title, proof in proofs(section).items()} == dict.fromkeys(proofs(section), True)


@every_trace
def test_the_private_keys_lead_to_the_printed_secrets(section: str) -> None:
    trace, hashes = TRACES[section], transcript_hashes(section)
    assert shared_secret(trace).hex() == trace["shared_secret"]
    early, handshake, master = stages("sha256", bytes.fromhex(trace.get("psk", "")), shared_secret(trace))
    printed = trace["stages"]
    assert [value.value.hex() for value in (early, handshake, master)] == [*map(printed.get, printed)]
    for label, _, inner in TRAFFIC_SECRETS[1:]:
        late = label in AFTER_SERVER_FINISHED
        seen = hashes["server Finished" if late else "server ServerHello"]
        secret = derive_secret("sha256", (master if late else handshake).value, inner, seen)
        assert (label, secret.hex()) == (label, trace["secrets"][label])
    resumption = derive_secret("sha256", master.value, "res master", hashes["client Finished"])
    assert resumption.hex() == trace["resumption_master_secret"]
    exporter = derive_secret("sha256", master.value, "exp master", hashes["server Finished"])
    assert exporter.hex() == trace["secrets"]["EXPORTER_SECRET"]


@every_trace
def test_finished_is_the_printed_value_on_both_sides(section: str) -> None:
    for side, printed in TRACES[section]["verify_data"].items():
        proof = proofs(section)[f"{side.capitalize()}'s Finished"]
        assert step(proof, "verify_data") == step(proof, "verify_data as sent") == printed


@pytest.mark.parametrize("section", [section for section in TRACES if "signed_transcript_hash" in TRACES[section]])
def test_certificate_verify_signs_the_printed_hash(section: str) -> None:
    for side, printed in TRACES[section]["signed_transcript_hash"].items():
        proof = proofs(section)[f"{side.capitalize()}'s CertificateVerify"]
        assert step(proof, "Transcript-Hash") == printed
        assert step(proof, "signed content").endswith(f"{side} CertificateVerify".encode().hex() + "00" + printed)


@every_trace
def test_the_derived_keys_are_those_of_the_key_log_in_the_order_of_the_connection(section: str) -> None:
    values = derived_keys(events(section))
    secrets = {value.label: value.value.hex() for value in values if value.label.isupper()}
    assert secrets == {label: TRACES[section]["secrets"][label] for label in secrets}
    assert list(secrets) == [label for label, *_ in TRAFFIC_SECRETS if label in TRACES[section]["secrets"]]


def test_the_handshake_keys_of_section_3_are_the_printed_ones() -> None:
    values = derived_keys(events("3"))
    pairs = [(value.label, value.value.hex()) for value in values]
    assert ("server_write_key", "3fce516009c21727d0f2e4e86ee403bc") in pairs
    assert ("server_write_iv", "5d313eb2671276ee13000b30") in pairs
    assert ("client_write_key", "dbfaa693d1762c5b666af5d950258d01") in pairs
    assert ("client_write_iv", "5bd3c71b836e0b76bb73265f") in pairs


def test_the_ticket_of_section_3_stands_for_the_psk_of_section_4() -> None:
    ticket = next(message.value for message in messages("3") if isinstance(message.value, NewSessionTicket))
    secret = bytes.fromhex(TRACES["3"]["resumption_master_secret"])
    assert resumption_psk("sha256", secret, ticket.ticket_nonce).hex() == TRACES["4"]["psk"]


def test_the_binder_of_section_4_is_the_printed_one_and_any_other_psk_does_not_fit() -> None:
    binder = proofs("4")["Client's PSK binder"]
    assert step(binder, "binder") == TRACES["4"]["binder"]
    other = prove(events("4"), b"\x01" * 32)
    assert (other[0].title, other[0].holds) == ("Client's PSK binder", False)


def test_a_binder_without_its_psk_is_not_judged_and_says_why() -> None:
    binder, *rest = prove(events("4"))
    assert (binder.holds, [proof.holds for proof in rest]) == (None, [True, True])
    assert "keyed with the PSK" in binder.why


def test_early_data_is_read_with_the_key_of_the_server_that_answers_later() -> None:
    early = records(events("4"))[1]
    assert (early.sender, early.inner_type, early.plaintext) == ("client", 23, b"ABCDEF")


def test_early_data_stays_shut_without_its_secret_and_what_follows_still_opens() -> None:
    story = [event for event in events("4") if "CLIENT_EARLY" not in str(event.data)]
    opened = [record.plaintext is not None for record in records(story) if record.sender == "client"]
    assert opened == [True, False, False, True, True, True]


def test_finished_keys_come_from_the_printed_traffic_secrets() -> None:
    secret = bytes.fromhex(TRACES["3"]["secrets"]["SERVER_HANDSHAKE_TRAFFIC_SECRET"])
    printed = "008d3b66f816ea559f96b537e885c31fc068bf492c652f01f288a1d8cdc19fc8"
    assert finished_key("sha256", secret).hex() == printed
    values = {value.label: value.value for value in derived_keys(events("3"))}
    assert values["server finished_key"].hex() == printed


def test_traffic_keys_have_the_length_that_the_suite_wants() -> None:
    for cipher in CIPHERS.values():
        key, iv = traffic_keys(Suite("", cipher, "sha256"), b"\0" * 32)
        assert (len(key), len(iv)) == (cipher.key_length, 12)
