"""The sheets of all widgets end up on one page, so what one says about a class holds for every other."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from mtls_notebook import views

FOLDER = Path(views.__file__).parent
SELECTORS = re.compile(r"([^{}]+)\{")
# What every widget is may be said where it belongs.
EVERYWHERE = {"mtls-view"}


def styled_alone(sheet: str) -> set[str]:
    """Return the classes that a sheet styles wherever they stand: selectors of that class and nothing else."""
    bare = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    selectors = (one.strip() for group in SELECTORS.findall(bare) for one in group.split(","))
    found = (re.fullmatch(r"(?:\.mtls-view )?\.(mtls-[\w-]+)", one) for one in selectors)
    return {match[1] for match in found if match} - EVERYWHERE


def test_no_two_sheets_style_the_same_class() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(FOLDER.glob("*.css")):
        for name in styled_alone(path.read_text("utf-8")):
            places[name].append(path.name)
    assert {name: sheets for name, sheets in places.items() if len(sheets) > 1} == {}


def test_a_class_of_two_sheets_would_be_found() -> None:
    assert styled_alone("/* .mtls-no {} */ .mtls-row { } .mtls-view .mtls-a, .mtls-b .mtls-c { }") == {
        "mtls-row",
        "mtls-a",
    }
