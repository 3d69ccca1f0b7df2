"""The fold: captured handshakes become the stories they tell, and nothing recorded can break it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.recorder.events import Bytes, Event, Kind, Request
from mtls_notebook.recorder.flows import FLOWS, MTLS_ONLY
from mtls_notebook.recorder.handshake import Handshake, fold
from tests.unit.recorder.recorded import recorded
from tests.unit.tls.captured import NAMES


def story(shake: Handshake) -> list[tuple[str, list[str]]]:
    """Return each step's number with the names of its messages."""
    return [
        (step.number, [arrow.name for arrow in shake.arrows if arrow.step == i]) for i, step in enumerate(shake.steps)
    ]


def test_tls_13_alone_is_a_story_of_four_steps() -> None:
    shake = fold(recorded("tls13", version="TLSv1.3"))
    assert shake.outcome == "server-only"
    assert [step.number for step in shake.steps] == ["1", "2", "3", "4"]
    assert [a.name for a in shake.arrows if a.mtls_only] == []


def test_what_was_asked_before_the_refusal_does_not_stand_under_it() -> None:
    told = [event for event in recorded("tls13-refused") if event.kind is not Kind.REQUEST]
    place = next(i for i, event in enumerate(told) if event.kind is Kind.ALERT)
    asked = Event(told[place].at_ns - 1, told[place].connection, Kind.REQUEST, Request("GET", "/orders", 1))
    shake = fold([*told[:place], asked, *told[place:]])
    titles = {arrow.name: shake.steps[arrow.step].title for arrow in shake.arrows}
    assert titles["Alert"] == "Server refuses access"
    assert titles["GET /orders"] not in ("Server refuses access", "")
    assert [arrow.step for arrow in shake.arrows] == sorted(arrow.step for arrow in shake.arrows)


def test_mutual_tls_13_is_a_story_of_seven_steps_and_the_request_that_the_list_leaves_out() -> None:
    shake = fold(recorded("tls13-mtls", version="TLSv1.3"))
    assert shake.outcome == "mutual"
    found = dict(zip([s.title for s in shake.steps], [names for _, names in story(shake)], strict=True))
    assert [step.number for step in shake.steps] == ["1", "+", "2", "3", "4", "5", "6", "7"]
    assert found["Server asks who you are"] == ["CertificateRequest"]
    assert found["Client presents its certificate"] == ["Certificate"]
    assert found["Server verifies it"] == ["CertificateVerify", "Finished"]
    assert found["Server grants access"] == []
    assert shake.steps[6].caption == "no message says so: no alert came"


def test_mutual_tls_12_asks_after_it_has_presented_itself() -> None:
    shake = fold(recorded("tls12-mtls", version="TLSv1.2"))
    assert [step.number for step in shake.steps] == ["1", "2", "3", "+", "4", "5", "6", "7"]
    assert "Finished" in dict(story(shake))["6"]


def test_an_empty_certificate_says_so_and_the_server_takes_it_or_not() -> None:
    shake = fold(recorded("tls13-empty-certificate", version="TLSv1.3"))
    titles = [step.title for step in shake.steps]
    assert "Client has no certificate to present" in titles
    assert "Server grants access all the same" in titles
    assert shake.outcome == "server-only"


def test_a_refusal_stands_where_access_would_have_been_granted() -> None:
    shake = fold(recorded("tls13-refused"))
    assert shake.outcome == "refused-by-server"
    assert shake.alert is not None
    assert (shake.alert.number, shake.alert.name) == (116, "certificate_required")
    [alert] = [arrow for arrow in shake.arrows if arrow.name == "Alert"]
    assert shake.steps[alert.step].title == "Server refuses access"
    assert shake.steps[-1].caption == "not reached"


def test_a_retry_has_a_step_of_its_own() -> None:
    shake = fold(recorded("tls13-retry", version="TLSv1.3"))
    step, names = story(shake)[1]
    assert step == "+"
    assert names[0] == "HelloRetryRequest"
    assert "ClientHello" in names


