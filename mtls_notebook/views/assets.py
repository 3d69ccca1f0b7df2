"""The scripts and styles of the widgets, joined from their parts.

The front end loads a widget's module from a Blob URL, where a relative import cannot work; so parts are
joined here, in the order given. A part declares functions and exports nothing; the joined module exports
one `render`. What may not live here: any script or style text of its own.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def part(name: str) -> str:
    """Return the text of one file beside this module."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def module(*names: str, render: str) -> str:
    """Return one ES module made of the parts `names`, whose `render` is the function named so."""
    return "\n".join([*map(part, names), f"export default {{ render: {render} }};", ""])


def stylesheet(*names: str) -> str:
    """Return the styles `names` as one sheet."""
    return "\n".join(map(part, names))


def script(*names: str) -> str:
    """Return the scripts `names` as one text, for a page that calls their functions itself."""
    return "\n".join(map(part, names))
