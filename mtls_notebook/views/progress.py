"""How far many requests are, in one line of the cell that is updated in place; no widget is needed for it.

While it runs the line has rate and remaining time; what it ends with is the same in every run. What may not
live here: sending requests, and what they came to (`batch`).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from IPython.display import display

from ..worker.calls.batch import Tally
from ..worker.calls.rows import counted
from .static import escape

EVERY_S = 0.1


def watching(shell: Any) -> Callable[[], Callable[[Tally], None]]:
    """Return what makes a line for each batch; where nothing can be updated (a terminal), it shows nothing."""
    has_kernel = getattr(shell, "kernel", None) is not None
    return lambda: Line().tell if has_kernel else _silent


class Line:
    """One batch's line: `tell` it every tally, it shows at most ten a second, and the last."""

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._is_shown = False
        self._next = 0.0

    def tell(self, tally: Tally) -> None:
        """Show how far the batch is, unless that has been shown just now."""
        now = time.monotonic()
        if tally.state == "running" and now < self._next:
            return
        self._next = now + EVERY_S
        data = {"text/html": html(tally), "text/plain": text(tally)}
        display(data, raw=True, display_id=self._id, update=self._is_shown)  # type: ignore[no-untyped-call]
        self._is_shown = True


def text(tally: Tally) -> str:
    """Return the line as text; its last word is stable."""
    failed = f"{tally.failed:,} failed" if tally.failed else "none failed"
    if tally.state == "done":
        return f"{counted(tally.done, tally.done)} done, {failed}."
    if tally.state == "stopped":
        return f"Stopped after {counted(tally.done, tally.total)}, {failed}; .results has their rows."
    return " · ".join([counted(tally.done, tally.total), failed, *_pace(tally)])


def html(tally: Tally) -> str:
    """Return the line with a progress bar while it runs; its end is announced to screen readers."""
    if tally.state != "running":
        return f'<div role="status">{escape(text(tally))}</div>'
    value = f' value="{tally.done}" max="{max(tally.total, 1)}"' if tally.total is not None else ""
    return f'<div><progress aria-label="Requests"{value}></progress> {escape(text(tally))}</div>'


def _pace(tally: Tally) -> list[str]:
    """Return requests per second and the remaining time, as far as they can be told."""
    if not tally.done or not tally.elapsed_ns:
        return []
    rate = tally.done / (tally.elapsed_ns / 1e9)
    told = [f"{rate:,.0f} per second" if rate >= 10 else f"{rate:.1f} per second"]
    if tally.total is not None:
        told.append(f"{_duration((tally.total - tally.done) / rate)} left")
    return told


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min"


def _silent(_tally: Tally) -> None: ...
