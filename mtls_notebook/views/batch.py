"""What many requests came to: how many of each outcome, why some failed, how long they took.

The rows themselves are for a DataFrame. What may not live here: sending requests, and the line that tells how
far they are (`progress`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from ..worker.calls.rows import Results, counted
from . import assets, static
from .text import milliseconds, shortened, visible
from .trace import TONES

CAUSES_SHOWN = 20
CAUSE_LIMIT = 300
QUANTILES = (("fastest", 0.0), ("25 %", 0.25), ("median", 0.5), ("75 %", 0.75), ("95 %", 0.95), ("slowest", 1.0))
OUTCOME_HEAD = ("Outcome", "Requests")
CAUSE_HEAD = ("Why", "Requests")
TIME_HEAD = tuple(name for name, _ in QUANTILES)

_WIDTH, _HEIGHT, _EDGE = 320, 28, 6


class BatchWidget(anywidget.AnyWidget):
    """Shows what many requests came to."""

    _esm = assets.module("dom.js", "batch.js", render="renderBatch")
    _css = assets.stylesheet("theme.css", "batch.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, results: Results) -> None:
        super().__init__(state=state(results))
        self._results = results

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self._results), text(self._results))


def view(results: Results) -> BatchWidget:
    """Return the widget of `results`."""
    return BatchWidget(results)


def state(results: Results) -> dict[str, Any]:
    """Return all that `batch.js` draws, as plain JSON."""
    outcomes, most = results.outcomes(), max(results.outcomes().values(), default=1)
    times = _times(results)
    return {
        "label": f"Results: {headline(results)}",
        "title": headline(results),
        "facts": _facts(results),
        "outcomes": [
            {"text": visible(name), "count": f"{count:,}", "share": 100 * count / most, "tone": _tone(name)}
            for name, count in _sorted(outcomes)
        ],
        "causes": [{"text": cause, "count": count} for cause, count in _causes(results)],
        "times": [{"name": name, "text": milliseconds(took)} for (name, _), took in zip(QUANTILES, times, strict=True)]
        if times
        else [],
        "places": _places(times),
    }


def headline(results: Results) -> str:
    """Return "1,000 requests, 3 failed"."""
    failed = len(results.failures)
    return f"{counted(len(results), results.total)}, {f'{failed:,}' if failed else 'none'} failed"


def line(results: Results) -> str:
    """Return the results in one stable line."""
    return f"<Results of {headline(results)}>"


def text(results: Results) -> str:
    """Return outcomes and causes as plain text; times differ from run to run and are left out."""
    outcomes = [(visible(name), f"{count:,}") for name, count in _sorted(results.outcomes())]
    parts = [headline(results), static.text_table(OUTCOME_HEAD, outcomes)]
    if causes := _causes(results):
        parts.append(static.text_table(CAUSE_HEAD, causes))
    return "\n\n".join(parts)


def html(results: Results) -> str:
    """Return the same as HTML that survives sanitising, with the times as a picture."""
    outcomes = [(visible(name), f"{count:,}") for name, count in _sorted(results.outcomes())]
    parts = [f"<p>{static.escape(headline(results))}</p>", static.html_table(OUTCOME_HEAD, outcomes)]
    if causes := _causes(results):
        parts.append(static.html_table(CAUSE_HEAD, causes))
    if times := _times(results):
        parts.append(static.picture(_svg(times), "How long the requests took, from the fastest to the slowest"))
    return "".join(parts)


def quantile(ordered: Sequence[int], share: float) -> int:
    """Return the value below which `share` (0 to 1) of the `ordered` values lie, nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _times(results: Results) -> list[int]:
    """Return the quantiles of what was sent and came to an end; [] when nothing did."""
    took = sorted(row.elapsed_ns for row in results if row.invocation is not None)
    return [quantile(took, share) for _, share in QUANTILES] if took else []


def _places(times: Sequence[int]) -> list[float]:
    """Return where on a line from the fastest to the slowest each quantile stands, in percent of its length."""
    if not times or times[-1] == times[0]:
        return []
    low, high = math.log(max(times[0], 1)), math.log(max(times[-1], 2))
    return [round(100 * (math.log(max(took, 1)) - low) / (high - low), 2) for took in times]


def _svg(times: Sequence[int]) -> str:
    """Return the quantiles as a box on a logarithmic line, fastest and slowest written at its ends."""
    at = [_EDGE + place / 100 * (_WIDTH - 2 * _EDGE) for place in _places(times) or [0.0] * len(times)]
    words = "".join(
        f'<text x="{x:.0f}" y="{_HEIGHT + 12}" text-anchor="{anchor}">{label}</text>'
        for x, anchor, label in (
            (0, "start", milliseconds(times[0])),
            (_WIDTH / 2, "middle", f"median {milliseconds(times[2])}"),
            (_WIDTH, "end", milliseconds(times[-1])),
        )
    )
    ticks = "".join(f'<path d="M{x:.1f} 6v16" stroke="#57606a" stroke-width="2"/>' for x in (at[0], at[4], at[-1]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT + 18}" font-size="11" '
        f'font-family="sans-serif" fill="#57606a"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path d="M{at[0]:.1f} 14H{at[-1]:.1f}" stroke="#57606a" stroke-width="2"/>{ticks}'
        f'<rect x="{at[1]:.1f}" y="6" width="{max(at[3] - at[1], 2):.1f}" height="16" fill="#0b5cad"/>'
        f'<path d="M{at[2]:.1f} 6v16" stroke="#fff" stroke-width="2"/>{words}</svg>'
    )


def _facts(results: Results) -> str:
    seconds = results.elapsed_ns / 1e9
    return f"{milliseconds(results.elapsed_ns)} · {len(results) / seconds:,.0f} per second" if seconds else ""


def _sorted(found: Counter[str]) -> list[tuple[str, int]]:
    """Return the most frequent first; those that are even in the order of their names."""
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _causes(results: Results) -> list[tuple[str, str]]:
    found = _sorted(results.causes())
    shown = [(visible(shortened(cause, CAUSE_LIMIT)), f"{count:,}") for cause, count in found[:CAUSES_SHOWN]]
    rest = sum(count for _, count in found[CAUSES_SHOWN:])
    return [*shown, ("… other causes", f"{rest:,}")] if rest else shown


def _tone(name: str) -> str:
    return TONES.get(int(name) // 100, "neutral") if name.isdigit() else "alert"
