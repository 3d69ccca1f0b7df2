"""Comparing: nothing is left out, order is kept, and what only mTLS has stands alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.recorder.compare import compare
from mtls_notebook.recorder.handshake import fold
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
