"""What the handshake view says, without a browser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import get_args

import pytest

from mtls_notebook.diagnosis.doctor import Diagnosis
from mtls_notebook.recorder.events import Event, Verified
from mtls_notebook.recorder.handshake import AlertSeen, Handshake, Outcome, fold
from mtls_notebook.tls.messages import Message, Undecoded
from mtls_notebook.views import figure, story
from mtls_notebook.views import handshake as view
from tests.unit.views.drawn import nodes
from tests.unit.views.material import HOSTILE, SHOWN
from tests.unit.views.replay import CAPTURES, events, handshake, met

NAMES = sorted(path.stem for path in CAPTURES.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_plain_json_below_its_limit(name: str) -> None:
    state = view.state(handshake(name))
    written = json.dumps(state, allow_nan=False)
    assert json.loads(written) == state
    assert view.length_bytes(state) <= view.STATE_LIMIT_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_every_arrow_is_drawn_once_in_true_order_and_every_step_is_named(name: str) -> None:
    shown = handshake(name)
    lines = view.rows(shown)
    assert [arrow for _, _, arrow in lines if arrow >= 0] == list(range(len(shown.arrows)))
    assert {step for step, named, _ in lines if named} == set(range(len(shown.steps)))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_without_a_message_has_one_line_after_the_steps_before_it(name: str) -> None:
    shown = handshake(name)
    lines = view.rows(shown)
    for place, (step, _, arrow) in enumerate(lines):
        if arrow < 0:
            assert all(other[0] != step for other in lines[:place] + lines[place + 1 :])
            assert all(other[0] > step or other[2] < 0 for other in lines[place + 1 :])


@pytest.mark.parametrize("name", NAMES)
def test_every_field_has_its_place_in_the_bytes_and_words_of_its_own(name: str) -> None:
    state = view.state(handshake(name))
    found = [(arrow, node) for arrow in state["arrows"] if arrow["anatomy"] for node in nodes(state, arrow["anatomy"])]
    assert found
    for arrow, node in found:
        start, end = node.span
        assert 0 <= start < end <= arrow["anatomy"]["length"]
        assert node.text
        assert node.source
        assert node.value


def test_a_usual_handshake_hides_no_field_and_no_byte() -> None:
    shown = handshake("tls13-mtls")
    state = view.state(shown)
    for arrow, drawn in zip(shown.arrows, state["arrows"], strict=True):
        if arrow.message:
            assert drawn["anatomy"]["hidden"] == 0
            assert bytes.fromhex(drawn["anatomy"]["hex"]) == arrow.message.raw


def test_a_flood_of_messages_is_cut_and_says_so() -> None:
    shown = handshake("tls13-mtls")
    flood = replace(shown, arrows=shown.arrows * 8)
    state = view.state(flood)
    assert view.length_bytes(state) <= view.STATE_LIMIT_BYTES
    assert any(arrow["anatomy"] and arrow["anatomy"]["hidden"] for arrow in state["arrows"])
    assert len(state["arrows"]) == len(flood.arrows)


def test_the_plain_text_does_not_depend_on_time_port_or_bytes() -> None:
    first = events("tls13-mtls", via=("127.0.0.1", 8443))
    later = [
        Event(event.at_ns * 3 + 17, event.connection, event.kind, event.data)
        for event in events("tls13-mtls", via=("127.0.0.1", 44321))
    ]
    assert view.text(fold(first)) == view.text(replace(fold(later), wire_bytes=7, connection=99))
    assert not re.search(r"\d+(\.\d+)? ?(ms|B|kB)\b(?! MAC)|8443|0x", view.text(fold(first)))


def test_the_html_differs_only_in_its_picture_between_two_runs() -> None:
    picture = re.compile(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+")
    shown = handshake("tls13-mtls", via=("127.0.0.1", 8443))
    other = replace(shown, wire_bytes=1, via="127.0.0.1:5", arrows=tuple(replace(a, at_ns=5) for a in shown.arrows))
    assert picture.sub("", view.html(shown)) == picture.sub("", view.html(other))
    assert view.html(shown) != view.html(other)


def test_the_plain_text_tells_the_story() -> None:
    words = view.text(handshake("tls13-mtls", via=("127.0.0.1", 8443)))
    lines = [re.sub(r"  +", " | ", line) for line in words.splitlines()]
    assert lines[0] == "origin.example: mutual · TLS 1.3 · TLS_AES_256_GCM_SHA384"
    assert lines[1] == "routed to 127.0.0.1, no public host was reached"
    assert (
        "+ Server asks who you are | client ← | CertificateRequest | trusts 1 party · encrypted · only in mTLS" in lines
    )
    assert "6 Server grants access | no message says so: no alert came" in lines


def test_html_holds_nothing_that_sanitising_strips() -> None:
    page = view.html(handshake("tls13-refused", host=HOSTILE))
    assert set(re.findall(r"<(\w+)", page)) <= {
        "img", "p", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"
    }  # fmt: skip
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", page)


def test_the_picture_is_well_formed_whatever_a_peer_says() -> None:
    shown = handshake("tls13-mtls", host=HOSTILE)
    drawing = ET.fromstring(figure.sequence(view.state(shown)))
    words = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert SHOWN in words


def test_what_a_peer_says_is_shown_with_its_unseen_characters_named() -> None:
    shown = handshake("tls13-mtls", host=HOSTILE)
    hostile = replace(
        shown,
        suite=HOSTILE,
        via=HOSTILE,
        failure=HOSTILE,
        arrows=tuple(replace(arrow, name=HOSTILE, detail=HOSTILE) for arrow in shown.arrows),
    )
    written = json.dumps(view.state(hostile), ensure_ascii=False) + view.text(hostile) + view.html(hostile)
    assert "\u202e" not in written
    assert "\x1b" not in written
    assert "\\u001b" not in written


def test_the_widget_opens_on_the_alert_of_a_refusal() -> None:
    shown = handshake("tls13-refused")
    assert shown.arrows[view.first_selected(shown)].name == "Alert"


def test_the_widget_opens_on_the_first_message_that_only_mtls_has() -> None:
    shown = handshake("tls12-mtls")
    assert shown.arrows[view.first_selected(shown)].name == "CertificateRequest"


def test_saying_goodbye_is_no_alarm() -> None:
    shown = handshake("tls13")
    goodbyes = [arrow for arrow in shown.arrows if "close_notify" in arrow.detail]
    assert goodbyes
    assert not any(view.is_alert(arrow) for arrow in goodbyes)


def test_a_handshake_without_messages_can_be_shown() -> None:
    shown = fold(events("tls13")[:2])
    assert view.first_selected(shown) == -1
    assert view.state(shown)["arrows"] == []
    assert "origin.example" in view.text(shown)
    ET.fromstring(figure.sequence(view.state(shown)))


def test_a_message_that_does_not_decode_keeps_its_bytes_and_says_why() -> None:
    shown = handshake("tls13")
    first = shown.arrows[0]
    broken = _undecoded(shown)
    drawn = view.state(broken)["arrows"][0]["anatomy"]
    assert bytes.fromhex(drawn["hex"]) == broken.arrows[0].message.raw  # type: ignore[union-attr]
    assert drawn["fields"] == []
    assert "at byte" in drawn["error"]
    assert isinstance(first.message, Message)


def _undecoded(shown: Handshake) -> Handshake:
    told = events("tls13")
    cut = next(i for i, event in enumerate(told) if event.kind == "message")
    data = told[cut].data
    raw = data.data[:4] + b"\xff" * (len(data.data) - 4)  # type: ignore[union-attr]
    told[cut] = replace(told[cut], data=replace(data, data=raw))  # type: ignore[type-var]
    broken = fold(told)
    assert isinstance(broken.arrows[0].message, Undecoded)
    return broken


def test_the_note_of_a_refusal_is_the_diagnosis_when_there_is_one() -> None:
    diagnosis = Diagnosis("why " + HOSTILE, ("fact",), "do this")
    assert view.state(handshake("tls13-refused"), diagnosis)["note"] == {
        "cause": "why " + SHOWN,
        "evidence": ["fact"],
        "fix": "do this",
    }


def test_an_alert_that_never_crossed_is_not_said_to_have_arrived() -> None:
    shown = replace(handshake("tls13"), alert=AlertSeen(48, "unknown_ca", "client", True, delivered=False))
    note = view.state(shown)["note"]
    assert note["cause"] == "The client refused: unknown_ca (alert 48). It never crossed the wire."


def test_the_verdict_of_an_origin_that_was_recorded_is_told() -> None:
    shown = handshake("tls13-mtls")
    told = replace(shown, peer_verified=Verified(10, "certificate has expired", 0))
    assert "origin verified the client: certificate has expired" in view.state(told)["facts"]
    assert not any("verified" in fact for fact in view.state(shown)["facts"])


def test_the_routing_to_loopback_is_said_plainly() -> None:
    assert view.state(handshake("tls13", via=("127.0.0.1", 8443)))["via"] == (
        "routed to 127.0.0.1:8443, no public host was reached"
    )
    assert view.state(handshake("tls13"))["via"] == ""


def test_the_proxy_is_named_and_its_port_only_where_runs_may_differ() -> None:
    shown = replace(handshake("tls13", via=("127.0.0.1", 8443)), proxy="http://proxy.example:3128")
    assert view.state(shown)["via"].endswith(" · through proxy http://proxy.example:3128")
    assert "through proxy http://proxy.example" in view.text(shown).splitlines()
    straight = replace(shown, via="")
    assert view.state(straight)["via"] == "through proxy http://proxy.example:3128"


def test_the_widget_carries_its_own_static_forms() -> None:
    shown = handshake("tls13-mtls")
    widget = view.HandshakeWidget(shown)
    data, metadata = widget._repr_mimebundle_()
    assert metadata == {}
    assert data["text/plain"] == view.text(shown)
    assert data["text/html"] == view.html(shown)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    widget.close()


def test_the_widget_shows_another_handshake_when_told() -> None:
    widget = view.HandshakeWidget(handshake("tls13-mtls"))
    refused = handshake("tls13-refused")
    widget.show(refused)
    assert widget.state == view.state(refused, None, *view.carried(refused))
    assert widget.selected == view.first_selected(refused)
    assert widget._repr_mimebundle_()[0]["text/plain"] == view.text(refused)
    widget.close()


def test_a_handshake_with_all_that_its_events_prove_stays_below_the_limit_and_hides_nothing() -> None:
    shown = met()
    state = view.state(shown, None, *view.carried(shown))
    assert view.length_bytes(state) <= view.STATE_LIMIT_BYTES
    assert sum(arrow["anatomy"]["hidden"] for arrow in state["arrows"] if arrow["anatomy"]) == 0
    assert json.loads(json.dumps(state)) == state


def test_proofs_stand_at_their_messages_and_in_the_head() -> None:
    shown = met()
    state = view.state(shown, None, *view.carried(shown))
    marked = [(arrow["name"], arrow["sender"]) for arrow in state["arrows"] if arrow["mark"] == "holds"]
    assert marked == [
        ("CertificateVerify", "server"),
        ("Finished", "server"),
        ("CertificateVerify", "client"),
        ("Finished", "client"),
    ]
    assert "4 proofs recomputed" in state["facts"]
    verify = next(arrow for arrow in state["arrows"] if arrow["name"] == "CertificateVerify")
    assert verify["label"].endswith("proof holds")


def test_the_outline_has_every_arrow_and_no_bytes() -> None:
    shown = handshake("tls13-mtls")
    outline = view.outline(shown)
    assert [arrow["name"] for arrow in outline["arrows"]] == [arrow.name for arrow in shown.arrows]
    assert not any(arrow["anatomy"] for arrow in outline["arrows"])
    assert set(outline) == set(view.state(shown))
    assert set(outline["arrows"][0]) == set(view.state(shown)["arrows"][0])
    assert view.length_bytes(outline) < 12_000


def test_playing_keeps_the_rhythm_within_bounds() -> None:
    waits = story.pacing([0, 1_000, 2_000, 9_000_000, 9_001_000])
    assert waits[0] == 0
    assert waits[1] == waits[2] == waits[4] == story.SHORTEST_MS
    assert waits[3] == story.LONGEST_MS
    assert story.pacing([0, 1_000, 2_000]) == [0, story.PACE_MS, story.PACE_MS]
    assert story.pacing([5, 5]) == [0, story.SHORTEST_MS]
    assert story.pacing([]) == []


def test_every_outcome_has_a_badge() -> None:
    assert set(story.BADGES) == set(get_args(Outcome))


def test_in_predict_mode_the_head_gives_nothing_away_and_guesses_are_graded_by_what_came() -> None:
    shown = handshake("tls13-mtls")
    widget = view.HandshakeWidget(shown, predict=True)
    assert "mutual" not in json.dumps([widget.state["veil"], widget.state["label"]])
    numbers = [question["arrow"] for question in widget.state["questions"]]
    widget.guesses = [[numbers[0], "ServerHello"], [numbers[1], "Alert"]]
    assert widget.score == (1, 2)
    widget.close()
