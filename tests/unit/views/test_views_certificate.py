"""What the certificate card says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from mtls_notebook.views import certificate as view
from tests.unit.views.material import HOSTILE, SHOWN, chain, stored

LEAF = chain()[0]
MIDDLE = LEAF.not_before + (LEAF.not_after - LEAF.not_before) / 2


def test_the_state_is_plain_json() -> None:
    state = view.state(chain(), stored(), MIDDLE)
    assert json.loads(json.dumps(state)) == state


def test_the_path_runs_from_the_root_to_the_leaf_even_when_the_root_was_not_sent() -> None:
    assert view.path(chain()) == ["views root", "views issuing", "my-client-cert"]


def test_today_stands_where_it_is_between_the_two_dates() -> None:
    assert view.validity(LEAF, MIDDLE)["percent"] == 50.0
    assert view.validity(LEAF, LEAF.not_before)["percent"] == 0.0


@pytest.mark.parametrize(
    ("moment", "percent", "verdict"),
    [
        (LEAF.not_after + timedelta(days=1), 100.0, ("expired", "alert")),
        (LEAF.not_before - timedelta(days=1), 0.0, ("not yet valid", "alert")),
        (LEAF.not_after - timedelta(days=10), None, ("10 days left", "warm")),
        (LEAF.not_after - timedelta(days=1), None, ("1 day left", "warm")),
    ],
)
def test_the_verdict_says_how_long_it_lasts(moment, percent, verdict) -> None:  # type: ignore[no-untyped-def]
    found = view.validity(LEAF, moment)
    assert (found["verdict"]["text"], found["verdict"]["tone"]) == verdict
    assert percent is None or found["percent"] == percent


def test_a_certificate_that_ends_before_it_starts_still_has_a_bar() -> None:
    backwards = replace(LEAF, not_before=LEAF.not_after, not_after=LEAF.not_before)
    assert 0 <= view.validity(backwards, MIDDLE)["percent"] <= 100


def test_every_usage_that_an_issued_certificate_may_name_has_words() -> None:
    assert view.state(chain())["usages"][0] == {
        "name": "clientAuth",
        "meaning": view.USAGES["clientAuth"],
        "tone": "proof",
    }


def test_the_text_names_what_an_upload_prints() -> None:
    lines = dict(line.split("  ", 1) for line in view.text(chain(), stored()).splitlines())
    assert {"ID", "Name", "Subject", "Issuer", "Expires on"} <= set(lines)
    assert lines["ID"].strip() == stored().id
    assert "PRIVATE" not in view.text(chain(), stored())


def test_what_a_certificate_says_is_shown_with_its_unseen_characters_named() -> None:
    hostile = replace(LEAF, common_name=HOSTILE, issuer=HOSTILE, subject_alternative_names=(HOSTILE,))
    shown = json.dumps(view.state((hostile,)), ensure_ascii=False) + view.text((hostile,)) + view.html((hostile,))
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "<img" not in view.html((hostile,))
    assert view.name(hostile) == SHOWN


def test_an_issuer_with_an_escaped_comma_keeps_it() -> None:
    alone = replace(LEAF, issuer=r"CN=Example\, Ltd,C=DE", is_self_signed=False)
    assert view.path((alone,)) == ["Example, Ltd", "my-client-cert"]


def test_all_bytes_are_there_to_fold_out() -> None:
    assert bytes.fromhex(view.state(chain())["anatomy"]["hex"]) == LEAF.der


def test_the_widget_carries_its_own_static_forms() -> None:
    widget = view.view_stored(stored())
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == view.text_stored(stored())
    assert data["text/html"] == view.html_stored(stored())
    widget.close()
