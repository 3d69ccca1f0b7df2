"""Comparing: nothing is left out, order is kept, and what only mTLS has stands alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.recorder.compare import alike, compare, counterpart, in_order
from mtls_notebook.recorder.handshake import Handshake, Outcome, fold
from tests.unit.recorder.recorded import recorded
from tests.unit.tls.captured import NAMES


@pytest.mark.parametrize(("plain", "mutual"), [("tls13", "tls13-mtls"), ("tls12", "tls12-mtls")])
def test_what_only_mtls_has_stands_alone_on_its_side(plain: str, mutual: str) -> None:
    rows = compare(fold(recorded(plain)), fold(recorded(mutual))).pairs
    only = [(row.right.name, row.right.sender) for row in rows if row.only == "right" and row.right]
    assert only == [("CertificateRequest", "server"), ("Certificate", "client"), ("CertificateVerify", "client")]
    assert [row for row in rows if row.only == "left"] == []


def test_a_connection_is_the_same_as_itself_and_not_as_another() -> None:
    mutual = fold(recorded("tls13-mtls"))
    assert compare(mutual, mutual).same_connection
    assert not compare(fold(recorded("tls13")), mutual).same_connection


@given(st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_each_side_keeps_every_arrow_in_its_order(left: str, right: str) -> None:
    ours, theirs = fold(recorded(left)), fold(recorded(right))
    rows = compare(ours, theirs).pairs
    assert tuple(row.left for row in rows if row.left is not None) == ours.arrows
    assert tuple(row.right for row in rows if row.right is not None) == theirs.arrows


OUTCOMES: dict[str, Outcome] = {"tls13": "server-only", "tls13-mtls": "mutual", "tls13-refused": "refused-by-server"}


def met(name: str, host: str = "origin.example") -> Handshake:
    return replace(fold(recorded(name)), host=host, port=443, outcome=OUTCOMES[name])


def test_the_counterpart_is_the_latest_of_the_same_host_that_is_the_other_kind() -> None:
    plain, mutual, refused = met("tls13"), met("tls13-mtls"), met("tls13-refused")
    older, elsewhere = replace(plain, connection=7), met("tls13", "other.example")
    assert counterpart(mutual, [older, plain, elsewhere, mutual]) is plain
    assert counterpart(plain, [mutual, plain]) is mutual
    assert counterpart(mutual, [plain, refused]) is plain
    assert counterpart(replace(mutual, host="ORIGIN.example"), [refused]) is refused
    assert counterpart(mutual, [elsewhere, mutual]) is None


def test_beside_a_resumed_handshake_stands_a_whole_one() -> None:
    mutual = met("tls13-mtls")
    resumed = replace(mutual, outcome="resumed", client_chain=())
    assert counterpart(resumed, [mutual, resumed]) is mutual
    assert in_order(resumed, mutual) == (mutual, resumed)


def test_the_one_without_a_certificate_stands_left() -> None:
    plain, mutual = met("tls13"), met("tls13-mtls")
    assert in_order(mutual, plain) == in_order(plain, mutual) == (plain, mutual)


def test_of_two_runs_those_with_the_same_host_are_compared() -> None:
    here, there = met("tls13"), met("tls13", "other.example")
    mutual = met("tls13-mtls", "other.example")
    assert alike([here, there], [mutual]) == (there, mutual)
    assert alike([here], [mutual]) == (here, mutual)
