"""Two handshakes side by side, row by row: TLS and mTLS of one origin, or both ends of one connection.

Pure. Rows are aligned by message name and sender, so that a message only one side has stands alone. Which of
many recorded handshakes is worth standing beside another is answered here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from .handshake import Arrow, Handshake


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: the same message on both sides, or a message that only one of them has."""

    left: Arrow | None
    right: Arrow | None

    @property
    def only(self) -> str:
        """Return "left" or "right" when just one side has the message, else ""."""
        if self.left is not None and self.right is not None:
            return ""
        return "left" if self.left is not None else "right"

    @property
    def is_same(self) -> bool:
        """Return whether both sides hold the same bytes: true of both ends of one connection."""
        raws = [side.message.raw for side in (self.left, self.right) if side is not None and side.message]
        return len(raws) == 2 and raws[0] == raws[1]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two handshakes and their aligned rows.

    `servers` are the same two connections as their servers recorded them, where both did; `note` says what else
    is (not) known of the other ends.
    """

    left: Handshake
    right: Handshake
    pairs: tuple[Pair, ...]
    servers: Comparison | None = None
    note: str = ""

    @property
    def same_connection(self) -> bool:
        """Return whether these are both ends of one connection: every shared message is the same bytes."""
        shared = [pair for pair in self.pairs if not pair.only and pair.left and pair.left.message]
        return bool(shared) and all(pair.is_same for pair in shared)


def compare(left: Handshake, right: Handshake) -> Comparison:
    """Return both handshakes aligned; nothing is left out and the order of each side is kept."""
    keys = [[(arrow.name, arrow.sender) for arrow in side.arrows] for side in (left, right)]
    matcher = SequenceMatcher(None, keys[0], keys[1], autojunk=False)
    pairs: list[Pair] = []
    for tag, l_start, l_end, r_start, r_end in matcher.get_opcodes():
        ours, theirs = left.arrows[l_start:l_end], right.arrows[r_start:r_end]
        if tag == "equal":
            pairs += [Pair(a, b) for a, b in zip_longest(ours, theirs)]
        else:
            pairs += [Pair(arrow, None) for arrow in ours]
            pairs += [Pair(None, arrow) for arrow in theirs]
    return Comparison(left, right, tuple(pairs))


def same_host(one: Handshake, other: Handshake) -> bool:
    """Return whether both handshakes are with the same host and port."""
    return (one.host.lower(), one.port) == (other.host.lower(), other.port)


def counterpart(shown: Handshake, recorded: Iterable[Handshake]) -> Handshake | None:
    """Return the latest of `recorded` (oldest first) that is told best beside `shown`; None when none is.

    With the same host: without a client certificate where `shown` has one, and the other way round; beside a
    resumed one, any whole one. One that came to its end goes before one that the server refused.
    """
    latest_first = [other for other in reversed(tuple(recorded)) if same_host(shown, other)]
    fitting = [other for other in latest_first if _rank(other) != _rank(shown)]
    wanted = (("mutual", "server-only"), ("refused-by-server",))
    return next((other for outcomes in wanted for other in fitting if other.outcome in outcomes), None)


def in_order(one: Handshake, other: Handshake) -> tuple[Handshake, Handshake]:
    """Return both so that the left one lacks what the right one has: TLS before mTLS, whole before resumed."""
    return (other, one) if _rank(one) > _rank(other) else (one, other)


def alike(lefts: Sequence[Handshake], rights: Sequence[Handshake]) -> tuple[Handshake, Handshake]:
    """Return the first of `lefts` and of `rights` that are with the same host; the first of each when none are."""
    both = ((left, right) for left in lefts for right in rights if same_host(left, right))
    return next(both, (lefts[0], rights[0]))


def _rank(shown: Handshake) -> int:
    return 2 if shown.outcome == "resumed" else int(bool(shown.client_chain))
