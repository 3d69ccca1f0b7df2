"""What is shown behind a message: proofs, records and HTTP, and what must not be."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtls_notebook.recorder.events import Bytes, Event, Kind
from mtls_notebook.recorder.handshake import Handshake, fold
from mtls_notebook.recorder.keyring import secrets_of
from mtls_notebook.recorder.proofs import prove
from mtls_notebook.views import evidence
from mtls_notebook.views import handshake as view
from tests.unit.views.replay import REQUEST, met

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"])


def arrow(shown: Handshake, name: str, sender: str) -> int:
    return next(i for i, one in enumerate(shown.arrows) if (one.name, one.sender) == (name, sender))


def spoiled(shown: Handshake, kind: bytes, sender: str) -> Handshake:
    """Return the handshake with the last byte of one message flipped."""
    told: list[Event] = []
    for event in shown.events:
        data = event.data
        if event.kind is Kind.MESSAGE and isinstance(data, Bytes) and data.data[:1] == kind and data.sender == sender:
            data = Bytes.of(data.sender, data.data[:-1] + bytes([data.data[-1] ^ 1]))
        told.append(replace(event, data=data))
    return fold(told)


@VERSIONS
def test_no_secret_of_the_connection_and_no_credential_reaches_the_front_end(version: str) -> None:
    shown = met(version)
    state = view.state(shown, None, *view.carried(shown))
    written = json.dumps(state)
    assert secrets_of(shown.events)
    for secret in secrets_of(shown.events).values():
        assert secret.hex() not in written
    assert "never-shown" not in written
    assert b"never-shown".hex() not in written


@VERSIONS
def test_what_is_derived_from_a_secret_is_named_and_withheld(version: str) -> None:
    shown = met(version)
    checks = evidence.checks(shown, prove(shown.events))[arrow(shown, "Finished", "client")]
    (check,) = checks
    assert check["mark"] == "holds"
    withheld = [step["label"] for step in check["steps"] if not step["hex"]]
    assert withheld
    assert all("kept in memory" in step["more"] for step in check["steps"] if not step["hex"])
    derived = {step.label: step.value for proof in prove(shown.events) for step in proof.steps}
    written = json.dumps(checks)
    assert not any(derived[label].hex() in written for label in withheld)


def test_every_public_value_is_one_that_a_proof_names() -> None:
    labels = {step.label for v in ("1.2", "1.3") for proof in prove(met(v).events) for step in proof.steps}
    assert {"binder", "binder as sent"} == evidence.PUBLIC - labels


@VERSIONS
def test_a_changed_signature_is_marked_as_failing(version: str) -> None:
    shown = spoiled(met(version), b"\x0f", "client")
    checks = evidence.checks(shown, prove(shown.events))[arrow(shown, "CertificateVerify", "client")]
    assert evidence.verdict(checks) == "fails"
    assert any("wrong" in words for words in evidence.proved(prove(shown.events)))


def test_without_secrets_a_finished_is_not_recomputable_and_says_why() -> None:
    shown = fold([event for event in met().events if event.kind is not Kind.SECRET])
    (check,) = evidence.checks(shown, prove(shown.events))[arrow(shown, "Finished", "client")]
    assert check["mark"] == "unknown"
    assert "key log" in check["why"]


@VERSIONS
def test_every_message_has_the_records_that_carried_it(version: str) -> None:
    shown = met(version)
    records = evidence.crossed(shown.events)
    carriers = evidence.carriers(shown, [one.record for one in records])
    assert set(carriers) == set(range(len(shown.arrows)))
    for number, indices in carriers.items():
        message = shown.arrows[number].message
        if message is not None:
            opened = b"".join(records[index].record.plaintext or b"" for index in indices)
            assert message.raw in opened


@VERSIONS
def test_a_records_bytes_are_what_crossed_header_first(version: str) -> None:
    records = evidence.crossed(met(version).events)
    sent = {side: b"".join(one.raw for one in records if one.record.sender == side) for side in ("client", "server")}
    for side, stream in sent.items():
        crossed = b"".join(
            e.data.data
            for e in met(version).events
            if e.kind is Kind.WIRE and isinstance(e.data, Bytes) and e.data.sender == side
        )
        assert stream == crossed
    for one, drawn in zip(records, evidence.records_state(records, 1 << 14), strict=True):
        assert bytes.fromhex(drawn["hex"]) == one.raw
        assert one.raw[0] == one.record.content_type
        assert drawn["length"] == len(one.raw)


def test_a_handshake_record_is_opened_and_application_data_is_not() -> None:
    drawn = evidence.records_state(evidence.crossed(met().events), 1 << 14)
    inside = [record for record in drawn if record["title"] == "application_data outside, handshake inside"]
    data = [record for record in drawn if record["title"] == "application_data"]
    assert inside
    assert data
    assert all(record["plain"] for record in inside)
    assert not any(record["plain"] for record in data)


@VERSIONS
def test_the_http_inside_shows_its_head_without_credentials(version: str) -> None:
    shown = met(version)
    wire = [one.record for one in evidence.crossed(shown.events)]
    heads = evidence.http_heads(shown, wire)
    assert heads[arrow(shown, "GET /orders", "client")] == [
        {"name": "", "value": "GET /orders HTTP/1.1"},
        {"name": "Host", "value": "pair.example"},
        {"name": "Authorization", "value": "(18 bytes, not shown)"},
    ]
    assert heads[arrow(shown, "200", "server")][1:] == [
        {"name": "Content-Type", "value": "text/plain"},
        {"name": "Set-Cookie", "value": "(14 bytes, not shown)"},
    ]


def test_data_that_is_no_http_has_no_head() -> None:
    shown = met()
    wire = [one.record for one in evidence.crossed(shown.events)]
    other = [replace(record, plaintext=b"\x00binary") if record.plaintext == REQUEST else record for record in wire]
    assert arrow(shown, "GET /orders", "client") not in evidence.http_heads(shown, other)


def test_a_handshake_without_wire_bytes_has_no_records_and_still_its_proofs() -> None:
    shown = fold([event for event in met().events if event.kind is not Kind.WIRE])
    assert evidence.crossed(shown.events) == ()
    assert evidence.carriers(shown, []) == {}
    assert len(evidence.checks(shown, prove(shown.events))) == 4
