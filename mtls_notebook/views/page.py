"""A view as one HTML page that steps without a kernel, from a file, and asks the network for nothing.

The page holds its values as JSON, its styles and its one script; its policy allows exactly these, by their
hashes, and no request at all. Before the script has run, or where it may not, the view's static form stands
there. What may not live here: what any view says.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..recorder.compare import Comparison
from ..recorder.export import Format
from ..recorder.handshake import Handshake
from ..worker.exchange import Invocation
from . import assets, comparison, handshake, invocation, static

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pageable:
    """How values of one type become a page: parts, the function that draws, its values, the static form."""

    scripts: tuple[str, ...]
    styles: tuple[str, ...]
    render: str
    values: Callable[[Any], Values]
    html: Callable[[Any], str]


PAGES: Mapping[type, Pageable] = {
    Handshake: Pageable(handshake.SCRIPTS, handshake.STYLES, "renderHandshake", handshake.page_values, handshake.html),
    Invocation: Pageable(
        invocation.SCRIPTS, invocation.STYLES, "renderInvocation", invocation.page_values, invocation.html
    ),
    Comparison: Pageable(
        comparison.SCRIPTS, comparison.STYLES, "renderComparison", comparison.page_values, comparison.html
    ),
}


def page(value: Handshake | Invocation | Comparison) -> str:
    """Return one self-contained HTML document that shows `value`."""
    shown = PAGES[type(value)]
    values = shown.values(value)
    style = assets.stylesheet("page.css", *shown.styles)
    script = f"{assets.script(*shown.scripts, 'page.js')}\nshowPage({shown.render});\n"
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{static.escape(values['state']['label'])}</title>\n<style>{style}</style>\n</head>\n"
        f'<body data-jp-theme-light="true">\n<main id="view">{shown.html(value)}</main>\n'
        f'<script type="application/json" id="values">{_inert(values)}</script>\n'
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _inert(values: Values) -> str:
    """Return `values` as JSON that cannot end the element it stands in."""
    return json.dumps(values, ensure_ascii=False).replace("<", "\\u003c")


def formats(value: Handshake | Invocation | Comparison) -> dict[str, Format]:
    """Return how an export writes `value` as a page; it holds no secret."""
    return {".html": Format(lambda _recorded: page(value).encode("utf-8"))}
