"""Two handshakes side by side, row by row: TLS and mTLS of one origin, or both ends of one connection.

Pure. Rows are aligned by message name and sender, so that a message only one side has stands alone.
"""

from __future__ import annotations

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
    """Two handshakes and their aligned rows."""

    left: Handshake
    right: Handshake
    pairs: tuple[Pair, ...]

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
