"""What a reader sees without a kernel: HTML that survives sanitising, and plain text.

A front end that does not trust a notebook strips `<style>`, `<script>` and inline `<svg>`; a picture as a
data URI, `<table>` and `<details>` stay. Plain text is the same in every run of the same notebook (no
address, port, size, time or fingerprint), so that `nbval` can compare it; what varies stands in the picture
and, in HTML, nowhere else. What may not live here: what any view says.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

Row = Sequence[str]
Bundle = tuple[dict[str, Any], dict[str, Any]]


def bundle(model_id: str | None, page: str, text: str) -> Bundle:
    """Return a view's MIME bundle and its (empty) metadata; `model_id` is None where there is no widget."""
    shown: dict[str, Any] = {"text/html": page, "text/plain": text}
    if model_id is not None:
        shown[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": model_id}
    return shown, {}


def escape(text: str) -> str:
    """Return `text` as HTML text."""
    return html.escape(text)


def picture(svg: str, description: str) -> str:
    """Return an `<img>` that carries `svg` itself; `description` is read where it cannot be seen."""
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return f'<img alt="{escape(description)}" src="data:image/svg+xml;base64,{data}">'


def html_table(head: Row, rows: Iterable[Row]) -> str:
    """Return a `<table>` of text cells."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, content: str) -> str:
    """Return `content` (HTML) folded under `title` (text)."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def text_table(head: Row, rows: Iterable[Row]) -> str:
    """Return a table in plain text: columns padded, a rule under the head, no trailing spaces."""
    table = [tuple(head), *map(tuple, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return name and value pairs in plain text, values aligned; pairs without a value are left out."""
    kept = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in kept), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in kept)
