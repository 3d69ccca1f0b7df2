"""A handshake, or two side by side, as one still picture: an SVG made from the view's state, for readers
without a kernel.

It carries its own colours and a white ground, because a picture cannot know the page's theme. Text is cut
by count of characters since nothing here can measure it. What may not live here: what a handshake means.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .text import shortened

WIDTH = 780
ROW = 44
HEAD = 61
CLIENT_X, SERVER_X, TIME_X = 232, 700, 764
PAIRS_WIDTH, PAIR_HEAD = 900, 78
LANES = ((222, 542), (564, 884))
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', monospace"

INK, MUTED, HAIRLINE, GROUND = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
LIFELINE = "#7d8894"
STROKES = {"client": "#0b5cad", "server": "#6b3fa0", "alert": "#c02626"}
WARM, WARM_TINT = "#a8482a", "#fdf2e6"
TONES = {"proof": ("#17663c", "#e6f4ec"), "neutral": ("#3d4752", "#eef1f4"), "alert": ("#a61b1b", "#fdeaea")}

Drawn = Mapping[str, Any]


def sequence(state: Drawn) -> str:
    """Return the SVG of a handshake's state (`views.handshake.state`, messages' bytes not needed)."""
    head = HEAD + (18 if state["via"] else 0)
    top = head + 35
    height = top + ROW * len(state["rows"]) + 14
    parts = [_head(state, head), _ends(head + 21), _lifelines(top, height)]
    parts += [_row(state, row, top + ROW * i) for i, row in enumerate(state["rows"])]
    return _sheet(WIDTH, height, "".join(parts))


def comparison(end: Drawn) -> str:
    """Return the SVG of two handshakes on shared rows (one end of `views.comparison.state`)."""
    height = PAIR_HEAD + ROW * len(end["pairs"]) + 14
    lanes = zip(("left", "right"), LANES, strict=True)
    parts = [_lane_head(end[side], lane, height) for side, lane in lanes]
    parts += [_pair(end, pair, PAIR_HEAD + ROW * i) for i, pair in enumerate(end["pairs"])]
    return _sheet(PAIRS_WIDTH, height, "".join(parts))


def _lane_head(side: Drawn, lane: tuple[int, int], height: int) -> str:
    left, right = lane
    return (
        _text(left, 27, shortened(side["name"], 24), weight=600, size=14)
        + _text(left, 45, shortened(" · ".join((side["badge"]["text"], *side["facts"])), 54), fill=MUTED, size=11.5)
        + _text(left, 69, "Client", fill=STROKES["client"], weight=600)
        + _text(right, 69, "Server", fill=STROKES["server"], weight=600, anchor="end")
        + "".join(_lifeline(x, PAIR_HEAD - 4, height) for x in lane)
    )


def _pair(end: Drawn, pair: Drawn, y: float) -> str:
    tint = f'<rect x="1" y="{y}" width="3" height="{ROW}" fill="{WARM}"/>' if pair["mtls_only"] else ""
    step = _step(pair["step"], y) if pair["named"] else ""
    arrows = [
        (end[side]["arrows"][pair[side]], lane)
        for side, lane in zip(("left", "right"), LANES, strict=True)
        if pair[side] >= 0
    ]
    return tint + step + "".join(_lane_arrow(arrow, y, lane) for arrow, lane in arrows)


def _lane_arrow(arrow: Drawn, y: float, lane: tuple[int, int]) -> str:
    left, right = lane
    from_client = arrow["sender"] == "client"
    x, anchor = (left + 12, "start") if from_client else (right - 12, "end")
    about = shortened(arrow["size"], 12)
    name, size = escape(shortened(arrow["name"], 28)), f'<tspan fill="{MUTED}" font-size="11.5">{escape(about)}</tspan>'
    inner = f"{name}  {size}" if from_client else f"{size}  {name}"
    ink = _stroke(arrow) if arrow["alert"] else INK
    warm = f'<rect x="{left + 2}" y="{y}" width="{right - left - 4}" height="{ROW}" fill="{WARM_TINT}"/>'
    return (
        (warm if arrow["mtls_only"] else "")
        + f'<text x="{x}" y="{y + 24}" fill="{ink}" text-anchor="{anchor}" xml:space="preserve">{inner}</text>'
        + _shaft(arrow, y, left, right)
    )


def _sheet(width: int, height: int, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONT}" font-size="12.5">'
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8" fill="{GROUND}" stroke="{HAIRLINE}"/>'
        f"{content}</svg>"
    )


def _head(state: Drawn, height: int) -> str:
    ink, tint = TONES[state["badge"]["tone"]]
    words = state["badge"]["text"]
    width = 8 * len(words) + 24
    x = 28 + width
    return (
        f'<rect x="16" y="18" width="{width}" height="26" rx="13" fill="{tint}"/>'
        + _text(16 + width / 2, 35.5, words, fill=ink, weight=600, anchor="middle")
        + _text(x, 29, shortened(state["title"], 60), weight=600, size=14)
        + _text(x, 47, shortened(" · ".join(state["facts"]), 92), fill=MUTED, size=11.5)
        + (_text(x, 64, shortened(state["via"], 92), fill=WARM, size=11.5) if state["via"] else "")
        + f'<line x1="1" x2="{WIDTH - 1}" y1="{height - 0.5}" y2="{height - 0.5}" stroke="{HAIRLINE}"/>'
    )


def _ends(y: int) -> str:
    return (
        _text(CLIENT_X, y, "Client", fill=STROKES["client"], weight=600, anchor="middle")
        + _text(SERVER_X, y, "Server", fill=STROKES["server"], weight=600, anchor="middle")
        + _text(TIME_X, y, "ms", fill=MUTED, anchor="end", size=11.5)
    )


def _lifelines(top: int, height: int) -> str:
    return "".join(_lifeline(x, top - 4, height) for x in (CLIENT_X, SERVER_X))


def _lifeline(x: int, top: int, height: int) -> str:
    return f'<line x1="{x}" x2="{x}" y1="{top}" y2="{height - 14}" stroke="{LIFELINE}" stroke-width="2"/>'


def _row(state: Drawn, row: Drawn, y: float) -> str:
    step = state["steps"][row["step"]]
    arrow = state["arrows"][row["arrow"]] if row["arrow"] >= 0 else None
    warm = arrow["mtls_only"] if arrow else step["mtls_only"]
    return (
        (_tint(y) if warm else "")
        + (_step(step, y) if row["named"] else "")
        + (_arrow(arrow, y) if arrow else _caption(step, y))
    )


def _tint(y: float) -> str:
    left, right = CLIENT_X - 1, SERVER_X + 1
    bands = ((1, left - 1), (left + 2, right - left - 4), (right, WIDTH - 1 - right))
    tints = "".join(f'<rect x="{x}" y="{y}" width="{w}" height="{ROW}" fill="{WARM_TINT}"/>' for x, w in bands)
    return tints + f'<rect x="1" y="{y}" width="3" height="{ROW}" fill="{WARM}"/>'


def _step(step: Drawn, y: float) -> str:
    fill, ink = (WARM, GROUND) if step["mtls_only"] else ("#eef1f4", INK)
    first, second = _two_lines(step["title"], 24)
    lines = _text(46, y + 21, first) + (_text(46, y + 36, second) if second else "")
    return (
        f'<circle cx="27" cy="{y + 17}" r="10.5" fill="{fill}"/>'
        + _text(27, y + 21.5, step["number"], fill=ink, weight=600, anchor="middle", size=11.5)
        + lines
    )


def _arrow(arrow: Drawn, y: float) -> str:
    return (
        _shaft(arrow, y, CLIENT_X, SERVER_X)
        + _label(arrow, y + 24, _stroke(arrow) if arrow["alert"] else INK)
        + _text(TIME_X, y + 24, arrow["time"], fill=MUTED, anchor="end", size=11.5, family=MONO)
    )


def _stroke(arrow: Drawn) -> str:
    return STROKES["alert" if arrow["alert"] else arrow["sender"]]


def _shaft(arrow: Drawn, y: float, client_x: float, server_x: float) -> str:
    stroke = _stroke(arrow)
    dash = "" if arrow["encrypted"] else ' stroke-dasharray="5 3"'
    start, tip, back = (client_x, server_x, -1) if arrow["sender"] == "client" else (server_x, client_x, 1)
    line = y + 33
    return (
        f'<line x1="{start - 8 * back}" x2="{tip + 10 * back}" y1="{line}" y2="{line}" stroke="{stroke}" '
        f'stroke-width="1.6"{dash}/>'
        f'<path d="M{tip + 3 * back} {line} l{9 * back} -4.5 v9 z" fill="{stroke}"/>'
    )


def _label(arrow: Drawn, y: float, ink: str) -> str:
    detail = " · ".join(filter(None, (arrow["detail"], arrow["size"])))
    room = max(8, 62 - int(1.3 * len(arrow["name"])))
    name = f'<tspan font-weight="600" fill="{ink}">{escape(arrow["name"])}</tspan>'
    about = f'<tspan fill="{MUTED}" font-size="11.5">{escape(shortened(detail, room))}</tspan>'
    from_client = arrow["sender"] == "client"
    x, anchor = (CLIENT_X + 14, "start") if from_client else (SERVER_X - 14, "end")
    inner = f"{name}  {about}" if from_client else f"{about}  {name}"
    lock = "" if not arrow["encrypted"] else _lock(CLIENT_X + 14 if not from_client else SERVER_X - 22, y - 9)
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" xml:space="preserve">{inner}</text>{lock}'


def _lock(x: float, y: float) -> str:
    return (
        f'<g transform="translate({x} {y})" fill="none" stroke="{MUTED}" stroke-width="1.4">'
        f'<rect x="0" y="4" width="8" height="6" rx="1" fill="{MUTED}"/><path d="M2 4V2.5a2 2 0 0 1 4 0V4"/></g>'
    )


def _caption(step: Drawn, y: float) -> str:
    middle = (CLIENT_X + SERVER_X) / 2
    return _text(middle, y + 25, shortened(step["caption"], 66), fill=MUTED, anchor="middle", style="italic")


def _two_lines(words: str, limit: int) -> tuple[str, str]:
    """Return `words` broken once at a space near `limit` characters."""
    if len(words) <= limit:
        return words, ""
    cut = words.rfind(" ", 0, limit + 1)
    return (words[:cut], shortened(words[cut + 1 :], limit)) if cut > 0 else (shortened(words, limit), "")


def _text(
    x: float,
    y: float,
    words: str,
    *,
    fill: str = INK,
    weight: int = 400,
    anchor: str = "start",
    size: float = 12.5,
    style: str = "normal",
    family: str = FONT,
) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{fill}" font-weight="{weight}" text-anchor="{anchor}" '
        f'font-size="{size}" font-style="{style}" font-family="{family}">{escape(words)}</text>'
    )
