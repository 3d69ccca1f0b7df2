"""The handshake view: what crossed between client and server, in order, each byte explained.

`state` decides everything that is shown and `handshake.js` only draws it, so that what a reader sees can
be tested without a browser. What may not live here: decoding, diagnosis, and words on what a field is for
(`tls.prose` has them).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from ..diagnosis.doctor import Diagnosis
from ..recorder.handshake import Arrow, Handshake
from ..recorder.proofs import Proof, prove
from ..tls import prose
from ..tls.messages import Message
from . import assets, evidence, figure, prediction, static
from .fields import Glossary, anatomy
from .story import arrow_states, badge, detail, first_selected, frame, is_alert, note, routed, rows, title
from .text import visible

__all__ = ["HandshakeWidget", "badge", "first_selected", "html", "is_alert", "line", "rows", "state", "text", "title"]

STATE_LIMIT_BYTES = 100_000

SCRIPTS = ("dom.js", "keys.js", "bytes.js", "tabs.js", "evidence.js", "predict.js", "scrubber.js", "handshake.js")
STYLES = ("theme.css", "bytes.css", "tabs.css", "evidence.css", "handshake.css")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is sent to the front end: fields and bytes of each message, bytes of each record."""

    fields: int
    message_bytes: int
    record_bytes: int


# The first allowance whose state fits the limit is taken.
ALLOWANCES = (
    Allowance(900, 8192, 512),
    Allowance(900, 8192, 160),
    Allowance(400, 4096, 96),
    Allowance(200, 2048, 64),
    Allowance(80, 1024, 32),
    Allowance(30, 512, 0),
    Allowance(10, 256, 0),
    Allowance(0, 0, 0),
)


class HandshakeWidget(anywidget.AnyWidget):
    """Shows one handshake. `selected` is the number of the selected arrow, -1 for none, on both sides.

    Proofs and records that are not given are computed from the handshake's events.

    With `predict`, every message of the server is asked for before it is shown; `guesses` holds
    [arrow, choice] for each answer.
    """

    _esm = assets.module(*SCRIPTS, render="renderHandshake")
    _css = assets.stylesheet(*STYLES)
    state = traitlets.Dict().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    guesses: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        handshake: Handshake,
        diagnosis: Diagnosis | None = None,
        proofs: Sequence[Proof] | None = None,
        records: Sequence[evidence.Crossed] | None = None,
        *,
        predict: bool = False,
    ) -> None:
        told = _told(handshake, diagnosis, proofs, records)
        drawn = _with_questions(told, handshake, predict=predict)
        super().__init__(state=drawn, selected=-1 if predict else first_selected(handshake))
        self._handshake = handshake

    @property
    def score(self) -> tuple[int, int]:
        """Return how many guesses were right, and how many were made."""
        return prediction.score(self._handshake, self.guesses)

    def show(
        self,
        handshake: Handshake,
        diagnosis: Diagnosis | None = None,
        proofs: Sequence[Proof] | None = None,
        records: Sequence[evidence.Crossed] | None = None,
    ) -> None:
        """Show `handshake` from now on."""
        self._handshake = handshake
        with self.hold_sync():
            self.state = _told(handshake, diagnosis, proofs, records)
            self.selected = first_selected(handshake)
            self.guesses = []

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._handshake), text(self._handshake))


def view(handshake: Handshake) -> HandshakeWidget:
    """Return the widget of `handshake`, with all that its events prove."""
    return HandshakeWidget(handshake)


def carried(handshake: Handshake) -> tuple[Sequence[Proof], Sequence[evidence.Crossed]]:
    """Return the proofs and the wire records of a handshake, computed from its events; () each without events."""
    return prove(handshake.events), evidence.crossed(handshake.events)


def state(
    handshake: Handshake,
    diagnosis: Diagnosis | None = None,
    proofs: Iterable[Proof] = (),
    records: Sequence[evidence.Crossed] = (),
    limit_bytes: int = STATE_LIMIT_BYTES,
) -> dict[str, Any]:
    """Return all that `handshake.js` draws, as plain JSON of at most `limit_bytes`."""
    told = Told(handshake, diagnosis, tuple(proofs), tuple(records))
    for allowance in ALLOWANCES:
        glossary = Glossary()
        drawn = told.drawn(allowance, glossary) | glossary.state()
        if length_bytes(drawn) <= limit_bytes:
            break
    return drawn


@dataclass(frozen=True, slots=True)
class Told:
    """A handshake with all that is known of it, ready to be drawn within an allowance."""

    handshake: Handshake
    diagnosis: Diagnosis | None
    proofs: tuple[Proof, ...]
    records: tuple[evidence.Crossed, ...]

    @classmethod
    def of(cls, handshake: Handshake) -> Told:
        """Return a handshake with the proofs and records that its events hold."""
        proofs, records = carried(handshake)
        return cls(handshake, None, tuple(proofs), tuple(records))

    def drawn(self, allowance: Allowance, glossary: Glossary) -> dict[str, Any]:
        """Return the state but for its words and explanations, which go into `glossary`."""
        around = frame(self.handshake, self.diagnosis)
        around["facts"] += evidence.proved(self.proofs)
        behind = _evidence(self.handshake, self.proofs, self.records)
        shown = evidence.records_state(self.records, allowance.record_bytes)
        return around | {"arrows": _messages(self.handshake, behind, allowance, glossary), "records": shown}


def length_bytes(drawn: object) -> int:
    """Return how many bytes a state takes on its way to the front end."""
    return len(json.dumps(drawn, ensure_ascii=False).encode("utf-8"))


