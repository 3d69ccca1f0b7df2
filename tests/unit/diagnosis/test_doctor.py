"""The doctor: every symptom has words, the certificate's own faults come first, strangers' words stay plain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.diagnosis.doctor import FAULTS, SYMPTOMS, VERIFY_CODES, Case, examine
from mtls_notebook.pki.authority import Authority, Order, issue_bad
from mtls_notebook.pki.certificate import Certificate
from mtls_notebook.recorder.handshake import AlertSeen, Handshake, fold
from tests.unit.recorder.recorded import recorded

NOW = datetime.now(UTC)
AUTHORITY = Authority.create("Doctor test CA")


def mutual() -> Handshake:
    return fold(recorded("tls13-mtls", version="TLSv1.3"))


def refused(number: int, sender: str = "server", **changes: object) -> Handshake:
    alert = AlertSeen(number, f"alert_{number}", sender, fatal=True)  # type: ignore[arg-type]
    return replace(mutual(), alert=alert, outcome=f"refused-by-{sender}", **changes)  # type: ignore[arg-type]


def case(handshake: Handshake | None = None, own: Certificate | None = None, **more: object) -> Case:
    return Case("origin.example", "my-cert", own, handshake, now=NOW, **more)  # type: ignore[arg-type]


def bad(kind: str) -> Certificate:
    return issue_bad(AUTHORITY, kind, Order("client")).certificate


def good() -> Certificate:
    return AUTHORITY.issue("client").certificate


def test_nothing_is_wrong_with_a_good_answer() -> None:
    assert examine(case(mutual(), good(), status=200)) is None


@pytest.mark.parametrize("symptom", [name for name in SYMPTOMS if not name.startswith(("http", "alert", "closed-"))])
def test_every_failure_has_a_cause_and_something_to_do(symptom: str) -> None:
    found = examine(case(failure=symptom))
    assert found is not None
    assert "origin.example" in found.cause
    assert found.fix
    assert "{" not in found.cause + found.fix


@pytest.mark.parametrize("number", [40, 42, 43, 44, 45, 46, 48, 49, 116])
@pytest.mark.parametrize(
    ("kind", "words"),
    [("expired", "expired"), ("not-yet-valid", "not valid before"), ("server-usage", "not for clientAuth")],
)
def test_whatever_alert_the_server_chose_the_certificates_own_fault_is_told(number: int, kind: str, words: str) -> None:
    found = examine(case(refused(number), bad(kind), failure="tls"))
    assert found is not None
    assert words in found.cause


@pytest.mark.parametrize("number", [40, 47, 50, 116])  # GnuTLS answers a TLS 1.2 client with 50
def test_an_alert_after_an_empty_certificate_means_that_none_was_sent(number: int) -> None:
    found = examine(case(refused(number, client_chain=()), failure="tls"))
    assert found is not None
    assert "none was sent" in found.cause


def test_a_certificate_that_was_bound_but_not_sent_is_a_matter_of_its_key() -> None:
    found = examine(case(refused(116, client_chain=()), good(), failure="tls"))
    assert found is not None
    assert "was not sent" in found.cause


def test_a_handshake_failure_where_nobody_asked_is_not_about_certificates() -> None:
    found = examine(case(refused(40, acceptable_parties=None), failure="tls"))
    assert found is not None
    assert "nothing in common" in found.cause


@pytest.mark.parametrize("code", VERIFY_CODES)
def test_our_own_refusal_is_told_by_its_verify_code(code: int) -> None:
    found = examine(case(refused(42, "client", verify_code=code), failure="tls"))
    assert found is not None
    assert found.cause.startswith("origin.example presented a certificate")
    assert f"verify code {code}" in found.evidence


def test_an_issuer_that_the_server_did_not_list_is_named_with_those_it_did() -> None:
    stranger = Authority.create("A stranger").issue("client").certificate
    shake = refused(48, client_chain=(stranger.der,), acceptable_parties=("CN=Listed",), acceptable_names=(b"0",))
    found = examine(case(shake, stranger, failure="tls"))
    assert found is not None
    assert "CN=A stranger" in found.cause
    assert "CN=Listed" in found.cause


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b"<title>400 No required SSL certificate was sent</title>", "none was sent"),
        (496, b"", "none was sent"),
        (400, b"The plain HTTP request was sent to HTTPS port", "plain HTTP"),
    ],
)
def test_a_refusal_over_http_is_read_from_its_status_and_title(status: int, body: bytes, words: str) -> None:
    shake = replace(mutual(), client_chain=())
    found = examine(case(shake, status=status, body=body))
    assert found is not None
    assert words in found.cause


@pytest.mark.parametrize("status", [400, 403])
def test_an_ordinary_refusal_of_the_application_is_none_of_the_doctors_business(status: int) -> None:
    assert examine(case(mutual(), good(), status=status, body=b"bad input")) is None


def test_silence_after_asking_is_suspected_to_be_a_refusal() -> None:
    found = examine(case(mutual(), good(), failure="closed"))
    assert found is not None
    assert "without an alert" in found.cause


@given(st.text(max_size=40))
def test_a_strangers_name_cannot_add_a_line(name: str) -> None:
    own = replace(bad("expired"), common_name=name, not_after=NOW - timedelta(days=1))
    found = examine(case(refused(45), own, failure="tls"))
    assert found is not None
    assert len(found.cause.splitlines()) == 1
    assert found.cause.isprintable()


def test_every_fault_has_words_for_cause_and_fix() -> None:
    assert all(cause.startswith("{host} refused") and fix for _, cause, fix in FAULTS)
