"""Two handshakes side by side: they share the rows, and what only one of them has stands alone.

TLS beside mTLS of one origin, or both ends of one connection. Each side is also there whole, to step through.
What may not live here: aligning them (`recorder.compare`), and how one handshake is told (`story`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from ..recorder.compare import Comparison, Pair
from ..recorder.handshake import Arrow, Handshake
from . import assets, figure, handshake, static
from .fields import Glossary
from .story import badge, routed, step_state, title
from .text import counted, visible

SCRIPTS = (*handshake.SCRIPTS, "comparison.js")
STYLES = (*handshake.STYLES, "comparison.css")

# Who recorded the first comparison, and who the second.
END_NAMES = ("client's view", "server's view")

# Both outcomes, left and right → what to call the sides. Sides that say the same are called by their order.
NAMES = {"mutual": "mTLS", "server-only": "TLS", "resumed": "resumed"}


class ComparisonWidget(anywidget.AnyWidget):
    """Shows two handshakes. `shown` is "left", "right" or "both", `selected` the selected row, -1 for none.

    `other_end` (left out: the comparison's own) is the same pair as the servers recorded it; with it, a second
    control changes ends.
    """

    _esm = assets.module(*SCRIPTS, render="renderComparison")
    _css = assets.stylesheet(*STYLES)
    state = traitlets.Dict().tag(sync=True)
    shown = traitlets.Enum(("left", "right", "both"), "both").tag(sync=True)
    end = traitlets.Int(0).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)

    def __init__(self, comparison: Comparison, other_end: Comparison | None = None) -> None:
        super().__init__(state=state(comparison, other_end), selected=first_selected(comparison))
        self._comparison = comparison

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._comparison), text(self._comparison))


def view(comparison: Comparison) -> ComparisonWidget:
    """Return the widget of `comparison`."""
    return ComparisonWidget(comparison)


def state(comparison: Comparison, other_end: Comparison | None = None) -> dict[str, Any]:
    """Return all that `comparison.js` draws, as plain JSON of at most 100 kB for each end.

    An arrow names its anatomy by number.
    """
    other = other_end or comparison.servers
    ends = [comparison] if other is None else [comparison, other]
    told = [[handshake.Told.of(side) for side in (one.left, one.right)] for one in ends]
    left, right = names(comparison)
    label = {"label": f"Comparison of {left} and {right} with {title(_named(comparison))}"}
    for allowance in handshake.ALLOWANCES:
        glossary = Glossary()
        sides = [[side.drawn(allowance, glossary) for side in both] for both in told]
        known = glossary.state()
        drawn = [_end(comparison, one, at, sides[at], known["words"]) for at, one in enumerate(ends)]
        whole = label | {"anatomies": _shared(drawn), "ends": drawn} | known
        if handshake.length_bytes(whole) <= handshake.STATE_LIMIT_BYTES * len(ends):
            break
    return whole


def first_selected(comparison: Comparison) -> int:
    """Return the row to open with: a message that only mTLS has, one that stands alone first; -1 without rows."""
    pairs = list(enumerate(comparison.pairs))
    wanted = (
        (number for number, pair in pairs if pair.only and _arrow_of(pair).mtls_only),
        (number for number, pair in pairs if _arrow_of(pair).mtls_only),
        (number for number, _ in pairs),
    )
    return next((found for numbers in wanted for found in numbers), -1)


def names(comparison: Comparison) -> tuple[str, str]:
    """Return what to call the two sides."""
    if comparison.same_connection:
        return "client", "server"
    sides = (comparison.left, comparison.right)
    manners = tuple(NAMES.get(side.outcome, badge(side)["text"]) for side in sides)
    if manners[0] != manners[1]:
        return manners[0], manners[1]
    versions = tuple(visible(side.version) for side in sides)
    if versions[0] != versions[1] and all(versions):
        return versions[0], versions[1]
    return f"first ({manners[0]})", f"second ({manners[1]})"


def line(comparison: Comparison) -> str:
    """Return the comparison in one stable line."""
    left, right = names(comparison)
    return f"<Comparison {visible(_named(comparison).host)}: {left}, {right}>"


def text(comparison: Comparison) -> str:
    """Return the comparison as plain text: one line for each row, the same in every equal run."""
    left, right = names(comparison)
    head = f"{visible(_named(comparison).host)}: {left} and {right}, message by message"
    return "\n".join([head, "", static.text_table(("", left, right, ""), _table(comparison))])


def html(comparison: Comparison) -> str:
    """Return the comparison as HTML that survives sanitising: a picture, and the table folded under it."""
    left, right = names(comparison)
    about = f"{left} and {right} with {visible(_named(comparison).host)}, message by message"
    table = static.html_table(("Direction", left, right, ""), _table(comparison))
    shown = _picture(comparison, comparison, 0, about) + static.folded("As a table", table)
    if comparison.servers is None:
        return shown
    theirs = _picture(comparison, comparison.servers, 1, f"{about}, as the servers recorded it")
    return shown + static.folded("The server's view", theirs)


def _picture(named: Comparison, one: Comparison, at: int, about: str) -> str:
    sides = [handshake.outline(side) for side in (one.left, one.right)]
    return static.picture(figure.comparison(_end(named, one, at, sides, ())), about)


def page_values(comparison: Comparison) -> dict[str, Any]:
    """Return what a page of its own starts from."""
    return {"state": state(comparison), "shown": "both", "end": 0, "selected": first_selected(comparison)}


def _end(
    named: Comparison, one: Comparison, at: int, drawn: Sequence[dict[str, Any]], words: Sequence[str]
) -> dict[str, Any]:
    """Return one comparison as plain data; `drawn` are its sides' states, `words` what their fields index.

    `named` knows the hosts and says what the sides are called: servers do not know by which name they were found.
    """
    called = zip(drawn, names(named), (one.left, one.right), strict=True)
    left, right = (state | {"name": name, "opened": handshake.first_selected(side)} for state, name, side in called)
    return {
        "name": END_NAMES[at],
        "title": title(_named(named)),
        "via": " · ".join(routed(_named(named))),
        "words": " ".join(filter(None, (_relation_of_all(named, one), _known(named, at)))),
        "left": left,
        "right": right,
        "pairs": _pairs(named, one, left, right, words),
    }


def _shared(ends: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each message's anatomy once, its number put in its place: both ends of a connection hold the same."""
    numbers: dict[str, int] = {}
    kept: list[dict[str, Any]] = []
    for arrow in (arrow for end in ends for side in ("left", "right") for arrow in end[side]["arrows"]):
        if (anatomy := arrow["anatomy"]) is not None:
            number = numbers.setdefault(json.dumps(anatomy), len(kept))
            kept += [anatomy] if number == len(kept) else []
            arrow["anatomy"] = number
    return kept


def _relation_of_all(named: Comparison, one: Comparison) -> str:
    """Return what the two have to do with each other, in words."""
    alone = [sum(pair.only == side for pair in one.pairs) for side in ("left", "right")]
    more = [f"{counted(n, 'message')} only in {name}" for n, name in zip(alone, names(named), strict=True) if n]
    if not named.same_connection:
        return f"Two connections, message by message: {', '.join(more) or 'the same messages in both'}."
    if not more:
        return "One connection, recorded at both ends: every message arrived as it was sent."
    return f"One connection, recorded at both ends: what both recorded is the same; {', '.join(more)}."


def _known(named: Comparison, at: int) -> str:
    """Return what this end's recordings cannot know, where that matters; "" where it does not."""
    if at:
        return "A server sees no name lookup, and of what the client made of it only what an alert says."
    if named.same_connection:
        return "Each end knows its own verdict; the other's only from an alert."
    return visible(named.note)


def _named(comparison: Comparison) -> Handshake:
    """Return the side that knows which host it is about: an origin's own recording does not."""
    return comparison.left if comparison.left.host else comparison.right


def _pairs(
    naming: Comparison, comparison: Comparison, left: Mapping[str, Any], right: Mapping[str, Any], words: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows, each with its arrows by number (-1: none), and which of their fields differ."""
    at = {"left": -1, "right": -1}
    found: list[dict[str, Any]] = []
    for pair in comparison.pairs:
        row: dict[str, Any] = {"left": -1, "right": -1, "only": pair.only, "mtls_only": _arrow_of(pair).mtls_only}
        for side in ("left", "right"):
            if pair.only in ("", side):
                at[side] += 1
                row[side] = at[side]
        step = _step_of(comparison, pair)
        named = not found or found[-1]["step"] != step
        found.append(
            row | _differences(row, left, right, words) | {"step": step, "named": named, "words": _words(naming, pair)}
        )
    return found


def _step_of(comparison: Comparison, pair: Pair) -> dict[str, Any]:
    """Return the step that a row belongs to, as the right side tells it where it can."""
    arrow, side = (pair.right, comparison.right) if pair.right is not None else (pair.left, comparison.left)
    assert arrow is not None, "a pair has at least one side"
    return step_state(side.steps[arrow.step])


def _arrow_of(pair: Pair) -> Arrow:
    arrow = pair.right or pair.left
    assert arrow is not None, "a pair has at least one side"
    return arrow


def _words(comparison: Comparison, pair: Pair) -> str:
    """Return how the two messages of a row relate, in words; it does not differ between equal runs."""
    if pair.only:
        left, right = names(comparison)
        here, there = (left, right) if pair.only == "left" else (right, left)
        if comparison.same_connection:
            return f"Only the {here} recorded it: the {there} never took it in, or its recording had no room for it."
        return f"Only in {here}: {there} has no such message."
    if pair.left is None or pair.left.message is None:
        return "The same step of both."
    return (
        "The same bytes on both sides." if pair.is_same else "The same message with other bytes: what differs is lit."
    )


def _differences(
    row: Mapping[str, Any], left: Mapping[str, Any], right: Mapping[str, Any], words: Sequence[str]
) -> dict[str, list[int]]:
    """Return the numbers of the fields that differ, for each side."""
    if row["only"]:
        return {"left_differs": [], "right_differs": []}
    drawn = (left["arrows"][row["left"]], right["arrows"][row["right"]])
    trees = [_Tree(arrow["anatomy"], words) for arrow in drawn]
    return {"left_differs": trees[0].unlike(trees[1]), "right_differs": trees[1].unlike(trees[0])}


class _Tree:
    """A drawn message's fields by their path, so that two messages can be held against each other."""

    def __init__(self, anatomy: Mapping[str, Any] | None, words: Sequence[str]) -> None:
        self._bytes = bytes.fromhex(anatomy["hex"]) if anatomy else b""
        self._nodes: Sequence[Sequence[int]] = anatomy["fields"] if anatomy else ()
        self._paths = self._numbered(words)

    def _numbered(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """Return each node's path; the second of two siblings of one name is "name 2" and so on."""
        above: list[str] = []
        seen: dict[tuple[str, ...], int] = {}
        paths = []
        for level, name, *_ in self._nodes:
            path = (*above[: level - 1], words[name])
            seen[path] = seen.get(path, 0) + 1
            above[level - 1 :] = [f"{words[name]} {seen[path]}"]
            paths.append(tuple(above))
        return paths

    def contents(self) -> dict[tuple[str, ...], bytes]:
        """Return the bytes of each field by path."""
        return {path: self._bytes[node[2] : node[3]] for path, node in zip(self._paths, self._nodes, strict=True)}

    def unlike(self, other: _Tree) -> list[int]:
        """Return the numbers of the fields that `other` lacks or has with other bytes."""
        theirs = other.contents()
        mine = self.contents()
        return [number for number, path in enumerate(self._paths) if theirs.get(path) != mine[path]]


_DIRECTIONS = {"client": "client → server", "server": "server → client"}


def _table(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    return [
        (_DIRECTIONS[_arrow_of(pair).sender], _cell(pair.left), _cell(pair.right), _relation(comparison, pair))
        for pair in comparison.pairs
    ]


def _cell(arrow: Arrow | None) -> str:
    return "" if arrow is None else visible(arrow.name)


def _relation(comparison: Comparison, pair: Pair) -> str:
    if pair.only:
        left, right = names(comparison)
        return f"only {left if pair.only == 'left' else right}"
    return "same bytes" if pair.is_same else ""
