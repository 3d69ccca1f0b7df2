"""The store as a table: every certificate, until when it is valid, and the names it is bound by.

The table sorts and filters by itself; what it changes (name, bindings, deletion) goes to the session by
custom messages, whose answers are the table anew and a sentence. What may not live here: any rule of the
store (the session says no), the card of one certificate (`certificate`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ..errors import MtlsNotebookError, UnknownCertificate
from . import assets, static
from .certificate import validity
from .text import counted, grouped_hex, visible

if TYPE_CHECKING:
    from ..api import Session
    from ..session.store import Stored

EMPTY = "No certificates yet. Upload one: %mtls_upload --cert cert.pem --key key.pem --name NAME"
HEAD = ("Name", "ID", "Subject", "Issuer", "Expires on", "Key", "Bound as")

Message = Mapping[str, Any]


class StoreWidget(anywidget.AnyWidget):
    """Shows and changes a session's certificates; it follows what other cells do to them when it is looked at."""

    _esm = assets.module("dom.js", "keys.js", "certificate.js", "store.js", render="renderStore")
    _css = assets.stylesheet("theme.css", "certificate.css", "controls.css", "store.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session) -> None:
        super().__init__(state=state(session))
        self._session = session
        self._lock = threading.RLock()
        self.on_msg(self._receive)

    def refresh(self) -> None:
        """Show the store as it is now."""
        with self._lock:
            self.state = {**state(self._session), "said": self.state["said"]}

    def _receive(self, _: object, content: Message, __: object) -> None:
        """Handle a message of the page; messages may come in another thread, and in the middle of a cell."""
        change = CHANGES.get(str(content.get("kind")))
        if change is None:
            return
        with self._lock:
            try:
                said = {"tone": "proof", "cause": visible(change(self._session, content)), "fix": ""}
            except MtlsNotebookError as error:
                said = {"tone": "alert", "cause": visible(error.message), "fix": visible(error.hint)}
            said["count"] = self.state["said"].get("count", 0) + 1  # the same sentence twice is still news
            self.state = {**state(self._session), "said": said if said["cause"] else self.state["said"]}

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._session), text(self._session))


def _rename(session: Session, message: Message) -> str:
    renamed = session.store.rename(_id(message), _word(message, "name") or None)
    return f"Called {renamed.name} from now on." if renamed.name else "It has no name any more."


def _bind(session: Session, message: Message) -> str:
    session.bind(f"{_word(message, 'name')}={_id(message)}")
    return f"A worker reaches it as env.{_word(message, 'name')}."


def _unbind(session: Session, message: Message) -> str:
    return f"{session.bindings.remove(_word(message, 'name')).name} is unbound."


def _delete(session: Session, message: Message) -> str:
    deleted = session.delete(_id(message), force=bool(message.get("force")))
    return f"{deleted.name or deleted.id} is deleted."


def _refresh(_: Session, __: Message) -> str:
    return ""


# What the page may ask for → what does it and answers with a sentence.
CHANGES: dict[str, Callable[[Session, Message], str]] = {
    "rename": _rename,
    "bind": _bind,
    "unbind": _unbind,
    "delete": _delete,
    "refresh": _refresh,
}


def _id(message: Message) -> str:
    return _word(message, "id")


def _word(message: Message, key: str) -> str:
    return str(message.get(key, "")).strip()


def view(session: Session) -> StoreWidget:
    """Return the table of the session's certificates."""
    return StoreWidget(session)


def state(session: Session, now: datetime | None = None) -> dict[str, Any]:
    """Return all that `store.js` draws, as plain JSON; `now` is aware UTC."""
    moment = now or datetime.now(UTC)
    users = bound_as(session)
    return {
        "label": "Certificate store",
        "rows": [_row(stored, users.get(stored.id, []), moment) for stored in session.store],
        "empty": EMPTY,
        "said": {},
    }


def bound_as(session: Session) -> dict[str, list[str]]:
    """Return the binding names of each certificate, by its id; a binding to a deleted one is left out."""
    users: dict[str, list[str]] = {}
    for binding in session.bindings:
        try:
            users.setdefault(session.store.resolve(binding.certificate_id).id, []).append(binding.name)
        except UnknownCertificate:
            continue
    return users


def text(session: Session) -> str:
    """Return the table as plain text; IDs and dates are all that differs between equal runs."""
    return static.text_table(HEAD, _cells(session)) if len(session.store) else EMPTY


def html(session: Session) -> str:
    """Return the table as HTML that survives sanitising."""
    if not len(session.store):
        return f"<p>{static.escape(EMPTY)}</p>"
    return static.html_table(HEAD, _cells(session))


def line(session: Session) -> str:
    """Return the session in one stable line."""
    return f"<Session with {counted(len(session.store), 'certificate')}, {counted(len(session.bindings), 'binding')}>"


def _cells(session: Session) -> list[tuple[str, ...]]:
    users = bound_as(session)
    return [
        (
            visible(stored.name or "—"),
            stored.id,
            visible(stored.identity.leaf.subject),
            visible(stored.identity.leaf.issuer),
            f"{stored.identity.leaf.not_after:%Y-%m-%d}",
            visible(stored.identity.leaf.key),
            ", ".join(users.get(stored.id, [])) or "—",
        )
        for stored in session.store
    ]


def _row(stored: Stored, bound: list[str], now: datetime) -> dict[str, Any]:
    leaf = stored.identity.leaf
    until = validity(leaf, now)
    return {
        "id": stored.id,
        "name": visible(stored.name or ""),
        "subject": visible(leaf.subject),
        "issuer": visible(leaf.issuer),
        "expires": until["to"],
        "expires_exactly": until["to_exactly"],
        "verdict": until["verdict"],
        "key": visible(leaf.key),
        "fingerprint": grouped_hex(leaf.fingerprint_sha256),
        "bound": bound,
    }
