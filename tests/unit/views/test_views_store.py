"""The table of certificates without a page: what it says, what its messages change, and what it never says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mtls_notebook.api import Session
from mtls_notebook.pki.authority import Authority
from mtls_notebook.views import store
from mtls_notebook.views.store import StoreWidget
from tests.unit.views.material import HOSTILE, SHOWN

NOW = datetime(2030, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("table root")


@pytest.fixture
def session(authority: Authority) -> Iterator[Session]:
    """Return a session with a good, an expiring, an expired and a hostile certificate; one is bound."""
    with Session() as made:
        for name, days in (("good", 300), ("soon", 12), ("expired", -2), (HOSTILE, 300)):
            dates = {"not_before": NOW - timedelta(days=30), "not_after": NOW + timedelta(days=days)}
            made.add(authority.issue(name, **dates).identity(), name)
        made.bind(MY_CERT="soon")
        yield made


@pytest.fixture
def widget(session: Session) -> StoreWidget:
    return StoreWidget(session)


def send(widget: StoreWidget, kind: str, **content: Any) -> dict[str, Any]:
    """Send what the page sends, and return what the table answers."""
    widget._handle_custom_msg({"kind": kind, **content}, [])
    return dict(widget.state["said"])


def rows(widget: StoreWidget) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in widget.state["rows"]}


def id_of(session: Session, name: str) -> str:
    return session.store.resolve(name).id


def test_every_certificate_has_one_row_whatever_changes(widget: StoreWidget, session: Session) -> None:
    changes = (
        ("rename", {"id": id_of(session, "good"), "name": "better"}),
        ("bind", {"id": id_of(session, "good"), "name": "API"}),
        ("unbind", {"name": "MY_CERT"}),
        ("delete", {"id": id_of(session, "expired")}),
        ("delete", {"id": id_of(session, "good")}),
        ("nonsense", {}),
        ("rename", {}),
    )
    for kind, content in changes:
        send(widget, kind, **content)
        assert [row["id"] for row in widget.state["rows"]] == [stored.id for stored in session.store]
        bound = {name for row in widget.state["rows"] for name in row["bound"]}
        assert bound == {binding.name for binding in session.bindings}


def test_a_row_says_how_long_a_certificate_is_valid(session: Session) -> None:
    verdicts = {row["name"]: row["verdict"] for row in store.state(session, NOW)["rows"]}
    assert verdicts == {
        "good": {"text": "300 days left", "tone": "proof"},
        "soon": {"text": "12 days left", "tone": "warm"},
        "expired": {"text": "expired", "tone": "alert"},
        SHOWN: {"text": "300 days left", "tone": "proof"},
    }


def test_renaming_keeps_id_and_bindings_and_a_taken_name_is_refused(widget: StoreWidget, session: Session) -> None:
    before = id_of(session, "soon")
    assert send(widget, "rename", id=before, name="later")["cause"] == "Called later from now on."
    assert (rows(widget)["later"]["id"], rows(widget)["later"]["bound"]) == (before, ["MY_CERT"])
    said = send(widget, "rename", id=before, name="good")
    assert said["tone"] == "alert"
    assert "good" in said["cause"]
    assert said["fix"]
    assert send(widget, "rename", id=before, name=" ")["cause"] == "It has no name any more."


def test_deleting_a_bound_certificate_needs_force_and_takes_its_bindings(widget: StoreWidget, session: Session) -> None:
    said = send(widget, "delete", id=id_of(session, "soon"))
    assert (said["tone"], said["cause"]) == ("alert", "soon is bound as MY_CERT.")
    assert send(widget, "delete", id=id_of(session, "soon"), force=True)["cause"] == "soon is deleted."
    assert (len(session.store), len(session.bindings)) == (3, 0)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("delete", {"id": "no-such-id"}),
        ("unbind", {"name": "NONE"}),
        ("bind", {"id": "no-such-id", "name": "A"}),
        ("rename", {"id": "no-such-id", "name": "a"}),
    ],
)
def test_a_refusal_says_what_happened_and_what_to_do(widget: StoreWidget, kind: str, content: dict[str, str]) -> None:
    said = send(widget, kind, **content)
    assert said["tone"] == "alert"
    assert said["cause"]
    assert said["fix"]


def test_the_same_sentence_twice_is_still_news(widget: StoreWidget) -> None:
    counts = [send(widget, "unbind", name="NONE")["count"] for _ in range(2)]
    assert counts == [1, 2]


def test_a_refresh_shows_what_others_did_and_keeps_the_answer(widget: StoreWidget, session: Session) -> None:
    said = send(widget, "unbind", name="MY_CERT")
    session.delete("good")
    assert send(widget, "refresh") == said
    assert "good" not in rows(widget)
    session.delete("expired")
    widget.refresh()
    assert "expired" not in rows(widget)


def test_a_refresh_without_news_sends_nothing(widget: StoreWidget) -> None:
    sent: list[object] = []
    widget.observe(sent.append, "state")
    for _ in range(3):
        send(widget, "refresh")
    assert sent == []


def test_messages_of_many_threads_are_all_carried_out(widget: StoreWidget, session: Session) -> None:
    good = id_of(session, "good")
    threads = [
        threading.Thread(target=send, args=(widget, "bind"), kwargs={"id": good, "name": f"N{n}"}) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rows(widget)["good"]["bound"]) == sorted(f"N{n}" for n in range(20))
    assert widget.state["said"]["count"] == 20


def test_what_a_certificate_says_is_made_visible_everywhere(session: Session) -> None:
    shown = json.dumps(store.state(session), ensure_ascii=False) + store.text(session)
    assert HOSTILE not in shown
    assert SHOWN in shown
    page = store.html(session)
    assert "<img" not in page
    assert "&lt;img" in page


def test_text_and_html_say_who_until_when_and_bound_as_what(session: Session) -> None:
    line = next(line for line in store.text(session).splitlines() if line.startswith("soon"))
    for words in (id_of(session, "soon"), "CN=soon", "CN=table root", "2030-06-13", "ECDSA P-256", "MY_CERT"):
        assert words in line
        assert f"<td>{words}</td>" in store.html(session)


def test_an_empty_store_says_how_to_fill_it() -> None:
    with Session() as empty:
        assert store.text(empty) == store.EMPTY
        assert store.EMPTY in store.html(empty)
        assert store.state(empty)["rows"] == []
        assert store.line(empty) == "<Session with 0 certificates, 0 bindings>"


def test_a_binding_to_a_deleted_certificate_is_left_out(session: Session) -> None:
    session.store.delete("soon")
    assert store.bound_as(session) == {}
    assert "MY_CERT" not in store.text(session)


def test_the_bundle_holds_widget_html_and_text(widget: StoreWidget) -> None:
    data, _ = widget._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
