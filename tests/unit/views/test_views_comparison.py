"""Two handshakes side by side, without a browser."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

from mtls_notebook.recorder.compare import Comparison, compare
from mtls_notebook.views import comparison as view
from mtls_notebook.views import figure
from mtls_notebook.views import handshake as one
from tests.unit.views.drawn import nodes
from tests.unit.views.material import HOSTILE
from tests.unit.views.replay import handshake, met


def both() -> Comparison:
    return compare(handshake("tls13"), handshake("tls13-mtls"))


def ends() -> Comparison:
    shown = met()
    return compare(shown, replace(shown, host="", via="", arrows=shown.arrows))


def test_the_state_is_plain_json_below_its_limit_with_both_ends_too() -> None:
    for state in (view.state(both()), view.state(both(), ends())):
        assert json.loads(json.dumps(state)) == state
        assert one.length_bytes(state) <= one.STATE_LIMIT_BYTES * len(state["ends"])


def test_two_handshakes_with_both_ends_still_have_fields_to_compare() -> None:
    state = view.state(both(), both())
    assert all(anatomy["fields"] for anatomy in state["anatomies"])
    drawn = [arrow for end in state["ends"] for arrow in end["right"]["arrows"] if arrow["anatomy"] is not None]
    assert drawn
    assert all(0 <= arrow["anatomy"] < len(state["anatomies"]) for arrow in drawn)


def test_what_both_ends_hold_alike_is_sent_once() -> None:
    state = view.state(both(), both())
    told = [json.dumps(anatomy) for anatomy in state["anatomies"]]
    assert len(set(told)) == len(told)
    client, server = state["ends"]
    for side in ("left", "right"):
        numbers = [[arrow["anatomy"] for arrow in end[side]["arrows"]] for end in (client, server)]
        assert numbers[0] == numbers[1]


def test_every_arrow_of_each_side_stands_in_one_row_in_order() -> None:
    (end,) = view.state(both())["ends"]
    for side, shown in (("left", both().left), ("right", both().right)):
        assert [pair[side] for pair in end["pairs"] if pair[side] >= 0] == list(range(len(shown.arrows)))


def test_rows_that_only_mtls_has_are_empty_on_the_tls_side() -> None:
    (end,) = view.state(both())["ends"]
    alone = [end["right"]["arrows"][pair["right"]]["name"] for pair in end["pairs"] if pair["only"] == "right"]
    assert {"CertificateRequest", "CertificateVerify"} <= set(alone)
    assert all(pair["left"] == -1 for pair in end["pairs"] if pair["only"] == "right")
    assert end["pairs"][view.first_selected(both())]["mtls_only"]


def test_the_sides_are_called_by_what_they_are() -> None:
    assert view.names(both()) == ("TLS", "mTLS")
    assert view.names(ends()) == ("client", "server")
    same = compare(handshake("tls13"), handshake("tls12"))
    assert view.names(same) == ("TLS 1.3", "TLS 1.2")


def test_fields_with_other_bytes_are_marked_on_both_sides_and_equal_ones_are_not() -> None:
    state = view.state(both())
    (end,) = state["ends"]
    hello = next(pair for pair in end["pairs"] if end["right"]["arrows"][pair["right"]]["name"] == "ClientHello")
    for side in ("left", "right"):
        drawn = end[side]
        found = nodes(state, state["anatomies"][drawn["arrows"][hello[side]]["anatomy"]])
        marked = {found[number].path[-1] for number in hello[f"{side}_differs"]}
        assert "random" in marked
        assert "msg_type" not in marked
        assert "legacy_version" not in marked


def test_both_ends_of_one_connection_differ_in_nothing() -> None:
    state = view.state(ends())
    assert state["ends"][0]["title"] == "pair.example"
    assert "recorded at both ends" in state["ends"][0]["words"]
    for pair in state["ends"][0]["pairs"]:
        assert pair["left_differs"] == pair["right_differs"] == []
        assert pair["only"] == ""


def test_the_plain_text_puts_the_gap_where_it_is() -> None:
    lines = [re.sub(r"  +", " | ", line) for line in view.text(both()).splitlines()]
    assert lines[0] == "origin.example: TLS and mTLS, message by message"
    assert "client → server | ClientHello | ClientHello" in lines
    assert "server → client | CertificateRequest | only mTLS" in lines


def test_the_plain_text_does_not_depend_on_time_or_bytes() -> None:
    slower = replace(handshake("tls13-mtls"), wire_bytes=1, via="127.0.0.1:5")
    slower = replace(slower, arrows=tuple(replace(arrow, at_ns=arrow.at_ns * 3) for arrow in slower.arrows))
    assert view.text(compare(handshake("tls13"), slower)) == view.text(both())


def test_the_picture_is_well_formed_whatever_a_peer_says() -> None:
    hostile = compare(handshake("tls13", host=HOSTILE), handshake("tls13-mtls", host=HOSTILE))
    (end,) = view.state(hostile)["ends"]
    ET.fromstring(figure.comparison(end))
    page = view.html(hostile)
    tags = {"img", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(re.findall(r"<(\w+)", page)) <= tags
    assert "\u202e" not in page + json.dumps(end, ensure_ascii=False)


def test_a_comparison_of_nothing_can_be_shown() -> None:
    empty = replace(handshake("tls13"), arrows=(), steps=())
    nothing = compare(empty, empty)
    assert view.first_selected(nothing) == -1
    assert view.state(nothing)["ends"][0]["pairs"] == []
    assert view.text(nothing)


def test_the_widget_carries_its_own_static_forms() -> None:
    widget = view.view(both())
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == view.text(both())
    assert data["text/html"] == view.html(both())
    assert (widget.shown, widget.end) == ("both", 0)
    widget.close()


def test_the_servers_view_is_named_after_the_clients_and_says_what_it_cannot_know() -> None:
    nameless = [replace(side, host="", port=0, via="") for side in (both().left, both().right)]
    shown = replace(both(), servers=compare(*nameless))
    client, server = view.state(shown)["ends"]
    assert (client["name"], server["name"]) == ("client's view", "server's view")
    assert server["title"] == client["title"] == "origin.example"
    assert [server[side]["name"] for side in ("left", "right")] == ["TLS", "mTLS"]
    assert "A server sees no name lookup" in server["words"]
    assert "A server sees no name lookup" not in client["words"]
    assert "The server&#x27;s view" in view.html(shown)
    assert view.text(shown) == view.text(both())


def test_a_server_whose_end_alone_was_recorded_is_told_of() -> None:
    note = "Of the servers only the right one's recording is here."
    (end,) = view.state(replace(both(), note=note))["ends"]
    assert note in end["words"]


def test_messages_that_one_end_never_recorded_are_not_said_to_have_arrived() -> None:
    shown = met()
    cut = compare(shown, replace(shown, arrows=shown.arrows[:5]))
    (end,) = view.state(cut)["ends"]
    assert "every message arrived" not in end["words"]
    assert "only in client" in end["words"]
    assert any("Only the client recorded it" in pair["words"] for pair in end["pairs"])