@pytest.mark.parametrize(("name", "version"), [("tls13-resumption", "TLSv1.3"), ("tls12-resumption", "TLSv1.2")])
def test_a_resumed_session_shows_no_certificate_and_says_why(name: str, version: str) -> None:
    shake = fold(recorded(name, version=version, resumed=True))
    assert (shake.outcome, shake.resumed) == ("resumed", True)
    assert shake.server_chain == ()
    assert shake.steps[1].caption == "no certificate is sent: the ticket stands for both"


def test_asking_mid_connection_is_a_second_act() -> None:
    shake = fold(recorded("tls13-post-handshake", version="TLSv1.3"))
    titles = [step.title for step in shake.steps]
    asked = titles.index("Server asks who you are, mid-connection")
    assert titles[:4] == [row.step.title for row in FLOWS["TLS 1.3", "TLS"] if not row.optional]
    assert [a.name for a in shake.arrows if a.step == asked] == ["CertificateRequest"]
    assert shake.outcome == "mutual"


def test_renegotiation_is_a_second_act_inside_the_connection() -> None:
    shake = fold(recorded("tls12-renegotiation", version="TLSv1.2"))
    titles = [step.title for step in shake.steps]
    again = titles.index("They negotiate anew, inside the connection")
    assert again >= 4
    assert all(a.encrypted for a in shake.arrows if a.step >= again and a.name != "ChangeCipherSpec")


@pytest.mark.parametrize("name", NAMES)
def test_every_captured_message_is_an_arrow_once_and_in_order(name: str) -> None:
    shake = fold(recorded(name))
    raws = [arrow.message.raw for arrow in shake.arrows if arrow.message is not None]
    assert raws == [event.data.data for event in recorded(name) if isinstance(event.data, Bytes)]


@pytest.mark.parametrize("name", NAMES)
def test_steps_never_go_back_and_every_arrow_has_one(name: str) -> None:
    shake = fold(recorded(name))
    assert all(a.step <= b.step for a, b in pairwise(shake.arrows))
    assert all(0 <= arrow.step < len(shake.steps) for arrow in shake.arrows)


@pytest.mark.parametrize("name", NAMES)
def test_folding_is_pure(name: str) -> None:
    events = recorded(name)
    assert fold(events) == fold(list(events))


def test_only_client_authentication_is_marked() -> None:
    for name in NAMES:
        marked = {(a.name, a.sender) for a in fold(recorded(name)).arrows if a.mtls_only}
        assert marked <= MTLS_ONLY, name


def test_before_the_server_hello_nothing_is_encrypted_and_in_tls_13_everything_after_it() -> None:
    arrows = fold(recorded("tls13-mtls", version="TLSv1.3")).arrows
    hello = next(i for i, arrow in enumerate(arrows) if arrow.name == "ServerHello")
    assert not any(arrow.encrypted for arrow in arrows[: hello + 1])
    assert all(arrow.encrypted for arrow in arrows[hello + 1 :] if arrow.name != "ChangeCipherSpec")


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_any_part_of_a_recording_in_any_order_folds(name: str, chance: random.Random) -> None:
    events = list(recorded(name, version="TLSv1.3"))
    fold(chance.sample(events, chance.randint(0, len(events))))


@given(st.sampled_from(NAMES), st.data())
def test_garbage_in_a_message_is_kept_and_shown_as_undecoded(name: str, data: st.DataObject) -> None:
    events = list(recorded(name))
    spoilt = data.draw(st.integers(3, len(events) - 1))
    event = events[spoilt]
    assert isinstance(event.data, Bytes)
    raw = data.draw(st.binary(max_size=64))
    events[spoilt] = Event(event.at_ns, 1, event.kind, Bytes.of(event.data.sender, raw))
    shake = fold(events)
    assert raw in [arrow.message.raw for arrow in shake.arrows if arrow.message is not None]


def test_the_name_of_every_message_in_a_flow_is_one_that_the_decoder_gives() -> None:
    known = {(a.name, a.sender) for name in NAMES for a in fold(recorded(name)).arrows}
    known |= {("CompressedCertificate", "server"), ("CompressedCertificate", "client")}
    for rows in FLOWS.values():
        assert {key for row in rows for key in row.messages} <= known


def test_a_secret_never_shows_in_a_repr() -> None:
    event = Event(0, 1, Kind.SECRET, "CLIENT_RANDOM 00 112233")
    assert "112233" not in repr(event)