def outline(handshake: Handshake, diagnosis: Diagnosis | None = None) -> dict[str, Any]:
    """Return the state without any message's fields, bytes and explanations: a few kilobytes."""
    bare = {"checks": [], "records": [], "head": [], "mark": "", "prose": -1, "anatomy": None, "outline": True}
    arrows = [drawn | bare for drawn in arrow_states(handshake)]
    return frame(handshake, diagnosis) | {"arrows": arrows, "records": [], "words": [], "prose": [], "sources": []}


def line(handshake: Handshake) -> str:
    """Return the handshake in one stable line."""
    version = visible(handshake.version) or "no TLS"
    return f"<Handshake {visible(handshake.host)}: {badge(handshake)['text']}, {version}>"


def text(handshake: Handshake) -> str:
    """Return the handshake as plain text: a head and a table, the same in every equal run."""
    head = f"{visible(handshake.host)}: {badge(handshake)['text']}"
    about = " · ".join(filter(None, (visible(handshake.version), visible(handshake.suite))))
    lines = [" · ".join(filter(None, (head, about))), *routed(handshake, stable_form=True)]
    table = static.text_table(("Step", "", "Message", "Detail"), _table_rows(handshake))
    return "\n".join([*lines, "", table, *_failure_lines(handshake)])


def html(handshake: Handshake) -> str:
    """Return the handshake as HTML that survives sanitising: a picture, and the table folded under it."""
    drawn = frame(handshake, None) | {"arrows": arrow_states(handshake)}
    about = f"Handshake with {visible(handshake.host)}: {badge(handshake)['text']}"
    table = static.html_table(("Step", "Direction", "Message", "Detail"), _table_rows(handshake))
    failure = "".join(f"<p>{static.escape(words)}</p>" for words in _failure_lines(handshake) if words)
    return static.picture(figure.sequence(drawn), about) + failure + static.folded("As a table", table)


def _told(
    handshake: Handshake,
    diagnosis: Diagnosis | None,
    proofs: Sequence[Proof] | None,
    records: Sequence[evidence.Crossed] | None,
) -> dict[str, Any]:
    """Return the state; what is not given is computed."""
    computed = carried(handshake) if proofs is None or records is None else (proofs, records)
    return state(
        handshake,
        diagnosis,
        computed[0] if proofs is None else proofs,
        computed[1] if records is None else records,
    )


def _with_questions(drawn: dict[str, Any], handshake: Handshake, *, predict: bool) -> dict[str, Any]:
    """Return the state with its questions; until they are answered the head gives nothing away."""
    if not predict:
        return drawn
    veil = {"badge": {"text": "your turn", "tone": "neutral"}, "facts": ["What the server sends is for you to say."]}
    label = f"Predict the handshake with {title(handshake)}"
    return drawn | {"questions": prediction.questions(handshake), "veil": veil, "label": label}


def _failure_lines(handshake: Handshake) -> list[str]:
    words = note(handshake, None)
    return ["", words["cause"], *words["evidence"]] if words else []


def _evidence(
    handshake: Handshake, proofs: Sequence[Proof], records: Sequence[evidence.Crossed]
) -> dict[int, dict[str, Any]]:
    """Return what stands behind each arrow: {arrow: {"checks", "records", "head"}}, only where there is some."""
    wire = [one.record for one in records]
    parts: dict[str, Mapping[int, Any]] = {
        "checks": evidence.checks(handshake, proofs),
        "records": evidence.carriers(handshake, wire),
        "head": evidence.http_heads(handshake, wire),
    }
    behind: dict[int, dict[str, Any]] = {}
    for name, found in parts.items():
        for number, value in found.items():
            behind.setdefault(number, {})[name] = value
    return behind


def _messages(
    handshake: Handshake, behind: Mapping[int, dict[str, Any]], allowance: Allowance, glossary: Glossary
) -> list[dict[str, Any]]:
    bare = {"checks": [], "records": [], "head": [], "outline": False}
    arrows = [
        drawn | bare | behind.get(number, {}) | _explained(arrow, glossary, allowance)
        for number, (arrow, drawn) in enumerate(zip(handshake.arrows, arrow_states(handshake), strict=True))
    ]
    for arrow in arrows:
        arrow["mark"] = evidence.verdict(arrow["checks"])
        arrow["label"] = ", ".join([arrow["label"], *(check["says"] for check in arrow["checks"])])
    return arrows


def _explained(arrow: Arrow, glossary: Glossary, allowance: Allowance) -> dict[str, Any]:
    message = arrow.message
    if message is None:
        return {"anatomy": None, "prose": -1}
    about = glossary.page(prose.explain(message.kind, ())) if isinstance(message, Message) else -1
    return {"anatomy": anatomy(message, glossary, allowance.fields, allowance.message_bytes), "prose": about}


def _table_rows(handshake: Handshake) -> list[tuple[str, str, str, str]]:
    """Return step, direction, message, detail; nothing in it differs between two equal runs."""
    table = []
    for number, named, index in rows(handshake):
        step = handshake.steps[number]
        label = f"{step.number} {visible(step.title)}" if named else ""
        if index < 0:
            table.append((label, "", "", visible(step.caption)))
            continue
        arrow = handshake.arrows[index]
        table.append((label, DIRECTIONS[arrow.sender], visible(arrow.name), table_detail(arrow)))
    return table


def table_detail(arrow: Arrow) -> str:
    """Return what a table says of an arrow; it does not differ between two equal runs."""
    marks = ("encrypted" if arrow.encrypted else "", "only in mTLS" if arrow.mtls_only else "")
    return " · ".join(filter(None, (detail(arrow), *marks)))


DIRECTIONS: Mapping[str, str] = {"client": "→ server", "server": "client ←"}


def page_values(handshake: Handshake) -> dict[str, Any]:
    """Return what a page of its own starts from."""
    drawn = state(handshake, None, *carried(handshake))
    return {"state": drawn, "selected": first_selected(handshake), "guesses": []}
